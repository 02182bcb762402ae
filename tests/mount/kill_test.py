#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A user would lose what mkdir, mv, echo, chmod or an editor said was done, when the daemon dies.

Workers make, rename, set, save, chmod, call and remove, each its own functions, and note what was
acknowledged. The daemon is killed with -9 at a random moment, sometimes again while it starts. After
the next mount everything acknowledged must be there, and of what was under way all or nothing. What
the daemon had started must be gone.

	kill_test.py [--rounds N] [--long] [--seed N]
"""

import argparse
import collections
import copy
import errno
import os
import random
import stat
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from mounted import LONG, Mounted, descendants, write_file

WORKERS = 4
SETTINGS = {  # what is written, and what is read back
	'timeout': (('3', '3s'), ('500ms', '500ms'), ('15m', '15m')),
	'memory': (('64M', '64M'), ('134217728', '128M'), ('1G', '1G')),
	'handler': (('index.handler', 'index.handler'), ('a/b.c', 'a/b.c')),
	'concurrency': (('1', '1'), ('7', '7')),
	'idle_timeout': (('60', '1m'), ('5s', '5s')),
	'log_retention': (('30d 1G', '30d 1G'), ('7d 100M', '7d 100M')),
	'description': (('the first', 'the first'), ('täglich', 'täglich'), ('x' * 512, 'x' * 512)),
}
NODES = ('.', 'invoke', 'config', 'config/timeout', 'config/env', 'status', 'logs', 'code')
CODE = 'VALUE = %d\n%s\ndef handler(event, context):\n\treturn VALUE\n'


class Thing:
	"""What a function should be: all that a user gave it."""

	def __init__(self):
		self.settings = {}
		self.variables = {}
		self.files = {}
		self.modes = {}

	def __eq__(self, other):
		return vars(self) == vars(other)

	def __repr__(self):
		files = {name: (text if len(text) < 60 else '%s... (%d)' % (text[:40], len(text)))
			for name, text in self.files.items()}
		return '%r %r %r %r' % (self.settings, {k: v[:20] for k, v in self.variables.items()}, files,
			{node: oct(mode) for node, mode in self.modes.items()})


class Worker(threading.Thread):
	"""Works on functions whose names begin with its own, until the daemon is gone."""

	def __init__(self, test, number, things, seed):
		super().__init__(daemon=True)
		self.test = test
		self.mount = test.mount
		self.prefix = 'w%d-' % number
		self.things = things      # name -> Thing: what was acknowledged
		self.possible = [things]  # and what may be there as well, of the step under way
		self.chance = random.Random(seed)
		self.counts = collections.Counter()
		self.trouble = None

	def at(self, *parts):
		return self.mount.path('functions', *parts)

	def run(self):
		while not self.test.dying.is_set():
			step = self.chance.choices(STEPS, [s.chance for s in STEPS])[0]
			try:
				step(self)
				self.things = self.possible[-1]
				self.counts[step.__name__] += 1
			except OSError as trouble:
				if not self.test.dying.is_set():
					self.trouble = '%s: %s' % (step.__name__, trouble)
				return
			self.possible = [self.things]

	def pick(self):
		return self.chance.choice(sorted(self.things)) if self.things else None

	def free_name(self):
		return self.chance.choice([name for name in map(self.prefix.__add__, map(str, range(20)))
			if name not in self.things])

	def intend(self, change, *between):
		"""The states that are possible from now on; `between`: changes of a step with a middle."""
		for one in (*between, change):
			things = copy.deepcopy(self.things)
			one(things)
			self.possible.append(things)


STEPS = []


def step(chance):
	def enter(function):
		function.chance = chance
		STEPS.append(function)
		return function

	return enter


def on_a_function(chance):
	"""A step that needs a function; makes one when there is none."""

	def enter(function):
		def wrapped(worker, name=None):
			name = name or worker.pick()
			function(worker, name) if name else make(worker)

		wrapped.__name__ = function.__name__
		return step(chance)(wrapped)

	return enter


@step(8)
def make(worker):
	if len(worker.things) > 8:
		return remove(worker)
	name = worker.free_name()
	worker.intend(lambda things: things.update({name: Thing()}))
	os.mkdir(worker.at(name))


@on_a_function(6)
def rename(worker, name):
	new = worker.free_name()
	worker.intend(lambda things: things.update({new: things.pop(name)}))
	os.rename(worker.at(name), worker.at(new))


@on_a_function(4)
def remove(worker, name):
	thing = worker.things[name]
	if thing.files:
		return unlink_file(worker, name)
	worker.intend(lambda things: things.pop(name))
	os.rmdir(worker.at(name))


@on_a_function(14)
def set_value(worker, name):
	key = worker.chance.choice(sorted(SETTINGS))
	text, canonical = worker.chance.choice(SETTINGS[key])
	worker.intend(lambda things: things[name].settings.update({key: canonical}))
	write_file(worker.at(name, 'config', key), text + '\n', flags=os.O_WRONLY | os.O_TRUNC)


@on_a_function(8)
def set_variable(worker, name):
	key = 'K%d' % worker.chance.randrange(5)
	value = ''.join(worker.chance.choices('abc', k=worker.chance.choice((1, 20, 3000))))

	def change(things):
		things[name].variables[key] = value

	def empty(things):
		things[name].variables[key] = ''

	new = key not in worker.things[name].variables
	worker.intend(change, *([empty] if new else []))  # creation makes an empty one
	write_file(worker.at(name, 'config', 'env', key), value + '\n')


@on_a_function(3)
def unset_variable(worker, name):
	keys = sorted(worker.things[name].variables)
	if not keys:
		return set_variable(worker, name)
	key = worker.chance.choice(keys)

	def change(things):
		things[name].variables.pop(key)
		things[name].modes.pop('config/env/' + key, None)

	worker.intend(change)
	os.unlink(worker.at(name, 'config', 'env', key))


@on_a_function(3)
def rename_variable(worker, name):
	keys = sorted(worker.things[name].variables)
	free = [k for k in ('K%d' % n for n in range(5)) if k not in keys]
	if not keys or not free:
		return set_variable(worker, name)
	old, new = worker.chance.choice(keys), worker.chance.choice(free)

	def change(things):
		thing = things[name]
		thing.variables[new] = thing.variables.pop(old)
		if 'config/env/' + old in thing.modes:
			thing.modes['config/env/' + new] = thing.modes.pop('config/env/' + old)

	worker.intend(change)
	os.rename(worker.at(name, 'config', 'env', old), worker.at(name, 'config', 'env', new))


def some_code(worker):
	return CODE % (worker.chance.randrange(10 ** 6), '#' + 'x' * worker.chance.choice((0, 100, 30000)))


@on_a_function(12)
def save_by_rename(worker, name):
	file, text = worker.chance.choice(('index.py', 'b.py')), some_code(worker)

	def change(things):
		things[name].files[file] = text
		things[name].modes.pop('code/' + file, None)

	worker.intend(change)
	temporary = worker.at(name, 'code', file + '.tmp')
	write_file(temporary, text)
	os.rename(temporary, worker.at(name, 'code', file))


@on_a_function(8)
def save_in_place(worker, name):
	file, text = worker.chance.choice(('index.py', 'c.py')), some_code(worker)

	def part(things):
		things[name].files[file] = Prefix(text)

	def change(things):
		things[name].files[file] = text

	worker.intend(change, part)
	write_file(worker.at(name, 'code', file), text)


class Prefix(str):
	"""Equal to every beginning of itself: a file that was being written."""

	def __eq__(self, other):
		return str.startswith(self, other)

	__hash__ = str.__hash__


@on_a_function(4)
def unlink_file(worker, name):
	files = sorted(worker.things[name].files)
	if not files:
		return save_by_rename(worker, name)
	file = worker.chance.choice(files)

	def change(things):
		things[name].files.pop(file)
		things[name].modes.pop('code/' + file, None)

	worker.intend(change)
	os.unlink(worker.at(name, 'code', file))


@on_a_function(10)
def change_mode(worker, name):
	thing = worker.things[name]
	node = worker.chance.choice(NODES + tuple('config/env/' + k for k in sorted(thing.variables)) +
		tuple('code/' + f for f in sorted(thing.files)))
	folder = stat.S_ISDIR(os.stat(worker.at(name, node)).st_mode)
	mode = worker.chance.choice((0o700, 0o755, 0o750) if folder else (0o600, 0o640, 0o644, 0o666))
	worker.intend(lambda things: things[name].modes.update({node: mode}))
	os.chmod(worker.at(name, node), mode)


@on_a_function(3)
def call(worker, name):
	try:
		worker.mount.call(name)
	except OSError as trouble:
		# Without code, or with a handler that is not there, it fails: that is right.
		if trouble.errno not in (errno.ENOEXEC, errno.EREMOTEIO, errno.EAGAIN, errno.ETIMEDOUT,
				errno.ENOMEM) or worker.test.dying.is_set():
			raise


class KillTest:
	def __init__(self, mount, options):
		self.mount = mount
		self.options = options
		self.chance = random.Random(options.seed)
		self.dying = threading.Event()
		self.things = [{} for _ in range(WORKERS)]
		self.counts = collections.Counter()
		self.killed_starting = 0
		self.slowest_end = 0
		os.mkdir(mount.path('functions', 'new'))
		self.defaults = self.observe_one('new').settings
		os.rmdir(mount.path('functions', 'new'))

	def round(self):
		self.dying.clear()
		workers = [Worker(self, n, self.things[n], self.chance.random()) for n in range(WORKERS)]
		for worker in workers:
			worker.start()
		time.sleep(self.chance.uniform(0, 0.4) ** 2 * 2.5)  # the random moment
		started = descendants(self.mount.process.pid)
		self.dying.set()
		self.mount.kill()
		for worker in workers:
			worker.join(60)
			if worker.is_alive():
				raise AssertionError('a worker hangs although the daemon is dead')
			if worker.trouble:
				raise AssertionError('before the kill: ' + worker.trouble)
			self.counts.update(worker.counts)
		self.wait_for_end(started)
		self.start_again()
		for number, worker in enumerate(workers):
			self.things[number] = self.judge(worker)
		self.mount.step()

	def wait_for_end(self, pids):
		"""Nothing of the daemon outlives it by more than a second (three, on a busy machine)."""
		began = time.monotonic()
		while left := [pid for pid in pids if os.path.exists('/proc/%d' % pid) and not zombie(pid)]:
			if time.monotonic() - began > 3:
				for pid in left:
					subprocess.run('cat /proc/%d/status /proc/%d/wchan /proc/%d/stack; ls -l /proc/%d/fd' %
						(pid, pid, pid, pid), shell=True, stdout=sys.stderr)
				raise AssertionError('processes are left: %s' % [command_of(pid) for pid in left])
			time.sleep(0.01)
		self.slowest_end = max(self.slowest_end, time.monotonic() - began)

	def start_again(self):
		while self.chance.random() < 0.2:
			self.killed_starting += 1
			self.mount.launch()
			time.sleep(self.chance.uniform(0, 0.06))
			self.mount.kill()
		self.mount.start()

	def observe(self, prefix):
		things = {}
		for name in os.listdir(self.mount.path('functions')):
			if name.startswith(prefix):
				things[name] = self.observe_one(name)
		return things

	def observe_one(self, name):
		thing, at = Thing(), lambda *parts: self.mount.path('functions', name, *parts)
		for key in SETTINGS:
			thing.settings[key] = self.mount.read('functions', name, 'config', key).rstrip('\n')
		for key in os.listdir(at('config', 'env')):
			thing.variables[key] = self.mount.read('functions', name, 'config', 'env', key)[:-1]
			thing.modes['config/env/' + key] = stat.S_IMODE(os.stat(at('config', 'env', key)).st_mode)
		for file in os.listdir(at('code')):
			if file.endswith('.tmp'):
				os.unlink(at('code', file))  # of a save that did not come to its end
			else:
				thing.files[file] = self.mount.read('functions', name, 'code', file)
				thing.modes['code/' + file] = stat.S_IMODE(os.stat(at('code', file)).st_mode)
		for node in NODES:
			thing.modes[node] = stat.S_IMODE(os.stat(at(node)).st_mode)
		self.check_complete(name)
		return thing

	def check_complete(self, name):
		"""No half function: the same files as in any other, and each can be asked for."""
		names = sorted(os.listdir(self.mount.path('functions', name)))
		self.complete = getattr(self, 'complete', names)
		if names != self.complete:
			raise AssertionError('%s has %s, others have %s' % (name, names, self.complete))
		for file in ('status', 'last_error', 'config/cpu', 'config/network', 'metrics/count'):
			self.mount.read('functions', name, *file.split('/'))

	def difference(self, expected, found):
		"""None, or a sentence."""
		if sorted(expected) != sorted(found):
			return 'functions %s, not %s' % (sorted(found), sorted(expected))
		for name, thing in expected.items():
			there = found[name]
			for key, value in {**self.defaults, **thing.settings}.items():
				if there.settings[key] != value:
					return '%s: %s is %r, not %r' % (name, key, there.settings[key], value)
			if thing.variables != there.variables:
				return '%s: variables %s, not %s' % (name, there.variables, thing.variables)
			if sorted(thing.files) != sorted(there.files):
				return '%s: files %s, not %s' % (name, sorted(there.files), sorted(thing.files))
			for file, text in thing.files.items():
				if not text == there.files[file]:
					return '%s: %s is %r, not %r' % (name, file, there.files[file][:60], text[:60])
			for node, mode in thing.modes.items():
				if there.modes.get(node) != mode:
					return '%s: mode of %s is %s, not %o' % (name, node, there.modes.get(node), mode)
		return None

	def judge(self, worker):
		found = self.observe(worker.prefix)
		reasons = [self.difference(possible, found) for possible in worker.possible]
		if all(reasons):
			raise AssertionError('not one of the possible states:\n' +
				'\n'.join('\t%d: %s' % pair for pair in enumerate(reasons)))
		things = worker.possible[reasons.index(None)]
		for name, thing in things.items():  # what was being written has become something
			thing.files = found[name].files
		return things

	def call_some(self):
		"""What is there runs."""
		for things in self.things:
			for name, thing in things.items():
				handler = thing.settings.get('handler', 'index.handler') or 'index.handler'
				text = thing.files.get('index.py', '')
				if handler == 'index.handler' and text.endswith('return VALUE\n'):
					self.mount.set(name, 'timeout', '60')
					thing.settings['timeout'] = '1m'
					try:
						answer = self.mount.call(name).decode()
					except OSError as trouble:
						raise AssertionError('%s: %s %r\n%s\n%r' % (name, trouble, trouble.body,
							self.mount.read('functions', name, 'status'), thing)) from None
					assert text.startswith('VALUE = %s\n' % answer), (name, answer, text[:40])
					break

	def remove_all(self):
		"""rm -rf of everything leaves nothing behind in the state directory either."""
		subprocess.run('rm -rf functions/*', shell=True, cwd=self.mount.directory, check=True)
		assert os.listdir(self.mount.path('functions')) == []
		for folder in ('functions', 'trash'):
			path, end = os.path.join(self.mount.state, folder), time.monotonic() + 20
			while left := os.listdir(path) if os.path.isdir(path) else []:
				assert time.monotonic() < end, '%s still holds %s' % (path, left)
				time.sleep(0.05)

	def run(self):
		began = time.monotonic()
		for number in range(self.options.rounds):
			try:
				self.round()
				if number % 5 == 4:
					self.call_some()
			except Exception:
				print('in round %d' % number, flush=True)
				raise
		assert self.mount.stop() == 0
		self.mount.start()
		for number, things in enumerate(self.things):
			reason = self.difference(things, self.observe('w%d-' % number))
			assert not reason, 'after a clean end: ' + reason
		self.remove_all()
		print('%d kills (%d more while starting) in %d s; acknowledged: %s; the slowest end took %d ms' % (
			self.options.rounds, self.killed_starting, time.monotonic() - began,
			' '.join('%s %d' % pair for pair in sorted(self.counts.items())),
			self.slowest_end * 1000))
		assert self.options.rounds < 10 or len(self.counts) == len(STEPS), 'not every step was made'


def zombie(pid):
	try:
		with open('/proc/%d/stat' % pid, 'rb') as line:
			return line.read().rpartition(b') ')[2][:1] in (b'Z', b'X')
	except OSError:
		return True


def command_of(pid):
	try:
		with open('/proc/%d/cmdline' % pid, 'rb') as line:
			return '%d %s' % (pid, line.read().replace(b'\0', b' ').decode()[:100])
	except OSError:
		return str(pid)


if __name__ == '__main__':
	parser = argparse.ArgumentParser()
	parser.add_argument('--rounds', type=int, default=1000 if LONG else 40)
	parser.add_argument('--long', action='store_true')
	parser.add_argument('--seed', type=int, default=int(os.environ.get('SEED', time.time())))
	chosen = parser.parse_args()
	print('--seed %d' % chosen.seed, flush=True)
	with Mounted() as mounted:
		KillTest(mounted, chosen).run()
