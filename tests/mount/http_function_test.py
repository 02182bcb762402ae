#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP functions: a web server named `bootstrap`, copied into code/ and called.

Without this a user would lose: a web application that runs here as it runs on FunctionGraph, and the
sentence that says why when it does not.
"""

import base64
import errno
import json
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from mounted import Cases, Mounted  # noqa: E402

SERVER = r'''#!/usr/bin/python3 -u
import json, os, socket, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

inside, most, lock = 0, 0, threading.Lock()
started = time.time()

class Handler(BaseHTTPRequestHandler):
	protocol_version = 'HTTP/1.1'
	def log_message(self, *arguments):
		pass
	def answer(self, status, body, headers=()):
		self.send_response(status)
		for name, value in headers:
			self.send_header(name, value)
		self.send_header('Content-Length', str(len(body)))
		self.end_headers()
		if self.command != 'HEAD':
			self.wfile.write(body)
	def chunk(self, data):
		self.wfile.write(b'%x\r\n%s\r\n' % (len(data), data))
		self.wfile.flush()
	def any(self):
		global inside, most
		self.request_body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
		try:
			event = json.loads(self.request_body)
		except ValueError:
			event = None
		do = event.get('do', '') if isinstance(event, dict) else ''
		with lock:
			inside += 1
			most = max(most, inside)
		try:
			getattr(self, 'do_' + do, self.show)(event or {})
		finally:
			with lock:
				inside -= 1
	def show(self, event):
		text = json.dumps({'method': self.command, 'path': self.path, 'pid': os.getpid(),
			'headers': self.headers.items(), 'body': self.request_body.decode('latin-1')})
		self.answer(200, text.encode(), [('Content-Type', 'application/json'),
			('Set-Cookie', 'a=1'), ('Set-Cookie', 'b=2')])
	def do_status(self, event):
		self.answer(event['status'], event.get('body', '').encode())
	def do_sleep(self, event):
		time.sleep(event['s'])
		self.answer(200, json.dumps({'most': most, 'pid': os.getpid()}).encode())
	def do_stream(self, event):
		self.send_response(200)
		self.send_header('Transfer-Encoding', 'chunked')
		self.send_header('Content-Type', 'text/event-stream')
		self.end_headers()
		for i in range(event['n']):
			self.chunk(b'data: %d\n\n' % i)
			time.sleep(event.get('s', 0))
		self.wfile.write(b'0\r\nX-Trailer: yes\r\n\r\n')
	def do_big(self, event):
		self.answer(200, b'x' * event['n'])
	def do_garbage(self, event):
		self.wfile.write(b'\0\1\2 this is no HTTP\r\n\r\n')
		self.close_connection = True
	def do_half(self, event):
		self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
		self.close_connection = True
	def do_nothing(self, event):
		self.close_connection = True
	def do_header(self, event):
		self.answer(200, b'', [('X-Large', 'y' * event['n'])])
	def do_headers(self, event):
		self.answer(200, b'', [('X-%d' % i, 'y') for i in range(event['n'])])
	def do_exit(self, event):
		os._exit(event['status'])
	def do_eat(self, event):
		pieces = []
		while True:
			pieces.append(b'x' * (1 << 20))
	def do_fill(self, event):
		with open('/tmp/full', 'wb') as file:
			while True:
				file.write(b'x' * (1 << 20))
	def do_environment(self, event):
		self.answer(200, json.dumps(dict(os.environ, cwd=os.getcwd())).encode())
	do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = any

class Server(ThreadingHTTPServer):
	request_queue_size = 128

Server(('127.0.0.1', 8000), Handler).serve_forever()
'''

fn = None


def call(name='web', **event):
	return fn.call(name, json.dumps(event).encode())


def fails(expected, name, event):
	"""The error's JSON, when the call fails with this errno."""
	try:
		body = fn.call(name, event if isinstance(event, bytes) else json.dumps(event).encode())
	except OSError as error:
		assert error.errno == expected, (errno.errorcode[error.errno], error.body)
		return error.body
	raise AssertionError('no error, but %r' % body[:200])


def apig(**event):
	return json.dumps(dict({'httpMethod': 'GET', 'path': '/', 'headers': {}, 'body': '',
		'queryStringParameters': {}, 'isBase64Encoded': False}, **event)).encode()


