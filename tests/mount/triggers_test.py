#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Triggers: timers, topics and routes, as files.

Without this a user would lose: calls that were to be made at a time or for an event, events that were acknowledged,
and the sentence that says why a trigger does nothing.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(here, '..', 'lib')]
from mounted import LONG, Cases, Mounted, descendants, errno_of, remove, write_file  # noqa: E402

ECHO = {'index.py': 'def handler(event, context):\n\treturn event\n'}
NOBODY = 65534
FACTS = ['status', 'fired', 'last', 'next', 'errors']
SETTINGS = ['enabled', 'target', 'payload', 'format', 'missed', 'rate', 'concurrency', 'auth']


def trigger(fn, name, function='hello', **values):
	path = fn.path('functions', function, 'triggers', name)
	os.mkdir(path)
	for key, value in values.items():
		write_file(os.path.join(path, key), str(value) + '\n')
	return path


def read(*parts):
	with open(os.path.join(*parts)) as file:
		return file.read()


def results(fn, function='hello'):
	"""The responses so far, by name."""
	directory = fn.path('functions', function, 'results')
	return {name: read(directory, name) for name in sorted(os.listdir(directory))}


def status(path):
	return dict(line.partition(' ')[::2] for line in read(path, 'status').splitlines())


def with_function(test):
	def run():
		with Mounted() as fn:
			fn.function('hello', ECHO)
			test(fn)
	run.__name__ = test.__name__
	return run


# --- a trigger ---

@with_function
def test_is_complete_at_once(fn):
	path = trigger(fn, 'nightly')
	assert os.listdir(path) == SETTINGS + FACTS, os.listdir(path)
	assert [read(path, name) for name in SETTINGS] == [
		'1\n', 'latest\n', '', 'functiongraph\n', 'skip\n', 'max\n', 'max\n', 'token\n']
	assert [read(path, name) for name in FACTS[1:]] == ['0\n', '-\n', '-\n', '0\n']
	assert status(path)['state'] == 'incomplete'
	assert errno_of(os.mkdir, path) == 'EEXIST'
	assert errno_of(os.mkdir, fn.path('functions', 'hello', 'triggers', '9')) == 'EINVAL'
	assert errno_of(os.rmdir, fn.path('functions', 'hello')) == 'ENOTEMPTY'


@with_function
def test_one_source_that_parses(fn):
	path = trigger(fn, 'nightly')
	for value in ('61 * * * *', '0 0 31 2 *', '@every 1', 'CRON_TZ=Atlantis/Atlas 0 0 * * *', ''):
		assert errno_of(write_file, os.path.join(path, 'timer'), value + '\n') == 'EINVAL', value
		assert 'triggers/nightly/timer: ' in fn.read('last_error'), fn.read('last_error')
		assert 'timer' not in os.listdir(path)
	write_file(os.path.join(path, 'timer'), '0 3 * * *\n')
	assert read(path, 'timer') == '0 3 * * *\n'
	assert status(path) == {'state': 'active', 'source': 'timer'}
	assert read(path, 'next').endswith('T03:00:00.000Z\n')
	assert errno_of(write_file, os.path.join(path, 'http'), '/x\n') == 'EEXIST'
	assert 'has a source already, its timer' in fn.read('last_error')
	assert errno_of(write_file, os.path.join(path, 'timer'), 'never\n') == 'EINVAL'
	assert read(path, 'timer') == '0 3 * * *\n'
	os.unlink(os.path.join(path, 'timer'))
	write_file(os.path.join(path, 'http'), '/x\n')
	assert 'why' not in status(path), status(path)  # the gateway listens
	# As an editor saves it.
	os.unlink(os.path.join(path, 'http'))
	write_file(os.path.join(path, '.timer.new'), '@every 5m\n')
	os.rename(os.path.join(path, '.timer.new'), os.path.join(path, 'timer'))
	assert read(path, 'timer') == '@every 5m\n'
	write_file(os.path.join(path, '.timer.new'), '@every 6m\n')
	os.rename(os.path.join(path, '.timer.new'), os.path.join(path, 'timer'))
	assert read(path, 'timer') == '@every 6m\n'


