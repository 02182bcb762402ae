#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mkdir publishes, and what was published never changes.

Without this a user would lose: the code that ran yesterday, when today's does not; or the trust that what is
listed under a version is what runs under it.

	versions_test.py [CASE...] [--long]
"""

import collections
import errno
import filecmp
import json
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from disk import Disk  # noqa: E402
from mounted import LONG, Cases, Mounted, errno_of, remove, until, write_file  # noqa: E402
from trees import compare, picture, plant  # noqa: E402

SAYS = 'VALUE = %r\ndef handler(event, context):\n\treturn VALUE\n'
SLOW = 'import time\ndef handler(event, context):\n\ttime.sleep(event.get("sleep", 0))\n\treturn %r\n'


def run(*command, **named):
	done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
		stderr=subprocess.PIPE, timeout=120, **named)
	assert done.returncode == 0, '%s: %d\n%s' % (command, done.returncode, done.stderr.decode())
	return done.stdout


def of(fn, name, *parts):
	return fn.path('functions', name, *parts)


def version(fn, name, *parts):
	return of(fn, name, 'versions', *parts)


def publish(fn, name, number):
	fn.step()
	path = version(fn, name, number)
	os.mkdir(path)
	return path


def call(path, event=b'{}'):
	"""One conversation with whatever directory has an invoke."""
	fd = os.open(os.path.join(path, 'invoke'), os.O_RDWR)
	body = b''
	try:
		os.write(fd, event)
		while piece := os.read(fd, 1 << 20):
			body += piece
		return body
	except OSError as error:
		error.body = body
		raise
	finally:
		os.close(fd)


def read(*parts):
	with open(os.path.join(*parts)) as file:
		return file.read()


def value(path, key):
	for line in read(path).splitlines():
		if line.startswith(key + ' '):
			return line[len(key) + 1:]
	return None


def running(path):
	"""The versions that have instances."""
	found = []
	for instance in os.listdir(path + '/instances'):
		try:
			found.append(read(path, 'instances', instance, 'version').strip())
		except FileNotFoundError:
			pass  # it has just ended
	return found


def gone(path):
	assert not os.path.lexists(path), path
	assert os.path.basename(path) not in os.listdir(os.path.dirname(path))


# --- publishing -----------------------------------------------------------------------------------


def a_version_is_what_was_saved(fn):
	"A version answers what was saved when it was made, whatever is saved later."
	path = fn.function('f', {'index.py': SAYS % 1})
	assert os.listdir(version(fn, 'f')) == ['latest']
	publish(fn, 'f', '1')
	assert sorted(os.listdir(version(fn, 'f'))) == ['1', 'latest']
	for number in range(2, 5):
		write_file(os.path.join(path, 'code', 'index.py'), SAYS % number)
		publish(fn, 'f', str(number))
	write_file(os.path.join(path, 'code', 'index.py'), SAYS % 'new')
	for number in range(1, 5):
		assert call(version(fn, 'f', str(number))) == b'%d' % number
		assert read(version(fn, 'f', str(number)), 'code', 'index.py') == SAYS % number
	assert fn.call('f') == b'new'
	remove(path)


def saved_and_published_at_once(fn):
	"Read-your-writes: what was closed before mkdir is in the version, every time."
	path = fn.function('f', {'index.py': SAYS % 0})
	for number in range(30):
		write_file(os.path.join(path, 'code', 'index.py'), SAYS % number)
		write_file(os.path.join(path, 'code', 'new-%d' % number), 'x' * number)
		publish(fn, 'f', 'v%d' % number)
	for number in range(30):
		code = version(fn, 'f', 'v%d' % number, 'code')
		assert read(code, 'index.py') == SAYS % number
		assert len(os.listdir(code)) == number + 2
	remove(path)


def names(fn):
	"A name out of rule is refused with a sentence, one in rule is kept."
	path = fn.function('f', {'index.py': SAYS % 1})
	for name in ('.hidden', '1.', '-1', '1-', '_a', 'a b', 'ü', 'a/', 'x' * 43, 'a\n', '1:2', '4913'):
		if name in ('a/', '4913'):
			continue  # mkdir strips the one; the other is a good name
		assert errno_of(os.mkdir, version(fn, 'f', name)) == 'EINVAL', name
		assert 'letters, digits' in read(path, 'last_error'), read(path, 'last_error')
	assert errno_of(os.mkdir, version(fn, 'f', 'x' * 256)) == 'ENAMETOOLONG'
	for name in ('1', '1.0.0', 'a', 'A-b_c.d', 'x' * 42, '4913', '1.0.0-rc.1'):
		publish(fn, 'f', name)
		assert read(path, 'last_error') == ''
		os.rmdir(version(fn, 'f', name))
	assert errno_of(write_file, version(fn, 'f', 'file'), 'x') == 'EPERM'
	assert errno_of(os.symlink, 'x', version(fn, 'f', 'link')) == 'EPERM'
	publish(fn, 'f', '1')
	assert errno_of(os.rename, version(fn, 'f', '1'), version(fn, 'f', '2')) == 'EXDEV'
	remove(path)


def latest(fn):
	"versions/latest is the function itself."
	path = fn.function('f', {'index.py': SAYS % 1})
	assert os.readlink(version(fn, 'f', 'latest')) == '..'
	assert os.path.samefile(version(fn, 'f', 'latest'), path)
	assert call(version(fn, 'f', 'latest')) == b'1'
	assert errno_of(os.mkdir, version(fn, 'f', 'latest')) == 'EEXIST'
	remove(path)


def taken(fn):
	"A name is given once, until its version is removed; then it is a new one."
	path = fn.function('f', {'index.py': SAYS % 1})
	publish(fn, 'f', '1')
	assert errno_of(os.mkdir, version(fn, 'f', '1')) == 'EEXIST'
	write_file(os.path.join(path, 'code', 'index.py'), SAYS % 2)
	assert call(version(fn, 'f', '1')) == b'1'
	os.rmdir(version(fn, 'f', '1'))
	gone(version(fn, 'f', '1'))
	publish(fn, 'f', '1')
	assert call(version(fn, 'f', '1')) == b'2'
	assert read(version(fn, 'f', '1'), 'metrics', 'count') == '1\n'
	remove(path)


def unchanged(fn):
	"Publishing what was published shares everything."
	path = fn.function('f', {'index.py': SAYS % 1, 'noise': 'x' * 1000})
	with open(os.path.join(path, 'code', 'big'), 'wb') as file:
		file.write(os.urandom(3 << 20))
	publish(fn, 'f', '1')
	publish(fn, 'f', '2')
	one, two = version(fn, 'f', '1'), version(fn, 'f', '2')
	assert value(one + '/status', 'snapshot') == value(two + '/status', 'snapshot')
	assert int(value(one + '/status', 'added_bytes')) >= 3 << 20
	assert int(value(two + '/status', 'added_bytes')) == 0
	assert value(two + '/status', 'files') == '3'
	with open(os.path.join(path, 'code', 'big'), 'r+b') as file:  # one chunk of three
		file.seek(1 << 20)
		file.write(os.urandom(1000))
	publish(fn, 'f', '3')
	assert 0 < int(value(version(fn, 'f', '3') + '/status', 'added_bytes')) < 5 << 18
	assert call(one) == call(two) == b'1'
	os.rmdir(one)  # the other is the very same on disk, and stays
	until(lambda: call(two) == b'1')
	os.rmdir(two)
	publish(fn, 'f', '2')
	assert call(two) == b'1'
	remove(path)


def one_of_two_that_are_the_same(fn):
	"While one runs the other is removed, made again and called: they are one directory on disk."
	path = fn.function('f', {'index.py': SLOW % 'here'})
	publish(fn, 'f', 'a')
	publish(fn, 'f', 'b')
	fds = []
	for name in 'ab':
		fds.append(os.open(version(fn, 'f', name, 'invoke'), os.O_RDWR))
		os.write(fds[-1], b'{"sleep": 1}')
		os.set_blocking(fds[-1], False)
		errno_of(os.read, fds[-1], 100)
		os.set_blocking(fds[-1], True)
	for name in 'ab':
		until(lambda: value(version(fn, 'f', name) + '/status', 'running') == '1')
	os.rmdir(version(fn, 'f', 'a'))
	publish(fn, 'f', 'a')
	assert call(version(fn, 'f', 'a')) == b'here'
	os.rmdir(version(fn, 'f', 'b'))
	publish(fn, 'f', 'b')
	os.rmdir(version(fn, 'f', 'a'))
	publish(fn, 'f', 'a')
	assert call(version(fn, 'f', 'b')) == call(version(fn, 'f', 'a')) == b'here'
	for fd in fds:
		assert os.read(fd, 100) == b'here'
		os.close(fd)
	remove(path)


def nothing_at_all(fn):
	"A function without code can be published: its calls say that there is nothing to run."
	path = fn.function('f', {})
	publish(fn, 'f', '0')
	assert os.listdir(version(fn, 'f', '0', 'code')) == []
	assert errno_of(call, version(fn, 'f', '0')) == 'ENOEXEC'
	assert value(version(fn, 'f', '0') + '/status', 'state') == 'broken'
	write_file(os.path.join(path, 'code', 'index.py'), SAYS % 1)
	publish(fn, 'f', '1')
	assert call(version(fn, 'f', '1')) == b'1'
	assert errno_of(call, version(fn, 'f', '0')) == 'ENOEXEC'
	remove(path)


def everything_survives(fn):
	"ls, diff -r, cp -a, tar and rsync find in a version exactly what was published."
	path = fn.function('f', {'index.py': SAYS % 1})
	code = os.path.join(path, 'code')
	plant(code)
	before = picture(code)
	publish(fn, 'f', '1')
	there = version(fn, 'f', '1', 'code')
	compare(before, picture(there))
	run('diff', '-r', '--no-dereference', code, there)
	with tempfile.TemporaryDirectory() as scratch:
		for name, command in (('cp', ('cp', '-a', there + '/.')), ('rsync', ('rsync', '-aH', there + '/'))):
			if shutil.which(command[0]):
				run(*command, os.path.join(scratch, name))
				compare(before, picture(os.path.join(scratch, name)))
		os.mkdir(os.path.join(scratch, 'tar'))
		run('sh', '-c', 'tar c -C "$1" . | tar x -p --same-owner -C "$2"', 'sh', there,
			os.path.join(scratch, 'tar'))
		after = picture(os.path.join(scratch, 'tar'))
		for name, entry in after[0].items():
			entry[3] = entry[3] // 10**9  # what tar keeps
		rounded = {name: entry[:3] + [entry[3] // 10**9] + entry[4:] for name, entry in before[0].items()}
		compare((rounded, before[1]), after)
	shutil.rmtree(code + '/many')
	write_file(code + '/plain.txt', 'other')
	publish(fn, 'f', '2')
	compare(picture(code), picture(version(fn, 'f', '2', 'code')))
	compare(before, picture(there))
	done = subprocess.run(['diff', '-rq', '--no-dereference', there, version(fn, 'f', '2', 'code')],
		stdout=subprocess.PIPE)
	assert done.returncode == 1 and b'plain.txt' in done.stdout and b'many' in done.stdout
	run('rsync', '-a', '--delete', there + '/', code + '/')  # the roll back of the manual
	publish(fn, 'f', '3')
	compare(picture(there), picture(version(fn, 'f', '3', 'code')))
	remove(path)


def what_is_not_code(fn):
	"What editors and git leave beside the code is not published."
	path = fn.function('f', {'index.py': SAYS % 1, '.git/HEAD': 'x', '__pycache__/x.pyc': 'x', 'a~': 'x',
		'.a.swp': 'x', '#a#': 'x', '4913': 'x', 'lib/.DS_Store': 'x', 'lib/kept': 'x', '.gitignore': 'kept'})
	publish(fn, 'f', '1')
	there = version(fn, 'f', '1', 'code')
	assert sorted(os.listdir(there)) == ['.gitignore', 'index.py', 'lib'], os.listdir(there)
	assert os.listdir(there + '/lib') == ['kept']
	remove(path)


def sockets(fn):
	"A tree with a socket is refused, and the sentence names it; a fifo is kept."
	path = fn.function('f', {'index.py': SAYS % 1, 'in/x': ''})
	os.mkfifo(os.path.join(path, 'code', 'fifo'), 0o640)
	publish(fn, 'f', '1')
	st = os.stat(version(fn, 'f', '1', 'code', 'fifo'))
	assert stat.S_ISFIFO(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o640
	assert call(version(fn, 'f', '1')) == b'1'
	with socket.socket(socket.AF_UNIX) as door:
		folder = os.open(os.path.join(path, 'code', 'in'), os.O_RDONLY)
		door.bind('/proc/self/fd/%d/door' % folder)
		os.close(folder)
	assert errno_of(os.mkdir, version(fn, 'f', '2')) == 'EINVAL'
	assert 'versions/2: ' in read(path, 'last_error') and 'in/door' in read(path, 'last_error')
	gone(version(fn, 'f', '2'))
	os.unlink(os.path.join(path, 'code', 'in', 'door'))
	publish(fn, 'f', '2')
	remove(path)


def while_it_is_written(fn):
	"A file counts with what its last close left; one never closed is not there."
	path = fn.function('f', {'index.py': SAYS % 1, 'kept': 'before'})
	code = os.path.join(path, 'code')
	with open(code + '/kept', 'r+') as kept, open(code + '/fresh', 'w') as fresh:
		kept.write('half a sen')
		kept.flush()
		fresh.write('half a file')
		fresh.flush()
		publish(fn, 'f', '1')
		assert read(version(fn, 'f', '1', 'code'), 'kept') == 'before'
		assert not os.path.exists(version(fn, 'f', '1', 'code', 'fresh'))
		os.fsync(fresh.fileno())
		publish(fn, 'f', '2')
		assert read(version(fn, 'f', '2', 'code'), 'fresh') == 'half a file'
		kept.write('tence')
	publish(fn, 'f', '3')
	assert read(version(fn, 'f', '3', 'code'), 'kept') == 'half a sentence'
	assert read(version(fn, 'f', '1', 'code'), 'kept') == 'before'
	remove(path)


def during_changes(fn):
	"While others save all the time, a version is one moment: two files that go together are of one kind."
	path = fn.function('f', {'index.py': SAYS % 1, 'd0/a': '0', 'd0/b': '0'})
	code = os.path.join(path, 'code')
	for number in range(200):
		write_file('%s/more-%d' % (code, number), '%d' % number)
	stop, rounds = threading.Event(), [0]

	def work():
		number = 0
		while not stop.is_set():
			number += 1
			os.mkdir('%s/next' % code)
			write_file('%s/next/a' % code, str(number))
			write_file('%s/next/b' % code, str(number))
			os.rename('%s/d%d' % (code, number - 1), '%s/gone' % code)
			os.rename('%s/next' % code, '%s/d%d' % (code, number))
			shutil.rmtree('%s/gone' % code)
			rounds[0] = number

	worker = threading.Thread(target=work)
	worker.start()
	try:
		for number in range(60 if LONG else 15):
			low = rounds[0]
			publish(fn, 'f', str(number))
			there = version(fn, 'f', str(number), 'code')
			sets = [name for name in os.listdir(there) if name[0] == 'd']
			assert len(sets) <= 1, sets
			for name in sets:
				assert read(there, name, 'a') == read(there, name, 'b') == name[1:]
				assert int(name[1:]) >= low
	finally:
		stop.set()
		worker.join()
	remove(path)


def while_git_works(fn):
	"Between git's first and last step a publish waits, two seconds at most."
	path = fn.function('f', {'index.py': SAYS % 1})
	lock = os.path.join(path, 'code', '.git', 'index.lock')
	os.mkdir(os.path.dirname(lock))
	write_file(lock, '')
	made = []
	thread = threading.Thread(target=lambda: made.append(publish(fn, 'f', '1')))
	thread.start()
	write_file(os.path.join(path, 'code', 'index.py'), SAYS % 2)
	os.unlink(lock)
	thread.join()
	assert made and call(version(fn, 'f', '1')) == b'2'
	write_file(lock, '')
	publish(fn, 'f', '2')  # one that was left behind delays, and does not keep it
	remove(path)


# --- what a version is ----------------------------------------------------------------------------


def nothing_changes(fn):
	"Every way to change what was published is EROFS, for root, too."
	path = fn.function('f', {'index.py': SAYS % 1, 'lib/x': 'x', 'tool+x': ''})
	os.symlink('x', os.path.join(path, 'code', 'lib', 'link'))
	write_file(os.path.join(path, 'config', 'env', 'KEY'), 'value')
	one = publish(fn, 'f', '1')
	there = one + '/code'
	before = picture(there)
	file = there + '/index.py'
	attempts = {
		'write': lambda: write_file(file, 'x', os.O_WRONLY),
		'append': lambda: write_file(file, 'x', os.O_WRONLY | os.O_APPEND),
		'open rw': lambda: os.close(os.open(file, os.O_RDWR)),
		'truncate': lambda: os.truncate(file, 0),
		'O_TRUNC': lambda: write_file(file, 'x'),
		'create': lambda: write_file(there + '/new', 'x'),
		'create deep': lambda: write_file(there + '/lib/new', 'x'),
		'mkdir': lambda: os.mkdir(there + '/new'),
		'mknod': lambda: os.mknod(there + '/new'),
		'mkfifo': lambda: os.mkfifo(there + '/new'),
		'symlink': lambda: os.symlink('x', there + '/new'),
		'link': lambda: os.link(file, there + '/new'),
		'rename': lambda: os.rename(file, there + '/other'),
		'rename out': lambda: os.rename(there + '/lib', there + '/lob'),
		'chmod': lambda: os.chmod(file, 0o600),
		'chmod root': lambda: os.chmod(there, 0o700),
		'chown': lambda: os.chown(file, 1, 1),
		'lchown': lambda: os.lchown(there + '/lib/link', 1, 1),
		'utime': lambda: os.utime(file),
		'exchange': lambda: os.replace(file, there + '/lib/x'),
		'runtime': lambda: write_file(one + '/config/runtime', 'exec', os.O_WRONLY),
		'timeout': lambda: write_file(one + '/config/timeout', '9s', os.O_WRONLY),
		'variable': lambda: write_file(one + '/config/env/KEY', 'other', os.O_WRONLY),
		'new variable': lambda: write_file(one + '/config/env/NEW', 'x'),
		'rename variable': lambda: os.rename(one + '/config/env/KEY', one + '/config/env/NEW'),
	}
	for name, attempt in attempts.items():
		assert errno_of(attempt) == 'EROFS', (name, errno_of(attempt))
		assert read(path, 'last_error'), name
	for name in ('link in', 'link out'):
		source, target = (path + '/code/index.py', there + '/in') if name == 'link in' else (
			file, path + '/code/out')
		assert errno_of(os.link, source, target) in ('EXDEV', 'EROFS'), name
		assert errno_of(os.rename, source, target) in ('EXDEV', 'EROFS'), name
	compare(before, picture(there))
	assert read(one, 'config', 'timeout') == '3s\n' and read(one, 'config', 'env', 'KEY') == 'value\n'
	assert os.listdir(one + '/config/env') == ['KEY']
	remove(path)


def four_settings(fn):
	"min_instances, max_instances, idle_timeout and description can be set, of this version alone."
	path = fn.function('f', {'index.py': SAYS % 1}, min_instances=1, idle_timeout='2m', description='of f')
	one = publish(fn, 'f', '1')
	assert read(one, 'config', 'min_instances') == '0\n'  # not copied: nobody wants them twice
	assert read(one, 'config', 'idle_timeout') == '2m\n' and read(one, 'config', 'description') == 'of f\n'
	for name, text in (('min_instances', '2'), ('max_instances', '3'), ('idle_timeout', '5s'),
			('description', 'the first')):
		write_file(os.path.join(one, 'config', name), text)
		assert read(one, 'config', name) == text + '\n'
	assert read(path, 'config', 'description') == 'of f\n'
	assert read(path, 'config', 'max_instances') == '100\n'
	until(lambda: value(one + '/status', 'instances') == '2')
	until(lambda: value(one + '/status', 'state') == 'ready')
	assert call(one) == b'1'
	write_file(one + '/config/min_instances', '0')
	write_file(one + '/config/idle_timeout', '500ms')
	until(lambda: value(one + '/status', 'instances') == '0')
	assert value(one + '/status', 'state') != 'loading'
	write_file(one + '/config/max_instances', '0')
	assert value(one + '/status', 'state') == 'disabled'
	assert errno_of(call, one) == 'EAGAIN'
	assert 'max_instances is 0' in read(path, 'last_error')
	assert fn.call('f') == b'1'
	write_file(one + '/config/max_instances', '1')
	assert call(one) == b'1'
	remove(path)


def every_runtime(fn):
	"python, nodejs and exec run from versions as from code/."
	programs = {
		'python': {'index.py': 'import lib.part\ndef handler(event, context):\n\treturn [event, lib.part.X]\n',
			'lib/part.py': 'X = "part"\n'},
		'nodejs': {'index.js': 'const part = require("./lib/part.js");\n'
			'exports.handler = async (event) => [event, part.X];\n', 'lib/part.js': 'exports.X = "part";\n'},
		'exec': {'main+x': '#!/bin/sh\nprintf "["; cat; printf ",\\"%s\\"]" "$(cat lib/part)"\n',
			'lib/part': 'part'},
	}
	for runtime, files in programs.items():
		if runtime == 'nodejs' and not shutil.which('node'):
			continue
		path = fn.function('f', files)
		if runtime == 'exec':
			write_file(path + '/code/main', files['main+x'].replace('lib/part', '/opt/function/code/lib/part'))
		one = publish(fn, 'f', '1')
		shutil.rmtree(path + '/code/lib')
		assert json.loads(call(one, b'{"a":1}')) == [{'a': 1}, 'part'], runtime
		assert value(one + '/status', 'runtime') == runtime
		assert value(one + '/status', 'state') == 'ready'
		remove(path)


def of_its_own(fn):
	"A version has instances, metrics and a status of its own; the function's are over all."
	path = fn.function('f', {'index.py': 'import os\ndef handler(event, context):\n'
		'\tprint("hello")\n\treturn [context.getVersion(), os.getpid(), os.environ["RUNTIME_FUNC_VERSION"]]\n'})
	one = publish(fn, 'f', '1')
	two = publish(fn, 'f', '2')
	for _ in range(3):
		assert json.loads(call(one))[::2] == ['1', '1']
	assert json.loads(call(two))[::2] == ['2', '2']
	assert json.loads(fn.call('f'))[::2] == ['latest', 'latest']
	assert [read(p, 'metrics', 'count') for p in (one, two, path)] == ['3\n', '1\n', '5\n']
	assert [read(p, 'metrics', 'instances') for p in (one, two)] == ['1\n', '1\n']
	assert len(os.listdir(path + '/instances')) == 3
	(mine,) = os.listdir(one + '/instances')
	assert read(one, 'instances', mine, 'version') == '1\n'
	assert read(path, 'instances', mine, 'version') == '1\n'
	assert not os.path.exists(os.path.join(two, 'instances', mine))
	assert value(one + '/status', 'instances') == '1' and value(path + '/status', 'instances') == '3'
	last = os.path.join(path, 'calls', 'last')
	assert value(last + '/status', 'version') == 'latest' and value(last + '/status', 'alias') == '-'
	assert ' 2 INFO hello' in read(path, 'logs', 'current')
	os.rmdir(os.path.join(one, 'instances', mine))
	until(lambda: mine not in os.listdir(one + '/instances'))
	call(one)
	remove(path)


def its_environment(fn):
	"What the function's settings and environment become does not reach a version."
	path = fn.function('f', {'index.py':
		'import os\ndef handler(event, context):\n\treturn [os.environ.get("A"), os.environ.get("B"), '
		'context.getUserData("A"), context.getRunningTimeInSeconds()]\n'}, timeout='4s', memory='64M')
	write_file(path + '/config/env/A', 'old')
	one = publish(fn, 'f', '1')
	call(one)
	write_file(path + '/config/env/A', 'new')
	write_file(path + '/config/env/B', 'more')
	fn.set('f', 'timeout', '7s')
	fn.set('f', 'memory', '256M')
	fn.set('f', 'handler', 'other.handler')
	for _ in range(2):
		answer = json.loads(call(one))
		assert answer[:3] == ['old', None, 'old'], answer
		for pid in os.listdir(one + '/instances'):
			os.rmdir(os.path.join(one, 'instances', pid))
	assert read(one, 'config', 'timeout') == '4s\n' and read(one, 'config', 'memory') == '64M\n'
	os.unlink(path + '/config/env/A')
	assert read(one, 'config', 'env', 'A') == 'old\n'
	two = publish(fn, 'f', '2')
	assert os.listdir(two + '/config/env') == ['B'] and read(two, 'config', 'handler') == 'other.handler\n'
	fn.set('f', 'handler', 'index.handler')
	remove(path)


def broken_code(fn):
	"A version that does not load says so, and stays what it is."
	path = fn.function('f', {'index.py': 'raise ValueError("not today")\n'})
	one = publish(fn, 'f', '1')
	assert value(one + '/status', 'state') == 'published'
	assert errno_of(call, one) == 'ENOEXEC'
	assert value(one + '/status', 'state') == 'broken' and 'not today' in read(one, 'status')
	remove(path)


# --- removing -------------------------------------------------------------------------------------


def remove_by_tools(fn):
	"rmdir, rm -r, rm -rf, rmtree, find -delete: a version goes, whole."
	path = fn.function('f', {'index.py': SAYS % 1, 'lib/deep/er/x.py': 'x = 1\n', 'closed/x': ''})
	os.symlink('index.py', path + '/code/link')
	write_file(path + '/config/env/KEY', 'value')
	os.chmod(path + '/code/closed', 0o500)
	ways = [os.rmdir, shutil.rmtree, lambda p: run('rm', '-r', p), lambda p: run('rm', '-rf', p),
		lambda p: run('find', p, '-delete')]
	if shutil.which('busybox'):
		ways.append(lambda p: run('busybox', 'rm', '-rf', p))
	for way in ways:
		one = publish(fn, 'f', '1')
		picture(one + '/code')
		assert call(one) == b'1'
		way(one)
		gone(one)
	assert fn.call('f') == b'1'
	run('rm', '-rf', path)
	gone(path)


def half_removed(fn):
	"What is taken out of a version is there again: it goes whole, or not at all."
	path = fn.function('f', {'index.py': SAYS % 1, 'lib/x': 'x'})
	write_file(path + '/config/env/KEY', 'value')
	os.chmod(path + '/config/env/KEY', 0o600)
	one = publish(fn, 'f', '1')
	before = picture(one + '/code')
	stander = subprocess.Popen(['sleep', '60'], cwd=one + '/code/lib')
	try:
		for name in ('code/index.py', 'code/lib/x', 'status', 'invoke', 'config/env/KEY', 'config/timeout'):
			os.unlink(os.path.join(one, name))
		for name in ('code/lib', 'code', 'config/env', 'config', 'metrics', 'instances'):
			os.rmdir(os.path.join(one, name))
		compare(before, picture(one + '/code'))
		assert read(one, 'config', 'env', 'KEY') == 'value\n'
		assert stat.S_IMODE(os.stat(one + '/config/env/KEY').st_mode) == 0o400
		assert call(one) == b'1'
	finally:
		stander.kill()
		stander.wait()
	remove(path)


def in_use(fn):
	"A version that an alias routes to stays, whatever is tried, and not a hair of it is lost."
	path = fn.function('f', {'index.py': SAYS % 1, 'lib/x': 'x'})
	write_file(path + '/config/env/KEY', 'value')
	one = publish(fn, 'f', '1')
	os.mkdir(path + '/aliases/prod')
	before = picture(one + '/code')
	assert errno_of(os.rmdir, one) == 'EBUSY'
	assert 'alias prod' in read(path, 'last_error')
	for name in ('status', 'code/index.py', 'code/lib/x', 'config/timeout', 'config/env/KEY', 'invoke',
			'metrics/count'):
		assert errno_of(os.unlink, os.path.join(one, name)) == 'EBUSY', name
	for name in ('code', 'code/lib', 'config', 'config/env', 'metrics', 'instances'):
		assert errno_of(os.rmdir, os.path.join(one, name)) == 'EBUSY', name
	for command in (['rm', '-r', one], ['rm', '-rf', one], ['find', one, '-delete']):
		assert subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
	assert errno_of(shutil.rmtree, one) == 'EBUSY'
	compare(before, picture(one + '/code'))
	assert call(one) == b'1'
	(instance,) = os.listdir(one + '/instances')
	os.rmdir(os.path.join(one, 'instances', instance))  # stopping one takes nothing away
	publish(fn, 'f', '2')
	write_file(path + '/aliases/prod/routes', '2\n')
	shutil.rmtree(one)
	gone(one)
	remove(path)


def conversations_end(fn):
	"Whoever talks to a version that goes hears ESTALE for the next call; a call under way ends well."
	path = fn.function('f', {'index.py': SLOW % 1})
	one = publish(fn, 'f', '1')
	open_one = os.open(one + '/invoke', os.O_RDWR)
	os.write(open_one, b'{}')
	assert os.read(open_one, 10) == b'1'
	under_way = os.open(one + '/invoke', os.O_RDWR)
	os.write(under_way, b'{"sleep": 1}')
	answer = []
	thread = threading.Thread(target=lambda: answer.append(os.read(under_way, 10)))
	thread.start()
	until(lambda: value(one + '/status', 'running') == '1')
	listing = os.open(one + '/code', os.O_RDONLY)
	file = os.open(one + '/code/index.py', os.O_RDONLY)
	os.rmdir(one)
	thread.join()
	assert answer == [b'1']
	for fd in (open_one, under_way):
		os.write(fd, b'{}')
		assert errno_of(os.read, fd, 10) == 'ESTALE'
		assert 'removed' in fn.read('last_error'), fn.read('last_error')
		os.close(fd)
	errno_of(os.listdir, listing)
	errno_of(os.read, file, 10)
	os.close(listing)
	os.close(file)
	until(lambda: '1' not in running(path))
	remove(path)


def backwards(path):
	"As shutil.rmtree of Python 3.13 and later: files first, then directories from the last to the first."
	entries = list(os.scandir(path))
	for entry in entries:
		if not entry.is_dir(follow_symlinks=False):
			os.unlink(entry.path)
	for entry in reversed(entries):
		if entry.is_dir(follow_symlinks=False):
			backwards(entry.path)
	os.rmdir(path)


def half_way(fn):
	"Who stops after the versions has removed none that is used, and nobody else may."
	path = fn.function('f', {'index.py': SAYS % 1, 'lib/x': 'x'})
	for number in '12':
		call(publish(fn, 'f', number))
	os.mkdir(path + '/aliases/prod')
	assert read(path + '/aliases/prod/routes') == '2 100\n'
	assert errno_of(os.unlink, path + '/versions/2/invoke') == 'EBUSY'
	os.unlink(path + '/invoke')
	backwards(path + '/versions/2')
	os.rmdir(path + '/versions/2')
	backwards(path + '/versions/1')  # which nobody uses
	assert sorted(os.listdir(path + '/versions')) == ['2', 'latest'] and call(path + '/aliases/prod') == b'1'
	assert read(path + '/versions/2', 'code', 'lib', 'x') == 'x'
	other = subprocess.run(['rmdir', path + '/versions/2'], capture_output=True, text=True)
	assert other.returncode == 1 and 'busy' in other.stderr, other
	os.rmdir(path + '/aliases/prod')
	assert os.listdir(path + '/versions') == ['latest']
	run('rm', '-r', path)
	gone(path)


def later_is_seen(fn):
	"What goes later is not there any more for who looked at it meanwhile; who makes something removes nothing."
	path = fn.function('f', {'index.py': SAYS % 1})
	call(publish(fn, 'f', '1'))
	os.mkdir(path + '/aliases/prod')
	os.mkdir(path + '/triggers/t')
	write_file(path + '/triggers/t/target', 'prod')
	os.unlink(path + '/invoke')
	os.rmdir(path + '/aliases/prod')
	assert os.path.isdir(path + '/aliases/prod')
	backwards(path + '/triggers/t')
	until(lambda: not os.path.exists(path + '/aliases/prod'))
	assert os.listdir(path + '/aliases') == []
	os.mkdir(path + '/aliases/prod')
	assert errno_of(os.rmdir, path + '/versions/1') == 'EBUSY'
	run('rm', '-r', path)
	gone(path)


def with_the_function(fn):
	"rm -rf of a function takes versions and aliases along, by every tool."
	ways = [shutil.rmtree, backwards, lambda p: run('rm', '-r', p), lambda p: run('rm', '-rf', p),
		lambda p: run('find', p, '-delete')]
	if shutil.which('busybox'):
		ways.append(lambda p: run('busybox', 'rm', '-rf', p))
	for way in ways:
		path = fn.function('f', {'index.py': SAYS % 1, 'lib/x': 'x'})
		for number in '123':
			call(publish(fn, 'f', number))
			os.mkdir(path + '/aliases/a' + number)
			call(path + '/aliases/a' + number)
		for name, target in ('t1', 'a1'), ('t2', '2'):
			os.mkdir(path + '/triggers/' + name)
			write_file(path + '/triggers/' + name + '/target', target)
		assert errno_of(os.rmdir, path) == 'ENOTEMPTY'
		way(path)
		gone(path)
	path = fn.function('f', {})  # another one of that name has none of it
	assert os.listdir(path + '/versions') == ['latest'] and os.listdir(path + '/aliases') == []
	publish(fn, 'f', '1')
	assert errno_of(os.rmdir, path) == 'ENOTEMPTY' and 'versions' in fn.read('last_error')
	os.rmdir(path + '/versions/1')
	os.rmdir(path)
	gone(path)


# --- time -----------------------------------------------------------------------------------------


def after_a_restart(fn):
	"All of it is there after a restart: code, settings, environment, numbers, aliases."
	path = fn.function('f', {'index.py': SAYS % 1, 'lib/x': 'x'})
	write_file(path + '/config/env/KEY', 'value')
	one = publish(fn, 'f', '1')
	write_file(path + '/code/index.py', SAYS % 2)
	two = publish(fn, 'f', '2.0')
	write_file(two + '/config/description', 'the second')
	os.chmod(one + '/invoke', 0o666)
	os.mkdir(path + '/aliases/prod')
	write_file(path + '/aliases/prod/routes', '1 90\n2.0 10\n')
	for _ in range(10):
		call(path + '/aliases/prod')
	call(one)
	before = [picture(p + '/code') for p in (one, two)]
	numbers = [os.stat(one + '/code/lib/x').st_ino, os.stat(one).st_ino]
	counts = [read(p, 'metrics', 'count') for p in (path, one, two, path + '/aliases/prod')]
	assert counts == ['11\n', '10\n', '1\n', '10\n'], counts
	assert fn.stop() == 0
	fn.start()
	assert sorted(os.listdir(path + '/versions')) == ['1', '2.0', 'latest']
	for p, seen in zip((one, two), before):
		compare(seen, picture(p + '/code'))
	assert numbers == [os.stat(one + '/code/lib/x').st_ino, os.stat(one).st_ino]
	assert [read(p, 'metrics', 'count') for p in (path, one, two, path + '/aliases/prod')] == counts
	assert read(path, 'aliases/prod/metrics/1', 'count') == '9\n'
	assert stat.S_IMODE(os.stat(one + '/invoke').st_mode) == 0o666
	assert read(two, 'config', 'description') == 'the second\n'
	assert read(one, 'config', 'env', 'KEY') == 'value\n'
	assert call(one) == b'1' and call(two) == b'2'
	publish(fn, 'f', '3')
	compare(before[1], picture(version(fn, 'f', '3', 'code')))
	assert int(value(version(fn, 'f', '3') + '/status', 'added_bytes')) == 0
	write_file(one + '/config/min_instances', '1')
	fn.stop()
	fn.start()
	until(lambda: value(one + '/status', 'instances') == '1')
	remove(path)


def looking(fn):
	"ls -lR, grep -r, find and tar over functions with versions call nothing and change nothing."
	path = fn.function('f', {'index.py': SAYS % 1, 'lib/x': 'needle'})
	one = publish(fn, 'f', '1')
	os.mkdir(path + '/aliases/prod')
	for command in ('ls -lR functions', 'grep -r needle functions', 'find functions -type f -size +1M',
			'tar c functions | cat', 'cp -r functions "$0"', 'du -s functions'):
		with tempfile.TemporaryDirectory() as scratch:
			run('sh', '-c', command + ' > /dev/null', scratch, cwd=fn.directory)
	assert b'versions/1/code/lib/x' in run('grep', '-rl', 'needle', 'functions', cwd=fn.directory)
	assert [read(p, 'metrics', 'count') for p in (path, one, path + '/aliases/prod')] == ['0\n'] * 3
	assert value(one + '/status', 'instances') == '0' and value(one + '/status', 'state') == 'published'
	remove(path)


def disk_full(fn):
	"On a full disk a publish is refused with a sentence, and neither loses nor leaves anything."
	if os.getuid() != 0:
		return
	folder = tempfile.mkdtemp(prefix='fnfs-test-small-')
	run('mount', '-t', 'tmpfs', '-o', 'size=48m,mode=755', 'small', folder)
	try:
		with Mounted(state=os.path.join(folder, 'state')) as small:
			path = small.function('f', {'index.py': SAYS % 1})
			one = publish(small, 'f', '1')
			before = picture(one + '/code')
			with open(path + '/code/big', 'wb') as file:
				for _ in range(20):
					file.write(os.urandom(1 << 20))
			# What tries the code ahead of calls takes room, too, and gives it back.
			until(lambda: value(path + '/status', 'state') in ('ready', 'broken'))
			packs = os.path.join(folder, 'state', 'packs')
			names = sorted(os.listdir(packs))
			with open(os.path.join(folder, 'ballast'), 'wb') as ballast:
				room = os.statvfs(folder)
				ballast.write(b'\0' * (room.f_bavail * room.f_frsize - (6 << 20)))
			assert errno_of(os.mkdir, path + '/versions/2') == 'ENOSPC'
			assert 'full' in read(path, 'last_error'), read(path, 'last_error')
			gone(path + '/versions/2')
			assert sorted(os.listdir(packs)) == names, os.listdir(packs)
			compare(before, picture(one + '/code'))
			assert call(one) == b'1'
			os.unlink(os.path.join(folder, 'ballast'))
			os.unlink(path + '/code/big')
			publish(small, 'f', '2')
			assert small.stop() == 0
			small.start()
			assert call(path + '/versions/2') == b'1'
	finally:
		run('umount', '-l', folder)
		os.rmdir(folder)


def many_versions(fn):
	"Versions as quickly as they can be made and removed: what is on the disk stays tidy."
	path = fn.function('f', {'index.py': SAYS % 1})
	packs, most = os.path.join(fn.state, 'packs'), 0
	for number in range(3000 if LONG else 500):
		write_file(path + '/code/x', 'x%d' % number)
		publish(fn, 'f', 'v%d' % number)
		if number >= 10:
			os.rmdir(version(fn, 'f', 'v%d' % (number - 10)))
		most = max(most, len(os.listdir(packs)))
	print('     at most %d packs' % most)
	assert most < 200, most
	for left in range(number - 9, number + 1):
		assert read(version(fn, 'f', 'v%d' % left), 'code', 'x') == 'x%d' % left
	shutil.rmtree(path)
	size = lambda: sum(os.stat(os.path.join(packs, name)).st_size for name in os.listdir(packs))  # noqa: E731
	until(lambda: size() < 10_000)  # of the cases before nothing is left, either


def all_at_once(fn):
	"Publishing, removing, routing, calling and looking by several people at once: nobody meets a fault of ours."
	allowed = {None, 'ENOENT', 'EEXIST', 'EBUSY', 'EAGAIN', 'ENOTEMPTY', 'ESTALE', 'EINVAL', 'EREMOTEIO', 'ENOEXEC',
		'ECANCELED', 'ENOTDIR', 'EPERM', 'None'}  # rmtree of a link
	trouble, end = [], time.monotonic() + (90 if LONG else 4)
	functions = [of(fn, name) for name in ('crowd1', 'crowd2')]
	counts = collections.Counter()

	def work(seed):
		chance = random.Random(seed)
		pick = chance.choice

		def attempt(step, path):
			try:
				step(path)
			except OSError as error:
				# Whoever walks through a directory that is removed at this moment meets the kernel's dead inode.
				if error.errno == errno.EIO and error.filename:
					return 'ENOENT'
				return errno.errorcode.get(error.errno, str(error.errno))

		def any_of(path, *more):
			return os.path.join(path, pick(os.listdir(path) or ['none']), *more)

		def make(f):
			os.mkdir(f)
			write_file(f + '/code/index.py', SLOW % seed)

		def hold(f):
			path = any_of(pick((f + '/versions', f + '/aliases')), 'invoke')
			fd = os.open(path, os.O_RDWR)
			try:
				os.write(fd, b'{"sleep": 0.05}')
				os.set_blocking(fd, False)
				errno_of(os.read, fd, 10)
				if chance.random() < 0.5:
					os.set_blocking(fd, True)
					os.read(fd, 10)
			finally:
				os.close(fd)

		def route(f):
			names = [os.path.basename(any_of(f + '/versions')) for _ in range(2)]
			write_file(any_of(f + '/aliases', 'routes'), '%s 60\n%s 40\n' % tuple(names)
				if names[0] != names[1] else names[0])

		def look(f):
			subprocess.run(['grep', '-r', 'x', pick((f, f + '/versions', f + '/aliases'))],
				stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

		steps = (
			(8, lambda f: os.mkdir(f + '/versions/v%d' % chance.randrange(12))),
			(8, lambda f: write_file(f + '/code/file%d' % chance.randrange(5), 'x' * chance.randrange(100000))),
			(4, lambda f: os.rmdir(any_of(f + '/versions'))),
			(2, lambda f: shutil.rmtree(any_of(f + '/versions'))),
			(4, lambda f: os.mkdir(f + '/aliases/a%d' % chance.randrange(4))),
			(2, lambda f: os.rmdir(any_of(f + '/aliases'))),
			(2, lambda f: os.rename(any_of(f + '/aliases'), f + '/aliases/a%d' % chance.randrange(4))),
			(8, route),
			(20, lambda f: call(any_of(pick((f + '/versions', f + '/aliases'))), b'{"sleep": 0}')),
			(8, hold),
			(2, lambda f: write_file(any_of(f + '/versions', 'config', 'min_instances'), str(chance.randrange(2)))),
			(1, lambda f: write_file(any_of(f + '/versions', 'config', 'max_instances'), str(chance.randrange(3)))),
			(2, lambda f: os.rmdir(any_of(f + '/instances'))),
			(3, look),
			(2, lambda f: read(any_of(f + '/versions', 'status')) + read(any_of(f + '/aliases', 'status'))),
			(0.3, lambda f: subprocess.run(['rm', '-rf', f], stderr=subprocess.DEVNULL)),
			(3, make),
		)
		while time.monotonic() < end and not trouble:
			weight, step = chance.choices(steps, [s[0] for s in steps])[0]
			error = attempt(step, pick(functions))
			counts[error] += 1
			fn.step()
			if error not in allowed:
				trouble.append((steps.index((weight, step)), error))

	threads = [threading.Thread(target=work, args=(time.time_ns() + number,)) for number in range(6)]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join()
	assert not trouble, trouble
	print('     %d steps, %d of them done' % (sum(counts.values()), counts[None]))
	for path in functions:
		run('rm', '-rf', path)
		assert not os.path.exists(path)


def a_slow_disk(fn):
	"""mkdir waits three seconds for the disk; then it is EAGAIN, the publish goes on, and repeating it succeeds. Who
	is interrupted, or removes the function meanwhile, is not held up."""
	with Disk() as disk, Mounted(env=disk.env) as slow:
		path = slow.function('f', {'index.py': SAYS % 1})
		one = path + '/versions/1'
		disk.hold()
		begun = time.monotonic()
		assert errno_of(os.mkdir, one) == 'EAGAIN'
		assert time.monotonic() - begun >= 2.9
		error = read(path, 'last_error')
		assert 'versions/1: ' in error and 'do it again' in error, error
		assert os.listdir(path + '/versions') == ['latest'] and not os.path.exists(one)
		assert 'publishing 1: ' in read(path, 'status'), read(path, 'status')
		assert slow.call('f') == b'1'  # nobody is held up
		write_file(path + '/code/index.py', SAYS % 2)
		other = threading.Thread(target=lambda: os.mkdir(path + '/versions/other'))
		other.start()
		time.sleep(0.2)
		disk.release()
		other.join()
		until(lambda: 'publishing 1' not in read(path, 'status'))
		# Done, while nobody waited: it is there for whoever asks again, and for nobody else.
		assert sorted(os.listdir(path + '/versions')) == ['latest', 'other'] and not os.path.exists(one)
		os.mkdir(one)
		assert read(path, 'last_error') == ''
		assert errno_of(os.mkdir, one) == 'EEXIST'
		assert call(one) == b'1' and call(path + '/versions/other') == b'2'

		write_file(path + '/code/index.py', SAYS % 3)
		disk.hold()
		child = subprocess.Popen(['mkdir', path + '/versions/3'], stderr=subprocess.DEVNULL)
		until(disk.waiting)
		begun = time.monotonic()
		child.send_signal(signal.SIGINT)
		child.wait(2)
		assert time.monotonic() - begun < 2
		disk.release()
		os.mkdir(path + '/versions/3')  # it waits for the one under way, or finds it done
		assert call(path + '/versions/3') == b'3'

		write_file(path + '/code/index.py', SAYS % 4)
		disk.hold()
		children = [subprocess.Popen(['mkdir', path + '/versions/4'], stderr=subprocess.DEVNULL) for _ in range(3)]
		until(disk.waiting)
		disk.release()
		assert sorted(child.wait(20) for child in children) == [0, 1, 1]  # one made it, two find it made

		for version in ('1', 'other', '3', '4'):
			os.rmdir(path + '/versions/' + version)
		write_file(path + '/code/index.py', SAYS % 5)
		disk.hold()
		assert errno_of(os.mkdir, path + '/versions/5') == 'EAGAIN'
		run('rm', '-rf', path)  # what nobody was told of does not keep it
		gone(path)
		disk.release()

		path = slow.function('f', {'index.py': SAYS % 6})
		disk.hold()
		assert errno_of(os.mkdir, path + '/versions/6') == 'EAGAIN'
		disk.release()
		until(lambda: 'publishing' not in read(path, 'status'))
		run('rm', '-rf', path)
		gone(path)

		path = slow.function('f', {'index.py': SAYS % 7})
		disk.hold()
		child = subprocess.Popen(['mkdir', path + '/versions/7'], stderr=subprocess.PIPE)
		until(disk.waiting)
		slow.process.send_signal(signal.SIGTERM)  # the daemon ends while one waits
		time.sleep(0.3)
		disk.release()
		_, said = child.communicate(timeout=20)
		assert child.returncode and slow.process.wait(20) == 0, said
		slow.start()
		if os.path.exists(path + '/versions/7'):
			assert call(path + '/versions/7') == b'7'
		else:
			os.mkdir(path + '/versions/7')


def a_crowd_of_files(fn):
	"A hundred thousand files; mkdir may have to be said again, and whoever calls is not held up."
	count = 100_000 if LONG else 3_000
	path = fn.function('f', {'index.py': SAYS % 1})
	for number in range(count):
		if number % 1000 == 0:
			os.mkdir('%s/code/%d' % (path, number // 1000))
			fn.step()
		with open('%s/code/%d/%d' % (path, number // 1000, number), 'w') as file:
			file.write('%d\n' % number)
	slowest, stop = [0], threading.Event()

	def look():
		while not stop.is_set():
			begun = time.monotonic()
			assert fn.call('f') == b'1'
			os.listdir(fn.path('functions'))
			slowest[0] = max(slowest[0], time.monotonic() - begun)

	looker = threading.Thread(target=look)
	looker.start()
	begun = time.monotonic()
	while (error := errno_of(os.mkdir, version(fn, 'f', '1'))) == 'EAGAIN':
		fn.step()
		assert time.monotonic() - begun < 600
	stop.set()
	looker.join()
	assert error is None, error
	print('     %d files in %.1f s; the slowest call meanwhile: %.2f s' % (
		count, time.monotonic() - begun, slowest[0]))
	assert value(version(fn, 'f', '1') + '/status', 'files') == str(count + 1)
	there = version(fn, 'f', '1', 'code')
	for number in range(0, count, 997):
		assert read(there, str(number // 1000), str(number)) == '%d\n' % number
	remove(path)


def a_giant(fn):
	"A file of two gigabytes, nearly all of it a hole, and then one byte of it."
	if not LONG:
		return
	path = fn.function('f', {'index.py': SAYS % 1})
	with open(path + '/code/giant', 'wb') as file:
		file.truncate(2 << 30)
		file.seek(1 << 30)
		file.write(os.urandom(1 << 20))
	while errno_of(os.mkdir, version(fn, 'f', '1')) == 'EAGAIN':
		fn.step()
	st = os.stat(version(fn, 'f', '1', 'code', 'giant'))
	assert st.st_size == 2 << 30
	assert filecmp.cmp(path + '/code/giant', version(fn, 'f', '1', 'code', 'giant'), shallow=False)
	with open(path + '/code/giant', 'r+b') as file:
		file.seek(1 << 30)
		file.write(b'!')
	publish(fn, 'f', '2')
	assert int(value(version(fn, 'f', '2') + '/status', 'added_bytes')) < 3 << 20
	assert call(version(fn, 'f', '2')) == b'1'
	remove(path)


CASES = (a_version_is_what_was_saved, saved_and_published_at_once, names, latest, taken, unchanged,
	one_of_two_that_are_the_same, nothing_at_all, everything_survives, what_is_not_code, sockets,
	while_it_is_written, during_changes, while_git_works, nothing_changes, four_settings, every_runtime,
	of_its_own, its_environment, broken_code, remove_by_tools, half_removed, in_use, conversations_end,
	half_way, later_is_seen, with_the_function, after_a_restart, looking, disk_full, many_versions, all_at_once, a_slow_disk,
	a_crowd_of_files, a_giant)

if __name__ == '__main__':
	chosen = [word for word in sys.argv[1:] if not word.startswith('-')]
	cases = Cases()
	with Mounted() as mounted:
		for case in CASES:
			if not chosen or case.__name__ in chosen:
				cases.run(case, mounted)
				remove(mounted.path('functions', 'f'))
	cases.end()
