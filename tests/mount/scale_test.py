#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Many functions, many conversations, and a crowd at one function.

Without this a user would lose: a machine that serves a hundred thousand functions of which a few are called, the
timer of a function that nobody has looked at since the daemon began, and the answer of a quiet function while a
crowd waits at another.
"""

import errno
import os
import resource
import select
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from mounted import BUILD, LONG, Cases, Mounted, require_mounts, write_file  # noqa: E402

ECHO = 'def handler(event, context):\n\treturn event\n'
FUNCTIONS = 100000 if LONG else 400
CONVERSATIONS = 10000 if LONG else 1500
CROWD = 1000 if LONG else 200
MEMORY_MOST = 150 << 20  # bytes; of the daemon with a hundred thousand functions


def wait_until(fn, condition, seconds=30):
	end = time.monotonic() + seconds
	while not condition():
		fn.step()
		assert time.monotonic() < end, 'it did not happen'
		time.sleep(0.02)


def status(fn):
	return dict(line.split(' ', 1) for line in fn.read('status').splitlines() if ' ' in line)


def descriptors(fn):
	return len(os.listdir('/proc/%d/fd' % fn.process.pid))


def memory(fn):
	with open('/proc/%d/statm' % fn.process.pid) as file:
		return int(file.read().split()[1]) * resource.getpagesize()


def begin(fn, name, event):
	"""A call in flight, in a conversation of its own that nobody waits in."""
	fd = os.open(fn.path('functions', name, 'invoke'), os.O_RDWR | os.O_NONBLOCK)
	os.write(fd, event)
	try:
		os.read(fd, 100)
	except OSError as error:
		assert error.errno == errno.EAGAIN, error
	return fd


def answered(poller):
	return {fd for fd, _ in poller.poll(0)}


def functions_that_nobody_touches_leave_no_trace():
	"""Listed, looked at with ls -l, and with what fnfs ls reads: no working tree and no log is opened for it."""
	with tempfile.TemporaryDirectory(prefix='fnfs-scale-') as base:
		code = os.path.join(base, 'index.py')
		write_file(code, ECHO)
		state = os.path.join(base, 'state')
		subprocess.run([os.path.join(BUILD, 'tests/bench/bench_populate'), state, str(FUNCTIONS), code],
			check=True)
		with Mounted(state=state, patience=600) as fn:
			before = descriptors(fn)
			names = os.listdir(fn.path('functions'))
			assert len(names) == len(set(names)) == FUNCTIONS == int(status(fn)['functions'])
			for name in names:
				os.stat(fn.path('functions', name))
			for name in names[:2000]:
				fn.step()
				assert fn.read('functions', name, 'status').startswith('state ready\n')
				assert fn.read('functions', name, 'metrics', 'count') == '0\n'
				assert os.listdir(fn.path('functions', name, 'instances')) == []
				assert os.listdir(fn.path('functions', name, 'calls')) == []
				assert fn.read('functions', name, 'last_error') == ''
			assert descriptors(fn) <= before + 2, 'something stayed open'
			assert fn.call(names[-1], b'1') == b'1'
			assert fn.read('functions', names[-1], 'metrics', 'count') == '1\n'
			print('    %d functions, %d MB' % (FUNCTIONS, memory(fn) >> 20))
			assert not LONG or memory(fn) < MEMORY_MOST


def what_must_act_acts_untouched():
	"""A reserved instance, a timer and a call that is due later: after a mount nobody looks at their functions."""
	deeds = {
		'reserved': lambda path: write_file(path + '/config/min_instances', '1\n'),
		'timed': lambda path: (os.mkdir(path + '/triggers/t'), write_file(path + '/triggers/t/timer', '@every 1s\n')),
		'due': lambda path: (write_file(path + '/queue/.later', '1'), os.utime(path + '/queue/.later',
			(time.time() + 4, time.time() + 4)), os.rename(path + '/queue/.later', path + '/queue/later')),
	}
	for name, deed in deeds.items():
		with Mounted() as fn:
			deed(fn.function(name, {'index.py': ECHO}, idle_timeout='1m'))
			assert fn.stop() == 0
			fn.start()
			wait_until(fn, lambda: int(status(fn)['instances']) >= 1)
			if name == 'due':
				wait_until(fn, lambda: os.listdir(fn.path('functions', 'due', 'results')) == ['later'])


def thousands_of_conversations_are_open_at_once():
	names = ['many%d' % i for i in range(10)]
	with Mounted() as fn:
		for name in names:
			fn.function(name, {'index.js': 'exports.handler = async (event) => {\n'
				'\tawait new Promise((done) => setTimeout(done, 3000));\n\treturn event;\n};\n'},
				concurrency=1000, max_instances=1, timeout='2m')
		fds = {}
		poller = select.poll()
		before = memory(fn)
		for i in range(CONVERSATIONS):
			fd = begin(fn, names[i % len(names)], b'{"i":%d}' % i)
			fds[fd] = i
			poller.register(fd, select.POLLIN)
			fn.step()
		after = memory(fn)
		while fds:
			ready = poller.poll(60000)
			assert ready, '%d are not answered' % len(fds)
			for fd, _ in ready:
				assert os.read(fd, 100) == b'{"i":%d}' % fds.pop(fd)
				poller.unregister(fd)
				os.close(fd)
			fn.step()
		print('    %d conversations, %d bytes each' % (CONVERSATIONS, (after - before) // CONVERSATIONS))


def a_crowd_does_not_hold_up_its_neighbour():
	"""By the order of the answers: those of the neighbour come in turn, not behind the crowd's."""
	with Mounted() as fn:
		fn.function('crowded', {'index.py': 'import time\ndef handler(event, context):\n\ttime.sleep(0.1)\n'},
			max_instances=4, timeout='1m')
		fn.function('quiet', {'index.py': ECHO})
		fn.call('quiet', b'0')
		poller = select.poll()
		fds = [begin(fn, 'crowded', b'{}') for _ in range(CROWD)]
		for fd in fds:
			poller.register(fd, select.POLLIN)
		wait_until(fn, lambda: answered(poller))
		for i in range(20):
			assert fn.call('quiet', b'%d' % i) == b'%d' % i
		served = len(answered(poller))
		assert served < CROWD, 'the neighbour came last'
		print('    20 calls of the neighbour while %d of %d of the crowd were served' % (served, CROWD))
		for fd in fds:
			os.close(fd)


