#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Calls by HTTP, in the manner of each platform whose clients there are.

Without this a user would lose: a client that was written for another platform and works with this one.
"""

import base64
import hmac
import json
import os
import shutil
import socket
import ssl
import stat
import struct
import subprocess
import sys
import threading
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from gatewayed import Gatewayed, read_all  # noqa: E402
from mounted import Cases, Mounted, errno_of, write_file  # noqa: E402

TOKEN = 'abcdefghijklmnop'
ECHO = r'''
import json, time
def handler(event, context):
	print('an event came')
	if event.get('sleep'):
		time.sleep(event['sleep'])
	if event.get('raise'):
		raise ValueError(event['raise'])
	if event.get('reply'):
		return event['reply']
	if event.get('fill'):
		return 'x' * event['fill']
	return {'event': event, 'version': context.getVersion()}
'''
STREAM = r'''#!/bin/sh
echo one
read line < /opt/function/code/never 2>/dev/null
sleep 0.2
echo two
'''
WEB = r'''#!/usr/bin/python3 -u
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
	protocol_version = 'HTTP/1.1'
	def log_message(self, *arguments):
		pass
	def any(self):
		body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
		answer = body if self.path.startswith('/same') else json.dumps({
			'method': self.command, 'path': self.path, 'body': body.decode('latin-1'),
			'headers': {name.lower(): value for name, value in self.headers.items()}}).encode()
		self.send_response(int(self.path[7:]) if self.path.startswith('/status') else 200)
		self.send_header('Content-Type', 'application/x-test')
		self.send_header('Set-Cookie', 'a=1')
		self.send_header('Set-Cookie', 'b=2')
		self.send_header('Content-Length', str(len(answer)))
		self.end_headers()
		if self.command != 'HEAD':
			self.wfile.write(answer)
	do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = any

ThreadingHTTPServer(('127.0.0.1', 8000), Handler).serve_forever()
'''

LAMBDA = '/2015-03-31/functions/%s/invocations'
GRAPH = '/v2/project/fgs/functions/%s/invocations'


# --- Lambda ---

def lambda_calls(fn):
	"""A call, its version, its request id; and what was logged when that is asked for."""
	status, headers, body = fn.ask('POST', LAMBDA % 'echo', b'{"n":1}', {'X-Amz-Log-Type': 'Tail'})
	assert status == 200 and json.loads(body)['event'] == {'n': 1}, body
	assert headers['x-amz-executed-version'] == '$LATEST'
	assert headers['x-amzn-requestid'] == os.readlink(
		fn.path('functions', 'echo', 'calls', 'last')), headers
	assert 'an event came' in base64.b64decode(headers['x-amz-log-result']).decode()
	assert 'x-amz-function-error' not in headers
	status, headers, body = fn.ask('POST', LAMBDA % 'echo')
	assert status == 200 and json.loads(body)['event'] == {}
	assert 'x-amz-log-result' not in headers


def lambda_names(fn):
	"""Names as Lambda's clients have them, and qualifiers, which go to versions and aliases."""
	arn = 'arn:aws:lambda:eu-west-1:123456789012:function:echo'
	for name, version in (('echo', '$LATEST'), ('echo:1.0.0', '1.0.0'), ('echo:prod', '1.0.0'),
			(arn, '$LATEST'), (arn + ':prod', '1.0.0'), ('123456789012:function:echo', '$LATEST'),
			('echo?Qualifier=prod', None), ('echo?Qualifier=%24LATEST', None)):
		name, _, query = name.partition('?')
		path = LAMBDA % name.replace(':', '%3A') + ('?' + query if query else '')
		status, headers, body = fn.ask('POST', path, b'{}')
		assert status == 200, (name, body)
		assert version is None or headers['x-amz-executed-version'] == version, (name, headers)
	for name, status in (('echo?Qualifier=none', 404), ('echo:none', 404), ('none', 404),
			('echo:prod?Qualifier=1.0.0', 400), ('ec%2fho', 400), ('a:b:c:d', 400)):
		name, _, query = name.partition('?')
		got, headers, body = fn.ask('POST', LAMBDA % name + ('?' + query if query else ''), b'{}')
		assert got == status and json.loads(body)['message'], (name, got, body)


