#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An adapter against its real server, the daemon played. A user would lose messages that a broker had.

	source_test.py KIND [CASE...]
"""

import atexit
import os
import sys
import threading
import time

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here, os.path.join(here, '..', 'lib')]
from brokers import BROKERS, PASSWORD, SUBJECT  # noqa: E402
from mounted import Cases, skip  # noqa: E402
from played import PROGRAMS, Ended, Played, Refused  # noqa: E402

kind = sys.argv[1]
Broker = BROKERS[kind]
BINARY = bytes(range(256)) + b'\n\0event - 3\nok -\n\xff\xfe'
OTHER_NAME = 'fnfs-0123456789abcdef-8'


one_for_all = None


def with_broker(test):
	"""A server of its own for each test, or, where that takes long, one that is as new for each."""
	def run():
		global one_for_all
		if not Broker.shared:
			with Broker() as broker:
				broker.make()
				test(broker)
			return
		if not one_for_all:
			one_for_all = Broker().__enter__()
			atexit.register(one_for_all.close)
		one_for_all.make()
		try:
			test(one_for_all)
		finally:
			if not one_for_all.process:
				one_for_all.up()
	run.__name__ = test.__name__
	return run


def play(broker, form='raw', options='', value=None, **named):
	return Played(kind, value or broker.value(options), form, **named)


def connected(broker, **named):
	source = play(broker, **named)
	source.until_state('connected')
	return source


def refused(value):
	with Played(kind, value) as source:
		try:
			source.until(lambda: False, patience=10)
		except Refused as sentence:
			return str(sentence)
		raise AssertionError('it is taken: ' + value)


# --- what comes ---

@with_broker
def test_messages_come_as_they_are(broker):
	payloads = [b'{"order":1}', b'', BINARY, b'z' * 300000, 'Grüße'.encode()]
	with connected(broker) as source:
		broker.publish(payloads)
		events = source.until_events(len(payloads))
		assert source.payloads() == payloads
		assert {event.word for event in events} == {'event'}
		if broker.stamped:
			assert len({event.id for event in events}) == len(payloads) and '-' not in {event.id for event in events}
		where = '/%s/127.0.0.1:%d/%s' % (kind, broker.port, SUBJECT)
		assert events[0].attributes['source'] == where, events[0].attributes
	assert PASSWORD not in source_text(source), source_text(source)


def source_text(source):
	return repr(source.states)


@with_broker
def test_functiongraph_and_lambda(broker):
	with connected(broker, form='functiongraph') as source:
		broker.publish([b'{"order":1}', BINARY])
		first, second = (event.json() for event in source.until_events(2))
		assert source.events[0].word == 'record'
		record = first['records'][0]
		assert first['event_version'] == 'v1.0' and first['trigger_type'] == broker.trigger_type, first
		assert record == {'messages': ['{"order":1}'], 'topic_id': SUBJECT}, record
		assert abs(first['event_time'] - time.time()) < 3600
		assert second['records'][0]['is_base64_encoded'] is True
		broker.until_settled(source)
	with connected(broker, form='lambda', name=OTHER_NAME) as source:
		broker.publish([b'{"order":1}'])
		event = source.until_events(1)[0]
		broker.judge_lambda(event)


@with_broker
def test_refused_by_the_daemon_is_dropped(broker):
	"""Larger than a call may be, say: what is behind it comes, and it does not come again."""
	def answer(event):
		return 'no too large' if len(event.data) == broker.largest else 'ok'
	with connected(broker, answer=answer) as source:
		broker.publish([b'a', b'b' * broker.largest, b'c'])
		source.until_events(3)
		source.until(lambda: 'too large' in source.said())
		broker.publish([b'd'])
		source.until_events(4)
		broker.until_settled(source)
	with connected(broker) as source:
		broker.publish([b'e'])
		source.until_events(1)
		assert source.payloads() == [b'e'], len(source.events)


# --- what is not lost ---

@with_broker
def test_not_answered_comes_again(broker):
	"""The adapter dies with messages the daemon has not answered: the broker gives them again."""
	payloads = [b'%d' % i for i in range(50)]
	with connected(broker, answer=lambda event: 'ok' if int(event.data) < 10 else None) as source:
		broker.publish(payloads)
		source.until_events(11)
	with connected(broker) as source:
		source.until(lambda: set(payloads[10:]) <= set(source.payloads()))
		broker.until_settled(source)
	with connected(broker) as source:
		broker.publish([b'50'])
		source.until(lambda: b'50' in source.payloads())
		assert source.payloads() == [b'50'], source.payloads()


@with_broker
def test_what_was_published_meanwhile(broker):
	with connected(broker) as source:
		broker.publish([b'a'])
		source.until_events(1)
		broker.until_settled(source)
	broker.publish([b'b', b'c'])
	with connected(broker) as source:
		source.until_events(2)
		assert source.payloads() == [b'b', b'c'], source.payloads()


@with_broker
def test_server_down_at_start_and_killed_under_load(broker):
	"""Nothing is lost: what comes twice has the same id, where the broker has ids."""
	count = 2000
	payloads = [b'%d' % i for i in range(count)]
	with connected(broker) as source:
		source.until_events(0)
	broker.down()
	with play(broker) as source:
		source.until_state('retrying')
		broker.up()
		source.until_state('connected')
		broker.publish(payloads[:count // 2])
		source.until_events(count // 8)
		broker.down()
		broker.up()
		broker.publish(payloads[count // 2:])
		source.until(lambda: set(payloads) <= set(source.payloads()))
		if broker.stamped:
			assert len({event.id for event in source.events}) == count, len({event.id for event in source.events})
		broker.until_settled(source)
		print('      %d twice' % (len(source.events) - count))


@with_broker
def test_daemon_that_takes_nothing(broker):
	"""A queue that is full: the adapter waits, and goes on where it was."""
	gate = threading.Event()
	payloads = [b'%d' % i for i in range(600)]
	with connected(broker, answer=lambda event: 'ok' if gate.is_set() else None) as source:
		broker.publish(payloads)
		source.until_events(1)
		held = len(source.events)
		while source.step(0.5):
			held = len(source.events)
		assert held < 600, 'it has no bound'
		gate.set()
		for event in list(source.events):
			source.socket.sendall(b'ok %s\n' % event.id.encode())
		source.until(lambda: len(set(source.payloads())) == 600)
		assert source.payloads() == payloads
		broker.until_settled(source)


# --- how it ends ---

@with_broker
def test_ends_with_the_daemon(broker):
	with connected(broker) as source:
		assert source.end() < 3 and source.process.returncode == 0
	broker.down()
	with play(broker) as source:
		source.until_state('retrying')
		assert source.end() < 3 and source.process.returncode == 0


@with_broker
def test_wrong_password(broker):
	if not broker.denies:
		return
	with Played(kind, broker.value(password='not-%s' % PASSWORD)) as source:
		source.until_state('denied')
		assert PASSWORD not in repr(source.states) + source.said()
		with open('/proc/%d/cmdline' % source.process.pid) as line:
			assert PASSWORD not in line.read()


def test_values_that_make_no_sense():
	url = '%s://127.0.0.1:1' % kind
	for value in ('', 'orders', url, 'gopher://127.0.0.1 orders', url + ' orders colour=red', url + ' orders red',
			'%s://127.0.0.1:70000 orders' % kind, '%s:// orders' % kind, '%s://us%%zzer@h orders' % kind):
		assert refused(value), value
	for value in Broker.nonsense:
		assert refused(url + value), value
	assert 'secret' not in refused('%s://me:secret@127.0.0.1:x orders' % kind)


if __name__ == '__main__':
	if not os.access(os.path.join(PROGRAMS, 'fnfs-source-' + kind), os.X_OK):
		skip('fnfs-source-%s is not built: its library is not installed' % kind)
	if Broker.missing():
		skip(Broker.missing())
	cases = Cases()
	for name, test in list(globals().items()):
		if name.startswith('test_') and (not sys.argv[2:] or name[5:] in sys.argv[2:]):
			cases.run(test)
	for test in Broker.own_tests(play, connected):
		if not sys.argv[2:] or test.__name__ in sys.argv[2:]:
			cases.run(with_broker(test) if Broker.shared else test)
	cases.end()
