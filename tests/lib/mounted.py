# SPDX-License-Identifier: Apache-2.0
"""A daemon of the build in $FNFS_BUILD, mounted on a directory of its own, for the tests of the mount.

    with Mounted() as fn:
        fn.function('hello', {'index.py': 'def handler(event, context):\n\treturn 1\n'})
        assert fn.call('hello', b'{}') == b'1'

Whatever happens, nothing is left behind: the daemon is ended, the mount undone, the directories removed.
It dies with the test even when that is killed, and a test that makes no step for `patience` seconds is
ended by killing the daemon. What the daemon writes to standard error is kept, and a sanitizer's report
in it fails the test.
"""

import ctypes
import errno
import faulthandler
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

BUILD = os.environ.get('FNFS_BUILD', '')
LONG = os.environ.get('LONG') == '1' or '--long' in sys.argv  # the long forms of the tests
SKIP = 77  # what meson takes for "skipped"


def skip(why):
	print('skipped:', why)
	sys.exit(SKIP)


def require_mounts():
	"""Ends the test as skipped where nothing can be mounted at all."""
	if not BUILD:
		skip('FNFS_BUILD does not say where the build is')
	if not os.access('/dev/fuse', os.R_OK | os.W_OK):
		skip('/dev/fuse cannot be opened')
	if os.getuid() != 0 and not shutil.which('fusermount3'):
		skip('fusermount3 is not installed')


def die_with_parent():
	ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG


class Mounted:
	"""directory: the mount; state: its state directory; process: the daemon, in the foreground."""

	def __init__(self, options=None, state=None, arguments=(), env=None, wait=20,
		patience=120):
		require_mounts()
		self.base = tempfile.mkdtemp(prefix='fnfs-test-')
		os.chmod(self.base, 0o755)  # for tests with a second user
		self.directory = os.path.join(self.base, 'fn')
		self.state = state or os.path.join(self.base, 'state')
		self.errors = os.path.join(self.base, 'stderr')
		self.options = options
		self.arguments = list(arguments)
		self.env = dict(os.environ, **(env or {}))
		self.wait = wait
		self.patience = patience
		self.stepped = time.monotonic()
		self.closing = threading.Event()
		self.process = None
		os.mkdir(self.directory)

	def __enter__(self):
		signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
		threading.Thread(target=self.watch, daemon=True).start()
		try:
			self.start()
		except BaseException:
			self.close()
			raise
		return self

	def __exit__(self, kind, value, trace):
		if kind:
			sys.stderr.write(self.stderr()[-4000:])
		self.close()

	def path(self, *parts):
		return os.path.join(self.directory, *parts)

	# --- the daemon ---

	def command(self):
		command = [os.path.join(BUILD, 'fs', 'fnfsd'), self.directory, '-f',
			'--state', self.state,
			'--runtimes', os.path.join(BUILD, 'runtimes'),
			'--guardian', os.path.join(BUILD, 'engine', 'run', 'fnfs-guardian')]
		if self.options:
			command += ['-o', self.options]
		return command + self.arguments

	def launch(self):
		"""Starts the daemon, also again on the same state."""
		with open(self.errors, 'ab') as errors:
			self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
				stdout=errors, stderr=errors, env=self.env, start_new_session=True,
				preexec_fn=die_with_parent)

	def start(self):
		"""Starts the daemon and returns when the mount answers."""
		self.launch()
		end = time.monotonic() + self.wait
		while not self.answers():
			if self.process.poll() is not None:
				raise RuntimeError('the daemon ended with %d: %s'
					% (self.process.returncode, self.stderr()[-2000:]))
			if time.monotonic() > end:
				raise RuntimeError('no mount after %d s: %s' % (self.wait, self.stderr()[-2000:]))
			time.sleep(0.005)

	def answers(self):
		try:
			return os.path.exists(self.path('README')) and self.served_by() == self.process.pid
		except OSError:
			return False

	def served_by(self):
		with open(self.path('status')) as status:
			for line in status:
				if line.startswith('pid '):
					return int(line.split()[1])
		return 0

	def stderr(self):
		try:
			with open(self.errors, errors='replace') as errors:
				return errors.read()
		except OSError:
			return ''

	def step(self):
		"""The test goes on; when it does not, the watch ends what it waits for."""
		self.stepped = time.monotonic()

	def until(self, condition, patience=30):
		"""until(), and each look is a step of the test."""
		return until(condition, patience, each=self.step)

	def watch(self):
		while not self.closing.wait(1):
			if time.monotonic() - self.stepped > self.patience:
				sys.stderr.write('no step for %d s; the daemon is killed. The test stands at:\n'
					% self.patience)
				faulthandler.dump_traceback(all_threads=True)
				self.kill()
				self.step()

	def kill(self):
		"""kill -9; the dead mount stays until start() or close()."""
		if self.process and self.process.poll() is None:
			self.process.kill()
		if self.process:
			self.process.wait()

	def stop(self, wait=30):
		"""SIGTERM: running calls end, then it unmounts. Returns the exit status."""
		self.process.send_signal(signal.SIGTERM)
		return self.process.wait(wait)

	def unmount(self):
		with open('/proc/self/mountinfo') as table:
			mounted = [line.split()[4] for line in table].count(self.directory)
		for _ in range(mounted):
			if os.getuid() == 0:
				subprocess.run(['umount', '-l', self.directory], stderr=subprocess.DEVNULL)
			else:
				subprocess.run(['fusermount3', '-uz', self.directory], stderr=subprocess.DEVNULL)

	def close(self):
		self.closing.set()
		clean = True
		if self.process and self.process.poll() is None:
			try:
				clean = self.stop() == 0
			except subprocess.TimeoutExpired:
				clean = False
				self.kill()
		self.unmount()
		report = self.stderr()
		shutil.rmtree(self.base, ignore_errors=True)
		for sign in ('ERROR: AddressSanitizer', 'ERROR: LeakSanitizer', 'runtime error:',
				'WARNING: ThreadSanitizer', 'Assertion'):
			if sign in report:
				sys.stderr.write(report[-8000:])
				raise AssertionError('the daemon: ' + sign)
		if not clean and sys.exc_info()[0] is None:
			sys.stderr.write(report[-4000:])
			raise AssertionError('the daemon did not end cleanly on SIGTERM')

	# --- functions ---

	def function(self, name, files, **settings):
		"""mkdir, settings, files; a name that ends in `+x` is made executable."""
		os.mkdir(self.path('functions', name))
		for setting, value in settings.items():
			self.set(name, setting, str(value))
		for file, text in files.items():
			path = self.path('functions', name, 'code', file.removesuffix('+x'))
			os.makedirs(os.path.dirname(path), exist_ok=True)
			with open(path, 'wb') as code:
				code.write(text if isinstance(text, bytes) else text.encode())
			if file.endswith('+x'):
				os.chmod(path, 0o755)
		return self.path('functions', name)

	def set(self, name, setting, value):
		with open(self.path('functions', name, 'config', setting), 'w') as file:
			file.write(value + '\n')

	def call(self, name, event=b'{}'):
		"""One conversation; an error is an OSError whose `body` is the error's JSON."""
		self.step()
		fd = os.open(self.path('functions', name, 'invoke'), os.O_RDWR)
		body = b''
		try:
			os.write(fd, event)
			while True:
				piece = os.read(fd, 1 << 20)
				if not piece:
					return body
				body += piece
		except OSError as error:
			error.body = body
			raise
		finally:
			os.close(fd)

	def read(self, *parts):
		with open(self.path(*parts)) as file:
			return file.read()