def status(name):
	return dict(line.split(' ', 1) for line in fn.read('functions', name, 'status').splitlines())


def raw_events_are_posted():
	seen = json.loads(fn.call('web', b'{"any": "thing"}'))
	headers = {name.lower(): value for name, value in seen['headers']}
	assert (seen['method'], seen['path'], seen['body']) == ('POST', '/', '{"any": "thing"}'), seen
	assert headers['content-type'] == 'application/json', headers
	assert headers['x-cff-func-name'] == 'web' and headers['x-cff-func-version'] == 'latest', headers
	assert len(headers['x-cff-request-id']) == 36 and headers['x-cff-timeout'] == '5', headers
	assert headers['x-cff-memory'] == '128' and 'x-cff-region' in headers, headers
	assert 'expect' not in headers, headers


def white_space_is_an_empty_object():
	assert json.loads(fn.call('web', b' \n'))['body'] == '{}'


def bytes_are_posted_too():
	seen = json.loads(fn.call('web', bytes(range(256))))
	assert seen['body'] == bytes(range(256)).decode('latin-1')
	assert dict(seen['headers'])['Content-Type'] == 'application/octet-stream', seen


def apig_events_become_requests():
	answer = json.loads(fn.call('web', apig(httpMethod='PUT', path='/a b/\u00e4',
		queryStringParameters={'q': '1&2', 'r': ['x', 'y']},
		headers={'X-One': '1', 'Content-Type': 'text/x', 'Connection': 'close', 'X-Two': ['a', 'b'],
			'Host': 'example.org', 'X-Empty': ''},
		body=base64.b64encode(b'\0\1\2').decode(), isBase64Encoded=True)))
	assert answer['statusCode'] == 200 and answer['isBase64Encoded'] is True, answer
	assert answer['headers']['Set-Cookie'] == ['a=1', 'b=2'], answer
	seen = json.loads(base64.b64decode(answer['body']))
	assert seen['method'] == 'PUT' and seen['body'] == '\0\1\2', seen
	assert seen['path'] == '/a%20b/%C3%A4?q=1%262&r=x&r=y', seen
	headers = [(name.lower(), value) for name, value in seen['headers']]
	for header in [('x-one', '1'), ('content-type', 'text/x'), ('x-two', 'a'), ('x-two', 'b'),
			('host', 'example.org'), ('x-empty', '')]:
		assert header in headers, (header, headers)
	assert ('connection', 'close') not in headers, headers


def apig_methods_work():
	for method in ('GET', 'DELETE', 'OPTIONS', 'PATCH', 'POST'):
		answer = json.loads(fn.call('web', apig(httpMethod=method, path='/m')))
		seen = json.loads(base64.b64decode(answer['body']))
		assert seen['method'] == method, seen
		assert 'application/x-www-form-urlencoded' not in str(seen), seen
	answer = json.loads(fn.call('web', apig(httpMethod='HEAD', path='/m')))
	assert answer['statusCode'] == 200 and answer['body'] == '', answer


def apig_events_that_are_no_requests_are_refused():
	for event in (apig(headers={'A': 'b\r\nX-Evil: 1'}), apig(headers={'A b': 'c'}),
			apig(httpMethod='G ET'), apig(body='***', isBase64Encoded=True),
			apig(headers={'A': 1}), apig(httpMethod='CONNECT')):
		body = json.loads(fails(errno.EBADMSG, 'web', event))
		assert body['errorType'] == 'BadRequest', body
	assert call()  # and the instance goes on


def other_statuses_are_errors():
	assert fails(errno.EREMOTEIO, 'web', {'do': 'status', 'status': 404, 'body': 'not here'}) == b'not here'
	body = json.loads(fails(errno.EREMOTEIO, 'web', {'do': 'status', 'status': 500}))
	assert body['errorType'] == 'HttpStatus' and '500' in body['errorMessage'], body
	assert call(do='status', status=201, body='made') == b'made'
	assert call(do='status', status=204) == b''
	answer = json.loads(fails(errno.EREMOTEIO, 'web',
		apig(httpMethod='POST', body='{"do":"status","status":302,"body":"x"}')))
	assert answer['statusCode'] == 302 and answer['body'] == 'eA==', answer


