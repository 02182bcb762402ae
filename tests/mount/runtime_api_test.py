#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Programs that ask for their events: the runtime APIs of AWS Lambda and of FunctionGraph.

The programs here do on the wire what the official clients do: one connection for everything, headers in
any case, chunked responses with trailers, several polls at once. Without this a user would lose: a
`bootstrap` built for another platform that runs here unchanged.
"""

import errno
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from mounted import Cases, Mounted  # noqa: E402
from wire import WIRE  # noqa: E402

LAMBDA = WIRE + r'''
def chunks(*pieces, trailers=()):
	out = b''.join(b'%x\r\n%s\r\n' % (len(piece), piece) for piece in pieces if piece)
	return out + b'0\r\n' + b''.join(b'%s: %s\r\n' % trailer for trailer in trailers) + b'\r\n'

inside, most, lock = 0, 0, threading.Lock()

def serve():
	global inside, most
	wire = Wire()
	last = None
	while True:
		status, headers, body = wire.ask('GET', LAMBDA + 'invocation/next')
		assert status == 200, (status, body)
		with lock:
			inside += 1
			most = max(most, inside)
		request_id = headers['lambda-runtime-aws-request-id']
		event = json.loads(body)
		do = event.get('do') if isinstance(event, dict) else None
		to = LAMBDA + 'invocation/%s/response' % request_id
		answer = None
		if do == 'headers':
			answer = json.dumps(headers).encode()
		elif do == 'environment':
			answer = json.dumps(dict(os.environ)).encode()
		elif do == 'sleep':
			time.sleep(event['s'])
			answer = json.dumps({'most': most, 'pid': os.getpid()}).encode()
		elif do == 'big':
			answer = b'x' * event['n']
		elif do == 'exit':
			os._exit(event['status'])
		elif do == 'error':
			last = wire.ask('POST', LAMBDA + 'invocation/%s/error' % request_id,
				[('Lambda-Runtime-Function-Error-Type', event['type']),
				('Content-Type', event.get('content', 'application/json')),
				('Lambda-Runtime-Function-XRay-Error-Cause', '{' + ' ' * event.get('cause', 0) + '}')],
				event['body'].encode())
		elif do == 'chunked':  # as the client for Go
			last = wire.ask('POST', to, [('Transfer-Encoding', 'chunked'),
				('Trailer', 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body')],
				raw=chunks(b'one ', b'two'))
		elif do == 'stream':
			wire.send('POST', to, [('Lambda-Runtime-Function-Response-Mode', 'streaming'),
				('Transfer-Encoding', 'chunked'),
				('Trailer', 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body')], raw=b'')
			for i in range(5):
				wire.socket.sendall(b'%x\r\npiece %d\n\r\n' % (8, i))
				time.sleep(0.1)
			if event.get('fail'):
				error = json.dumps({'errorMessage': 'late', 'errorType': 'Late'}).encode()
				wire.socket.sendall(b'0\r\nLambda-Runtime-Function-Error-Type: Runtime.Late\r\n'
					b'Lambda-Runtime-Function-Error-Body: ' + base64.b64encode(error) + b'\r\n\r\n')
			else:
				wire.socket.sendall(b'0\r\n\r\n')
			last = wire.receive()
		elif do == 'bad mode':
			last = wire.ask('POST', to, [('Lambda-Runtime-Function-Response-Mode', 'odd')], b'x')
			answer = b'%d' % last[0]
		elif do == 'truncated':
			wire.send('POST', to, [('Content-Length', 100)], raw=b'half')
			wire.socket.close()
			wire = Wire()
		elif do == 'unknown id':
			last = wire.ask('POST', LAMBDA + 'invocation/no-such-id/response', (), b'x')
			answer = b'%d %s' % (last[0], last[2])
		elif do == 'twice':
			first = wire.ask('POST', to, (), b'first')
			last = wire.ask('POST', to, (), b'second')
		elif do == 'again':  # asks again instead of answering
			again = wire.ask('GET', LAMBDA + 'invocation/next')
			answer = b'%d' % (again[1]['lambda-runtime-aws-request-id'] == request_id and again[2] == body)
		elif do == 'last':
			answer = json.dumps([last[0], last[2].decode()]).encode()
		elif do == 'other':
			answer = json.dumps([wire.ask(*request)[0] for request in (
				('GET', '/2018-06-01/ping'), ('GET', '/nothing'), ('POST', LAMBDA + 'invocation/next'),
				('POST', LAMBDA + 'init/error', (), b'{}'), ('PUT', '/2022-07-01/telemetry', (), b'{}'),
				('GET', '/2020-01-01/extension/event/next'),
				('GET', '/2020-01-01/extension/event/next', [('Lambda-Extension-Identifier', 'x')]))]).encode()
		elif do == 'extension':
			status, headers, body = wire.ask('POST', '/2020-01-01/extension/register',
				[('Lambda-Extension-Name', 'test')], b'{"events":["SHUTDOWN"]}')
			answer = json.dumps([status, json.loads(body), headers['lambda-extension-identifier']]).encode()
		elif do == 'abandon poll':  # a poll whose client went away must not swallow an event
			other = Wire()
			other.send('GET', LAMBDA + 'invocation/next')
			time.sleep(0.05)
			other.socket.close()
			answer = b'gone'
		else:
			answer = body
		with lock:
			inside -= 1
		if answer is not None:
			last = wire.ask('POST', to, [('Content-Type', 'application/json')], answer)
			if last[0] != 202:
				print('posting gave', last)

for _ in range(int(os.environ.get('AWS_LAMBDA_MAX_CONCURRENCY', 1)) - 1):
	threading.Thread(target=serve).start()
serve()
'''

GRAPH = WIRE + r'''
wire = Wire()
assert os.environ['RUNTIME_API_ADDR'] == os.environ['AWS_LAMBDA_RUNTIME_API']
while True:
	status, headers, body = wire.ask('GET', GRAPH + 'invocation/request')
	request_id = headers['x-cff-request-id']
	event = json.loads(body)
	if event.get('do') == 'error':
		last = wire.ask('POST', GRAPH + 'invocation/error/' + request_id, (),
			b'{"errorType":"Mine","errorMessage":"seven"}')
	elif event.get('do') == 'last':
		last = wire.ask('POST', GRAPH + 'invocation/response/' + request_id, (), b'%d' % last[0])
	elif event.get('do') == 'unknown':
		last = wire.ask('POST', GRAPH + 'invocation/response/nobody', (), b'x')
		wire.ask('POST', GRAPH + 'invocation/response/' + request_id, (), b'1')
	elif event.get('do') == 'twice':
		wire.ask('POST', GRAPH + 'invocation/response/' + request_id, (), b'first')
		last = wire.ask('POST', GRAPH + 'invocation/response/' + request_id, (), b'second')
	elif event.get('do') == 'big':
		last = wire.ask('POST', GRAPH + 'invocation/response/' + request_id, (), b'x' * event['n'])
	elif event.get('do') == 'again':
		again = wire.ask('GET', GRAPH + 'invocation/request')
		last = wire.ask('POST', GRAPH + 'invocation/response/' + request_id, (), b'%d' % (again[2] == body))
	elif event.get('do') == 'break':
		wire.send('POST', GRAPH + 'invocation/response/' + request_id, [('Content-Length', 100)], raw=b'half')
		wire.socket.shutdown(socket.SHUT_RDWR)
		wire = Wire()
	else:
		last = wire.ask('POST', GRAPH + 'invocation/response/' + request_id, (),
			json.dumps([headers['x-cff-invoke-type'], event]).encode())
'''

# The example of FunctionGraph's manual, in its way: curl, a file of headers, the shell.
SHELL = r'''#!/bin/sh
while :; do
	event=$(curl -sS -D /tmp/headers "http://$RUNTIME_API_ADDR/v1/runtime/invocation/request")
	id=$(grep -i x-cff-request-id /tmp/headers | tr -d '\r' | cut -d' ' -f2)
	curl -sS -X POST -d "got $event" "http://$RUNTIME_API_ADDR/v1/runtime/invocation/response/$id" >/dev/null
done
'''

fn = None


def call(name='aws', **event):
	return fn.call(name, json.dumps(event).encode())


def fails(expected, name='aws', **event):
	try:
		body = call(name, **event)
	except OSError as error:
		assert error.errno == expected, (errno.errorcode[error.errno], error.body)
		return error.body
	raise AssertionError('no error, but %r' % body[:200])


def status(name):
	return dict(line.split(' ', 1) for line in fn.read('functions', name, 'status').splitlines())


def last():
	return json.loads(call(do='last'))


def events_and_responses_pass():
	for event in (b'{"n":1}', b'[1,2]', b'"text"', b'{"a":"' + b'x' * 3000000 + b'"}'):
		assert fn.call('aws', event) == event
	assert last()[0] == 202
	lines = status('aws')
	assert lines['runtime'] == 'bootstrap' and lines['speaks'].startswith('Lambda runtime API'), lines


def headers_are_lambdas():
	headers = json.loads(call(do='headers'))
	assert headers['content-type'] == 'application/json', headers
	assert len(headers['lambda-runtime-aws-request-id']) == 36, headers
	left = int(headers['lambda-runtime-deadline-ms']) / 1000 - time.time()
	assert 0 < left <= 5.5, headers
	assert headers['lambda-runtime-invoked-function-arn'].endswith(':function:aws'), headers


def environment_is_lambdas():
	seen = json.loads(call(do='environment'))
	assert seen['AWS_LAMBDA_FUNCTION_NAME'] == 'aws' and seen['AWS_LAMBDA_FUNCTION_VERSION'] == '$LATEST'
	assert seen['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'] == '128' and seen['LAMBDA_TASK_ROOT'] == '/var/task'
	assert seen['AWS_LAMBDA_INITIALIZATION_TYPE'] == 'on-demand' and '_HANDLER' in seen, seen
	assert 'AWS_LAMBDA_MAX_CONCURRENCY' not in seen


def errors_pass():
	body = json.loads(fails(errno.EREMOTEIO, do='error', type='Function.Bad',
		body='{"errorMessage":"seven","errorType":"Mine","stackTrace":["a"]}'))
	assert body == {'errorMessage': 'seven', 'errorType': 'Mine', 'stackTrace': ['a']}, body
	assert last()[0] == 202
	# Node's client says `trace`.
	body = json.loads(fails(errno.EREMOTEIO, do='error', type='x', body='{"errorMessage":"m","trace":["t"]}'))
	assert body == {'errorMessage': 'm', 'errorType': 'Runtime.Unknown', 'stackTrace': ['t']}, body
	# Text, an unknown type of a function, and the cause that is not for the caller.
	body = json.loads(fails(errno.EREMOTEIO, do='error', type='Function.x', body='plain'))
	assert body['errorMessage'] == 'plain' and body['errorType'] == 'Function.Unknown', body
	body = json.loads(fails(errno.EREMOTEIO, do='error', type='x', body='{"errorMessage":"m","errorCause":"c"}',
		content='application/vnd.aws.lambda.error.cause+json'))
	assert 'errorCause' not in body, body
	# Headers of nearly a megabyte.
	fails(errno.EREMOTEIO, do='error', type='x', body='{}', cause=1000000)
	assert last()[0] == 202


def chunks_and_trailers_pass():
	assert call(do='chunked') == b'one two'
	assert last()[0] == 202


def responses_stream():
	fd = os.open(fn.path('functions', 'aws', 'invoke'), os.O_RDWR)
	try:
		os.write(fd, b'{"do":"stream"}')
		pieces = []
		while True:
			piece = os.read(fd, 1 << 16)
			if not piece:
				break
			pieces.append(piece)
	finally:
		os.close(fd)
	assert b''.join(pieces) == b''.join(b'piece %d\n' % i for i in range(5)), pieces
	assert len(pieces) >= 3, pieces


def an_error_in_trailers_counts():
	body = fails(errno.EREMOTEIO, do='stream', fail=True)
	assert body.startswith(b'piece 0\n') and b'"late"' in body, body
	assert last()[0] == 202


def wrong_posts_are_refused():
	assert call(do='unknown id').startswith(b'400 ') and b'InvalidRequestID' in call(do='unknown id')
	assert call(do='twice') == b'first'
	answer = last()
	assert answer[0] == 400 and 'InvalidRequestID' in answer[1], answer
	assert call(do='bad mode') == b'400'
	assert json.loads(call(do='other')) == [200, 404, 405, 403, 202, 403, 403]


def a_response_that_breaks_off_is_an_error():
	for _ in range(30):  # bytes and end come together, or apart
		body = fails(errno.EREMOTEIO, do='truncated')
		assert body.startswith(b'half') and b'Runtime.TruncatedResponse' in body, body
	assert call(n=1)


def too_large_is_413():
	assert len(call(do='big', n=6 << 20)) == 6 << 20
	body = fails(errno.EFBIG, do='big', n=7 << 20)
	assert b'Function.ResponseSizeTooLarge' in body[-300:], body[-300:]
	answer = last()
	assert answer[0] == 413 and 'RequestEntityTooLarge' in answer[1], answer


def the_same_event_comes_again():
	assert call(do='again') == b'1'


def an_abandoned_poll_takes_nothing():
	for _ in range(3):
		assert call(do='abandon poll') == b'gone'
		assert call(n=1) == b'{"n": 1}'


def extensions_can_register():
	code, body, identifier = json.loads(call(do='extension'))
	assert code == 200 and body['functionName'] == 'aws' and len(identifier) == 36


def ends_and_timeouts_are_said():
	body = json.loads(fails(errno.EREMOTEIO, do='exit', status=9))
	assert 'exit status 9' in body['errorMessage'], body
	fails(errno.ETIMEDOUT, do='sleep', s=60)
	assert call(n=1) == b'{"n": 1}'


def polls_are_calls_at_once():
	"""A program that polls 10 times gets 10 calls at once, in one process."""
	fn.function('ten', {'bootstrap+x': LAMBDA}, concurrency=10, timeout='20s')
	assert call('ten', n=1)
	results = []

	def one():
		results.append(json.loads(call('ten', do='sleep', s=0.5)))
	threads = [threading.Thread(target=one) for _ in range(10)]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join()
	assert len({result['pid'] for result in results}) == 1, results
	assert max(result['most'] for result in results) == 10, results
	assert status('ten')['instances'] == '1', status('ten')


def the_first_calls_share_a_new_instance():
	fn.function('burst', {'bootstrap+x': LAMBDA}, concurrency=10, timeout='20s')
	results = []

	def one():
		results.append(json.loads(call('burst', do='sleep', s=0.5)))
	threads = [threading.Thread(target=one) for _ in range(10)]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join()
	assert len({result['pid'] for result in results}) == 1, results


def one_poll_is_one_call():
	"""Concurrency is allowed, but the program polls once at a time: others get instances of their own."""
	fn.function('single', {'bootstrap+x': LAMBDA.replace("os.environ.get('AWS_LAMBDA_MAX_CONCURRENCY', 1)", '1')},
		concurrency=10, timeout='20s')
	assert call('single', n=1)
	results = []

	def one():
		results.append(json.loads(call('single', do='sleep', s=0.3)))
	threads = [threading.Thread(target=one) for _ in range(3)]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join()
	assert max(result['most'] for result in results) == 1, results


def what_comes_too_late_is_refused():
	"""A call that timed out while another goes on in the same process: its answer is nobody's."""
	fn.function('late', {'bootstrap+x': LAMBDA}, concurrency=2, timeout='1500ms')
	assert call('late', n=1)
	results = []

	def one():
		try:
			results.append(call('late', do='sleep', s=1.9))
		except OSError as error:
			results.append(errno.errorcode[error.errno])

	first = threading.Thread(target=one)
	first.start()
	time.sleep(0.8)
	pid = json.loads(call('late', do='sleep', s=1.3))['pid']
	first.join()
	assert results == ['ETIMEDOUT'] and pid, results
	end = time.monotonic() + 5
	while 'posting gave (400' not in fn.read('functions', 'late', 'logs', 'current'):
		assert time.monotonic() < end, fn.read('functions', 'late', 'logs', 'current')
		time.sleep(0.05)


