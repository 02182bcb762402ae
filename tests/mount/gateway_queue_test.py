#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Asynchronous calls by HTTP: what was answered with 202 is in the queue.

Without this a user would lose: an event that a client was told is taken.
"""

import http.server
import json
import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from gatewayed import Gatewayed  # noqa: E402
from mounted import Cases  # noqa: E402

ECHO = 'def handler(event, context):\n\treturn event\n'
BAD = 'def handler(event, context):\n\traise ValueError("no")\n'
ARN = '/2015-03-31/functions/%s/invocations'
GRAPH = '/v2/project/fgs/functions/%s/invocations-async'
EVENT = {'X-Amz-Invocation-Type': 'Event'}


def result(fn, name, entry, *below):
	path = ('functions', name, *below, 'results', entry)
	fn.until(lambda: os.path.exists(fn.path(*path)))
	return json.loads(fn.read(*path))


def every_manner_is_taken(fn):
	"""Each dialect's asynchronous call answers 202 with an id, and its result is under that id."""
	status, headers, body = fn.ask('POST', ARN % 'echo', b'{"n":1}', EVENT)
	assert status == 202 and body == b'', (status, body)
	assert result(fn, 'echo', headers['x-amzn-requestid']) == {'n': 1}
	status, headers, body = fn.ask('POST', GRAPH % 'echo', b'{"n":2}')
	assert status == 202
	assert result(fn, 'echo', json.loads(body)['request_id']) == {'n': 2}
	status, headers, body = fn.ask('POST', '/async-function/echo', b'{"n":3}')
	assert status == 202
	assert result(fn, 'echo', headers['x-call-id']) == {'n': 3}
	assert fn.ask('GET', '/async-function/echo')[0] == 405
	status, headers, body = fn.ask('POST', ARN % 'echo:prod', b'{"n":4}', EVENT)
	assert status == 202
	assert result(fn, 'echo', headers['x-amzn-requestid'], 'aliases', 'prod') == {'n': 4}


def unknown_ones_are_refused(fn):
	"""What cannot run is refused at once, not queued for nobody."""
	assert fn.ask('POST', ARN % 'none', b'{}', EVENT)[0] == 404
	assert fn.ask('POST', '/async-function/none', b'{}')[0] == 404
	assert fn.ask('POST', GRAPH % 'echo:none', b'{}')[0] == 404


def an_event_sent_twice_runs_once(fn):
	"""Source and id of a CloudEvent are its key."""
	headers = {'Prefer': 'respond-async', 'ce-specversion': '1.0', 'ce-id': '7', 'ce-source': '/x',
		'ce-type': 'a.b', 'Content-Type': 'application/json'}
	before = int(fn.read('functions', 'echo', 'metrics', 'count'))
	for _ in range(5):
		status, answer, _ = fn.ask('POST', '/cloudevents/echo', b'{"n":5}', headers)
		assert status == 202 and answer['preference-applied'] == 'respond-async', (status, answer)
	entry = [name for name in os.listdir(fn.path('functions', 'echo', 'results')) if name.startswith('ce-')]
	fn.until(lambda: int(fn.read('functions', 'echo', 'metrics', 'count')) == before + 1)
	assert len(entry) <= 1
	fn.ask('POST', '/cloudevents/echo', b'{"n":5}', dict(headers, **{'ce-id': '8'}))
	fn.until(lambda: int(fn.read('functions', 'echo', 'metrics', 'count')) == before + 2)


def taken_is_taken(fn):
	"""A daemon killed right behind the 202 runs the call when it is back."""
	with open(fn.path('functions', 'echo', 'config', 'max_instances'), 'w') as file:
		file.write('0\n')
	status, headers, _ = fn.ask('POST', '/async-function/echo', b'{"n":9}')
	assert status == 202, status
	fn.kill()
	fn.unmount()
	fn.start()
	with open(fn.path('functions', 'echo', 'config', 'max_instances'), 'w') as file:
		file.write('5\n')
	assert result(fn, 'echo', headers['x-call-id']) == {'n': 9}


class Listener:
	"""Takes what is posted; the first `refuse` times it answers 503."""

	def __init__(self, refuse=0):
		self.posts, self.refuse = [], refuse
		listener = self

		class Handler(http.server.BaseHTTPRequestHandler):
			def do_POST(self):
				body = self.rfile.read(int(self.headers['Content-Length']))
				listener.posts.append((self.path, dict(self.headers), body))
				self.send_response(503 if len(listener.posts) <= listener.refuse else 202)
				self.end_headers()

			def log_message(self, *arguments):
				pass

		self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
		self.url = 'http://127.0.0.1:%d' % self.server.server_port
		threading.Thread(target=self.server.serve_forever, daemon=True).start()

	def close(self):
		self.server.shutdown()
		self.server.server_close()