def a_crowd_that_starts_does_not_hold_up_a_first_start():
	"""Instance after instance starts for a crowd; whoever has none yet gets its first in between."""
	most = 24
	with Mounted() as fn:
		fn.function('crowded', {'index.py': 'import time\ntime.sleep(0.5)\ndef handler(event, context):\n'
			'\ttime.sleep(30)\n'}, max_instances=most, timeout='1m')
		fn.function('quiet', {'index.py': ECHO})
		wait_until(fn, lambda: fn.read('functions', 'quiet', 'status').startswith('state ready'))
		for instance in os.listdir(fn.path('functions', 'quiet', 'instances')):
			os.rmdir(fn.path('functions', 'quiet', 'instances', instance))
		fds = [begin(fn, 'crowded', b'{}') for _ in range(CROWD)]
		wait_until(fn, lambda: fn.read('functions', 'crowded', 'metrics', 'concurrency') != '0\n')
		assert fn.call('quiet', b'1') == b'1'
		started = int(fn.read('functions', 'crowded', 'metrics', 'concurrency'))
		assert started < most, 'it waited for all of them'
		print('    a first start while the crowd had %d of %d' % (started, most))
		for fd in fds:
			os.close(fd)


def main():
	require_mounts()
	files = resource.getrlimit(resource.RLIMIT_NOFILE)
	resource.setrlimit(resource.RLIMIT_NOFILE, (files[1], files[1]))
	cases = Cases()
	cases.run(functions_that_nobody_touches_leave_no_trace)
	cases.run(what_must_act_acts_untouched)
	cases.run(thousands_of_conversations_are_open_at_once)
	cases.run(a_crowd_does_not_hold_up_its_neighbour)
	cases.run(a_crowd_that_starts_does_not_hold_up_a_first_start)
	cases.end()


main()