def lambda_errors(fn):
	"""A function that fails is told by a header; what the service refuses by status and type."""
	status, headers, body = fn.ask('POST', LAMBDA % 'echo', b'{"raise":"no"}')
	assert status == 200 and headers['x-amz-function-error'] == 'Unhandled', headers
	assert json.loads(body)['errorType'] == 'ValueError' and json.loads(body)['errorMessage'] == 'no'
	for arguments, status, kind in (
			((LAMBDA % 'none', b'{}'), 404, 'ResourceNotFoundException'),
			((LAMBDA % 'echo', b'not json'), 400, 'InvalidRequestContentException'),
			((LAMBDA % 'echo', b'x' * (6 * 1024 * 1024 + 1)), 413, 'RequestTooLargeException'),
			((LAMBDA % 'echo', b'{}', {'X-Amz-Invocation-Type': 'Maybe'}), 400,
				'InvalidParameterValueException'),
			((LAMBDA % 'off', b'{}'), 429, 'TooManyRequestsException')):
		got, headers, body = fn.ask('POST', *arguments)
		assert got == status and headers['x-amzn-errortype'] == kind, (got, headers, body)
		assert ('retry-after' in headers) == (status == 429), headers
	assert fn.ask('GET', LAMBDA % 'echo')[0] == 405
	status, headers, body = fn.ask('POST', LAMBDA % 'short', b'{"sleep":5}')
	assert status == 200 and headers['x-amz-function-error'] == 'Unhandled'
	assert 'timed out' in json.loads(body)['errorMessage']


def lambda_dry(fn):
	"""A dry run says whether one could, and runs nothing."""
	before = fn.read('functions', 'echo', 'metrics', 'count')
	dry = {'X-Amz-Invocation-Type': 'DryRun'}
	assert fn.ask('POST', LAMBDA % 'echo', b'{}', dry)[0] == 204
	assert fn.ask('POST', LAMBDA % 'none', b'{}', dry)[0] == 404
	assert fn.read('functions', 'echo', 'metrics', 'count') == before


# --- FunctionGraph ---

def frames_of(data):
	"""Events of application/vnd.amazon.eventstream: their type and payload, sums checked."""
	events = []
	while data:
		whole, size, check = struct.unpack('>III', data[:12])
		assert zlib.crc32(data[:8]) == check and len(data) >= whole, data
		assert zlib.crc32(data[:whole - 4]) == struct.unpack('>I', data[whole - 4:whole])[0], data
		headers, at = {}, 12
		while at < 12 + size:
			name = data[at + 1:at + 1 + data[at]].decode()
			at += 1 + data[at]
			kind, length = struct.unpack('>BH', data[at:at + 3])
			assert kind == 7, kind
			headers[name] = data[at + 3:at + 3 + length].decode()
			at += 3 + length
		assert headers[':message-type'] == 'event', headers
		events.append((headers[':event-type'], data[12 + size:whole - 4]))
		data = data[whole:]
	return events


def lambda_streams(fn):
	"""InvokeWithResponseStream: pieces as they come, then how it ended."""
	path = '/2021-11-15/functions/%s/response-streaming-invocations'
	status, headers, body = fn.ask('POST', path % 'echo', b'{"n":1}', {'X-Amz-Log-Type': 'Tail'})
	assert status == 200 and headers['content-type'] == 'application/vnd.amazon.eventstream', headers
	assert headers['x-amz-executed-version'] == '$LATEST' and headers['x-amzn-requestid'], headers
	events = frames_of(body)
	assert [kind for kind, _ in events[:-1]] == ['PayloadChunk'] * (len(events) - 1), events
	assert json.loads(b''.join(data for _, data in events[:-1]))['event'] == {'n': 1}, events
	assert events[-1][0] == 'InvokeComplete', events
	assert b'an event came' in base64.b64decode(json.loads(events[-1][1])['LogResult']), events
	connection = fn.unix()
	connection.request('POST', path % 'stream', b'{}')
	answer = connection.getresponse()
	first = answer.read1(65536)
	rest = answer.read()
	connection.close()
	assert b'one' in first and b'two' not in first, first
	assert b''.join(data for kind, data in frames_of(first + rest) if kind == 'PayloadChunk') == b'one\ntwo\n'
	events = frames_of(fn.ask('POST', path % 'echo', b'{"raise":"no"}')[2])
	complete = json.loads(events[-1][1])
	assert complete['ErrorCode'] == 'Unhandled', complete
	assert json.loads(complete['ErrorDetails'])['errorType'] == 'ValueError', complete
	large = frames_of(fn.ask('POST', path % 'echo', b'{"fill":1000000}')[2])
	assert len(b''.join(data for kind, data in large if kind == 'PayloadChunk')) == 1000000
	for name, event, headers, status in (('none', b'{}', {}, 404), ('echo', b'no json', {}, 400), ('off', b'{}', {}, 429),
			('echo', b'{}', {'X-Amz-Invocation-Type': 'Event'}, 400), ('echo', b'{}', {'X-Amz-Invocation-Type': 'DryRun'}, 204)):
		assert fn.ask('POST', path % name, event, headers)[0] == status, (name, event, headers)


