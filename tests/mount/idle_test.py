#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How long idle instances are kept, as files show it; tests/run/pool_idle_test.c has the hours.

Without this a user would lose: a warm instance that was asked for, or the memory of one that nobody needs.
"""

import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from mounted import Cases, Mounted, errno_of, remove, write_file  # noqa: E402

ECHO = 'def handler(event, context):\n\treturn event\n'
SECONDS, MINUTES = 1000, 60000


def value(path, key):
	with open(path) as file:
		for line in file:
			if line.startswith(key + ' '):
				return line[len(key) + 1:].rstrip('\n')
	return None


def until(fn, condition, wait=30):
	end = time.monotonic() + wait
	while not condition():
		assert time.monotonic() < end, 'it did not come'
		time.sleep(0.02)
	fn.step()


def kept(path):
	return value(path + '/status', 'idle_timeout')


def instances(path):
	return os.listdir(path + '/instances')


def directory_of(fn, path):
	"""Where the state directory has the function."""
	return os.path.join(fn.state, 'functions', max(os.listdir(fn.state + '/functions'), key=int))


def write_history(file, start_ms, idle_ms, count=10):
	write_file(file, 'fnfs-keep-alive 1\nstart %d\ndepth 1%s\nend\n' % (start_ms * 1000, ' %d' % idle_ms * count))


def what_is_set_is_told_from_the_default(fn):
	"The default reads as 60 seconds; who writes 60 seconds gets them, whatever the function is like."
	path = fn.function('f', {'index.py': ECHO})
	file = path + '/config/idle_timeout'
	assert fn.read(file) == '1m\n' and kept(path) == '1m by default', kept(path)
	write_file(file, '60s')
	assert fn.read(file) == '1m\n' and kept(path) == '1m as set', kept(path)
	write_file(file, '5s\n')
	assert fn.read(file) == '5s\n' and kept(path) == '5s as set', kept(path)
	os.mkdir(path + '/versions/1')
	assert kept(path + '/versions/1') == '5s as set'
	write_file(file, 'auto')
	assert fn.read(file) == '1m\n' and kept(path) == '1m by default', kept(path)
	assert errno_of(write_file, file, 'always') == 'EINVAL'
	assert 'idle_timeout is 0 to 72h' in fn.read(path, 'last_error')
	write_file(path + '/versions/1/config/idle_timeout', 'auto')
	assert kept(path + '/versions/1') == '1m by default'
	write_file(file, '60s')
	fn.stop()
	fn.start()
	assert fn.call('f') == b'{}' and kept(path) == '1m as set', kept(path)
	remove(path)


def history_outlives_the_daemon(fn):
	"What was learned about a function is still known after a restart, until its version is removed."
	path = fn.function('f', {'index.py': ECHO})
	assert fn.call('f') == b'{}'
	os.mkdir(path + '/versions/1')
	directory, number = directory_of(fn, path), os.stat(path + '/versions/1').st_ino & ((1 << 48) - 1)
	fn.stop()
	write_history(directory + '/keep-alive', 4000, 10 * MINUTES)
	write_history(directory + '/keep-alive-%d' % number, 5, 10 * MINUTES)
	fn.start()
	assert fn.call('f') == b'{}'
	words = kept(path)
	assert words.startswith('10s by the last 10 idle times and a start of 3') and '; back from ' in words, words
	one = kept(path + '/versions/1')
	assert one == '10s by the last 10 idle times and a start of 5ms', one
	os.rmdir(path + '/versions/1')
	until(fn, lambda: not os.path.exists(directory + '/keep-alive-%d' % number))
	fn.stop()
	write_file(directory + '/keep-alive', 'fnfs-keep-alive 1\nsomething else\n')
	fn.start()
	assert fn.call('f') == b'{}' and kept(path) == '1m by default', kept(path)
	assert 'keep-alive cannot be read' in fn.read('log')
	remove(path)


def what_starts_quickly_goes_early(fn):
	"What can be had again in milliseconds does not keep its memory for a minute."
	path = fn.function('f', {'index.py': ECHO})
	assert fn.call('f') == b'{}'
	directory = directory_of(fn, path)
	fn.stop()
	write_history(directory + '/keep-alive', 5, 10 * MINUTES)
	fn.start()
	assert fn.call('f') == b'{}'
	began = time.monotonic()
	assert len(instances(path)) == 1
	until(fn, lambda: not instances(path))
	assert time.monotonic() - began < 30
	assert fn.call('f') == b'{}'
	remove(path)


def reserved_ones_are_replaced(fn):
	"min_instances are there although nobody calls, and again after one was killed."
	path = fn.function('f', {'index.py': ECHO}, min_instances=2)
	states = lambda: [fn.read(path, 'instances', id, 'state') for id in instances(path)]
	until(fn, lambda: states() == ['idle\n'] * 2)
	before = instances(path)
	os.kill(int(fn.read(path, 'instances', before[0], 'pid')), signal.SIGKILL)
	until(fn, lambda: before[0] not in instances(path) and states() == ['idle\n'] * 2)
	os.rmdir(os.path.join(path, 'instances', before[1]))
	until(fn, lambda: before[1] not in instances(path) and states() == ['idle\n'] * 2)
	remove(path)


def main():
	cases = Cases()
	with Mounted() as fn:
		cases.run(what_is_set_is_told_from_the_default, fn)
		cases.run(history_outlives_the_daemon, fn)
		cases.run(what_starts_quickly_goes_early, fn)
		cases.run(reserved_ones_are_replaced, fn)
	cases.end()


main()
