#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A hundred functions with a call in flight each, then `kill -9` of the daemon, or of its guardian.

Without this a user would lose: memory and processors to programs that nobody sees any more, and a mount
point that cannot be used again.
"""

import errno
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from mounted import LONG, Cases, Mounted  # noqa: E402

MANY = 100 if LONG else 40
MARK = 'fnfs-left-behind-test'
CODE = {
	'python': {'index.py': 'import subprocess, time\n'
		'def handler(event, context):\n'
		'\tsubprocess.Popen(["/bin/sh", "-c", "setsid sleep 600 & sleep 600"])\n'
		'\ttime.sleep(600)\n'},
	'exec': {'main+x': '#!/bin/sh\nsetsid sleep 600 &\nsleep 600\n'},
}


def daemon_value(fn, key):
	for line in fn.read('status').splitlines():
		if line.split()[0] == key:
			return line.split(maxsplit=1)[1]
	raise AssertionError('no %s in status' % key)


def processes_marked():
	"""Processes of our functions, whoever their parent is now: the environment tells."""
	found = []
	for pid in filter(str.isdigit, os.listdir('/proc')):
		try:
			with open('/proc/%s/environ' % pid, 'rb') as environ:
				if MARK.encode() in environ.read():
					found.append(int(pid))
		except OSError:
			pass
	return found


def control_groups(name):
	found = []
	for place, directories, _ in os.walk('/sys/fs/cgroup'):
		found += [os.path.join(place, each) for each in directories if name in each]
	return found


def sandbox_mounts(fn):
	"""Mounts whose source lies in the state directory, in any process's view."""
	found = []
	for pid in filter(str.isdigit, os.listdir('/proc')):
		try:
			with open('/proc/%s/mountinfo' % pid) as table:
				found += [(pid, line) for line in table if fn.state in line]
		except OSError:
			pass
	return found


def fill(fn):
	"""Functions with a call in flight each; returns the callers' threads and the errors they saw."""
	errors = []

	def caller(name):
		try:
			fn.call(name)
			errors.append(None)
		except OSError as error:
			errors.append(error.errno)
	threads = []
	for i in range(MANY):
		kind = 'exec' if i % 2 else 'python'
		name = 'f%d' % i
		fn.function(name, CODE[kind])
		fn.set(name, 'timeout', '10m')
		with open(fn.path('functions', name, 'config', 'env', 'MARK'), 'w') as file:
			file.write(MARK)
		threads.append(threading.Thread(target=caller, args=(name,)))
		threads[-1].start()
	end = time.monotonic() + 120
	while int(daemon_value(fn, 'running')) < MANY:
		assert time.monotonic() < end, fn.read('status')
		time.sleep(0.05)
	assert len(processes_marked()) >= 3 * MANY
	return threads, errors


def gone_within_a_second(fn, guardian):
	end = time.monotonic() + 1
	left = processes_marked()
	while left and time.monotonic() < end:
		time.sleep(0.02)
		left = processes_marked()
	assert not left, '%d processes are left' % len(left)
	while os.path.exists('/proc/%d' % guardian) and time.monotonic() < end:
		time.sleep(0.02)
	groups = control_groups(str(guardian))
	while groups and time.monotonic() < end:
		time.sleep(0.02)
		groups = control_groups(str(guardian))
	assert not groups, groups[:5]
	assert not sandbox_mounts(fn), sandbox_mounts(fn)[:5]


def the_daemon_is_killed():
	with Mounted() as fn:
		threads, errors = fill(fn)
		guardian = int(daemon_value(fn, 'guardian'))
		fn.kill()
		gone_within_a_second(fn, guardian)
		for thread in threads:
			thread.join(10)
		assert len(errors) == MANY and None not in errors, errors
		fn.start()  # the next mount replaces the dead one
		assert len(os.listdir(fn.path('functions'))) == MANY
		assert fn.read('functions', 'f0', 'config', 'timeout') == '10m\n'
		instances = os.path.join(fn.state, 'instances')
		assert not os.path.exists(instances) or not os.listdir(instances)


def the_guardian_is_killed():
	with Mounted() as fn:
		threads, errors = fill(fn)
		guardian = int(daemon_value(fn, 'guardian'))
		os.kill(guardian, signal.SIGKILL)
		for thread in threads:
			thread.join(20)
		gone_within_a_second(fn, guardian)
		assert len(errors) == MANY and set(errors) <= {errno.EREMOTEIO, errno.EIO}, errors
		fn.function('after', {'index.py': 'def handler(event, context):\n\treturn 1\n'})
		assert fn.call('after') == b'1'


def the_daemon_is_told_to_end():
	with Mounted() as fn:
		fn.function('slow', {'index.py': 'import time\ndef handler(event, context):\n'
			'\ttime.sleep(2)\n\treturn "finished"\n'})
		answers = []
		thread = threading.Thread(target=lambda: answers.append(fn.call('slow')))
		thread.start()
		while int(daemon_value(fn, 'running')) < 1:
			time.sleep(0.01)
		assert fn.stop() == 0
		thread.join(10)
		assert answers == [b'finished'], answers
		assert not os.path.exists(fn.path('README'))


if __name__ == '__main__':
	cases = Cases()
	for case in (the_daemon_is_killed, the_guardian_is_killed, the_daemon_is_told_to_end):
		cases.run(case)
	cases.end()