def connections_are_kept():
	pids = {json.loads(call())['pid'] for _ in range(20)}
	assert len(pids) == 1, pids


def responses_stream():
	fd = os.open(fn.path('functions', 'web', 'invoke'), os.O_RDWR)
	try:
		os.write(fd, b'{"do":"stream","n":5,"s":0.2}')
		begin, pieces = time.monotonic(), []
		while True:
			piece = os.read(fd, 1 << 16)
			if not piece:
				break
			pieces.append((time.monotonic() - begin, piece))
	finally:
		os.close(fd)
	assert b''.join(piece for _, piece in pieces) == b''.join(b'data: %d\n\n' % i for i in range(5))
	assert len(pieces) >= 4 and pieces[0][0] < pieces[-1][0], pieces


def large_requests_and_responses_pass():
	body = b'{"a":"' + b'x' * 3000000 + b'"}'
	assert json.loads(fn.call('web', body))['body'] == body.decode()
	assert len(call(do='big', n=6 << 20)) == 6 << 20


def too_large_is_EFBIG():
	body = fails(errno.EFBIG, 'web', {'do': 'big', 'n': (6 << 20) + 1})
	assert b'FunctionResponseTooLarge' in body[-300:], body[-300:]
	assert call()


def nonsense_is_an_error():
	for event in ({'do': 'garbage'}, {'do': 'nothing'}, {'do': 'header', 'n': 1 << 20},
			{'do': 'headers', 'n': 5000}):
		body = json.loads(fails(errno.EREMOTEIO, 'web', event))
		assert body['errorType'] == 'HttpError', body
	body = fails(errno.EREMOTEIO, 'web', {'do': 'half'})
	assert body.startswith(b'half') and b'HttpError' in body, body
	assert call()


def an_exit_is_said():
	body = json.loads(fails(errno.EREMOTEIO, 'web', {'do': 'exit', 'status': 7}))
	assert 'exit status 7' in body['errorMessage'], body
	assert call()


def memory_is_bounded():
	for _ in range(3):
		body = json.loads(fails(errno.ENOMEM, 'web', {'do': 'eat'}))
		assert 'memory limit' in body['errorMessage'], body
	assert call()


def memory_of_files_is_bounded():
	"""A full /tmp ends the instance, slowly; it is said to the call that filled it, and the next has another."""
	for _ in range(3):
		body = json.loads(fails(errno.ENOMEM, 'web', {'do': 'fill'}))
		assert 'memory limit' in body['errorMessage'], body
		assert call()


def timeouts_hold():
	begin = time.monotonic()
	fails(errno.ETIMEDOUT, 'web', {'do': 'sleep', 's': 60})
	assert time.monotonic() - begin < 30
	assert call()


def environment_is_functiongraphs_and_lambdas():
	seen = json.loads(call(do='environment'))
	assert seen['cwd'] == '/opt/function/code' and seen['RUNTIME_CODE_ROOT'] == '/opt/function/code'
	assert seen['RUNTIME_API_ADDR'] == seen['AWS_LAMBDA_RUNTIME_API'] == '127.0.0.1:9001', seen
	assert seen['COLOUR'] == 'red' and seen['AWS_LAMBDA_FUNCTION_NAME'] == 'web', seen
	assert 'AWS_LAMBDA_MAX_CONCURRENCY' not in seen


def status_says_what_it_is():
	lines = status('web')
	assert lines['runtime'] == 'bootstrap' and lines['speaks'].startswith('http function'), lines


def http_can_be_forced():
	fn.function('forced', {'bootstrap+x': SERVER}, runtime='http')
	assert json.loads(fn.call('forced'))['method'] == 'POST'
	assert status('forced')['runtime'] == 'http'


def many_run_in_one_process():
	"""Concurrency: so many calls are inside one process at once, and one instance is enough."""
	fn.function('many', {'bootstrap+x': SERVER}, concurrency=20, timeout='20s')
	fn.call('many')
	results = []

	def one():
		results.append(json.loads(call('many', do='sleep', s=0.5)))
	threads = [threading.Thread(target=one) for _ in range(20)]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join()
	assert len(results) == 20 and len({result['pid'] for result in results}) == 1, results
	assert max(result['most'] for result in results) == 20, results
	assert status('many')['instances'] == '1', status('many')


