#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sources that are programs: what a broker has, calls a function.

Without this a user would lose: events that a broker handed over, or calls made twice for one; passwords, to whoever may
read a status; and the machine, to a program that goes wild.
"""

import json
import os
import re
import subprocess
import sys
import time

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here, os.path.join(here, '..', 'lib')]
from mounted import LONG, Cases, Mounted, errno_of, write_file  # noqa: E402
from sources_fake import Broker, install  # noqa: E402

ECHO = {'index.py': 'def handler(event, context):\n\treturn event\n'}
NOBODY = 65534
EVENTS = 10000


def manual():
	with open(os.path.join(here, '..', '..', 'docs', 'sources.md')) as file:
		return file.read()


def sample():
	"""The program that the manual shows."""
	return re.search(r'```bash\n(#!/bin/bash\n.*?)```', manual(), re.S).group(1)


def read(*parts):
	with open(os.path.join(*parts)) as file:
		return file.read()


def status(path):
	return dict(line.partition(' ')[::2] for line in read(path, 'status').splitlines())


def trigger(fn, name, function='hello', **values):
	path = fn.path('functions', function, 'triggers', name)
	os.mkdir(path)
	for key, value in values.items():
		write_file(os.path.join(path, key), str(value) + '\n')
	return path


def results(fn, function='hello'):
	directory = fn.path('functions', function, 'results')
	return {name: read(directory, name) for name in sorted(os.listdir(directory))}


def data_of(fn, function='hello'):
	return [json.loads(text)['data'] for text in results(fn, function).values()]


def is_alive(pid):
	try:
		with open(f'/proc/{pid}/stat') as file:
			return file.read().rpartition(')')[2].split()[0] not in 'ZX'
	except FileNotFoundError:
		return False


def with_programs(test=None, options=None):
	def decorate(test):
		def run():
			fn = Mounted(options=options)
			fn.env['FNFS_SOURCES'] = os.path.join(fn.base, 'sources')
			install(fn.env['FNFS_SOURCES'], spool=sample())
			with fn:
				fn.function('hello', ECHO)
				test(fn)
		run.__name__ = test.__name__
		return run
	return decorate(test) if test else decorate


# --- the file ---

@with_programs
def test_is_a_file_of_its_kind(fn):
	path = trigger(fn, 't')
	for kind in ('smtp', 'a-b', 'z' * 20):
		assert errno_of(write_file, os.path.join(path, kind), 'x\n') == 'ENOTSUP', kind
		sentence = fn.read('last_error')
		assert 'fnfs-source-' + kind in sentence and fn.env['FNFS_SOURCES'] in sentence, sentence
	for value in ('x', 'http://host/a', 'nats:/host', 'nats://', 'nats:///subject', 'natsx://host',
			'nats://u:p@/x'):
		assert errno_of(write_file, os.path.join(path, 'nats'), value + '\n') == 'EINVAL', value
		assert 'nats://server:4222 SUBJECT' in fn.read('last_error'), fn.read('last_error')
		assert 'nats' not in os.listdir(path)
	for value in ('NATS://host/a', 'tls://u:p@host:4222/a.>'):
		write_file(os.path.join(path, 'nats'), value + '\n')
		assert read(path, 'nats') == value + '\n'
	assert os.stat(os.path.join(path, 'nats')).st_mode & 0o777 == 0o600
	assert read(path, 'format') == 'cloudevents\n'
	assert errno_of(write_file, os.path.join(path, 'timer'), '@daily\n') == 'EEXIST'
	assert 'has a source already, its nats' in fn.read('last_error')
	os.unlink(os.path.join(path, 'nats'))
	# As editors save it; and their files are still theirs.
	write_file(os.path.join(path, '.self.new'), 'one\n')
	os.rename(os.path.join(path, '.self.new'), os.path.join(path, 'self'))
	subprocess.run(['sed', '-i', 's/one/two/', os.path.join(path, 'self')], check=True)
	assert read(path, 'self') == 'two\n'
	assert os.stat(os.path.join(path, 'self')).st_mode & 0o777 == 0o600


@with_programs
def test_is_given_what_the_manual_says(fn):
	path = trigger(fn, 't', self='  a value ')
	told = fn.until(lambda: data_of(fn))[0]
	name = told['environment'].pop('FNFS_SOURCE_NAME')
	assert re.fullmatch(r'fnfs-[0-9a-f]{16}-[0-9]+', name), name
	path_variable = told['environment'].pop('PATH')
	assert '/usr/bin' in path_variable.split(':')
	assert told['environment'] == {'FNFS_SOURCE_VALUE': 'a value', 'HOME': '/',
		'FNFS_SOURCE_FORMAT': 'cloudevents', 'FNFS_SOURCE_FUNCTION': 'hello',
		'FNFS_SOURCE_TRIGGER': 't'}, told
	descriptors = told['descriptors']
	assert sorted(descriptors) == ['0', '1', '2'], descriptors
	assert descriptors['0'] == descriptors['1'] and descriptors['0'].startswith('socket:')
	assert descriptors['2'].startswith('pipe:') and told['cwd'] == '/'
	assert told['ids'][:2] == [os.getuid(), os.getgid()], told['ids']
	fn.until(lambda: status(path).get('says') == 'pid %d' % told['pid'])
	assert status(path) == {'state': 'connected', 'source': 'self', 'restarts': '0',
		'waiting': '0', 'says': 'pid %d' % told['pid']}, status(path)
	assert read(path, 'fired') == '1\n' and read(path, 'errors') == '0\n'
	# Another format begins it anew, under the same name; the end is read, and followed.
	write_file(os.path.join(path, 'format'), 'raw\n')
	again = fn.until(lambda: [json.loads(text) for text in results(fn).values()
		if 'specversion' not in text])[0]
	assert again['environment']['FNFS_SOURCE_FORMAT'] == 'raw'
	assert again['environment']['FNFS_SOURCE_NAME'] == name
	fn.until(lambda: not is_alive(told['pid']))
	write_file(os.path.join(path, 'enabled'), '0\n')
	fn.until(lambda: not is_alive(again['pid']))
	assert status(path)['state'] == 'disabled'
	write_file(os.path.join(path, 'enabled'), '1\n')
	fn.until(lambda: status(path)['state'] == 'connected')
	pid = int(status(path)['says'].split()[1])
	# Neither a daemon that is killed nor one that ends leaves it behind.
	fn.kill()
	fn.until(lambda: not is_alive(pid))
	fn.unmount()
	fn.start()
	fn.until(lambda: status(path)['state'] == 'connected' and 'says' in status(path))
	pid = int(status(path)['says'].split()[1])
	assert fn.stop() == 0 and not is_alive(pid)
	fn.unmount()
	fn.start()


@with_programs
def test_the_stubborn_are_killed(fn):
	path = trigger(fn, 't', stubborn='x')
	fn.until(lambda: status(path)['state'] == 'deaf' and 'says' in status(path))
	pids = [int(word) for word in status(path)['says'].split()[1:]]
	os.unlink(os.path.join(path, 'stubborn'))
	fn.until(lambda: not any(map(is_alive, pids)))
	write_file(os.path.join(path, 'stubborn'), 'y\n')
	fn.until(lambda: status(path)['state'] == 'deaf' and 'says' in status(path))
	pids = [int(word) for word in status(path)['says'].split()[1:]]
	assert fn.stop() == 0 and not any(map(is_alive, pids))
	fn.unmount()
	fn.start()


@with_programs
def test_a_program_that_goes_missing(fn):
	path = trigger(fn, 't', self='x')
	fn.until(lambda: status(path)['state'] == 'connected')
	program = os.path.join(fn.env['FNFS_SOURCES'], 'fnfs-source-self')
	os.rename(program, program + '.away')
	fn.kill()
	fn.unmount()
	fn.start()
	found = status(path)
	assert found['state'] == 'failed' and 'fnfs-source-self' in found['why'], found
	assert read(path, 'self') == 'x\n'
	os.rename(program + '.away', program)
	write_file(os.path.join(path, 'enabled'), '0\n')
	write_file(os.path.join(path, 'enabled'), '1\n')
	fn.until(lambda: status(path)['state'] == 'connected')


@with_programs
def test_passwords_are_not_shown(fn):
	value = 'nats://me:ge%2Fheim@host:4222/a?token=streng'
	path = trigger(fn, 't', nats=value)
	fn.until(lambda: results(fn) and 'says' in status(path))
	text = read(path, 'status') + list(results(fn).values())[0] + fn.read('log')
	for word in ('ge%2Fheim', 'ge/heim', 'streng'):
		assert word not in text, text
	assert 'nats://me:***@host:4222/a?token=***' in read(path, 'status')
	assert json.loads(list(results(fn).values())[0])['source'].startswith('nats://me:***@host')


def as_nobody(fn, command):
	done = subprocess.run(['sh', '-ec', command], user=NOBODY, group=NOBODY, extra_groups=[],
		cwd=fn.directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
	assert done.returncode == 0, done.stdout


@with_programs(options='allow_other' if os.getuid() == 0 else None)
def test_with_the_users_rights(fn):
	if os.getuid() != 0:
		return
	os.chmod(fn.path('functions'), 0o777)
	as_nobody(fn, """
		mkdir functions/n
		cat > functions/n/code/index.py << 'end'