@with_function
def test_uses_what_it_calls(fn):
	versions, aliases = (fn.path('functions', 'hello', name) for name in ('versions', 'aliases'))
	os.mkdir(os.path.join(versions, '1.0'))
	os.mkdir(os.path.join(aliases, 'prod'))
	path = trigger(fn, 'nightly', target='prod', timer='@every 1s', payload='from prod')
	assert errno_of(write_file, os.path.join(path, 'target'), '2.0\n') == 'EINVAL'
	assert errno_of(os.rmdir, os.path.join(aliases, 'prod')) == 'EBUSY'
	assert 'trigger nightly of hello calls alias prod' in fn.read('last_error')
	os.rename(os.path.join(aliases, 'prod'), os.path.join(aliases, 'live'))
	assert read(path, 'target') == 'live\n'
	done = os.path.join(aliases, 'live', 'results')
	name = fn.until(lambda: os.listdir(done))[0]
	assert json.loads(read(done, name))['user_event'] == 'from prod'
	write_file(os.path.join(path, 'target'), '1.0\n')
	os.rmdir(os.path.join(aliases, 'live'))
	assert errno_of(os.rmdir, os.path.join(versions, '1.0')) == 'EBUSY'
	assert errno_of(os.rmdir, os.path.join(versions, '1.0', 'code')) == 'EBUSY'
	remove(fn.path('functions', 'hello'))
	assert os.listdir(fn.path('functions')) == []


@with_function
def test_survives(fn):
	path = trigger(fn, 'nightly', enabled=0, payload='a\nb', format='lambda', missed='once',
		rate='5/m', concurrency=3, timer='@daily')
	os.chmod(os.path.join(path, 'timer'), 0o600)
	os.rename(path, fn.path('functions', 'hello', 'triggers', 'daily'))
	os.rename(fn.path('functions', 'hello'), fn.path('functions', 'other'))
	path = fn.path('functions', 'other', 'triggers', 'daily')
	before = {name: read(path, name) for name in os.listdir(path)}
	fn.kill()
	fn.unmount()
	fn.start()
	assert {name: read(path, name) for name in os.listdir(path)} == before
	assert before['timer'] == '@daily\n' and before['payload'] == 'a\nb\n'
	assert before['format'] == 'lambda\n' and before['rate'] == '5/m\n'
	assert os.stat(os.path.join(path, 'timer')).st_mode & 0o777 == 0o600
	assert status(path)['state'] == 'disabled' and before['next'] == '-\n'


# --- timers ---

@with_function
def test_timer_fires(fn):
	path = trigger(fn, 'tick', payload='hi', timer='@every 1s')
	found = fn.until(lambda: len(results(fn)) >= 3 and results(fn))
	for name, response in found.items():
		event = json.loads(response)
		assert event['trigger_type'] == 'TIMER' and event['trigger_name'] == 'tick'
		assert event['user_event'] == 'hi' and event['version'] == 'v1.0'
		assert name.endswith(event['time'].replace('-', '').replace(':', '')), (name, event)
	write_file(os.path.join(path, 'enabled'), '0\n')
	fired = int(read(path, 'fired'))
	fn.until(lambda: len(results(fn)) == fired)
	assert read(path, 'last') != '-\n' and read(path, 'errors') == '0\n'
	calls = fn.path('functions', 'hello', 'calls', 'last', 'status')
	assert 'source trigger tick\n' in read(calls)


def shift(fn, seconds):
	"""As if the daemon had been down for longer: what it stored is older."""
	with sqlite3.connect(os.path.join(fn.state, 'fnfs.db')) as database:
		database.execute('UPDATE sources SET from_us = from_us - ?, start_us = start_us - ?',
			(seconds * 1000000, seconds * 1000000))
	database.close()


