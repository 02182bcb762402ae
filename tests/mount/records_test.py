#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Logs, metrics and calls as tools see them.

Without this a user would lose: lines of a log that tail, grep or tar should have shown, a log that is
followed live, the numbers and the chart, or the record of the call that just failed.
"""

import csv
import errno
import io
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import xml.dom.minidom

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from mounted import LONG, Cases, Mounted, errno_of  # noqa: E402

CODE = '''
import os, sys, time

def handler(event, context):
	do = event.get('do')
	if do == 'say':
		print(event['text'])
	if do == 'flood':
		chunk = (('x' * 99 + '\\n') * 700).encode()
		end = time.monotonic() + event['s']
		written = 0
		while time.monotonic() < end:
			written += os.write(1, chunk)
		return written
	if do == 'sleep':
		time.sleep(event['s'])
	if do == 'raise':
		raise ValueError('seven')
	if do == 'binary':
		os.write(1, b'nul \\0 escape \\x1b[31m bad \\xff end\\n')
	if do == 'endless':
		os.write(1, b'y' * 100000)
	return event
'''

fn = None
LOGS = CALLS = METRICS = None


def wait_until(condition, seconds=15):
	end = time.monotonic() + seconds
	while not condition():
		assert time.monotonic() < end, 'still not so after %d s' % seconds
		time.sleep(0.01)
	fn.step()


def call(event, name='f'):
	return fn.call(name, event.encode())


def say(text, name='f'):
	call('{"do":"say","text":"%s"}' % text, name)


def current(name='f'):
	return fn.read('functions', name, 'logs', 'current')


def shell(script):
	done = subprocess.run(['bash', '-c', script], capture_output=True, text=True, timeout=60,
		cwd=fn.path('functions', 'f'))
	return done.returncode, done.stdout + done.stderr


def number(name, function='f'):
	return float(fn.read('functions', function, 'metrics', name))


# --- logs ---

def lines_have_their_form():
	call('{"do":"say","text":"hello"}')
	frame = r'^\S+Z (Start invoke request \'{0}\', version: latest' \
		r'|Finish invoke request \'{0}\', duration: \d+\.\d{{3}}ms, billing duration: \d+ms, ' \
		r'memory used: \d+\.\d{{3}}MB, billing memory: 128MB)$'
	last = os.readlink(os.path.join(CALLS, 'last'))
	lines = [line for line in current().splitlines() if last in line]
	assert len(lines) == 3, lines
	assert re.match(frame.format(last), lines[0]) and re.match(frame.format(last), lines[2]), lines
	assert re.match(r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z %s latest INFO hello$' % last, lines[1])
	try:
		call('{"do":"raise"}')
	except OSError:
		pass
	last = os.readlink(os.path.join(CALLS, 'last'))
	assert "Finish invoke request '%s' (invoke Failed), duration" % last in current()


def whatever_is_printed_stays_text():
	call('{"do":"binary"}')
	call('{"do":"endless"}')
	with open(os.path.join(LOGS, 'current'), 'rb') as file:
		text = file.read()
	assert rb'nul \x00 escape \x1b[31m bad \xff end' in text
	assert b'\x1b' not in text and b'\0' not in text
	assert text.count(b'y' * 8192) == 12 and max(map(len, text.splitlines())) < 9000
	text.decode()


def sizes_are_true():
	say('for the tools')
	path = os.path.join(LOGS, 'current')
	size = os.stat(path).st_size
	text = current()
	assert size == len(text.encode())
	status, out = shell('wc -c < logs/current; grep -c . logs/current; cat logs/current | wc -l; '
		'tail -n1 logs/current; grep -rl "for the tools" logs')
	assert status == 0, out
	lines = out.splitlines()
	assert lines[0] == str(size) and lines[1] == lines[2] == str(text.count('\n')), out
	assert lines[3] == text.splitlines()[-1] and lines[4].startswith('logs/20'), out
	for copy in ('cp logs/current $T', 'rsync -L logs/current $T', 'busybox cat logs/current > $T',
			'dd status=none if=logs/current of=$T bs=1000', 'head -c 100000000 logs/current > $T',
			'tac logs/current | tac > $T', 'busybox cp logs/current $T'):
		tool = [word for word in copy.split() if word not in ('busybox',)][0]
		if not shutil.which(tool) or ('busybox' in copy and not shutil.which('busybox')):
			continue
		status, out = shell('T=$(mktemp); %s && cat $T; rm $T' % copy)
		assert status == 0 and out == text, (copy, status, len(out), len(text))
	packed = subprocess.run(['tar', '-C', LOGS, '-cf', '-', '.'], capture_output=True, timeout=60)
	assert packed.returncode == 0 and not packed.stderr, packed.stderr
	with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
		name = os.readlink(path)
		assert archive.extractfile('./' + name).read().decode() == text
		assert './follow' not in archive.getnames()


def tail_follows():
	tail = subprocess.Popen(['tail', '-n0', '-s0.05', '-F', os.path.join(LOGS, 'current')],
		stdout=subprocess.PIPE, stderr=subprocess.PIPE)
	try:
		time.sleep(0.3)
		say('first of tail')
		assert read_until(tail.stdout, b'first of tail')
		for name in os.listdir(LOGS):  # the newest goes, a fresh one begins
			if name.startswith('20'):
				os.unlink(os.path.join(LOGS, name))
		assert current() == ''
		say('second of tail')
		assert read_until(tail.stdout, b'second of tail')
	finally:
		tail.kill()
		tail.communicate()


def read_until(pipe, wanted, seconds=15):
	"""Reads a pipe until `wanted` was there; what was read, or b'' after `seconds`."""
	data = b''
	end = time.monotonic() + seconds
	while wanted not in data:
		if not select.select([pipe], [], [], max(0, end - time.monotonic()))[0]:
			return b''
		piece = os.read(pipe.fileno(), 65536)
		if not piece:
			return b''
		data += piece
	fn.step()
	return data


def follow_delivers():
	cat = subprocess.Popen(['cat', os.path.join(LOGS, 'follow')], stdout=subprocess.PIPE)
	grep = subprocess.Popen(['grep', '--line-buffered', 'needle', os.path.join(LOGS, 'follow')],
		stdout=subprocess.PIPE)
	try:
		assert 'follow' not in os.listdir(LOGS)
		wait_until(lambda: waits_in_read(cat.pid) and waits_in_read(grep.pid))
		say('hay')
		say('needle')
		assert read_until(cat.stdout, b'needle').count(b'hay') == 1
		assert b'hay' not in read_until(grep.stdout, b'needle')
		cat.send_signal(signal.SIGINT)  # at once, not with the next line
		assert cat.wait(5) == -signal.SIGINT
	finally:
		for process in (cat, grep):
			process.kill()
			process.communicate()


def waits_in_read(pid):
	with open('/proc/%d/syscall' % pid) as file:
		return file.read().startswith('0 ')


def follow_by_poll():
	fd = os.open(os.path.join(LOGS, 'follow'), os.O_RDONLY | os.O_NONBLOCK)
	try:
		assert errno_of(os.read, fd, 100) == 'EAGAIN'
		poll = select.poll()
		poll.register(fd, select.POLLIN)
		assert poll.poll(0) == []
		say('polled')
		assert poll.poll(5000) == [(fd, select.POLLIN)]
		wait_until(lambda: b'polled' in follow_read(fd))
		follow_read(fd)
		threading.Timer(0.2, say, ['later']).start()
		assert poll.poll(5000) == [(fd, select.POLLIN)]
		assert errno_of(os.lseek, fd, 0, os.SEEK_SET) == 'ESPIPE'
	finally:
		os.close(fd)


def follow_read(fd):
	data = b''
	while True:
		try:
			data += os.read(fd, 65536)
		except BlockingIOError:
			return data


def follow_interrupted():
	"""A signal with a handler ends the wait with EINTR (the library then tries again)."""
	fd = os.open(os.path.join(LOGS, 'follow'), os.O_RDONLY)
	seen = []
	previous = signal.signal(signal.SIGALRM, lambda *_: seen.append(1) or say('woken'))
	try:
		signal.setitimer(signal.ITIMER_REAL, 0.2)
		assert b'woken' in read_until(os.fdopen(os.dup(fd), 'rb', 0), b'woken') and seen
	finally:
		signal.signal(signal.SIGALRM, previous)
		os.close(fd)


def a_slow_follower_is_told():
	fn.function('slow', {'index.py': CODE}, timeout='1m')
	fd = os.open(fn.path('functions', 'slow', 'logs', 'follow'), os.O_RDONLY | os.O_NONBLOCK)
	try:
		call('{"do":"flood","s":1}', 'slow')
		text = follow_read(fd)
		assert re.search(rb'Z - - WARN \[\d+ lines lost: read too slowly\]\n', text), text[:300]
		assert len(text) < 3 << 20
		assert b'Finish invoke' in text
	finally:
		os.close(fd)


def following_ends_with_the_function():
	fn.function('gone', {'index.py': CODE})
	cat = subprocess.Popen(['cat', fn.path('functions', 'gone', 'logs', 'follow')],
		stdout=subprocess.PIPE)
	try:
		wait_until(lambda: waits_in_read(cat.pid))
		say('last words', 'gone')
		shutil.rmtree(fn.path('functions', 'gone'))
		assert b'last words' in cat.communicate(timeout=15)[0]
		assert cat.returncode == 0
	finally:
		cat.kill()


def bytes_in(directory):
	total = 0
	for name in os.listdir(directory):
		try:
			total += os.lstat(os.path.join(directory, name)).st_size
		except FileNotFoundError:
			pass  # as old as that
	return total


def a_flood_harms_nobody():
	"""100 MB/s and what it can: others are served, the log stays within what is kept."""
	fn.function('loud', {'index.py': CODE}, timeout='1m', log_retention='1d 64M')
	flood = threading.Thread(target=call,
		args=('{"do":"flood","s":%d}' % (20 if LONG else 4), 'loud'))
	flood.start()
	slowest = 0
	while flood.is_alive():
		start = time.monotonic()
		call('{}')
		slowest = max(slowest, time.monotonic() - start)
		assert bytes_in(fn.path('functions', 'loud', 'logs')) < 70 << 20
		fn.step()
	print('     slowest call beside a flood: %.0f ms' % (slowest * 1000))
	assert slowest < 5
	logs = fn.path('functions', 'loud', 'logs')
	oldest = sorted(name for name in os.listdir(logs) if name.startswith('20'))[0]
	with open(os.path.join(logs, oldest), 'rb') as file:
		size = os.fstat(file.fileno()).st_size
		text = file.read()
		assert len(text) == size and text.endswith(b'\n')
		for offset in (0, 1, 131071, 131072, size // 2, size - 1):
			file.seek(offset)
			assert file.read(4096) == text[offset:offset + 4096]
	shutil.rmtree(fn.path('functions', 'loud'))


def an_open_log_stays():
	say('before it is removed')
	path = os.path.join(LOGS, os.readlink(os.path.join(LOGS, 'current')))
	with open(path, 'rb') as file:
		text = file.read()
		os.unlink(path)
		assert not os.path.exists(path)
		file.seek(0)
		assert file.read() == text and b'before it is removed' in text
	assert os.readlink(os.path.join(LOGS, 'current')) != os.path.basename(path)
	assert errno_of(os.open, os.path.join(LOGS, 'current'), os.O_WRONLY) == 'EACCES'
	assert errno_of(os.mkdir, os.path.join(LOGS, 'x')) == 'EPERM'


def json_lines():
	fn.set('f', 'log_format', 'json')
	say('as json')
	status, out = shell('''tail -n3 logs/current | python3 -c '
import json, sys
for line in sys.stdin: print(json.loads(line)["type"], json.loads(line).get("message"))' ''')
	fn.set('f', 'log_format', 'text')
	assert out == 'start None\nlog as json\nfinish None\n', out


def the_daemons_log():
	assert 'INFO mounted at' in fn.read('log')
	assert os.stat(fn.path('log')).st_size == len(fn.read('log'))


# --- calls ---

def read_call(name, id='last'):
	return fn.read('functions', 'f', 'calls', id, name)


def call_status(id='last'):
	return dict(line.split(' ', 1) for line in read_call('status', id).splitlines())


def the_last_call():
	call('{"do":"say","text":"for the record"}')
	status = call_status()
	assert status['state'] == 'succeeded' and status['version'] == 'latest', status
	assert status['source'] == 'sync' and status['attempt'] == '1', status
	assert float(status['duration_ms']) > 0
	assert read_call('request') == '{"do":"say","text":"for the record"}'
	assert 'for the record' in read_call('response')
	assert read_call('error') == '' and 'INFO for the record\n' in read_call('log')
	try:
		call('{"do":"raise"}')
		raise AssertionError('no error')
	except OSError as error:
		assert read_call('error').encode() == error.body
	assert call_status()['state'] == 'failed'


def sixty_four_are_kept():
	for i in range(70):
		call('{"n":%d}' % i)
	names = os.listdir(CALLS)
	assert len(names) == 65 and names[-1] == 'last', len(names)
	requests = [read_call('request', name) for name in names[:-1]]
	assert requests == ['{"n":%d}' % i for i in range(6, 70)]


def rmdir_cancels():
	failed = []

	def sleeper():
		try:
			call('{"do":"sleep","s":60}')
		except OSError as error:
			failed.append(error.errno)

	thread = threading.Thread(target=sleeper)
	thread.start()
	wait_until(lambda: call_status()['state'] == 'running')
	id = os.readlink(os.path.join(CALLS, 'last'))
	os.rmdir(os.path.join(CALLS, id))
	assert id not in os.listdir(CALLS)
	thread.join(10)
	assert failed == [errno.ECANCELED], failed
	assert id not in os.listdir(CALLS)


# --- metrics ---

def numbers():
	fn.function('counted', {'index.py': CODE})
	for i in range(5):
		call('{}', 'counted')
	for i in range(2):
		try:
			call('{"do":"raise"}', 'counted')
		except OSError:
			pass
	wait_until(lambda: number('count', 'counted') == 7)
	assert number('failcount', 'counted') == number('functionErrorCount', 'counted') == 2
	assert number('systemErrorCount', 'counted') == number('rejectcount', 'counted') == 0
	assert number('minDuration', 'counted') <= number('p50', 'counted') <= number('p99', 'counted')
	assert number('p99', 'counted') <= number('maxDuration', 'counted')
	assert number('instances', 'counted') >= 1 and number('concurrency', 'counted') == 0
	fn.set('counted', 'max_instances', '0')
	assert errno_of(call, '{}', 'counted') == 'EAGAIN'
	assert (number('rejectcount', 'counted'), number('count', 'counted')) == (1, 7), \
		fn.read('functions', 'counted', 'metrics', 'rejectcount')


def history_and_chart():
	rows = list(csv.DictReader(io.StringIO(fn.read('functions', 'counted', 'metrics', 'history.csv'))))
	assert sum(int(row['count']) for row in rows) == 7, rows
	path = fn.path('functions', 'counted', 'metrics', 'chart.svg')
	with open(path, 'rb') as file:
		chart = file.read()
	assert len(chart) == os.stat(path).st_size == 16384
	assert xml.dom.minidom.parseString(chart).documentElement.tagName == 'svg'
	text = fn.read('metrics')
	assert 'fnfs_calls_total{function="counted"} 7\n' in text and text.endswith('# EOF\n')


def survive_a_restart():
	before = current('counted'), number('count', 'counted'), number('p50', 'counted')
	assert fn.stop() == 0
	fn.start()
	after = current('counted'), number('count', 'counted'), number('p50', 'counted')
	assert after == before
	assert os.listdir(fn.path('functions', 'counted', 'calls')) == []


def looking_is_free():
	"""Everything can be read and copied; it ends, calls nothing and changes nothing."""
	count = number('count')
	status, out = shell('ls -lR . > /dev/null && grep -r x . > /dev/null; T=$(mktemp -d); '
		'cp -r calls logs metrics $T && ls $T; rm -r $T')
	assert status == 0 and out == 'calls\nlogs\nmetrics\n', out
	assert number('count') == count


def main():
	global fn, LOGS, CALLS, METRICS
	cases = Cases()
	with Mounted() as fn:
		path = fn.function('f', {'index.py': CODE}, timeout='2m')
		LOGS, CALLS, METRICS = (os.path.join(path, name) for name in ('logs', 'calls', 'metrics'))
		chosen = [word for word in sys.argv[1:] if not word.startswith('-')]
		for case in (lines_have_their_form, whatever_is_printed_stays_text, sizes_are_true,
				tail_follows, follow_delivers, follow_by_poll, follow_interrupted,
				a_slow_follower_is_told, following_ends_with_the_function,
				a_flood_harms_nobody, an_open_log_stays, json_lines, the_daemons_log,
				the_last_call, sixty_four_are_kept, rmdir_cancels, numbers, history_and_chart,
				survive_a_restart, looking_is_free):
			if not chosen or case.__name__ in chosen:
				fn.step()
				cases.run(case)
	cases.end()


main()