def graph_calls(fn):
	"""The result as it is, or in FunctionGraph's envelope, with its headers."""
	urn = 'urn:fss:eu-de:project:function:default:echo'
	for name in ('echo', urn, urn + ':latest', urn + ':1.0.0', urn + ':!prod', urn + ':prod'):
		status, headers, body = fn.ask('POST', GRAPH % name, b'{"n":1}')
		assert status == 200 and json.loads(body)['event'] == {'n': 1}, (name, body)
		assert headers['x-cff-request-id'] and headers['x-func-err-code'] == '0'
		assert headers['x-is-func-err'] == 'false'
		summary = json.loads(headers['x-cff-invoke-summary'])
		assert summary['duration'] > 0 and summary['memorySize'] == 128, summary
		assert 'x-cff-function-log' not in headers
	status, headers, body = fn.ask('POST', GRAPH % 'echo', b'{"n":1}',
		{'X-CFF-Request-Version': 'v1', 'X-Cff-Log-Type': 'tail'})
	envelope = json.loads(body)
	assert json.loads(envelope['result'])['event'] == {'n': 1} and envelope['status'] == 200
	assert 'an event came' in envelope['log']
	assert 'an event came' in base64.b64decode(headers['x-cff-function-log']).decode()


def graph_errors(fn):
	"""A failed function is told by headers, what the platform refuses by FunctionGraph's codes."""
	status, headers, body = fn.ask('POST', GRAPH % 'echo', b'{"raise":"no"}')
	assert status == 200 and headers['x-is-func-err'] == 'true', headers
	assert headers['x-func-err-code'] == '4002' and json.loads(body)['errorType'] == 'ValueError'
	headers = fn.ask('POST', GRAPH % 'short', b'{"sleep":5}')[1]
	assert headers['x-func-err-code'] == '4010'
	for name, event, status, code in (('none', b'{}', 404, 'FSS.1051'),
			('echo', b'not json', 400, 'FSS.0400'), ('off', b'{}', 429, 'FSS.0429'),
			('echo', b'x' * (6 * 1024 * 1024 + 1), 413, 'FSS.0413'), ('urn:fss:x', b'{}', 400, 'FSS.0400')):
		got, headers, body = fn.ask('POST', GRAPH % name, event)
		assert got == status and json.loads(body)['error_code'] == code, (name, got, body)
		assert json.loads(body)['error_msg']


# --- OpenFaaS, and plain HTTP ---

def openfaas_events(fn):
	"""The body is the event, and the result the body; errors are statuses."""
	for method in ('POST', 'PUT', 'PATCH', 'DELETE'):
		status, headers, body = fn.ask(method, '/function/echo', b'{"n":1}')
		assert status == 200 and json.loads(body)['event'] == {'n': 1}, body
		assert headers['content-type'] == 'application/json' and headers['x-call-id']
	assert json.loads(fn.ask('GET', '/function/echo')[2])['event'] == {}
	assert json.loads(fn.ask('POST', '/function/echo:prod', b'{}')[2])['version'] == '1.0.0'
	assert json.loads(fn.ask('POST', '/function/echo.openfaas-fn', b'{}')[2])['event'] == {}
	for name, event, status in (('none', b'{}', 404), ('echo', b'{"raise":"no"}', 500),
			('short', b'{"sleep":5}', 504), ('off', b'{}', 429), ('empty', b'{}', 502),
			('echo', b'no json', 400), ('echo', b'x' * (6 * 1024 * 1024 + 1), 413),
			('echo', b'{"fill":%d}' % (6 * 1024 * 1024 + 1), 502)):
		got, headers, body = fn.ask('POST', '/function/' + name, event)
		assert got == status and json.loads(body), (name, got, body)
		assert ('retry-after' in headers) == (status == 429), headers


