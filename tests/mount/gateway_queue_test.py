#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Asynchronous calls by HTTP: what was answered with 202 is in the queue.

Without this a user would lose: an event that a client was told is taken.
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from gatewayed import Gatewayed  # noqa: E402
from mounted import Cases  # noqa: E402

ECHO = 'def handler(event, context):\n\treturn event\n'
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


def main():
	cases = Cases()
	with Gatewayed() as fn:
		fn.function('echo', {'index.py': ECHO})
		os.mkdir(fn.path('functions', 'echo', 'versions', '1.0.0'))
		os.mkdir(fn.path('functions', 'echo', 'aliases', 'prod'))
		for case in (every_manner_is_taken, unknown_ones_are_refused, an_event_sent_twice_runs_once,
				taken_is_taken):
			cases.run(case, fn)
	cases.end()


main()
