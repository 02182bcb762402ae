#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Settings and environment variables edited with real editors, each saving in its own way.

Without this a user would lose: the old value to a half-saved one, or the belief that any editor works.
"""

import os
import pty
import select
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from mounted import Cases, Mounted, errno_of, write_file  # noqa: E402


def at_terminal(command, keys=(), cwd=None, wait=30):
	"""Runs a program on a terminal, types the keys one after the other, each after a quiet moment."""
	pid, fd = pty.fork()
	if pid == 0:
		os.chdir(cwd)
		os.execvpe(command[0], command, dict(os.environ, TERM='xterm', HOME='/nonexistent'))
	end, keys = time.monotonic() + wait, list(keys)
	while time.monotonic() < end:
		ready, _, _ = select.select([fd], [], [], 0.3)
		try:
			if ready and os.read(fd, 65536):
				continue
		except OSError:
			break
		if keys:
			os.write(fd, keys.pop(0).encode())
	os.close(fd)
	return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def vim(commands, file, cwd):
	arguments = ['vim', '-N', '-u', 'NONE', '-i', 'NONE']
	for command in commands:
		arguments += ['-c', command]
	assert at_terminal(arguments + ['-c', 'wq', file], cwd=cwd) == 0


def needs(program):
	if not shutil.which(program):
		print('     (%s is not installed)' % program)
		return False
	return True


class Value:
	"""One value and the directory it stands in."""

	def __init__(self, fn, *path):
		self.path = fn.path('functions', 'f', *path)
		self.directory, self.name = os.path.split(self.path)
		self.names = sorted(os.listdir(self.directory))

	def read(self):
		with open(self.path) as file:
			return file.read()

	def check(self, expected):
		assert self.read() == expected + '\n', self.read()
		end = time.monotonic() + 15  # what an editor left vanishes
		while sorted(os.listdir(self.directory)) != self.names:
			assert time.monotonic() < end, os.listdir(self.directory)
			time.sleep(0.1)


def vim_in_all_its_ways(fn):
	"vim renames the file away, or copies it, or keeps a backup: the value is set each time."
	if not needs('vim'):
		return
	value = Value(fn, 'config', 'timeout')
	for seconds, options in enumerate(('', 'backup', 'backupcopy=yes', 'backupcopy=no',
			'nowritebackup', 'noswapfile'), 20):
		vim((['set ' + options] if options else []) + ['%%s/.*/%ds/' % seconds],
			value.name, value.directory)
		value.check('%ds' % seconds)


def vim_with_the_users_defaults(fn):
	"vim as the distribution sets it up."
	if not needs('vim'):
		return
	value = Value(fn, 'config', 'memory')
	assert at_terminal(['vim', '-i', 'NONE', value.name], ['ggdG', 'i', '256M', '\x1b', ':wq\r'],
		cwd=value.directory) == 0
	value.check('256M')


def vim_hears_of_a_bad_value(fn):
	"A bad value is refused where vim says so, and the old one stays."
	if not needs('vim'):
		return
	value = Value(fn, 'config', 'memory')
	before = value.read()
	at_terminal(['vim', '-N', '-u', 'NONE', '-i', 'NONE', '-c', '%s/.*/lots/', '-c', 'w',
		'-c', 'qa!', value.name], ['\r', '\r', ':qa!\r'], cwd=value.directory)
	assert value.read() == before
	assert 'lots' in fn.read('functions', 'f', 'last_error')


def nano(fn):
	"nano writes in place."
	if not needs('nano'):
		return
	value = Value(fn, 'config', 'timeout')
	assert at_terminal(['nano', value.name], ['\x0b', '41s', '\x0f', '\r', '\x18'],
		cwd=value.directory) == 0
	value.check('41s')


def emacs(fn):
	"emacs locks by a symbolic link, keeps a backup, and writes a buffer in two pieces."
	if not needs('emacs'):
		return
	value = Value(fn, 'config', 'timeout')
	for text in ('51s', '52s'):
		subprocess.run(['emacs', '-Q', '--batch', value.path, '--eval',
			'(progn (goto-char 1) (kill-line) (insert "%s") (save-buffer))' % text],
			check=True, stderr=subprocess.DEVNULL)
		value.check(text)
	subprocess.run(['emacs', '-Q', '--batch', value.path, '--eval',
		'(progn (goto-char 2) (delete-char 1) (insert "3") (save-buffer))'],
		check=True, stderr=subprocess.DEVNULL)
	value.check('53s')


def stream_editors(fn):
	"sed -i and perl -i write a new file and rename it over the value."
	value = Value(fn, 'config', 'timeout')
	write_file(value.path, '3s')
	for command in (['sed', '-i', 's/3s/61s/'], ['sed', '-i.bak', 's/61s/62s/'],
			['perl', '-pi', '-e', 's/62s/63s/'], ['busybox', 'sed', '-i', 's/63s/64s/']):
		if not needs(command[0]):
			continue
		subprocess.run(command + [value.name], cwd=value.directory, check=True)
		expected = value.read()
		assert expected != '3s\n', command
		value.check(expected.strip())
	assert errno_of(subprocess.run, ['true']) is None
	done = subprocess.run(['sed', '-i', 's/.*/never/', value.name], cwd=value.directory,
		stderr=subprocess.PIPE)
	assert done.returncode != 0 and b'Invalid argument' in done.stderr, done.stderr


def programs_that_replace(fn):
	"write a temporary file, fsync it, rename it over: what careful programs do."
	value = Value(fn, 'config', 'timeout')
	for number, name in enumerate(('.timeout.XYZ', 'timeout.tmp', 'tmpabcd1234', '#timeout#'), 71):
		path = os.path.join(value.directory, name)
		with open(path, 'w') as file:
			file.write('%ds\n' % number)
			file.flush()
			os.fsync(file.fileno())
		os.replace(path, value.path)
		value.check('%ds' % number)


def scratch_files_vanish(fn):
	"A file beside the values is never a value, and does not stay."
	value = Value(fn, 'config', 'timeout')
	path = os.path.join(value.directory, '.scratch')
	with open(path, 'w+') as file:
		file.write('x' * 100000)
		file.flush()
		assert '.scratch' in os.listdir(value.directory)
		file.seek(0)
		assert file.read() == 'x' * 100000
		assert os.stat(path).st_size == 100000
	end = time.monotonic() + 15
	while os.path.exists(path):
		assert time.monotonic() < end
		time.sleep(0.1)
	for number in range(1000):  # nor can they fill memory
		if errno_of(write_file, os.path.join(value.directory, '.s%d' % number), 'x') == 'ENOSPC':
			break
	else:
		raise AssertionError('no end of scratch files')
	time.sleep(1.2)
	write_file(path, 'x')


def variables(fn):
	"Environment variables are files, whatever writes them."
	value = Value(fn, 'config', 'env', 'TEXT')
	value.names = ['TEXT']
	write_file(value.path, 'one')
	if needs('vim'):
		vim(['%s/one/two/'], 'TEXT', value.directory)
		value.check('two')
		vim(['set backupcopy=yes', '%s/two/three/'], 'TEXT', value.directory)
		value.check('three')
	if needs('emacs'):
		subprocess.run(['emacs', '-Q', '--batch', value.path, '--eval',
			'(progn (goto-char 1) (kill-line) (insert "four") (save-buffer))'],
			check=True, stderr=subprocess.DEVNULL)
		value.check('four')
	subprocess.run(['sed', '-i', 's/.*/five/', value.path], check=True)
	value.check('five')
	subprocess.run(['bash', '-c', "printf 'line 1\nline 2\n' > TEXT; echo 'line 3' >> TEXT"],
		cwd=value.directory, check=True)
	value.check('line 1\nline 2\nline 3')
	os.rename(value.path, value.path + '2')
	write_file(value.path + '3', 'over')
	os.rename(value.path + '3', value.path + '2')
	assert os.listdir(value.directory) == ['TEXT2']
	with open(value.path + '2') as file:
		assert file.read() == 'over\n'
	path = os.path.join(value.directory, '.new')
	write_file(path, 'by rename')
	os.rename(path, os.path.join(value.directory, 'NEW'))
	assert fn.read('functions', 'f', 'config', 'env', 'NEW') == 'by rename\n'
	os.unlink(os.path.join(value.directory, 'NEW'))
	os.unlink(value.path + '2')
	assert os.listdir(value.directory) == []


def a_killed_writer_leaves_the_old_value(fn):
	"Of a value of several lines half is never set."
	path = fn.path('functions', 'f', 'config', 'env', 'HALF')
	write_file(path, 'whole')
	writer = subprocess.Popen([sys.executable, '-c',
		'import os, sys, time\nfd = os.open(sys.argv[1], os.O_WRONLY | os.O_TRUNC)\n'
		'os.write(fd, b"half")\nprint(flush=True)\ntime.sleep(60)', path], stdout=subprocess.PIPE)
	writer.stdout.readline()
	writer.kill()
	writer.wait()
	writer.stdout.close()
	time.sleep(0.1)
	with open(path) as file:
		assert file.read() == 'whole\n'
	os.unlink(path)


CASES = (vim_in_all_its_ways, vim_with_the_users_defaults, vim_hears_of_a_bad_value, nano, emacs,
	stream_editors, programs_that_replace, scratch_files_vanish, variables,
	a_killed_writer_leaves_the_old_value)

if __name__ == '__main__':
	chosen = [word for word in sys.argv[1:] if not word.startswith('-')]
	cases = Cases()
	with Mounted() as mounted:
		os.mkdir(mounted.path('functions', 'f'))
		for case in CASES:
			if not chosen or case.__name__ in chosen:
				cases.run(case, mounted)
	cases.end()
