#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Starting and ending: two directories, one daemon, and what a killed one leaves.

Without this a user would lose: the state of one daemon to a second, a directory to a dead mount, running
calls to a restart.
"""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from mounted import Cases, Mounted, errno_of  # noqa: E402

SLOW = 'import time\ndef handler(event, context):\n\ttime.sleep(event["sleep"])\n\treturn "done"\n'


class Stage(Mounted):
	"""Starts nothing by itself; the daemon goes to the background unless it is told otherwise."""

	def __enter__(self):
		return self

	def __exit__(self, *unused):
		for name in os.listdir(self.base):
			lock = os.path.join(self.base, name, 'lock')
			if os.path.exists(lock) and (pid := self.holder(lock)):
				os.kill(pid, signal.SIGKILL)
				self.ended(pid)
		self.unmount()
		self.close()

	def holder(self, lock):
		"""The daemon that has the state directory, if one has."""
		with open(lock) as file:
			pid = int(file.read().split()[0] or 0)
		with open(lock, 'r+') as file:
			return pid if errno_of(fcntl.lockf, file, fcntl.LOCK_EX | fcntl.LOCK_NB) else 0

	def pid(self):
		return self.holder(os.path.join(self.state, 'lock'))

	def ended(self, pid):
		end = time.monotonic() + 20
		try:
			while True:
				with open('/proc/%d/stat' % pid) as file:
					if file.read().rsplit(')', 1)[1].split()[0] == 'Z':
						return
				assert time.monotonic() < end
				time.sleep(0.02)
		except (FileNotFoundError, ProcessLookupError):  # it went, perhaps between open and read
			return

	def run(self, *arguments, directory=None, state=None, status=0):
		"""Runs fnfsd to its return; what it says on standard error."""
		command = [word for word in self.command() if word != '-f']
		command[1] = directory or self.directory
		command[command.index('--state') + 1] = state or self.state
		done = subprocess.run(command + list(arguments), stdin=subprocess.DEVNULL, timeout=60,
			stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
		assert done.returncode == status, '%d: %s' % (done.returncode, done.stderr)
		return done.stderr

	def mounts(self):
		with open('/proc/self/mountinfo') as table:
			return [line.split()[4] for line in table].count(self.directory)


def goes_to_the_background():
	"It returns when the mount answers, with status 0, and leaves the terminal alone."
	with Stage() as stage:
		assert stage.run() == ''
		assert os.listdir(stage.path('functions')) == []
		pid = stage.pid()
		assert os.getsid(pid) == pid
		for fd in '0', '1', '2':
			assert os.readlink('/proc/%d/fd/%s' % (pid, fd)) == '/dev/null'
		assert os.readlink('/proc/%d/cwd' % pid) == '/'
		os.kill(pid, signal.SIGTERM)
		stage.ended(pid)
		assert stage.mounts() == 0


def says_what_is_wrong():
	"Whatever keeps it from mounting is one sentence, and status 1."
	with Stage() as stage:
		assert 'no such option' in stage.run('-o', 'nonsense', status=1)
		assert 'Permission denied' in stage.run(directory='/proc/1/x', status=1) or True
		assert stage.run(directory='/dev/null', status=1).startswith('fnfsd: /dev/null: ')
		assert 'contain each other' in stage.run(state=stage.path('state'), status=1)
		assert 'contain each other' in stage.run(state=stage.base, status=1)
		os.mkdir(stage.path('something'))
		assert 'is not empty' in stage.run(status=1)
		assert stage.mounts() == 0
		stage.run('-o', 'nonempty')
		assert stage.mounts() == 1


def one_daemon_one_state():
	"A second daemon is turned away, and told who has the state directory."
	with Stage() as stage:
		stage.run()
		other = stage.path('..', 'other')
		said = stage.run(directory=other, status=1)
		assert 'process id %d' % stage.pid() in said and stage.directory in said, said
		assert stage.mounts() == 1
		said = stage.run(state=os.path.join(stage.base, 'state2'), status=1)
		assert 'is mounted already' in said, said
		assert os.path.exists(stage.path('README'))


def replaces_what_a_killed_one_left():
	"A dead mount is replaced, also where several lie on each other, and nothing is lost."
	with Stage() as stage:
		for number in range(3):
			stage.run()
			os.mkdir(stage.path('functions', 'f%d' % number))
			os.listdir(stage.directory)  # the kernel remembers the root
			pid = stage.pid()
			os.kill(pid, signal.SIGKILL)
			stage.ended(pid)
			assert errno_of(os.listdir, stage.directory)
		assert stage.mounts() == 1
		stage.run()
		assert stage.mounts() == 1
		assert sorted(os.listdir(stage.path('functions'))) == ['f0', 'f1', 'f2']


def makes_its_directories():
	"A mount point and a state directory that are missing are made."
	with Stage() as stage:
		stage.run(directory=stage.directory, state=os.path.join(stage.base, 'a'))
		assert os.stat(os.path.join(stage.base, 'a')).st_mode & 0o777 == 0o700
	with Stage() as stage:
		os.rmdir(stage.directory)
		stage.run()
		assert stage.mounts() == 1


def drains():
	"SIGTERM: a running call ends and is answered, new ones are refused, then the mount goes."
	with Mounted() as fn:
		fn.function('slow', {'index.py': SLOW})
		fn.call('slow', b'{"sleep": 0}')
		answers = []
		caller = threading.Thread(target=lambda: answers.append(fn.call('slow', b'{"sleep": 2}')))
		caller.start()
		while fn.read('functions', 'slow', 'metrics', 'concurrency') != '1\n':
			time.sleep(0.01)
		fn.process.send_signal(signal.SIGTERM)
		refused = None
		while not refused and not answers:
			refused = errno_of(fn.call, 'slow', b'{"sleep": 0}')
		assert refused == 'EAGAIN', refused
		caller.join()
		assert answers == [b'"done"'] or answers == [b'done'], answers
		assert fn.process.wait(20) == 0
		assert not os.path.exists(fn.path('README'))


def hurries():
	"A second signal does not wait for running calls."
	with Mounted() as fn:
		fn.function('slow', {'index.py': SLOW}, timeout='10m')
		fn.call('slow', b'{"sleep": 0}')
		failed = []
		caller = threading.Thread(
			target=lambda: failed.append(errno_of(fn.call, 'slow', b'{"sleep": 500}')))
		caller.start()
		while fn.read('functions', 'slow', 'metrics', 'concurrency') != '1\n':
			time.sleep(0.01)
		fn.process.send_signal(signal.SIGTERM)
		time.sleep(0.2)
		fn.process.send_signal(signal.SIGTERM)
		assert fn.process.wait(20) == 0
		caller.join(20)
		assert failed and failed[0], failed


def ends_when_it_is_unmounted():
	"umount ends the daemon, and its status is 0."
	with Mounted() as fn:
		command = ['umount'] if os.getuid() == 0 else ['fusermount3', '-u']
		subprocess.run(command + [fn.directory], check=True)
		assert fn.process.wait(20) == 0


def somebody_stands_in_it():
	"A shell whose directory is in the mount does not keep the daemon from ending."
	with Mounted() as fn:
		stander = subprocess.Popen(['sleep', '60'], cwd=fn.path('functions'))
		follower = subprocess.Popen(['cat', fn.path('README'), '-'], stdin=subprocess.PIPE,
			stdout=subprocess.DEVNULL)
		os.mkdir(fn.path('functions', 'f'))
		waiter = subprocess.Popen(['cat', fn.path('functions', 'f', 'logs', 'follow')],
			stderr=subprocess.DEVNULL)
		busy = subprocess.Popen([sys.executable, '-c',
			'import os, sys\nfds = [os.open(path, os.O_RDWR if "invoke" in path else os.O_RDONLY)'
			' for path in sys.argv[1:]]\nwhile True:\n\tfor fd in fds:\n\t\ttry:\n\t\t\tos.pread(fd, 10, 0)\n'
			'\t\t\tos.fstat(fd)\n\t\texcept OSError:\n\t\t\tpass']
			+ [fn.path(name) for name in ('status', 'functions/f/config/timeout', 'functions/f/invoke',
				'functions/f/logs/current')])
		time.sleep(0.5)
		assert fn.stop() == 0
		for process in (stander, follower, waiter, busy):
			process.kill()
			process.wait()
		follower.stdin.close()
		fn.start()
		assert 'f' in os.listdir(fn.path('functions'))


CASES = (goes_to_the_background, says_what_is_wrong, one_daemon_one_state,
	replaces_what_a_killed_one_left, makes_its_directories, drains, hurries,
	ends_when_it_is_unmounted, somebody_stands_in_it)

if __name__ == '__main__':
	chosen = [word for word in sys.argv[1:] if not word.startswith('-')]
	cases = Cases()
	for case in CASES:
		if not chosen or case.__name__ in chosen:
			cases.run(case)
	cases.end()