@with_function
def test_missed_while_it_was_down(fn):
	for name, missed in (('skips', 'skip'), ('onces', 'once')):
		trigger(fn, name, missed=missed, timer='0 * * * *')
	for down in (7200, 0):  # the second time there is nothing new
		fn.kill()
		fn.unmount()
		shift(fn, down)
		fn.start()
		fn.until(lambda: results(fn))
	events = [json.loads(text) for text in results(fn).values()]
	assert [event['trigger_name'] for event in events] == ['onces'], events
	assert read(fn.path('functions', 'hello', 'triggers', 'skips', 'fired')) == '0\n'


@with_function
def test_timer_over_kills(fn):
	"""Never twice: each instant is a name, and an event that was made is made once."""
	trigger(fn, 'tick', missed='once', timer='@every 1s')
	log = fn.path('functions', 'hello', 'results')
	for round in range(6 if LONG else 3):
		count = len(os.listdir(log))
		fn.until(lambda: len(os.listdir(log)) > count)
		time.sleep(round * 0.17)
		fn.kill()
		fn.unmount()
		fn.start()
	count = len(os.listdir(log))
	fn.until(lambda: len(os.listdir(log)) > count)
	events = [json.loads(text)['time'] for text in results(fn).values()]
	assert len(events) == len(set(events)), events


# --- topics ---

def events_of(fn, function='hello', key='data'):
	return [json.loads(text).get(key) for text in results(fn, function).values()]


@with_function
def test_topic_reaches_subscribers(fn):
	fn.function('other', ECHO)
	topic = fn.path('topics', 'orders')
	os.mkdir(topic)
	assert os.listdir(topic) == ['publish', 'subscribers', 'count', 'status']
	assert errno_of(trigger, fn, 'bad', topic='nothing') == 'EINVAL'
	assert 'there is no topic' in fn.read('last_error')
	trigger(fn, 'on-order', topic='orders')
	trigger(fn, 'also', function='other', topic='orders', format='raw')
	trigger(fn, 'off', function='other', topic='orders', enabled=0)
	assert read(topic, 'subscribers') == 'hello/on-order\nother/also\nother/off\n'
	write_file(os.path.join(topic, 'publish'), '{"n":1}\n')
	fn.until(lambda: results(fn) and results(fn, 'other'))
	event = json.loads(list(results(fn).values())[0])
	assert event['data'] == {'n': 1} and event['specversion'] == '1.0'
	assert event['source'] == '/topics/orders' and event['type'] == 'fnfs.topic'
	assert [json.loads(text) for text in results(fn, 'other').values()] == [{'n': 1}]
	assert read(topic, 'count') == '1\n'
	assert errno_of(os.rmdir, topic) == 'EBUSY'
	os.rename(topic, fn.path('topics', 'sales'))
	assert read(fn.path('functions', 'hello', 'triggers', 'on-order', 'topic')) == 'sales\n'
	remove(fn.path('functions', 'other'))
	os.unlink(fn.path('functions', 'hello', 'triggers', 'on-order', 'topic'))
	os.rmdir(fn.path('topics', 'sales'))