def openfaas_programs(fn):
	"""A program that speaks HTTP gets the request as it was sent, and its answer goes back as it is."""
	status, headers, body = fn.ask('PUT', '/function/web/a%2Fb/c?x=1&y=%20z&x=2', b'\x00\xff',
		{'X-Own': 'value', 'Content-Type': 'application/octet-stream'})
	seen = json.loads(body)
	assert status == 200 and seen['method'] == 'PUT' and seen['body'] == '\x00\xff', seen
	assert seen['path'] == '/a%2Fb/c?x=1&x=2&y=%20z', seen['path']
	assert seen['headers']['x-own'] == 'value' and seen['headers']['x-cff-request-id'], seen
	assert seen['headers']['content-type'] == 'application/octet-stream'
	assert seen['headers']['x-cff-request-id'] == headers['x-call-id'], (seen, headers)
	assert headers['content-type'] == 'application/x-test'
	for status in (201, 404, 500, 503):
		assert fn.ask('GET', '/function/web/status%d' % status)[0] == status
	assert fn.ask('HEAD', '/function/web/')[0] == 200
	data = os.urandom(3 << 20)
	assert fn.ask('POST', '/function/web/same', data)[2] == data
	connection = fn.unix()
	connection.request('GET', '/function/web')
	assert connection.getresponse().headers.get_all('Set-Cookie') == ['a=1', 'b=2']
	connection.close()


def comes_in_pieces(fn):
	"""A response goes out while the function still works at it."""
	connection = fn.unix()
	connection.request('POST', '/function/stream', b'{}')
	answer = connection.getresponse()
	assert answer.status == 200 and answer.headers['Transfer-Encoding'] == 'chunked'
	assert answer.read1(100) == b'one\n'
	assert answer.read() == b'two\n'
	connection.close()


def keeps_alive(fn):
	"""One connection carries many calls, one behind the other; HTTP/1.0 ends its own."""
	connection = fn.unix()
	for number in range(20):
		connection.request('POST', '/function/echo', b'{"n":%d}' % number)
		assert json.loads(connection.getresponse().read())['event'] == {'n': number}
	connection.close()
	wire = socket.socket(socket.AF_UNIX)
	wire.settimeout(30)
	wire.connect(fn.socket_path())
	one = b'POST /function/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n%s\r\n{"n":%d}'
	wire.sendall(one % (b'', 1) + one % (b'', 2) + one % (b'Connection: close\r\n', 3))
	text = read_all(wire)
	assert [text.count(b'{"n": %d}' % number) + text.count(b'{"n":%d}' % number)
		for number in (1, 2, 3)] == [1, 1, 1], text
	wire.close()
	wire = socket.socket(socket.AF_UNIX)
	wire.settimeout(30)
	wire.connect(fn.socket_path())
	wire.sendall(b'GET /healthz HTTP/1.0\r\n\r\n')
	assert read_all(wire).endswith(b'ok\n')
	wire.close()


# --- CloudEvents ---

def cloud_events(fn):
	"""Both modes bring the same event, and what is no event is refused."""
	attributes = {'specversion': '1.0', 'id': 'a 1', 'source': '/test', 'type': 'x.y', 'own': 'ü'}
	event = dict(attributes, datacontenttype='application/json', data={'n': 1})
	binary = {'ce-specversion': '1.0', 'ce-id': 'a%201', 'ce-source': '/test', 'ce-type': 'x.y',
		'ce-own': '%C3%BC', 'Content-Type': 'application/json'}
	structured = {'Content-Type': 'application/cloudevents+json; charset=utf-8'}
	path = '/cloudevents/echo'
	assert json.loads(fn.ask('POST', path, b'{"n":1}', binary)[2])['event'] == event
	assert json.loads(fn.ask('POST', path, json.dumps(event), structured)[2])['event'] == event
	text = dict(binary, **{'Content-Type': 'text/plain'})
	assert json.loads(fn.ask('POST', path, b'hi', text)[2])['event']['data'] == 'hi'
	octets = dict(binary, **{'Content-Type': 'image/png'})
	assert json.loads(fn.ask('POST', path, b'\xff\x00', octets)[2])['event']['data_base64'] == '/wA='
	for headers, body in ((dict(binary, **{'ce-id': ''}), b'1'), ({}, b'{}'), (binary, b'{"n":'),
			(dict(binary, **{'ce-specversion': '0.3'}), b'1'), (structured, b'[]'),
			(structured, b'{"specversion":"1.0"}'), (dict(binary, **{'ce-own': '%zz'}), b'1'),
			({'Content-Type': 'application/cloudevents-batch+json'}, b'[]'),
			(structured, json.dumps(event).encode() + b'x'), (dict(binary, **{'ce-a_b': 'x'}), b'1')):
		status, _, answer = fn.ask('POST', path, body, headers)
		assert status == 400 and json.loads(answer)['error'], (headers, body, status)