def results_are_posted(fn):
	"""The result of a call with X-Callback-Url comes there with what OpenFaaS says of it, again while it is refused."""
	listener = Listener(refuse=1)
	status, headers, _ = fn.ask('POST', '/async-function/echo', b'{"n":1}', {'X-Callback-Url': listener.url + '/a?b=c'})
	assert status == 202, status
	fn.until(lambda: len(listener.posts) == 2)
	for path, given, body in listener.posts:
		assert path == '/a?b=c' and json.loads(body) == {'n': 1}, (path, body)
		assert given['X-Call-Id'] == headers['x-call-id'] and given['X-Function-Status'] == '200', given
		assert given['X-Function-Name'] == 'echo' and float(given['X-Duration-Seconds']) >= 0, given
	status, headers, _ = fn.ask('POST', '/async-function/bad', b'{}', {'X-Callback-Url': listener.url + '/bad'})
	fn.until(lambda: len(listener.posts) == 3)
	path, given, body = listener.posts[2]
	assert given['X-Function-Status'] == '500' and json.loads(body)['errorType'] == 'ValueError', (given, body)
	fn.until(lambda: os.listdir(os.path.join(fn.state, 'callbacks')) == [])
	for bad in ('file:///etc/passwd', 'ftp://x/', 'nothing', 'http://' + 'x' * 3000):
		assert fn.ask('POST', '/async-function/echo', b'{}', {'X-Callback-Url': bad})[0] == 400, bad
	assert fn.ask('POST', '/async-function/none', b'{}', {'X-Callback-Url': listener.url})[0] == 404
	assert os.listdir(os.path.join(fn.state, 'callbacks')) == [] and len(listener.posts) == 3
	listener.close()


def posted_after_a_kill(fn):
	"""A daemon killed before the call ran posts its result when it is back."""
	listener = Listener()
	with open(fn.path('functions', 'echo', 'config', 'max_instances'), 'w') as file:
		file.write('0\n')
	assert fn.ask('POST', '/async-function/echo', b'{"n":8}', {'X-Callback-Url': listener.url})[0] == 202
	fn.kill()
	fn.unmount()
	fn.start()
	with open(fn.path('functions', 'echo', 'config', 'max_instances'), 'w') as file:
		file.write('5\n')
	fn.until(lambda: listener.posts)
	assert json.loads(listener.posts[0][2]) == {'n': 8}, listener.posts
	listener.close()


def only_public_addresses():
	"""Unless the operator says otherwise nothing is posted to this machine or networks of one's own, whatever names lead there."""
	listener = Listener()
	job = 'url %s/\nheader X-Own: 1\n\nbody' % listener.url
	fetch = os.path.join(os.environ['FNFS_BUILD'], 'engine', 'fetch', 'fnfs-fetch')

	def post(policy, text):
		return subprocess.run([fetch, '--call-back', policy], input=text.encode(), stdout=subprocess.DEVNULL,
			pass_fds=[]).returncode

	assert post('any', job) == 0 and len(listener.posts) == 1 and listener.posts[0][1]['X-Own'] == '1'
	for host in ('127.0.0.1', 'localhost', '[::1]', '0.0.0.0', '2130706433', '[::ffff:127.0.0.1]'):
		assert post('public', job.replace('127.0.0.1', host)) != 0, host
	assert post('public', job) != 0 and post('any', '') != 0 and post('any', 'header X: y\n\n') != 0
	assert len(listener.posts) == 1, listener.posts
	with Gatewayed(env={'FNFS_CALLBACKS': 'none'}) as fn:
		fn.function('echo', {'index.py': ECHO})
		assert fn.ask('POST', '/async-function/echo', b'{}', {'X-Callback-Url': listener.url})[0] == 403
		assert fn.ask('POST', '/async-function/echo', b'{}')[0] == 202
	listener.close()


def main():
	cases = Cases()
	with Gatewayed(env={'FNFS_CALLBACKS': 'any'}) as fn:
		fn.function('echo', {'index.py': ECHO})
		fn.function('bad', {'index.py': BAD}, max_retries=0)
		os.mkdir(fn.path('functions', 'echo', 'versions', '1.0.0'))
		os.mkdir(fn.path('functions', 'echo', 'aliases', 'prod'))
		for case in (every_manner_is_taken, unknown_ones_are_refused, an_event_sent_twice_runs_once,
				taken_is_taken, results_are_posted, posted_after_a_kill):
			cases.run(case, fn)
	cases.run(only_public_addresses)
	cases.end()


main()