@with_function
def test_topic_is_a_destination(fn):
	fn.function('source', ECHO)
	fn.function('full', ECHO, max_instances=0, queue_limit=1)
	topic, config = fn.path('topics', 'ends'), fn.path('functions', 'source', 'config')
	os.mkdir(topic)
	assert errno_of(os.symlink, '../../../topics/none', config + '/on_success') == 'ENOENT'
	assert 'topics/NAME' in fn.read('last_error')
	for target in topic + '/publish', '../../../topics/ends':
		os.symlink(target, config + '/on_success')
		assert os.readlink(config + '/on_success') == '../../../topics/ends'
		assert os.path.samefile(config + '/on_success', topic)
		os.unlink(config + '/on_success')
	os.symlink('../../../topics/ends', config + '/on_success')
	trigger(fn, 'ends', topic='ends')
	trigger(fn, 'ends', function='full', topic='ends')
	for number in range(2):
		write_file(fn.path('functions', 'source', 'queue', 'q%d' % number), '{"n":%d}' % number)
	# One subscriber has room for one: the other gets all, each once, however often the second is tried.
	fn.until(lambda: len(events_of(fn)) == 2)
	records = sorted(events_of(fn), key=lambda record: record['request_payload']['n'])
	assert [record['response_payload'] for record in records] == [{'n': 0}, {'n': 1}]
	assert records[0]['request_context']['condition'] == 'Success'
	assert read(topic, 'count') == '2\n'
	fn.until(lambda: 'queue' in read(fn.path('functions', 'full', 'triggers', 'ends', 'status')) and
		fn.read('functions', 'full', 'triggers', 'ends', 'errors') != '0\n')
	fn.kill()
	fn.start()
	fn.set('full', 'queue_limit', '10')
	fn.until(lambda: len(os.listdir(fn.path('functions', 'full', 'queue'))) == 2, 60)
	assert len(events_of(fn)) == 2
	# A function that is told of its own ends goes round until the hops are used up.
	trigger(fn, 'round', function='source', topic='ends')
	write_file(fn.path('functions', 'source', 'queue', 'loop'), '1')
	failed = fn.path('functions', 'source', 'failed')
	fn.until(lambda: any(name.endswith('.error') for name in os.listdir(failed)), 60)
	error = next(name for name in os.listdir(failed) if name.endswith('.error'))
	assert 'TooManyHops' in read(os.path.join(failed, error))
	for name in 'source', 'full':
		remove(fn.path('functions', name))
	os.unlink(fn.path('functions', 'hello', 'triggers', 'ends', 'topic'))
	os.rmdir(topic)


@with_function
def test_what_is_one_event(fn):
	os.mkdir(fn.path('topics', 'news'))
	trigger(fn, 'reader', topic='news')
	publish = fn.path('topics', 'news', 'publish')
	expected = []

	def published(*pieces, events):
		file = os.open(publish, os.O_WRONLY)
		for piece in pieces:
			assert os.write(file, piece) == len(piece)
		os.close(file)
		expected.extend(events)
		fn.until(lambda: len(results(fn)) == len(expected))
		found = events_of(fn)
		assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, expected)), found

	published(b'{"a":1}', events=[{'a': 1}])                        # one write
	published(b'"b"\n', b'"c"', events=['b', 'c'])                  # one each
	published(b'1\n\n2\n \n3', events=[1, 2, 3])                    # one a line
	published(b'{\n "pretty": [\n  1\n ]\n}\n', events=[{'pretty': [1]}])
	published(b'not json\n', events=['not json'])
	long = b'"' + b'x' * 8190 + b'y' * 100 + b'"'
	published(long[:8192], long[8192:] + b'\n4\n', events=[json.loads(long), 4])
	published(b'"' + b'z' * 4094 + b'"', events=['z' * 4094])       # a full buffer ends with the file
	published(b'\n', b'', events=[])
	assert errno_of(write_file, publish, b'x' * ((1 << 20) + 4096)) == 'EFBIG'
	# A CloudEvent is handed on as it is.
	cloud = {'specversion': '1.0', 'id': '7', 'source': '/shop', 'type': 'sold', 'data': 9}
	write_file(publish, json.dumps(cloud))
	fn.until(lambda: any(json.loads(text) == cloud for text in results(fn).values()))


@with_function
def test_published_is_durable(fn):
	"""close() acknowledged it: it is run, whatever happens to the daemon."""
	fn.set('hello', 'max_instances', '0')  # they stay in the queue
	os.mkdir(fn.path('topics', 'news'))
	trigger(fn, 'one', topic='news', format='raw')
	trigger(fn, 'two', topic='news', format='raw')
	acknowledged, stop = [], threading.Event()

	def write(number):
		while not stop.is_set():
			event = '%d-%d' % (number, len(acknowledged))
			try:
				write_file(fn.path('topics', 'news', 'publish'), json.dumps(event))
			except OSError:
				return
			acknowledged.append(event)

	writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
	for writer in writers:
		writer.start()
	fn.until(lambda: len(acknowledged) > 100)
	fn.kill()
	stop.set()
	for writer in writers:
		writer.join()
	fn.unmount()
	fn.start()
	queue = fn.path('functions', 'hello', 'queue')
	held = [read(queue, name) for name in os.listdir(queue)]
	for event in acknowledged:
		assert held.count(json.dumps(event)) == 2, event