def servers_of_one_connection_work():
	"""http.server as most people use it: HTTP/1.0, one thread, a connection for each request."""
	fn.function('plain', {'bootstrap+x': r'''#!/usr/bin/python3 -u
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
	def do_POST(self):
		body = self.rfile.read(int(self.headers['Content-Length']))
		self.send_response(200)
		self.end_headers()
		self.wfile.write(body)
HTTPServer(('127.0.0.1', 8000), Handler).serve_forever()
'''})
	for i in range(50):
		assert fn.call('plain', b'{"n":%d}' % i) == b'{"n":%d}' % i
	assert 'Traceback' not in fn.read('functions', 'plain', 'logs', 'current')


def starts_that_fail_say_why():
	cases = {
		'missing': ({'a.txt': ''}, {'runtime': 'bootstrap'}, 'there is no file code/bootstrap'),
		'mode': ({'bootstrap': '#!/bin/sh\n'}, {}, 'chmod +x code/bootstrap'),
		'wrong': ({'bootstrap.sh+x': '#!/bin/sh\n'}, {}, 'must be named exactly bootstrap'),
		'wrong2': ({'Bootstrap+x': '#!/bin/sh\n'}, {'runtime': 'http'}, 'must be named exactly so'),
		'interpreter': ({'bootstrap+x': '#!/no/such\n'}, {}, 'names a program that is not there'),
		'carriage': ({'bootstrap+x': '#!/bin/sh\r\nexit 0\r\n'}, {}, 'carriage return'),
		'ends': ({'bootstrap+x': '#!/bin/sh\nexit 3\n'}, {}, 'exit status 3'),
		'leaves': ({'bootstrap+x': '#!/bin/sh\n(sleep 60) &\nexit 0\n'}, {}, 'exited'),
		'host': ({'bootstrap+x': SERVER}, {'network': 'host'}, 'config/network is `host`'),
		'port': ({'bootstrap+x': SERVER.replace('8000', '8001')}, {'init_timeout': '700ms'}, '127.0.0.1:8000'),
		'six': ({'bootstrap+x': '#!/usr/bin/python3\nimport socket, time\n'
			's = socket.socket(socket.AF_INET6)\ns.bind(("::1", 8000))\ns.listen()\ntime.sleep(60)\n'},
			{'init_timeout': '700ms'}, '127.0.0.1:8000'),
	}
	for name, (files, settings, expected) in cases.items():
		fn.function(name, files, **settings)
		body = fails(errno.ENOEXEC, name, b'{}').decode()
		assert expected in json.loads(body)['errorMessage'], (name, body)


def no_first_line_is_the_shells():
	fn.function('shell', {'bootstrap+x': 'exec /usr/bin/python3 -u $RUNTIME_CODE_ROOT/server.py\n',
		'server.py': SERVER})
	assert json.loads(fn.call('shell'))['method'] == 'POST'


def functiongraphs_interpreters_are_there():
	fn.function('links', {'bootstrap+x':
		'/opt/function/runtime/python3.10/rtsp/python/bin/python3 -u $RUNTIME_CODE_ROOT/index.py\n',
		'index.py': SERVER})
	assert json.loads(fn.call('links'))['method'] == 'POST'


def connections_may_be_closed_between_calls():
	"""As Node closes them after 5 s: a call that meets a closing connection goes over a new one."""
	fn.function('closing', {'bootstrap+x': SERVER.replace("	protocol_version", "	timeout = 0.05\n	protocol_version")})
	for i in range(40):
		assert json.loads(fn.call('closing', b'{"n":%d}' % i))['body'] == '{"n":%d}' % i
		time.sleep(0.045 + i % 3 * 0.005)


def a_canceled_call_leaves_the_others():
	fn.function('shared', {'bootstrap+x': SERVER}, concurrency=2, timeout='20s')
	pid = json.loads(fn.call('shared'))['pid']
	results = []
	thread = threading.Thread(target=lambda: results.append(call('shared', do='sleep', s=1)))
	thread.start()
	fd = os.open(fn.path('functions', 'shared', 'invoke'), os.O_RDWR | os.O_NONBLOCK)
	os.write(fd, b'{"do":"sleep","s":19}')
	try:
		os.read(fd, 100)  # starts it
	except BlockingIOError:
		pass
	time.sleep(0.2)
	os.close(fd)
	thread.join()
	assert json.loads(results[0])['pid'] == pid, results