def handler(event, context):
	return event
end
		mkdir functions/n/triggers/t
		echo x > functions/n/triggers/t/self""")
	told = fn.until(lambda: data_of(fn, 'n'))[0]
	assert told['ids'] == [NOBODY, NOBODY, []], told['ids']


# --- nothing is lost ---

def storm(fn, directory, count, anonymous=False):
	"""All events of a broker; it and the daemon are killed once each."""
	broker = Broker(directory, count)
	try:
		write_file(fn.path('functions', 'hello', 'config', 'max_instances'), '0\n')
		write_file(fn.path('functions', 'hello', 'config', 'queue_limit'), '100000\n')
		path = trigger(fn, 't', fake=directory + (' -' if anonymous else ''))
		fn.until(lambda: broker.done() > count // 4)
		broker.kill()
		broker.start()
		fn.until(lambda: broker.done() > count // 2)
		fn.kill()
		fn.unmount()
		fn.start()
		fn.until(lambda: broker.done() == count, 120)
		fn.until(lambda: status(path)['state'] == 'connected')
	finally:
		broker.kill()
	return path


@with_programs
def test_nothing_is_lost_nor_twice(fn):
	path = storm(fn, os.path.join(fn.base, 'broker'), EVENTS)
	names = os.listdir(fn.path('functions', 'hello', 'queue'))
	prefix = names[0].rpartition('-')[0]
	assert sorted(names) == sorted(f'{prefix}-{number}' for number in range(EVENTS))
	event = json.loads(read(fn.path('functions', 'hello', 'queue', prefix + '-17')))
	assert event['data'] == 'event number 17' and event['type'] == 'fnfs.fake', event
	assert event['id'] == prefix + '-17'
	assert event['source'] == '/functions/hello/triggers/t'
	assert read(path, 'errors') == '0\n'


@with_programs
def test_without_ids_nothing_is_lost(fn):
	count = EVENTS if LONG else EVENTS // 4
	storm(fn, os.path.join(fn.base, 'broker'), count, anonymous=True)
	queue, data = fn.path('functions', 'hello', 'queue'), []
	for name in os.listdir(queue):
		fn.step()
		data.append(json.loads(read(queue, name))['data'])
	assert set(data) == {f'event number {number}' for number in range(count)}
	print('     %d events twice or more' % (len(data) - count))


@with_programs
def test_each_calls_once(fn):
	"""The function itself sees each, over both kills."""
	directory = os.path.join(fn.base, 'broker')
	count = 1000 if LONG else 200
	broker = Broker(directory, count)
	try:
		trigger(fn, 't', fake=directory)
		fn.until(lambda: len(results(fn)) > count // 4)
		broker.kill()
		fn.kill()
		fn.unmount()
		broker.start()
		fn.start()
		fn.until(lambda: len(os.listdir(fn.path('functions', 'hello', 'results'))) == count)
	finally:
		broker.kill()
	assert sorted(data_of(fn)) == sorted(f'event number {n}' for n in range(count))


@with_programs
def test_a_full_queue_is_waited_for(fn):
	write_file(fn.path('functions', 'hello', 'config', 'max_instances'), '0\n')
	write_file(fn.path('functions', 'hello', 'config', 'queue_limit'), '5\n')
	path = trigger(fn, 't', bad='storm')
	queue = fn.path('functions', 'hello', 'queue')
	fn.until(lambda: len(os.listdir(queue)) == 5 and 'events wait' in status(path).get('why', ''))
	assert status(path)['restarts'] == '0' and int(status(path)['waiting']) > 0
	write_file(fn.path('functions', 'hello', 'config', 'queue_limit'), '100\n')
	fn.until(lambda: len(os.listdir(queue)) == 20 and status(path)['waiting'] == '0')
	assert status(path)['restarts'] == '0' and 'why' not in status(path), status(path)
	assert int(read(path, 'errors')) >= 1 and read(path, 'fired') == '20\n'


@with_programs
def test_limits_hold_over_a_kill(fn):
	"""What is too much waits in the queue, and another daemon knows whose it is."""
	write_file(fn.path('functions', 'hello', 'code', 'index.py'),
		'import time\ndef handler(event, context):\n\ttime.sleep(0.05)\n\treturn event\n')
	path = trigger(fn, 't', concurrency=1, bad='storm')
	fn.until(lambda: read(path, 'fired') == '20\n' and len(results(fn)) > 2)
	assert len(os.listdir(fn.path('functions', 'hello', 'running'))) <= 1
	assert os.listdir(fn.path('functions', 'hello', 'queue'))
	fn.kill()
	fn.unmount()
	fn.start()
	fn.until(lambda: len(os.listdir(fn.path('functions', 'hello', 'results'))) == 20)
	assert sorted(data_of(fn)) == list(range(20))


# --- what does not keep to it ---

@with_programs
def test_nonsense_ends_the_program_and_nothing_else(fn):
	paths = [trigger(fn, value, bad=value + ' ' + os.path.join(fn.base, value))
		for value in ('junk', 'nonewline', 'zero', 'endless', 'middle', 'attributes')]
	fn.until(lambda: all(status(path)['state'] == 'mended' for path in paths))
	assert [status(path)['restarts'] for path in paths] == ['1'] * 6
	fn.until(lambda: len(results(fn)) == 6)
	assert data_of(fn) == ['good'] * 6  # and none of `never`
	path = trigger(fn, 'monstrous', bad='monstrous')
	fn.until(lambda: 'length in bytes' in status(path).get('why', ''))


@with_programs
def test_what_is_too_large_is_answered(fn):
	path = trigger(fn, 'huge', bad='huge')
	found = fn.until(lambda: len(results(fn)) == 2 and data_of(fn))
	assert 'good' in found
	answers = [text for text in found if text != 'good'][0]
	assert re.match(r'no huge [^\n]*6291456 bytes', answers), answers
	assert read(path, 'errors') == '1\n' and status(path)['restarts'] == '0'


@with_programs
def test_ids_of_any_bytes(fn):
	trigger(fn, 't', bad='binary')
	found = fn.until(lambda: len(results(fn)) == 3 and results(fn))
	for name in found:
		assert re.fullmatch(r'bad-[0-9]+-sha256-[0-9a-f]{64}', name), name
	events = [json.loads(text) for text in found.values()]
	assert {event.get('data') for event in events} == {None, 'long', 'slash'}
	assert [event['data_base64'] for event in events if 'data' not in event] == ['AP8KCg==']
	slash = [event for event in events if event.get('data') == 'slash'][0]
	assert slash['type'] == 't.t' and slash['subject'] == 's' and slash['n'] == 7
	assert 'bad name' not in slash


@with_programs
def test_says_why_it_does_not_run(fn):
	path = trigger(fn, 'exits', bad='exits')
	fn.until(lambda: int(status(path)['restarts']) >= 1)
	found = fn.until(lambda: 'says' in status(path) and status(path))
	assert found['says'] == 'I cannot go on' and 'ended with status 7' in found['why'], found
	path = trigger(fn, 'refuses', bad='refuses')
	fn.until(lambda: status(path)['state'] == 'failed')
	assert status(path)['why'] == 'there is no queue of that name', status(path)
	assert status(path)['restarts'] == '0'
	os.unlink(os.path.join(path, 'bad'))
	write_file(os.path.join(path, 'self'), 'x\n')
	fn.until(lambda: status(path)['state'] == 'connected')


@with_programs
def test_who_reads_no_answers_waits(fn):
	"""A program that only writes fills no memory: it is held up, and everybody else is served."""
	write_file(fn.path('functions', 'hello', 'config', 'max_instances'), '0\n')
	write_file(fn.path('functions', 'hello', 'config', 'queue_limit'), '1000000\n')
	path = trigger(fn, 'deaf', bad='deaf')
	last = 0

	def stands():
		nonlocal last
		before, last = last, int(read(path, 'fired'))
		time.sleep(0.3)
		return before == last > 0
	fn.until(stands)
	assert last < 100000, last
	fn.function('other', ECHO)
	other = trigger(fn, 't', function='other', self='x')
	fn.until(lambda: status(other)['state'] == 'connected' and results(fn, 'other'))


# --- the manual's own ---

@with_programs
def test_the_sample_of_the_manual(fn):
	spool = os.path.join(fn.base, 'spool')
	os.mkdir(spool)
	path = trigger(fn, 't', spool=spool)
	expected = set()

	def put(text):
		expected.add(text)
		name = str(len(expected))
		write_file(os.path.join(fn.base, name), text)
		os.rename(os.path.join(fn.base, name), os.path.join(spool, name + ' .txt'))
	for round in range(6 if LONG else 2):
		for number in range(20):
			put(f'{round} {number}\nline')
		fn.until(lambda: len(os.listdir(spool)) < 15)
		fn.kill()
		fn.unmount()
		fn.start()
	fn.until(lambda: not os.listdir(spool))
	fn.until(lambda: len(results(fn)) == len(expected))
	assert sorted(data_of(fn)) == sorted(expected)
	os.unlink(os.path.join(path, 'spool'))
	write_file(os.path.join(path, 'spool'), os.path.join(fn.base, 'nothing') + '\n')
	fn.until(lambda: status(path)['state'] == 'failed')


def main():
	cases = Cases()
	names = sys.argv[1:]
	for name, case in list(globals().items()):
		if name.startswith('test_') and (not names or name in names):
			cases.run(case)
	cases.end()


main()