@with_function
def test_follow(fn):
	os.mkdir(fn.path('topics', 'news'))
	follow = os.open(fn.path('topics', 'news', 'follow'), os.O_RDONLY)
	publish = fn.path('topics', 'news', 'publish')
	write_file(publish, '{"a":1}')
	assert os.read(follow, 100) == b'{"a":1}\n'
	write_file(publish, '1\n2\n')
	assert os.read(follow, 100) == b'1\n2\n'
	os.rmdir(fn.path('topics', 'news'))
	assert os.read(follow, 100) == b''
	os.close(follow)


@with_function
def test_full_queue_is_told(fn):
	fn.set('hello', 'max_instances', '0')
	fn.set('hello', 'queue_limit', '3')
	os.mkdir(fn.path('topics', 'news'))
	path = trigger(fn, 'one', topic='news')
	publish = fn.path('topics', 'news', 'publish')
	assert errno_of(write_file, publish, '1\n2\n3\n') is None
	assert errno_of(write_file, publish, '4\n') == 'ENOSPC'
	assert read(path, 'fired') == '3\n' and read(path, 'errors') == '1\n'
	assert 'last_error' in status(path)


SLOW = {'index.py': """import time

def handler(event, context):
	begun = time.time()
	time.sleep(0.1)
	return [begun, time.time()]
"""}


def test_limits():
	with Mounted() as fn:
		fn.function('hello', SLOW)
		os.mkdir(fn.path('topics', 'news'))
		trigger(fn, 'one', topic='news', concurrency=1)
		write_file(fn.path('topics', 'news', 'publish'), '1\n2\n3\n4\n5\n')
		fn.until(lambda: len(results(fn)) == 5)
		times = sorted(json.loads(text) for text in results(fn).values())
		for (_, end), (begin, _) in zip(times, times[1:]):
			assert end <= begin, times
		trigger(fn, 'two', topic='news', rate='1/h')
		os.rmdir(fn.path('functions', 'hello', 'triggers', 'one'))
		write_file(fn.path('topics', 'news', 'publish'), '1\n2\n')
		fn.until(lambda: len(results(fn)) == 6)
		queue = fn.path('functions', 'hello', 'queue')
		assert len(os.listdir(queue)) == 1
		due = os.stat(os.path.join(queue, os.listdir(queue)[0])).st_mtime - time.time()
		assert 3000 < due < 3601, due


# --- directories ---

def changes_of(fn, function='hello'):
	"""[change, name] of each event so far."""
	return sorted([event['change'], event['name']] for event in
		map(json.loads, results(fn, function).values()))


def watched(fn, value, function='hello', **more):
	path = trigger(fn, 'files', function=function, format='raw', **more)
	write_file(os.path.join(path, 'watch'), value + '\n')
	fn.until(lambda: status(path)['state'] == 'active')
	return path


def incoming(fn, name='in'):
	path = os.path.join(fn.base, name)
	os.mkdir(path)
	return path


