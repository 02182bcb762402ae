#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One set of cases for every runtime of the tree, through the mount, as whoever calls a function sees them.

`bootstrap` counts three times: as a web server, and as a program that asks either runtime API. An image has a Python
of its own, and what is saved or published is another image. What only the process behind a runtime can be asked (tests/runtimes), and what only one protocol has (http_function_test.py,
runtime_api_test.py, runtime_clients_test.py), is tested there. Without this a user would lose: that a
function behaves the same whatever it is written in.
"""

import errno
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from images import Image, layer, member, python_members  # noqa: E402
from mounted import Cases, Mounted  # noqa: E402

# What is asked of all of them; yields pieces of the response.
WORK = r'''
import json, os, sys, time

def until(path, count=1):
	while len(os.listdir(path)) < count:
		time.sleep(0.005)

def work(event, request_id, key):
	do = event.get('do') if isinstance(event, dict) else None
	if do == 'raise':
		raise ValueError('seven')
	elif do == 'exit':
		os._exit(7)
	elif do == 'sleep':
		time.sleep(60)
	elif do == 'eat':
		pieces = []
		while True:
			pieces.append(b'x' * (1 << 20))
	elif do == 'big':
		yield 'x' * event['n']
	elif do == 'colour':
		yield os.environ['COLOUR']
	elif do == 'print':
		print('printed ' + event['text'], file=sys.stderr, flush=True)
		yield 'done'
	elif do == 'id':
		yield request_id
	elif do == 'key':
		yield key or 'none'
	elif do == 'read':
		yield open('/opt/function/code/data.txt').read()
	elif do == 'meet':
		os.makedirs('/tmp/room', exist_ok=True)
		open('/tmp/room/' + event['me'], 'w').close()
		until('/tmp/room', event['all'])
		yield event['me']
	elif do == 'stream':
		os.makedirs('/tmp/go', exist_ok=True)
		yield 'one '
		until('/tmp/go')
		yield 'two'
	elif do == 'go':
		open('/tmp/go/now', 'w').close()
		yield 'went'
	else:
		yield json.dumps(event)
'''

PYTHON = '''from work import work
def handler(event, context):
	pieces = work(event, context.getRequestID(), context.getIdempotencyKey())
	return pieces if event.get('do') == 'stream' else ''.join(pieces)
'''

EXEC = '''#!/usr/bin/python3
import json, os, sys
sys.path.insert(0, '/opt/function/code')
from work import work
for piece in work(json.loads(sys.stdin.read() or '{}'), os.environ['RUNTIME_REQUEST_ID'],
		os.environ['RUNTIME_IDEMPOTENCY_KEY']):
	print(piece, end='', flush=True)
'''

NODE = r'''
const fs = require('fs');
const until = async (path, count = 1) => {
	while (fs.readdirSync(path).length < count) await new Promise((r) => setTimeout(r, 5));
};
async function* stream() {
	fs.mkdirSync('/tmp/go', { recursive: true });
	yield 'one ';
	await until('/tmp/go');
	yield 'two';
}
const work = {
	raise: () => { throw new Error('seven'); },
	exit: () => process.exit(7),
	sleep: () => new Promise((r) => setTimeout(r, 60000)),
	eat: () => { const pieces = []; for (;;) pieces.push(Buffer.alloc(1 << 20, 1)); },
	big: (event) => 'x'.repeat(event.n),
	colour: () => process.env.COLOUR,
	print: (event) => { console.error('printed ' + event.text); return 'done'; },
	id: (event, context) => context.getRequestID(),
	key: (event, context) => context.getIdempotencyKey() || 'none',
	read: () => fs.readFileSync('/opt/function/code/data.txt', 'utf8'),
	meet: async (event) => {
		fs.mkdirSync('/tmp/room', { recursive: true });
		fs.writeFileSync('/tmp/room/' + event.me, '');
		await until('/tmp/room', event.all);
		return event.me;
	},
	stream,
	go: () => { fs.writeFileSync('/tmp/go/now', ''); return 'went'; },
};
exports.handler = async (event, context) => (work[event.do] ?? ((event) => event))(event, context);
'''

SERVER = r'''#!/usr/bin/python3 -u
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
sys.path.insert(0, '/opt/function/code')
from work import work
class Handler(BaseHTTPRequestHandler):
	protocol_version = 'HTTP/1.1'
	def log_message(self, *arguments):
		pass
	def do_POST(self):
		event = json.loads(self.rfile.read(int(self.headers['Content-Length'])) or '{}')
		pieces = work(event, self.headers['X-CFF-Request-Id'], self.headers['Idempotency-Key'])
		try:
			first = next(pieces).encode()
		except ValueError as error:
			body = json.dumps({'errorMessage': str(error), 'errorType': 'ValueError', 'stackTrace': []}).encode()
			self.send_response(500)
			self.send_header('Content-Length', str(len(body)))
			self.end_headers()
			self.wfile.write(body)
			return
		self.send_response(200)
		self.send_header('Transfer-Encoding', 'chunked')
		self.end_headers()
		self.chunk(first)
		for piece in pieces:
			self.chunk(piece.encode())
		self.wfile.write(b'0\r\n\r\n')
	def chunk(self, data):
		self.wfile.write(b'%x\r\n%s\r\n' % (len(data), data))
class Server(ThreadingHTTPServer):
	request_queue_size = 128
Server(('127.0.0.1', 8000), Handler).serve_forever()
'''
IN_IMAGE = SERVER.replace('\tdef do_POST(self):\n', """\tdef do_POST(self):
		if self.path == '/init':
			self.send_error(404)
			return