# --- the door ---

def shows_itself(fn):
	"""Its files say where it listens; the socket is its owner's alone."""
	addresses = fn.read('gateway', 'address').split()
	assert addresses == ['unix:' + fn.socket_path(), 'http://127.0.0.1:%d' % fn.port], addresses
	assert stat.S_IMODE(os.stat(fn.socket_path()).st_mode) == 0o600
	assert fn.ask('GET', '/healthz')[::2] == (200, b'ok\n')
	status, headers, body = fn.ask('GET', '/metrics')
	assert status == 200 and body.endswith(b'# EOF\n') and 'openmetrics' in headers['content-type']
	assert fn.ask('POST', '/healthz')[0] == 405
	status, _, body = fn.ask('GET', '/nothing/here')
	assert status == 404 and 'route' in json.loads(body)['error']


def asks_for_tokens(fn):
	"""By loopback one needs a token, which opens what its scopes say, until it is ended."""
	def ask(path, token=None, header='Authorization', manner='Bearer %s'):
		headers = {header: manner % token} if token else {}
		return fn.ask('POST', path, b'{}', headers, fn.loopback())[0]
	file = fn.path('gateway', 'tokens', 'ci')
	assert ask('/function/echo') == 401 and ask('/function/none') == 401
	assert ask('/function/echo', TOKEN) == 401
	write_file(file, TOKEN + '  invoke:echo@prod  invoke:web\n')
	assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
	assert fn.read('gateway', 'tokens', 'ci') == TOKEN + ' invoke:echo@prod invoke:web\n'
	assert ask('/function/echo:prod', TOKEN) == 200
	assert ask('/function/echo', TOKEN) == 403 and ask('/function/none', TOKEN) == 403
	assert ask('/function/web', TOKEN) == 200
	assert ask('/function/web:none', TOKEN) == 404
	assert ask('/function/web', TOKEN + 'x') == 401
	assert ask('/function/web', TOKEN, 'X-Auth-Token', '%s') == 200
	basic = base64.b64encode(('admin:' + TOKEN).encode()).decode()
	assert ask('/function/web', basic, 'Authorization', 'Basic %s') == 200
	assert fn.ask('GET', '/metrics', None, {'Authorization': 'Bearer ' + TOKEN}, fn.loopback())[0] == 403
	seen = fn.ask('GET', '/function/web', None, {'Authorization': 'Bearer ' + TOKEN}, fn.loopback())
	assert 'authorization' not in json.loads(seen[2])['headers']
	for bad in ('short invoke:*', TOKEN, TOKEN + ' fly:*', TOKEN + ' invoke:a:b:c'):
		assert errno_of(write_file, file, bad) == 'EINVAL', bad
	assert ask('/function/web', TOKEN) == 200
	os.rename(file, file + '2')
	assert ask('/function/web', TOKEN) == 200
	os.unlink(file + '2')
	assert ask('/function/web', TOKEN) == 401


def keeps_strangers_out():
	"""Where no token is asked for, web pages of elsewhere are not let in either."""
	with Gatewayed(open=True) as fn:
		fn.function('echo', {'index.py': ECHO})
		def ask(**headers):
			headers = {name.replace('_', '-'): value for name, value in headers.items()}
			return fn.ask('POST', '/function/echo', b'{}', headers, fn.loopback())[0]
		assert ask() == 200
		assert ask(Authorization='AWS4-HMAC-SHA256 Credential=whatever') == 200
		assert ask(Host='localhost:%d' % fn.port, Origin='http://localhost:%d' % fn.port) == 200
		assert ask(Host='evil.example') == 403
		assert ask(Host='127.0.0.1.evil.example') == 403
		assert ask(Origin='http://evil.example') == 403
		assert ask(Origin='null') == 403
		assert ask(Sec_Fetch_Site='cross-site') == 403