@with_function
def test_watch_tells_of_whole_files(fn):
	directory = incoming(fn)
	write_file(os.path.join(directory, 'old.csv'), 'x')
	# What is older than the value by less than a tick of the clock of files could be new.
	write_later = os.stat(os.path.join(directory, 'old.csv')).st_ctime + 0.1
	fn.until(lambda: time.time() > write_later)
	path = watched(fn, directory + '/*.csv created,changed,removed')
	assert read(path, 'watch') == directory + ' *.csv created,changed,removed\n'
	with open(os.path.join(directory, 'slow.csv'), 'w') as slow:
		slow.write('begun')
		slow.flush()
		write_file(os.path.join(directory, 'other.txt'), 'x')
		write_file(os.path.join(directory, '.new'), 'x')
		os.rename(os.path.join(directory, '.new'), os.path.join(directory, 'moved.csv'))
		fn.until(lambda: changes_of(fn) == [['created', 'moved.csv']])
		slow.write(' and ended')
	fn.until(lambda: ['created', 'slow.csv'] in changes_of(fn))
	assert [json.loads(text)['size'] for text in results(fn).values()
		if 'slow.csv' in text] == [len('begun and ended')]
	write_file(os.path.join(directory, 'old.csv'), 'longer')
	os.unlink(os.path.join(directory, 'moved.csv'))
	os.rename(os.path.join(directory, 'slow.csv'), os.path.join(directory, 'slow.txt'))
	expected = [['changed', 'old.csv'], ['created', 'moved.csv'], ['created', 'slow.csv'],
		['removed', 'moved.csv'], ['removed', 'slow.csv']]
	fn.until(lambda: changes_of(fn) == expected)
	assert read(path, 'fired') == '5\n'


@with_function
def test_watch_over_restarts(fn):
	directory = incoming(fn)
	watched(fn, directory + ' created,changed,removed')
	for name in ('kept', 'changes', 'goes'):
		write_file(os.path.join(directory, name), 'x')
	fn.until(lambda: len(changes_of(fn)) == 3)
	fn.kill()
	fn.unmount()
	write_file(os.path.join(directory, 'comes'), 'x')
	write_file(os.path.join(directory, 'changes'), 'longer')
	os.unlink(os.path.join(directory, 'goes'))
	fn.start()
	expected = sorted([['created', 'kept'], ['created', 'changes'], ['created', 'goes'],
		['created', 'comes'], ['changed', 'changes'], ['removed', 'goes']])
	fn.until(lambda: changes_of(fn) == expected)
	assert fn.stop() == 0
	fn.start()
	write_file(os.path.join(directory, 'last'), 'x')
	fn.until(lambda: ['created', 'last'] in changes_of(fn))
	assert len(changes_of(fn)) == 7, changes_of(fn)