""")

ASKING = r'''#!/usr/bin/python3 -u
import http.client, json, os, sys, threading
sys.path.insert(0, '/opt/function/code')
from work import work
API, NEXT, RESPONSE, ERROR, ID = %r
def serve():
	connection = http.client.HTTPConnection(os.environ[API])
	def ask(method, path, body=None, **named):
		connection.request(method, path, body, **named)
		answer = connection.getresponse()
		return answer, answer.read()
	while True:
		answer, body = ask('GET', NEXT)
		id = answer.headers[ID]
		try:
			pieces = work(json.loads(body), id, answer.headers['Idempotency-Key'])
			first = next(pieces)
		except ValueError as error:
			ask('POST', ERROR %% id, json.dumps({'errorMessage': str(error), 'errorType': 'ValueError', 'stackTrace': []}))
			continue
		def send():
			yield first.encode()
			yield from map(str.encode, pieces)
		ask('POST', RESPONSE %% id, send(), encode_chunked=True, headers={'Transfer-Encoding': 'chunked'})
for _ in range(int(os.environ.get('AWS_LAMBDA_MAX_CONCURRENCY', 1)) - 1):
	threading.Thread(target=serve).start()
serve()
'''
GRAPH = ('RUNTIME_API_ADDR', '/v1/runtime/invocation/request', '/v1/runtime/invocation/response/%s',
	'/v1/runtime/invocation/error/%s', 'X-Cff-Request-Id')
LAMBDA = ('AWS_LAMBDA_RUNTIME_API', '/2018-06-01/runtime/invocation/next', '/2018-06-01/runtime/invocation/%s/response',
	'/2018-06-01/runtime/invocation/%s/error', 'Lambda-Runtime-Aws-Request-Id')

# name of the function -> its runtime, its file, how that looks, and how it looks when it does not start
KINDS = {
	'python': ('python', 'index.py', PYTHON, 'def handler(event context):\n'),
	'nodejs': ('nodejs', 'index.js', NODE, 'exports.handler = async (event context) => {\n'),
	'exec': ('exec', 'main+x', EXEC, None),
	'http': ('http', 'bootstrap+x', SERVER, '#!/bin/sh\nexit 3\n'),
	'serves': ('bootstrap', 'bootstrap+x', SERVER, '#!/bin/sh\nexit 3\n'),
	'asks-graph': ('bootstrap', 'bootstrap+x', ASKING % (GRAPH,), '#!/bin/sh\nexit 3\n'),
	'asks-lambda': ('bootstrap', 'bootstrap+x', ASKING % (LAMBDA,), '#!/bin/sh\nexit 3\n'),
	'image': ('image', 'image.tar', None, 'this is no archive'),
}

fn = None
lowest = None  # layer of an image: Python


def packed(data):
	"""An image whose /opt/function/code is as that of the others, data.txt with it. Its bytes."""
	code = 'opt/function/code/'
	program = layer(member(code + 'work.py', data=WORK.encode()), member(code + 'bootstrap', data=IN_IMAGE.encode(), mode=0o755))
	image = Image([lowest, program, layer(member(code + 'data.txt', data=data.encode()))],
		{'Entrypoint': ['/' + code + 'bootstrap'], 'Env': ['PATH=/usr/bin']}, compress=False)
	return layer(*[member(name, data=data) for name, data in image.files().items()])


def save(name, text):
	"""What the function reads as its data.txt."""
	if KINDS[name][0] == 'image':
		with open(fn.path('functions', name, 'code', 'image.tar'), 'wb') as file:
			file.write(packed(text))
		return
	with open(fn.path('functions', name, 'code', 'data.txt'), 'w') as file:
		file.write(text)


def call(name, **event):
	return fn.call(name, json.dumps(event).encode())


def fails(expected, name, **event):
	try:
		body = call(name, **event)
	except OSError as error:
		assert error.errno == expected, (name, errno.errorcode[error.errno], error.body)
		return error.body.decode()
	raise AssertionError('%s: no error, but %r' % (name, body[:200]))


def goes_on(name):
	assert json.loads(call(name, n=1)) == {'n': 1}, name


def at_once(name, events):
	"""The responses of calls that are made at the same time."""
	found = {}

	def one(i):
		found[i] = call(name, **events[i]).decode()
	threads = [threading.Thread(target=one, args=(i,)) for i in range(len(events))]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join()
	return [found.get(i) for i in range(len(events))]


# --- the cases: each for one function ------------------------------------------------------------------


def events_pass(name):
	for event in ({'n': 1}, {'list': [1, 2.5, None, True], 'text': 'Zo\u00eb \u65e5\u672c \U0001f680'}, {}, {'long': 'x' * 3000000}):
		assert json.loads(call(name, **event)) == event


def white_space_is_the_empty_event(name):
	assert json.loads(fn.call(name, b' \n\t')) == {}


def six_mebibytes_pass_and_seven_do_not(name):
	assert len(call(name, do='big', n=6 << 20)) == 6 << 20
	fails(errno.EFBIG, name, do='big', n=7 << 20)
	goes_on(name)


def an_error_is_said(name):
	text = fails(errno.EREMOTEIO, name, do='raise')
	body = json.loads(text)
	assert 'seven' in text and set(body) == {'errorMessage', 'errorType', 'stackTrace'}, body
	goes_on(name)


def an_end_is_said(name):
	text = fails(errno.EREMOTEIO, name, do='exit')
	assert '7' in json.loads(text)['errorMessage'], text
	goes_on(name)


def a_timeout_is_said(name):
	text = fails(errno.ETIMEDOUT, name, do='sleep')
	assert '5.00 seconds' in json.loads(text)['errorMessage'], text
	goes_on(name)


def memory_is_bounded(name):
	text = fails(errno.ENOMEM, 'several-' + name, do='eat')  # where there is time for it
	assert 'memory' in json.loads(text)['errorMessage'], text
	goes_on('several-' + name)


def variables_are_there(name):
	assert call(name, do='colour') == b'blue'


def a_call_knows_its_id(name):
	assert call(name, do='id').decode() == os.path.basename(os.readlink(fn.path('functions', name, 'calls', 'last')))


def a_call_in_the_queue_knows_its_name(name):
	assert call(name, do='key') == b'none'
	with open(fn.path('functions', name, 'queue', 'order-17'), 'w') as entry:
		json.dump({'do': 'key'}, entry)
	result, end = fn.path('functions', name, 'results', 'order-17'), time.monotonic() + 30
	while not os.path.exists(result):
		assert time.monotonic() < end, os.listdir(fn.path('functions', name, 'failed'))
		time.sleep(0.01)
	assert fn.read('functions', name, 'results', 'order-17').strip() in ('order-17', '"order-17"')


def what_is_printed_is_logged(name):
	assert call(name, do='print', text='%s-1' % name) == b'done'
	id = os.path.basename(os.readlink(fn.path('functions', name, 'calls', 'last')))
	line, end = 'printed %s-1' % name, time.monotonic() + 20
	while line not in (log := fn.read('functions', name, 'logs', 'current')):
		assert time.monotonic() < end, log
		time.sleep(0.01)
	assert [each for each in log.splitlines() if each.endswith(line) and id in each], log


def what_was_saved_is_what_runs(name):
	for text in 'one', 'two', 'three':
		save(name, text)
		assert call(name, do='read').decode() == text


def a_version_stays(name):
	save(name, 'published')
	os.mkdir(fn.path('functions', name, 'versions', '1'))
	save(name, 'later')
	assert call(name + '/versions/1', do='read') == b'published' and call(name, do='read') == b'later'


def calls_are_inside_at_once(name):
	events = [{'do': 'meet', 'me': 'call%d' % i, 'all': 4} for i in range(4)]
	goes_on('several-' + name)
	assert at_once('several-' + name, events) == [event['me'] for event in events]
	assert fn.read('functions', 'several-' + name, 'status').count('\ninstances 1\n') == 1


def pieces_come_as_they_are_made(name):
	goes_on('several-' + name)
	fd = os.open(fn.path('functions', 'several-' + name, 'invoke'), os.O_RDWR)
	try:
		os.write(fd, b'{"do":"stream"}')
		assert os.read(fd, 100) == b'one '
		assert call('several-' + name, do='go') == b'went'
		assert os.read(fd, 100) == b'two' and os.read(fd, 100) == b''
	finally:
		os.close(fd)


def what_does_not_start_is_said(name):
	runtime, file, _, wrong = KINDS[name]
	fn.function('wrong-' + name, {file: wrong} if wrong else {'a.txt': ''}, runtime=runtime)
	text = fails(errno.ENOEXEC, 'wrong-' + name)
	assert json.loads(text)['errorMessage'], text


def deploy(name):
	runtime, file, text, _ = KINDS[name]
	files = {'work.py': WORK, file: text, 'data.txt': ''} if text else {file: packed('')}
	for prefix, concurrency in ('', 1), ('several-', 4):
		fn.function(prefix + name, files, runtime=runtime, timeout='5s' if not prefix else '30s', init_timeout='60s',
			concurrency=concurrency)
		with open(fn.path('functions', prefix + name, 'config', 'env', 'COLOUR'), 'w') as variable:
			variable.write('blue')


def runs_for_all(case):
	"""All runtimes side by side: most of the time each waits."""
	wrong = {}

	def one(name):
		try:
			case(name)
		except Exception as error:
			wrong[name] = '%s: %s %s' % (type(error).__name__, error, getattr(error, 'body', ''))
	threads = [threading.Thread(target=one, args=(name,)) for name in KINDS]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join()
	assert not wrong, wrong


def every_runtime_is_here():
	there = set(os.listdir(fn.path('runtimes')))
	assert there == {runtime for runtime, *_ in KINDS.values()}, there


def main():
	global fn, lowest
	cases = Cases()
	lowest = layer(*python_members('http.server', 'json', 'encodings.idna', 'encodings.ascii', 'encodings.latin_1'))
	with Mounted() as fn:
		cases.run(every_runtime_is_here)
		for name in KINDS:
			deploy(name)
		for case in (events_pass, white_space_is_the_empty_event, six_mebibytes_pass_and_seven_do_not, an_error_is_said,
				an_end_is_said, a_timeout_is_said, memory_is_bounded, variables_are_there, a_call_knows_its_id, a_call_in_the_queue_knows_its_name,
				what_is_printed_is_logged, what_was_saved_is_what_runs, a_version_stays, calls_are_inside_at_once,
				pieces_come_as_they_are_made, what_does_not_start_is_said):
			def for_all(case=case):
				runs_for_all(case)
			for_all.__name__ = case.__name__
			cases.run(for_all)
	cases.end()


main()