def init_errors_are_said():
	fn.function('init', {'bootstrap+x': WIRE + r'''
status = Wire().ask('POST', LAMBDA + 'init/error', [('Lambda-Runtime-Function-Error-Type', 'Runtime.NoModule')],
	b'{"errorMessage":"no module","errorType":"ImportError","stackTrace":[]}')
print('posting gave', status[0])
sys.exit(1)
'''})
	body = json.loads(fails(errno.ENOEXEC, 'init'))
	assert body['errorType'] == 'ImportError' and body['errorMessage'] == 'no module', body
	end = time.monotonic() + 10
	while 'posting gave 202' not in fn.read('functions', 'init', 'logs', 'current'):
		assert time.monotonic() < end, fn.read('functions', 'init', 'logs', 'current')
		time.sleep(0.05)


def functiongraph_is_spoken():
	fn.function('graph', {'bootstrap+x': GRAPH})
	assert json.loads(call('graph', n=1)) == ['sync', {'n': 1}]
	body = json.loads(fails(errno.EREMOTEIO, 'graph', do='error'))
	assert body == {'errorType': 'Mine', 'errorMessage': 'seven', 'stackTrace': []}, body
	assert call('graph', do='last') == b'200'
	assert call('graph', do='unknown') == b'1' and call('graph', do='last') == b'400'
	assert call('graph', do='twice') == b'first' and call('graph', do='last') == b'400'
	assert len(call('graph', do='big', n=6 << 20)) == 6 << 20
	assert b'ResponseSizeTooLarge' in fails(errno.EFBIG, 'graph', do='big', n=7 << 20)[-300:]
	assert call('graph', do='last') == b'413'
	assert call('graph', do='again') == b'1'
	assert b'TruncatedResponse' in fails(errno.EREMOTEIO, 'graph', do='break')
	assert json.loads(call('graph', n=2)) == ['sync', {'n': 2}]
	assert status('graph')['speaks'].startswith('FunctionGraph runtime API'), status('graph')