@with_function
def test_watch_many_under_kills(fn):
	directory = incoming(fn)
	watched(fn, directory)
	count = 10000 if LONG else 300
	for number in range(count):
		write_file(os.path.join(directory, 'f%04d' % number), 'x')
		if number in (count // 3, count // 2):
			fn.kill()
			fn.unmount()
			fn.start()
	fn.until(lambda: len(results(fn)) == count)
	assert changes_of(fn) == [['created', 'f%04d' % number] for number in range(count)]


@with_function
def test_watch_when_the_kernel_loses_some(fn):
	directory = incoming(fn)
	path = watched(fn, directory)
	with open('/proc/sys/fs/inotify/max_queued_events') as file:
		most = int(file.read())
	watcher, = [pid for pid in descendants(fn.process.pid) if read('/proc/%d/comm' % pid) == 'fnfs-watch\n']
	os.kill(watcher, signal.SIGSTOP)
	try:
		# It takes events until it really stands still, and the queue is to be full.
		fn.until(lambda: read('/proc/%d/stat' % watcher).rsplit(')', 1)[1].split()[0] == 'T')
		for number in range(most + 10):  # by turns: what is like the one before it is one
			write_file(os.path.join(directory, 'ab'[number % 2]), 'x')
		write_file(os.path.join(directory, 'late'), 'x')
		fn.step()
	finally:
		os.kill(watcher, signal.SIGCONT)
	fn.until(lambda: {name for _, name in changes_of(fn)} == {'a', 'b', 'late'})
	assert int(status(path)['overflows']) >= 1


@with_function
def test_watch_of_what_goes(fn):
	directory = incoming(fn)
	path = watched(fn, directory)
	write_file(os.path.join(directory, 'a'), 'x')
	fn.until(lambda: len(results(fn)) == 1)
	remove(directory)
	fn.until(lambda: status(path)['state'] == 'waiting')
	assert 'No such file' in status(path)['why']
	os.mkdir(directory)
	write_file(os.path.join(directory, 'b'), 'x')
	fn.until(lambda: ['created', 'b'] in changes_of(fn))
	assert status(path)['state'] == 'active' and 'why' not in status(path)


@with_function
def test_watch_refuses_loops(fn):
	path = trigger(fn, 'files')
	file = os.path.join(path, 'watch')
	for place in (fn.directory, fn.path('functions', 'hello', 'code'), fn.state,
			os.path.join(fn.state, 'functions')):
		assert errno_of(write_file, file, place + '\n') == 'ELOOP', place
	for value in ('in', '/in a b', '/in created,made', '"/in', ''):
		assert errno_of(write_file, file, value + '\n') == 'EINVAL', value
	assert 'watch' not in os.listdir(path)
	# By another name it is found out when it is looked at.
	for place in (fn.directory, fn.state):
		link = os.path.join(fn.base, 'link')
		os.symlink(place, link)
		write_file(file, link + '\n')
		fn.until(lambda: status(path)['state'] == 'failed')
		assert 'is in ' in status(path)['why'], status(path)
		os.unlink(link)


def as_nobody(fn, command):
	done = subprocess.run(['sh', '-ec', command], user=NOBODY, group=NOBODY, extra_groups=[],
		cwd=fn.directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
	assert done.returncode == 0, done.stdout


def test_watch_with_the_users_rights():
	if os.getuid() != 0:
		return
	with Mounted(options='allow_other') as fn:
		os.chmod(fn.path('functions'), 0o777)
		theirs, others = incoming(fn, 'theirs'), incoming(fn, 'others')
		os.chown(theirs, NOBODY, NOBODY)
		os.chmod(theirs, 0o700)
		os.chmod(others, 0o700)
		as_nobody(fn, f"""
			mkdir functions/n
			cat > functions/n/code/index.py << 'end'
def handler(event, context):
	return event
end
			cd functions/n/triggers
			mkdir own foreign
			echo raw | tee own/format > foreign/format
			echo {theirs} > own/watch
			echo {others} > foreign/watch""")
		foreign = fn.path('functions', 'n', 'triggers', 'foreign')
		fn.until(lambda: status(foreign)['state'] == 'waiting'
			and 'Permission denied' in status(foreign).get('why', ''))
		write_file(os.path.join(others, 'secret'), 'x')
		write_file(os.path.join(theirs, 'mine'), 'x')
		fn.until(lambda: changes_of(fn, 'n') == [['created', 'mine']])
		os.chmod(others, 0o755)
		fn.until(lambda: ['created', 'secret'] in changes_of(fn, 'n'))


# --- routes ---

@with_function
def test_routes_do_not_clash(fn):
	fn.function('other', ECHO)
	path = trigger(fn, 'web', http='GET,POST /items/{id}')
	assert read(path, 'http') == 'GET,POST /items/{id}\n'
	assert errno_of(trigger, fn, 'same', function='other', http='GET /items/{name}') == 'EEXIST'
	assert 'web' in fn.read('last_error'), fn.read('last_error')
	for value in ('items', 'GET', '/a/{', '/{x}/{x}', 'get /a'):
		assert errno_of(write_file, os.path.join(path, 'http'), value + '\n') == 'EINVAL', value
	assert read(path, 'http') == 'GET,POST /items/{id}\n'
	os.unlink(os.path.join(path, 'http'))
	write_file(fn.path('functions', 'other', 'triggers', 'same', 'http'), 'GET /items/{name}\n')


def main():
	cases = Cases()
	names = sys.argv[1:]
	for name, case in list(globals().items()):
		if name.startswith('test_') and (not names or name in names):
			cases.run(case)
	cases.end()


main()
