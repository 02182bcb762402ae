#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Looking is free: backups, indexers and curious people read the whole mount.

Without this a user would lose: a night to a backup that hangs, money to calls nobody made, or the content
of every file that a tool takes for empty.
"""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from mounted import Cases, Mounted  # noqa: E402

ECHO = 'def handler(event, context):\n\tprint("seen")\n\treturn event\n'
# What is new each time it is looked at, or grows while somebody looks.
RESTLESS = ('status', 'metrics', 'log', 'cpu', 'idle', 'memory', 'chart.svg', 'history.csv')
ENDLESS = ('invoke',)


def run(command, cwd=None, wait=60):
	done = subprocess.run(command, cwd=cwd, timeout=wait, stdin=subprocess.DEVNULL,
		stdout=subprocess.PIPE, stderr=subprocess.PIPE)
	assert done.returncode == 0, '%s: %d\n%s' % (command, done.returncode, done.stderr.decode())
	return done.stdout


def have(command):
	"""Whether the program is installed; says so when it is not."""
	program = command.split()[0] if isinstance(command, str) else command[0]
	if not shutil.which(program):
		print('     (%s is not installed)' % program)
	return shutil.which(program)


def files(directory):
	for path, _, names in os.walk(directory):
		for name in names:
			yield os.path.join(path, name)


def picture(fn):
	"""Everything that does not change by itself: modes, owners, sizes, times, contents."""
	seen = {}
	for path, directories, names in os.walk(fn.directory):
		for name in directories + names:
			file = os.path.join(path, name)
			st = os.lstat(file)
			entry = [st.st_ino, st.st_mode, st.st_uid, st.st_gid]
			if name not in RESTLESS and stat.S_ISREG(st.st_mode):
				entry += [st.st_size, st.st_mtime_ns]
				with open(file, 'rb') as content:
					entry.append(content.read() if name not in ENDLESS else b'')
			elif stat.S_ISLNK(st.st_mode):
				entry.append(os.readlink(file))
			seen[os.path.relpath(file, fn.directory)] = entry
	return seen


def settle(fn, *names):
	"""Until nothing is tried ahead of the first call any more."""
	end = time.monotonic() + 20
	while any(not fn.read('functions', name, 'status').startswith('state ready') for name in names):
		assert time.monotonic() < end
		time.sleep(0.05)


def count(fn):
	return fn.read('functions', 'echo', 'metrics', 'count')


def changes_nothing(fn):
	"ls, grep, find, cp, tar and rsync of everything end, call nothing and leave all as it was."
	calls, before = count(fn), picture(fn)
	with tempfile.TemporaryDirectory() as copies:
		run(['ls', '-lR', fn.directory])
		run(['grep', '-rq', 'handler', fn.directory])
		run(['find', fn.directory, '-type', 'f', '-size', '+1'])
		run(['cp', '-r', fn.directory, os.path.join(copies, 'cp')])
		run(['tar', 'cf', os.path.join(copies, 'tar'), '.'], cwd=fn.directory)
		if have(['rsync']):
			run(['rsync', '-a', fn.directory + '/', os.path.join(copies, 'rsync')])
		run(['du', '-s', fn.directory])
		run(['wc', '-c'] + list(files(fn.directory)))
		shutil.copytree(fn.directory, os.path.join(copies, 'python'), symlinks=True)
	assert count(fn) == calls
	after = picture(fn)
	for name in sorted(set(before) | set(after)):
		assert before.get(name) == after.get(name), '%s: %s, then %s' % (
			name, before.get(name), after.get(name))


def copies_are_whole(fn):
	"Tools that trust st_size get exactly what is there: no empty file, no zeros behind."
	with tempfile.TemporaryDirectory() as copies:
		tools = {
			'tar': 'tar cf - . | tar xf - -C %s',
			'busybox-tar': 'busybox tar cf - . | busybox tar xf - -C %s',
			'rsync': 'rsync -a . %s',
			'cp': 'cp -r . %s',
			'busybox-cp': 'busybox cp -r . %s',
			'cpio': 'busybox find . -depth -print | busybox cpio -o -H newc 2>/dev/null'
				' | (cd %s && busybox cpio -idu 2>/dev/null)',
		}
		for name, command in tools.items():
			if not have(command):
				continue
			copy = os.path.join(copies, name)
			os.mkdir(copy)
			run(['sh', '-c', command % copy], cwd=fn.directory)
			for file in ('README', 'functions/echo/config/timeout', 'functions/echo/code/index.py',
					'functions/echo/metrics/count', 'functions/echo/last_error',
					'runtimes/python/template/index.py'):
				with open(os.path.join(copy, file), 'rb') as copied, open(fn.path(file), 'rb') as original:
					assert copied.read() == original.read(), '%s by %s' % (file, name)
			assert os.path.getsize(os.path.join(copy, 'status')) > 100, name


def sizes_are_exact(fn):
	"What stat says before opening is what can be read, and fstat of the open file agrees."
	for file in files(fn.directory):
		if os.path.islink(file) or os.path.basename(file) in ENDLESS:
			continue
		size = os.stat(file).st_size
		fd = os.open(file, os.O_RDONLY)
		try:
			assert os.fstat(fd).st_size == size, file
			assert len(os.pread(fd, 1 << 22, 0)) == size, file
			assert os.lseek(fd, 0, os.SEEK_END) == size, file
		finally:
			os.close(fd)


def sendfile_copies(fn):
	"A copy inside the kernel is whole too."
	for file in ('README', 'status', 'functions/echo/config/memory'):
		with tempfile.TemporaryFile() as copy, open(fn.path(file), 'rb') as original:
			expected = os.fstat(original.fileno()).st_size
			sent = os.sendfile(copy.fileno(), original.fileno(), 0, 1 << 20)
			assert sent == expected > 0, '%s: %d of %d' % (file, sent, expected)


def an_open_text_stays(fn):
	"Who reads a file piece by piece reads one state of it, not two halves of different ones."
	with open(fn.path('functions/echo/metrics/count'), 'rb', buffering=0) as file:
		before = file.read()
		fn.call('echo')
		file.seek(0)
		assert file.read() == before
	assert int(count(fn)) == int(before) + 1


def own_changes_are_seen(fn):
	"A program that looks, changes something and reads sees its change."
	path = fn.path('functions/echo/config/timeout')
	for value in ('4s', '500ms', '1h', '3s') * 5:
		os.stat(path)
		with open(path, 'w') as file:
			file.write(value)
		assert os.stat(path).st_size == len(value) + 1
		with open(path) as file:
			assert file.read() == value + '\n'


def a_shell_sees_what_its_children_did(fn):
	"A script that looks at a file, has it changed by a command and reads it sees the change."
	script = """
		cd "$1/functions/echo"
		for i in 11 12 13 14 15; do
			[ -s config/timeout ] && [ -s metrics/count ]
			read before < metrics/count
			[ -s config/timeout ] && [ -s metrics/count ]
			sh -c "echo ${i}s > config/timeout; echo {} > invoke"
			read value < config/timeout
			read count < metrics/count
			[ "$value" = ${i}s ] && [ $count -gt $before ] || exit 1
		done
	"""
	run(['bash', '-c', script, 'script', fn.directory])
	fn.set('echo', 'timeout', '3s')


def times_tell(fn):
	"mtime stays while the content does, and moves when it changes: rsync and make go by it."
	path = fn.path('functions/echo/config/timeout')
	fn.set('echo', 'timeout', '5s')
	before = os.stat(path).st_mtime_ns
	time.sleep(0.02)
	assert os.stat(path).st_mtime_ns == before
	fn.set('echo', 'timeout', '6s')
	assert os.stat(path).st_mtime_ns > before
	os.utime(path, ns=(10**18, 10**18))
	assert os.stat(path).st_mtime_ns == 10**18
	fn.set('echo', 'timeout', '3s')
	assert os.stat(path).st_mtime_ns > before


def every_text_can_be_polled(fn):
	"select and poll on a fact answer at once; one file that says ENOSYS would blind the whole mount."
	import select
	with open(fn.path('status')) as file:
		poll = select.poll()
		poll.register(file, select.POLLIN)
		assert poll.poll(5000)
	fd = os.open(fn.path('functions/echo/invoke'), os.O_RDWR)
	os.write(fd, b'{}')
	poll = select.poll()
	poll.register(fd, select.POLLIN)
	assert poll.poll(5000)
	assert os.read(fd, 100) == b'{}'
	os.close(fd)


def df_works(fn):
	"df tells of the disk below, and never waits."
	st = os.statvfs(fn.directory)
	below = os.statvfs(fn.state)
	assert st.f_blocks == below.f_blocks and st.f_namemax >= 60


CASES = (changes_nothing, copies_are_whole, sizes_are_exact, sendfile_copies, an_open_text_stays,
	own_changes_are_seen, a_shell_sees_what_its_children_did, times_tell, every_text_can_be_polled, df_works)

if __name__ == '__main__':
	chosen = [word for word in sys.argv[1:] if not word.startswith('-')]
	cases = Cases()
	with Mounted() as mounted:
		mounted.function('echo', {'index.py': ECHO})
		mounted.function('other', {'main+x': '#!/bin/sh\ncat\n'})
		mounted.call('echo', b'{"a": 1}')
		settle(mounted, 'echo', 'other')
		for case in CASES:
			if not chosen or case.__name__ in chosen:
				cases.run(case, mounted)
	cases.end()