def until(condition, patience=30, what='it comes', each=lambda: None):
	"""Looks again and again until the condition is met, and returns what it found; `each` runs between two looks."""
	end = time.monotonic() + patience
	while True:
		found = condition()
		if found:
			return found
		each()
		assert time.monotonic() < end, 'waited in vain until ' + what
		time.sleep(0.01)


def errno_of(action, *arguments, **named):
	"""The name of the errno that an action fails with, or None."""
	try:
		action(*arguments, **named)
	except OSError as error:
		return errno.errorcode.get(error.errno, str(error.errno))
	return None


def write_file(path, data, flags=os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode=0o644):
	"""As a shell's redirection does it, but the errno of every step is seen, the one of close too."""
	if isinstance(data, str):
		data = data.encode()
	fd = os.open(path, flags, mode)
	try:
		while data:
			data = data[os.write(fd, data):]
	except OSError:
		try:
			os.close(fd)
		except OSError:
			pass  # the first errno is the one that tells
		raise
	os.close(fd)


def remove(path):
	"""rm -r: what ends and goes by itself meanwhile is no trouble to it."""
	subprocess.run(['rm', '-rf', path], check=True)


def descendants(pid):
	"""All processes below a process, as pids."""
	below, found, todo = {}, [], [pid]
	for entry in filter(str.isdigit, os.listdir('/proc')):
		try:
			with open('/proc/%s/stat' % entry, 'rb') as stat:
				parent = int(stat.read().rpartition(b')')[2].split()[1])
		except OSError:
			continue  # it has just ended
		below.setdefault(parent, []).append(int(entry))
	while todo:
		children = below.get(todo.pop(), [])
		found += children
		todo += children
	return found


class Cases:
	"""Runs functions one after the other, says what failed, and prints one line of counts."""

	def __init__(self):
		self.passed = self.failed = 0

	def run(self, function, *arguments):
		try:
			function(*arguments)
			self.passed += 1
			print('ok  ', function.__name__, flush=True)
		except Exception as error:  # one failed case must not hide the others
			import traceback
			traceback.print_exc()
			self.failed += 1
			print('FAIL', function.__name__, error, getattr(error, 'body', ''), flush=True)

	def end(self):
		print('%d passed, %d failed' % (self.passed, self.failed))
		sys.exit(1 if self.failed or not self.passed else 0)