def the_shell_can_do_it():
	fn.function('shell', {'bootstrap+x': SHELL}, timeout='10s', memory='256M')
	for i in range(3):
		assert fn.call('shell', b'{"n":%d}' % i) == b'got {"n":%d}' % i


def noise_does_no_harm():
	"""What is no HTTP at all, before the program behaves."""
	fn.function('noise', {'bootstrap+x': LAMBDA.replace("for _ in range(int(", r'''
for noise in (b'\0' * 5000, b'GET\r\n\r\n', b'GET / HTTP/1.1\r\n' + b'x' * 3000000, b'POST /2018-06-01/runtime/'
		b'invocation/a/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', b'G' * 100000):
	wire = Wire()
	wire.socket.settimeout(0.5)
	try:
		wire.socket.sendall(noise)
		wire.socket.shutdown(socket.SHUT_WR)
		wire.file.read()
	except OSError:
		pass
for _ in range(int(''', 1)})
	assert call('noise', n=1) == b'{"n": 1}'


def main():
	global fn
	cases = Cases()
	with Mounted() as fn:
		fn.function('aws', {'bootstrap+x': LAMBDA}, timeout='5s')
		for case in (events_and_responses_pass, headers_are_lambdas, environment_is_lambdas, errors_pass,
				chunks_and_trailers_pass, responses_stream, an_error_in_trailers_counts,
				wrong_posts_are_refused, a_response_that_breaks_off_is_an_error, too_large_is_413,
				the_same_event_comes_again, an_abandoned_poll_takes_nothing, extensions_can_register,
				ends_and_timeouts_are_said, polls_are_calls_at_once,
				the_first_calls_share_a_new_instance, one_poll_is_one_call, what_comes_too_late_is_refused, init_errors_are_said,
				functiongraph_is_spoken, the_shell_can_do_it, noise_does_no_harm):
			cases.run(case)
	cases.end()


main()