def wrong_answers_harm_no_other():
	"""Of two calls in one process one gets all that is no answer; the other does not notice."""
	fn.function('pair', {'bootstrap+x': SERVER}, concurrency=2, timeout='20s')
	pid = json.loads(fn.call('pair'))['pid']
	fd = os.open(fn.path('functions', 'pair', 'invoke'), os.O_RDWR)
	try:
		os.write(fd, b'{"do":"stream","n":2000,"s":0.01}')
		assert os.read(fd, 9) == b'data: 0\n\n'
		for event in ({'do': 'garbage'}, {'do': 'half'}, {'do': 'nothing'}, {'do': 'header', 'n': 1 << 20},
				{'do': 'status', 'status': 500}):
			fails(errno.EREMOTEIO, 'pair', event)
		fails(errno.EFBIG, 'pair', {'do': 'big', 'n': 7 << 20})
		assert json.loads(fn.call('pair'))['pid'] == pid
		assert os.read(fd, 9) == b'data: 1\n\n'  # it still streams
	finally:
		os.close(fd)


def a_thousand_may_run():
	fn.function('thousand', {'bootstrap+x': SERVER}, concurrency=1000, timeout='20s')
	assert json.loads(fn.call('thousand'))['method'] == 'POST'
	results = []
	threads = [threading.Thread(target=lambda: results.append(call('thousand', do='sleep', s=0.5)))
		for _ in range(100)]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join()
	assert len(results) == 100 and len({json.loads(result)['pid'] for result in results}) == 1


def versions_and_aliases_serve_too():
	here = fn.path('functions', 'web')
	os.mkdir(here + '/versions/1.0')
	seen = json.loads(fn.call('web/versions/1.0'))
	assert dict(seen['headers'])['X-CFF-Func-Version'] == '1.0', seen
	os.mkdir(here + '/aliases/prod')
	seen = json.loads(fn.call('web/aliases/prod'))
	assert dict(seen['headers'])['X-CFF-Func-Version'] == '1.0', seen


def templates_run_as_they_are():
	for name in ('bootstrap', 'http'):
		here = fn.function('template-' + name, {}, runtime=name)
		subprocess.run(['cp', '-r', fn.path('runtimes', name, 'template') + '/.', here + '/code'], check=True)
		assert fn.call('template-' + name, b'{"n":1}') == b'{"n":1}'


def silence_is_a_timeout():
	fn.function('silent', {'bootstrap+x': '#!/usr/bin/python3\nimport socket, time\n'
		's = socket.create_server(("127.0.0.1", 8000))\nk = []\n'
		'while True: k.append(s.accept())\n'}, timeout='500ms')
	fails(errno.ETIMEDOUT, 'silent', b'{}')


def main():
	global fn
	cases = Cases()
	with Mounted() as fn:
		fn.function('web', {'bootstrap+x': SERVER}, timeout='5s')
		with open(fn.path('functions', 'web', 'config', 'env', 'COLOUR'), 'w') as variable:
			variable.write('red\n')
		for case in (raw_events_are_posted, white_space_is_an_empty_object, bytes_are_posted_too,
				apig_events_become_requests, apig_methods_work,
				apig_events_that_are_no_requests_are_refused, other_statuses_are_errors,
				connections_are_kept, responses_stream, large_requests_and_responses_pass,
				too_large_is_EFBIG, nonsense_is_an_error, an_exit_is_said, memory_is_bounded, memory_of_files_is_bounded, timeouts_hold,
				environment_is_functiongraphs_and_lambdas, status_says_what_it_is,
				http_can_be_forced, many_run_in_one_process, servers_of_one_connection_work,
				starts_that_fail_say_why, no_first_line_is_the_shells,
				functiongraphs_interpreters_are_there, silence_is_a_timeout,
				connections_may_be_closed_between_calls, a_canceled_call_leaves_the_others, wrong_answers_harm_no_other,
				a_thousand_may_run, templates_run_as_they_are, versions_and_aliases_serve_too):
			cases.run(case)
	cases.end()


main()