def speaks_tls():
	"""With a certificate, loopback speaks TLS; a pair that does not fit is said, not served."""
	with Gatewayed(arguments=[]) as fn:
		base = fn.base
		for name in ('one', 'two'):
			subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
				'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost', '-addext',
				'subjectAltName=DNS:localhost', '-days', '2', '-keyout', base + '/%s.key' % name,
				'-out', base + '/%s.pem' % name], check=True, stderr=subprocess.DEVNULL)
		fn.function('echo', {'index.py': ECHO})
		write_file(fn.path('gateway', 'tokens', 'ci'), TOKEN + ' invoke:*\n')
		assert fn.stop() == 0
		fn.arguments += ['--tls-cert', base + '/one.pem', '--tls-key', base + '/one.key']
		fn.start()
		assert fn.read('gateway', 'address').split()[1] == 'https://127.0.0.1:%d' % fn.port
		context = ssl.create_default_context(cafile=base + '/one.pem')
		with context.wrap_socket(fn.raw(), server_hostname='localhost') as wire:
			wire.sendall(b'POST /function/echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n'
				b'Authorization: Bearer %s\r\nContent-Length: 7\r\n\r\n{"n":1}' % TOKEN.encode())
			assert b'"n"' in read_all(wire)
		with fn.raw() as wire:
			wire.sendall(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
			assert b'ok' not in read_all(wire)
		assert fn.ask('GET', '/healthz')[0] == 200  # the socket has no need of it
		assert fn.stop() == 0
		fn.arguments[-1] = base + '/two.key'
		Mounted.start(fn)
		fn.until(lambda: 'certificate' in fn.read('log'))
		assert fn.stop() == 0
		fn.arguments[-1] = base + '/none.key'
		assert 'none.key' in refusal(fn)
		fn.arguments = fn.arguments[:-2]
		assert 'belong together' in refusal(fn)


def refusal(fn):
	"""What a daemon says that does not start."""
	done = subprocess.run(fn.command(), stdin=subprocess.DEVNULL, capture_output=True, text=True)
	assert done.returncode == 1, done
	return done.stderr


def refuses_addresses():
	"""An address that cannot be had ends the start, with a sentence."""
	with Mounted() as fn:
		assert fn.stop() == 0
		taken = socket.create_server(('127.0.0.1', 0))
		for address, word in (('127.0.0.1:%d' % taken.getsockname()[1], 'in use'),
				('nowhere:80', 'address and a port'), ('127.0.0.1:99999', 'address and a port')):
			fn.arguments = ['--listen', address]
			said = refusal(fn)
			assert word in said, (address, said)
		taken.close()


def ends_gracefully():
	"""At the daemon's end what runs is answered, and nobody else gets in."""
	with Gatewayed() as fn:
		fn.function('echo', {'index.py': ECHO}, timeout='20s')
		fn.ask('POST', '/function/echo', b'{}')
		answers = []
		caller = threading.Thread(
			target=lambda: answers.append(fn.ask('POST', '/function/echo', b'{"sleep":1}')))
		caller.start()
		fn.until(lambda: fn.last_call('echo')['state'] == 'running')
		assert fn.stop() == 0
		caller.join()
		assert answers[0][0] == 200 and json.loads(answers[0][2])['event'] == {'sleep': 1}, answers
		assert not os.path.exists(fn.socket_path())


def routes_of_triggers(fn):
	"""An `http` trigger answers at its path: in its format, within its rate, and says that it can be reached."""
	trigger = fn.path('functions', 'echo', 'triggers', 'shop')
	os.mkdir(trigger)
	write_file(trigger + '/http', 'GET,POST /shop/{item}')
	assert 'no gateway' not in fn.read(trigger, 'status'), fn.read(trigger, 'status')
	status, headers, body = fn.ask('POST', '/shop/blue%20hat?size=9', b'{"n":1}', {'X-Own': 'value'})
	event = json.loads(body)['event']
	assert status == 200 and event['httpMethod'] == 'POST', body
	assert event['pathParameters'] == {'item': 'blue hat'}, event
	assert event['queryStringParameters'] == {'size': '9'} and event['headers']['x-own'] == 'value', event
	assert fn.last_call('echo')['source'] == 'trigger shop'
	call = os.path.basename(os.readlink(fn.path('functions', 'echo', 'calls', 'last')))
	assert event['requestContext']['requestId'] == headers['x-request-id'] == call, (event, headers, call)
	assert fn.ask('DELETE', '/shop/hat')[0] == 405 and fn.ask('GET', '/shop')[0] == 404
	write_file(trigger + '/format', 'raw')
	assert json.loads(fn.ask('POST', '/shop/hat', b'{"n":2}')[2])['event'] == {'n': 2}
	assert fn.read(trigger, 'fired') == '2\n'
	write_file(trigger + '/rate', '1/h')
	answers = [fn.ask('POST', '/shop/hat', b'{}') for _ in range(3)]
	assert answers[-1][0] == 429 and 'retry-after' in answers[-1][1], answers
	shutil.rmtree(trigger)
	assert fn.ask('POST', '/shop/hat', b'{}')[0] == 404


def triggers_ask_for_themselves(fn):
	"""A trigger whose `auth` says so lets in who has its password or can sign, through every door, and nobody else."""
	trigger = fn.path('functions', 'echo', 'triggers', 'hook')
	os.mkdir(trigger)
	write_file(trigger + '/http', '/hook')
	assert fn.read(trigger, 'auth') == 'token\n' and stat.S_IMODE(os.stat(trigger + '/auth').st_mode) == 0o600
	for bad in ('basic eva:short', 'hmac', 'secret'):
		assert errno_of(write_file, trigger + '/auth', bad) == 'EINVAL', bad

	def ask(headers, body=b'{"n":1}', strange=False):
		return fn.ask('POST', '/hook', body, headers, fn.loopback() if strange else None)

	assert ask({})[0] == 200 and ask({}, strange=True)[0] == 401
	write_file(trigger + '/auth', 'none')
	assert ask({})[0] == 200 and ask({}, strange=True)[0] == 200
	write_file(trigger + '/auth', 'basic eva:geheim-1 otto:a:b:c-1234')
	for strange in (False, True):
		for password, status in (('eva:geheim-1', 200), ('otto:a:b:c-1234', 200), ('eva:geheim-2', 401), ('eva', 401),
				('', 401), ('otto:geheim-1', 401)):
			given = base64.b64encode(password.encode()).decode()
			got, headers, body = ask({'Authorization': 'Basic ' + given}, strange=strange)
			assert got == status, (password, got, body)
			if got == 200:
				assert 'authorization' not in json.loads(body)['event']['headers'], body
			else:
				assert 'Basic' in headers['www-authenticate'], headers
		assert ask({}, strange=strange)[0] == 401 and ask({'Authorization': 'Basic %%'}, strange=strange)[0] == 401
	write_file(trigger + '/auth', 'hmac a-long-secret')
	for body in (b'{"n":1}', b'', os.urandom(100000)):
		signature = hmac.new(b'a-long-secret', body, 'sha256').hexdigest()
		for given, status in (('sha256=' + signature, 200), (signature.upper(), 200), (signature[:-1], 401),
				('sha256=' + '0' * 64, 401), ('x' * 64, 401)):
			assert ask({'X-Hub-Signature-256': given}, body, strange=True)[0] == status, (given, status)
	assert ask({})[0] == 401
	write_file(trigger + '/auth', 'hmac a-long-secret X-Signature')
	assert ask({'X-Signature': hmac.new(b'a-long-secret', b'{"n":1}', 'sha256').hexdigest()})[0] == 200
	assert fn.read(trigger, 'fired') != '0\n'
	shutil.rmtree(trigger)


def main():
	cases = Cases()
	with Gatewayed() as fn:
		fn.function('echo', {'index.py': ECHO})
		fn.function('short', {'index.py': ECHO}, timeout='500ms')
		fn.function('off', {'index.py': ECHO}, max_instances=0)
		fn.function('empty', {})
		fn.function('stream', {'main+x': STREAM})
		fn.function('web', {'bootstrap+x': WEB}, runtime='http', concurrency=10)
		os.mkdir(fn.path('functions', 'echo', 'versions', '1.0.0'))
		os.mkdir(fn.path('functions', 'echo', 'aliases', 'prod'))
		for case in (shows_itself, lambda_calls, lambda_names, lambda_errors, lambda_dry, lambda_streams, graph_calls,
				graph_errors, openfaas_events, openfaas_programs, comes_in_pieces, keeps_alive,
				cloud_events, asks_for_tokens, routes_of_triggers, triggers_ask_for_themselves):
			cases.run(case, fn)
	for case in (keeps_strangers_out, speaks_tls, refuses_addresses, ends_gracefully):
		cases.run(case)
	cases.end()


main()
