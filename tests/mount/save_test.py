#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A user would lose the trust that what was saved is what runs: one stale answer, or one made of two
states of a file, and everybody adds a sleep behind every save, for ever.

Rounds of "save a new constant, call, compare", by every way in which people and tools save, in every
runtime, while other files of the tree are held open for writing. Meanwhile a second caller calls all
the time: what it is answered must be one state of the tree, and none older than what was saved when
it asked.

	save_test.py [--rounds N] [--long] [--seed N] [--way NAME] [--runtime NAME]
"""

import argparse
import collections
import ctypes
import errno
import mmap
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from mounted import LONG, Mounted, write_file

libc = ctypes.CDLL(None, use_errno=True)
FILLER = 6000  # bytes between two constants of a file: more than a page, so that half a file shows
LOADS = 'python nodejs exec'.split()


class Tongue:
	"""How a program of two files looks in one runtime; each file holds its constant twice."""

	def __init__(self, entry, part, comment, lines):
		self.names = {'entry': entry, 'part': part}
		self.comment = comment
		self.lines = lines

	def text(self, file, value):
		first, second = ('E1', 'E2') if file == 'entry' else ('P1', 'P2')
		filler = ''.join('%s %s\n' % (self.comment, 'x' * 70) for _ in range(FILLER // 73))
		head, constant, tail = self.lines[file]
		return head + constant % (first, value) + filler + constant % (second, value) + tail


TONGUES = {
	'python': Tongue('index.py', 'parts/part.py', '#', {
		'entry': ('from parts.part import P1, P2\n', '%s = "%08d"\n',
			'def handler(event, context):\n\treturn " ".join((E1, E2, P1, P2))\n'),
		'part': ('', '%s = "%08d"\n', '')}),
	'nodejs': Tongue('index.js', 'parts/part.js', '//', {
		'entry': ('const part = require("./parts/part.js");\n', 'const %s = "%08d";\n',
			'exports.handler = async () => [E1, E2, part.P1, part.P2].join(" ");\n'),
		'part': ('', 'const %s = "%08d";\n', 'exports.P1 = P1; exports.P2 = P2;\n')}),
	'exec': Tongue('main', 'parts/part', '#', {
		'entry': ('#!/bin/sh\n', '%s=%08d\n',
			'. /opt/function/code/parts/part\necho "$E1 $E2 $P1 $P2"\n'),
		'part': ('', '%s=%08d\n', '')}),
}


class Subject:
	"""A function and what it should answer: the pair (entry's constant, part's constant)."""

	def __init__(self, mount, runtime, scratch):
		self.mount = mount
		self.name = 'save-' + runtime
		self.tongue = TONGUES[runtime]
		self.scratch = os.path.join(scratch, runtime)
		self.code = mount.path('functions', self.name, 'code')
		self.lock = threading.Lock()
		self.history = {'entry': [1], 'part': [1]}  # the last value is perhaps under way
		self.saved = {'entry': 0, 'part': 0}        # the index of the one that was surely saved
		self.under_way = None                       # the way of saving, as (number, function)
		self.last_value = 1000
		os.mkdir(self.scratch)
		mount.function(self.name, {self.file(file) + ('+x' if file == 'entry' else ''):
			self.tongue.text(file, 1) for file in ('entry', 'part')},
			timeout='30', init_timeout='30')
		self.commits = self.make_commits()
		self.hold_files()

	def file(self, file):
		return self.tongue.names[file]

	def path(self, file):
		return os.path.join(self.code, self.file(file))

	def side(self, name):
		"""A place in the tree that is no part of the program."""
		os.makedirs(os.path.join(self.code, 'side'), exist_ok=True)
		return os.path.join(self.code, 'side', name)

	def intend(self, *files, value=None):
		"""A value, new unless given, that from now on others may see in these files."""
		with self.lock:
			if value is None:
				self.last_value = value = self.last_value + 1
			for file in files:
				self.history[file].append(value)
		return value

	def settle(self, changes):
		"""The save has returned: who asks from now on must see nothing older."""
		with self.lock:
			for file, value in changes.items():
				assert self.history[file][-1] == value
				self.saved[file] = len(self.history[file]) - 1
			return tuple(self.history[file][self.saved[file]] for file in ('entry', 'part'))

	def git(self, *words):
		subprocess.run(['git', '-c', 'user.name=a', '-c', 'user.email=a@b', '-c', 'gc.auto=0', '-C',
			self.code, *words], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

	def make_commits(self):
		commits = (11, 12, 13, 14)
		self.git('init', '-q')
		write_file(os.path.join(self.code, '.gitignore'), '/held*\n/side\n')
		for value in commits:
			for file in ('entry', 'part'):
				write_file(self.path(file), self.tongue.text(file, value))
			self.git('add', '.')
			self.git('commit', '-q', '-m', str(value))
			self.git('tag', 'v%d' % value)
		self.intend('entry', 'part', value=value)
		self.settle({'entry': value, 'part': value})
		return commits

	def other_commit(self):
		return random.choice([value for value in self.commits if value != self.history['entry'][-1]])

	def hold_files(self):
		"""Open for writing as long as the test runs, as a program at work holds its files."""
		self.log = open(os.path.join(self.code, 'held.log'), 'ab', buffering=0)
		self.never_closed = open(os.path.join(self.code, 'held.new'), 'wb', buffering=0)
		self.databases = []
		for mode in ('delete', 'wal'):
			database = sqlite3.connect(os.path.join(self.code, 'held-%s.db' % mode),
				isolation_level=None)
			database.execute('pragma journal_mode=' + mode)
			database.execute('create table t (x)')
			self.databases.append(database)

	def disturb(self, chance):
		self.log.write(b'a line\n')
		self.never_closed.write(b'more')
		for database in self.databases:
			if database.in_transaction:
				database.execute('commit')
			database.execute('begin immediate' if chance.random() < 0.5 else 'begin')
			database.execute('insert into t values (randomblob(300))')
			if chance.random() < 0.5:
				database.execute('commit')

	def release(self):
		self.log.close()
		self.never_closed.close()
		for database in self.databases:
			if database.in_transaction:
				database.execute('commit')
			assert database.execute('pragma integrity_check').fetchone() == ('ok',)
			database.close()

	def ask(self):
		"""(entry's constant, part's constant), or a sentence about an answer that is neither."""
		try:
			answer = self.mount.call(self.name).decode().split()
		except OSError as trouble:
			return '%s %r' % (errno.errorcode.get(trouble.errno), trouble.body[:500])
		if len(answer) != 4 or answer[0] != answer[1] or answer[2] != answer[3]:
			return 'torn: %s' % ' '.join(answer)
		return int(answer[0]), int(answer[2])


# Ways of saving. Each is a generator: it saves and yields the constants that changed, {} when a call
# must still see what was there before; at each yield the function is called.

WAYS = {}


def way(files=('entry', 'part'), gap=False, chance=10):
	"""gap: the file is away for a moment, so others may see code that does not load."""

	def enter(function):
		function.files, function.gap, function.chance = files, gap, chance
		WAYS[function.__name__] = function
		return function

	return enter


@way()
def truncate_and_write(subject, file, value, text):
	write_file(subject.path(file), text)
	yield {file: value}


@way()
def write_in_pieces(subject, file, value, text):
	with open(subject.path(file), 'wb', buffering=0) as out:
		for at in range(0, len(text), 999):
			out.write(text[at:at + 999].encode())
	yield {file: value}


@way()
def shell_redirection(subject, file, value, text):
	subprocess.run(['sh', '-c', 'cat > "$0"', subject.path(file)], input=text.encode(), check=True)
	yield {file: value}


@way()
def write_in_place(subject, file, value, text):
	"""dd conv=notrunc: no truncation, the same length."""
	subprocess.run(['dd', 'of=' + subject.path(file), 'conv=notrunc', 'status=none', 'bs=777'],
		input=text.encode(), check=True)
	yield {file: value}


@way()
def rename_over(subject, file, value, text):
	temporary = subject.path(file) + '.tmp'
	write_file(temporary, text, mode=0o755)
	os.rename(temporary, subject.path(file))
	yield {file: value}


@way()
def rename_over_still_open(subject, file, value, text):
	"""Synced, renamed, and closed only later."""
	temporary = subject.path(file) + '.tmp'
	fd = os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o755)
	os.write(fd, text.encode())
	os.fsync(fd)
	os.rename(temporary, subject.path(file))
	yield {file: value}
	os.close(fd)
	yield {}


@way()
def exchange(subject, file, value, text):
	temporary = subject.side('exchanged')
	write_file(temporary, text, mode=0o755)
	os.chmod(temporary, 0o755)
	if libc.renameat2(-100, temporary.encode(), -100, subject.path(file).encode(), 2) != 0:
		raise OSError(ctypes.get_errno(), 'renameat2')
	yield {file: value}


@way()
def sed(subject, file, value, text):
	subprocess.run(['sed', '-i', '-E', r's/\b[0-9]{8}\b/%08d/' % value, subject.path(file)], check=True)
	yield {file: value}


@way(chance=2)
def vim(subject, file, value, text):
	subprocess.run(['vim', '-u', 'NONE', '-N', '-e', '-s', '-c', r'%%s/\<\d\{8}\>/%08d/' % value,
		'-c', 'wq', subject.path(file)], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
	yield {file: value}


@way()
def vim_dance(subject, file, value, text):
	"""What vim does with backupcopy=no: the file is away for a moment."""
	path = subject.path(file)
	probe = os.path.join(os.path.dirname(path), '4913')
	write_file(probe, '')
	os.unlink(probe)
	mode = os.stat(path).st_mode & 0o7777
	os.rename(path, path + '~')
	fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
	os.write(fd, text.encode())
	os.fsync(fd)
	os.fchmod(fd, mode)
	os.close(fd)
	os.unlink(path + '~')
	yield {file: value}


vim_dance.gap = True


@way(gap=True)
def emacs_dance(subject, file, value, text):
	path = subject.path(file)
	folder, name = os.path.split(path)
	os.symlink('a@b.1:1', os.path.join(folder, '.#' + name))
	write_file(os.path.join(folder, '#' + name + '#'), text[:100])
	mode = os.stat(path).st_mode & 0o7777
	os.rename(path, path + '~')
	fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
	os.write(fd, text.encode())
	os.fsync(fd)
	os.close(fd)
	os.chmod(path, mode)
	os.unlink(os.path.join(folder, '#' + name + '#'))
	os.unlink(os.path.join(folder, '.#' + name))
	yield {file: value}
	os.unlink(path + '~')
	yield {}


@way(gap=True)
def remove_and_create(subject, file, value, text):
	os.unlink(subject.path(file))
	write_file(subject.path(file), text, mode=0o755)
	yield {file: value}


@way(gap=True)
def tar(subject, file, value, text):
	tree = os.path.join(subject.scratch, 'tar')
	shutil.rmtree(tree, ignore_errors=True)
	path = os.path.join(tree, subject.file(file))
	os.makedirs(os.path.dirname(path))
	write_file(path, text, mode=0o755)
	archive = subprocess.run(['tar', 'cC', tree, subject.file(file)], check=True,
		stdout=subprocess.PIPE).stdout
	subprocess.run(['tar', 'xC', subject.code], input=archive, check=True)
	yield {file: value}


@way()
def rsync(subject, file, value, text):
	path = os.path.join(subject.scratch, 'rsync')
	write_file(path, text, mode=0o755)
	subprocess.run(['rsync', '-a', '--checksum', path, subject.path(file)], check=True)
	yield {file: value}


@way()
def copy(subject, file, value, text):
	path = os.path.join(subject.scratch, 'copy')
	write_file(path, text)
	subprocess.run(['cp', path, subject.path(file)], check=True)
	yield {file: value}


@way()
def sync_and_stay_open(subject, file, value, text):
	with open(subject.path(file), 'r+b', buffering=0) as out:
		out.write(text.encode())
		out.truncate()
		os.fsync(out.fileno())
		yield {file: value}
	yield {}


@way()
def half_written(subject, file, value, text):
	"""What is not closed or synced yet does not run; then it does."""
	with open(subject.path(file), 'r+b', buffering=0) as out:
		half = len(text) // 2
		out.write(text[:half].encode())
		yield {}
		out.write(text[half:].encode())
		yield {}
	yield {file: value}


@way()
def truncated_and_half_written(subject, file, value, text):
	with open(subject.path(file), 'wb', buffering=0) as out:
		yield {}
		half = len(text) // 2
		out.write(text[:half].encode())
		yield {}
		out.write(text[half:].encode())
	yield {file: value}


@way()
def two_savings_of_one_open(subject, file, value, text):
	with open(subject.path(file), 'r+b', buffering=0) as out:
		out.write(subject.tongue.text(file, value).encode())
		os.fsync(out.fileno())
		yield {file: value}
		value = subject.intend(file)
		out.seek(0)
		out.write(subject.tongue.text(file, value).encode())
		yield {}
		os.fdatasync(out.fileno())
		yield {file: value}
		value = subject.intend(file)
		out.seek(0)
		out.write(subject.tongue.text(file, value).encode())
	yield {file: value}


@way()
def map_and_msync(subject, file, value, text):
	with open(subject.path(file), 'r+b', buffering=0) as out:
		with mmap.mmap(out.fileno(), 0) as memory:
			assert len(memory) == len(text)
			memory[:] = text.encode()
			memory.flush()
			yield {file: value}
			value = subject.intend(file)
			memory[:] = subject.tongue.text(file, value).encode()
			memory.flush()
			yield {file: value}
	yield {}


@way()
def map_and_close(subject, file, value, text):
	"""The mapping is gone and the file closed: what was stored there is saved."""
	with open(subject.path(file), 'r+b', buffering=0) as out:
		with mmap.mmap(out.fileno(), 0) as memory:
			memory[:] = text.encode()
	yield {file: value}


@way()
def another_process_holds_it(subject, file, value, text):
	"""Somebody else has the file open for writing, and writes nothing."""
	holder = subprocess.Popen(['sh', '-c', 'exec 3<>"$0"; echo; read x', subject.path(file)],
		stdin=subprocess.PIPE, stdout=subprocess.PIPE)
	holder.stdout.readline()
	write_file(subject.path(file), text)
	yield {file: value}
	value = subject.intend(file)
	temporary = subject.path(file) + '.tmp'
	write_file(temporary, subject.tongue.text(file, value), mode=0o755)
	os.rename(temporary, subject.path(file))
	yield {file: value}
	holder.communicate(b'\n')
	yield {}


@way()
def through_a_hard_link(subject, file, value, text):
	other = subject.side('linked')
	if os.path.lexists(other):
		os.unlink(other)
	os.link(subject.path(file), other)
	write_file(other, text)
	yield {file: value}
	os.unlink(other)
	yield {}


@way()
def link_renamed_over(subject, file, value, text):
	new = subject.side('hard')
	for path in (new, new + '2'):
		if os.path.lexists(path):
			os.unlink(path)
	write_file(new, text, mode=0o755)
	os.link(new, new + '2')
	os.rename(new + '2', subject.path(file))
	yield {file: value}


@way(files=('part',))
def symlink_flip(subject, file, value, text):
	"""current -> release-N, as deployments do it. (Node.js looks for modules beside the target of a link.)"""
	target = subject.side('release-%d-%s' % (value % 2, os.path.basename(subject.file(file))))
	temporary = subject.path(file) + '.tmp'
	if os.path.lexists(target):
		os.unlink(target)
	write_file(target, text, mode=0o755)
	os.symlink(os.path.relpath(target, os.path.dirname(subject.path(file))), temporary)
	os.rename(temporary, subject.path(file))
	yield {file: value}
	os.rename(target, subject.path(file))  # leaves no link behind
	yield {}


@way(files=('part',), gap=True)
def move_a_directory(subject, file, value, text):
	folder = os.path.dirname(subject.path(file))
	os.mkdir(folder + '.new')
	write_file(os.path.join(folder + '.new', os.path.basename(subject.path(file))), text)
	os.rename(folder, folder + '.old')
	os.rename(folder + '.new', folder)
	yield {file: value}
	shutil.rmtree(folder + '.old')
	yield {}


@way(files=('part',))
def exchange_directories(subject, file, value, text):
	folder = os.path.dirname(subject.path(file))
	shutil.copytree(folder, folder + '.new')
	write_file(os.path.join(folder + '.new', os.path.basename(subject.path(file))), text)
	if libc.renameat2(-100, (folder + '.new').encode(), -100, folder.encode(), 2) != 0:
		raise OSError(ctypes.get_errno(), 'renameat2')
	shutil.rmtree(folder + '.new')
	yield {file: value}


@way(files=('part',))
def open_in_a_moved_directory(subject, file, value, text):
	"""The file is opened under one name of its directory and closed under another."""
	folder = os.path.dirname(subject.path(file))
	shutil.copytree(folder, folder + '.new')
	with open(os.path.join(folder + '.new', os.path.basename(subject.path(file))), 'wb') as out:
		out.write(text.encode())
		out.flush()
		os.fsync(out.fileno())
		if libc.renameat2(-100, (folder + '.new').encode(), -100, folder.encode(), 2) != 0:
			raise OSError(ctypes.get_errno(), 'renameat2')
		yield {file: value}
	shutil.rmtree(folder + '.new')
	yield {}


@way(files=('both',))
def git_checkout(subject, file, value, text):
	value = subject.other_commit()
	subject.intend('entry', 'part', value=value)
	subject.git('checkout', '-q', '-f', 'v%d' % value)
	yield {'entry': value, 'part': value}


@way(files=('both',))
def git_stash(subject, file, value, text):
	"""From an edited file back to the commit, and forth again."""
	commit = subject.other_commit()
	subject.intend('entry', 'part', value=commit)
	subject.git('checkout', '-q', '-f', 'v%d' % commit)
	yield {'entry': commit, 'part': commit}
	value = subject.intend('part')
	write_file(subject.path('part'), subject.tongue.text('part', value))
	yield {'part': value}
	subject.intend('part', value=commit)
	subject.git('stash', '-q')
	yield {'part': commit}
	subject.intend('part', value=value)
	subject.git('stash', 'pop', '-q')
	yield {'part': value}


class Bystander(threading.Thread):
	"""Calls one function after the other, all the time."""

	def __init__(self, subjects):
		super().__init__(daemon=True)
		self.subjects = subjects
		self.done = threading.Event()
		self.calls = self.gaps = 0
		self.wrong = []

	def run(self):
		while not self.done.is_set():
			for subject in self.subjects:
				self.look(subject)

	def look(self, subject):
		with subject.lock:
			since, before = dict(subject.saved), subject.under_way
			pair = tuple(subject.history[file][since[file]] for file in since)
		answer = subject.ask()
		with subject.lock:
			after = subject.under_way
			allowed = [subject.history[file][since[file]:] for file in since]
		self.calls += 1
		if isinstance(answer, str):
			gap = any(way and way[1].gap for way in (before, after)) or before != after
			if gap and not answer.startswith('torn'):
				self.gaps += 1
				return
		elif answer[0] in allowed[0] and answer[1] in allowed[1]:
			mixed = before and before == after and before[1] is git_checkout and \
				answer != pair and answer[0] != answer[1]
			if not mixed:
				return
		self.wrong.append('%s: a bystander saw %s during %s, allowed were %s' % (subject.name, answer,
			[way and way[1].__name__ for way in (before, after)], allowed))


def save_once(subject, number, chance, ways):
	function = chance.choices(ways, [w.chance for w in ways])[0]
	file = chance.choice(function.files)
	subject.disturb(chance)
	with subject.lock:
		subject.under_way = number, function
	value = text = None
	if file != 'both':
		value = subject.intend(file)
		text = subject.tongue.text(file, value)
	wrong = []
	for step, changes in enumerate(function(subject, file, value, text)):
		expected = subject.settle(changes)
		answer = subject.ask()
		if answer != expected:
			wrong.append('%s, %s of %s, step %d: %s, not %s' % (subject.name,
				function.__name__, file, step, answer, expected))
	with subject.lock:
		subject.under_way = None
	return function.__name__, wrong


def run(options):
	chance = random.Random(options.seed)
	random.seed(options.seed)
	ways = [WAYS[name] for name in WAYS if options.way in (None, name)]
	ways = [w for w in ways if w is not vim or shutil.which('vim')]
	counts, trouble = collections.Counter(), []
	with Mounted() as mount:
		scratch = os.path.join(mount.base, 'scratch')
		os.mkdir(scratch)
		subjects = [Subject(mount, name, scratch) for name in LOADS
			if options.runtime in (None, name)]
		bystander = Bystander(subjects)
		bystander.start()
		began = time.monotonic()
		for number in range(options.rounds):
			name, wrong = save_once(chance.choice(subjects), number, chance, ways)
			counts[name] += 1
			for sentence in wrong + bystander.wrong:
				print('round %d: %s' % (number, sentence), flush=True)
			trouble += wrong + bystander.wrong
			bystander.wrong = []
			if len(trouble) > 20:
				break
		bystander.done.set()
		bystander.join(60)
		for subject in subjects:
			subject.release()
		seconds = time.monotonic() - began
	for name in sorted(counts):
		print('%6d %s' % (counts[name], name))
	print('%d rounds in %d s, %d calls of a bystander (%d met code that does not load), %d wrong' %
		(sum(counts.values()), seconds, bystander.calls, bystander.gaps, len(trouble)))
	return 1 if trouble or not counts else 0


if __name__ == '__main__':
	parser = argparse.ArgumentParser()
	parser.add_argument('--rounds', type=int, default=10000 if LONG else 200)
	parser.add_argument('--long', action='store_true')
	parser.add_argument('--seed', type=int, default=int(os.environ.get('SEED', time.time())))
	parser.add_argument('--way', choices=sorted(WAYS))
	parser.add_argument('--runtime', choices=LOADS)
	chosen = parser.parse_args()
	print('--seed %d' % chosen.seed, flush=True)
	sys.exit(run(chosen))
