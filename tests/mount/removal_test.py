#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Functions are removed as directories are: rm -r, rm -rf, rmdir, file managers, programs.

Without this a user would lose: code to a removal that stops half-way, or the belief that rm works here.
"""

import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from mounted import Cases, Mounted, errno_of, write_file  # noqa: E402

HANDLER = 'import time\ndef handler(event, context):\n\ttime.sleep(event.get("sleep", 0))\n\treturn 1\n'


def used(fn, name):
	"""A function with something of everything in it."""
	path = fn.function(name, {'index.py': HANDLER, 'lib/deep/er/x.py': 'x = 1\n'})
	os.symlink('index.py', os.path.join(path, 'code', 'link'))
	write_file(os.path.join(path, 'config', 'env', 'KEY'), 'value')
	os.chmod(os.path.join(path, 'config', 'env', 'KEY'), 0o600)
	os.chmod(os.path.join(path, 'invoke'), 0o622)
	fn.call(name)
	fn.call(name)
	return path


def gone(path):
	assert not os.path.lexists(path)
	assert os.path.basename(path) not in os.listdir(os.path.dirname(path))


def by_command(fn, *command):
	path = used(fn, 'doomed')
	done = subprocess.run(command + (path,), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
	assert done.returncode == 0, done.stderr
	gone(path)


def rm_r(fn):
	"rm -r, as scripts do it."
	by_command(fn, 'rm', '-r')


def rm_rf(fn):
	"rm -rf, as people do it."
	by_command(fn, 'rm', '-rf')


def busybox(fn):
	"busybox's rm, which works in another order."
	if shutil.which('busybox'):
		by_command(fn, 'busybox', 'rm', '-rf')


def find_delete(fn):
	"find -delete, from the deepest up."
	path = used(fn, 'doomed')
	subprocess.run(['find', path, '-delete'], check=True)
	gone(path)


def rmtree(fn):
	"Python's rmtree, which stops at the first refusal."
	path = used(fn, 'doomed')
	shutil.rmtree(path)
	gone(path)


def an_empty_one(fn):
	"rmdir of a function without code."
	path = fn.path('functions', 'empty')
	os.mkdir(path)
	os.rmdir(path)
	gone(path)
	os.mkdir(path)  # a new one under the old name is new
	assert fn.read('functions', 'empty', 'config', 'timeout') == '3s\n'
	os.rmdir(path)


def code_is_never_thrown_away_by_rmdir(fn):
	"rmdir refuses while there is code, and says what to do."
	path = used(fn, 'kept')
	assert errno_of(os.rmdir, path) == 'ENOTEMPTY'
	assert 'rm -r' in fn.read('last_error')
	assert errno_of(os.rmdir, os.path.join(path, 'code')) == 'ENOTEMPTY'
	assert fn.call('kept') == b'1'
	shutil.rmtree(path)


def platform_files_have_no_effect(fn):
	"Removing what the platform put there succeeds and changes nothing, whoever stands in it."
	path = used(fn, 'f')
	stander = subprocess.Popen(['sleep', '60'], cwd=os.path.join(path, 'config'))
	try:
		for name in ('status', 'invoke', 'last_error', 'config/timeout', 'metrics/count'):
			os.unlink(os.path.join(path, name))
			assert os.path.exists(os.path.join(path, name)), name
		for name in ('metrics', 'config/env', 'config', 'logs', 'calls', 'instances'):
			before = sorted(os.listdir(os.path.join(path, name)))
			os.rmdir(os.path.join(path, name))
			assert sorted(os.listdir(os.path.join(path, name))) == before, name
		assert fn.read('functions', 'f', 'config', 'timeout') == '3s\n'
		assert fn.call('f') == b'1'
	finally:
		stander.kill()
		stander.wait()
	shutil.rmtree(path)


def while_it_runs(fn):
	"A function that is called, followed and looked at can be removed all the same."
	path = used(fn, 'busy')
	caller = subprocess.Popen(['sh', '-c', 'echo \'{"sleep": 60}\' > %s/invoke' % path],
		stderr=subprocess.DEVNULL)
	follower = subprocess.Popen(['cat', path + '/logs/follow'], stdout=subprocess.DEVNULL,
		stderr=subprocess.DEVNULL)
	end = time.monotonic() + 20
	while fn.read('functions', 'busy', 'metrics', 'concurrency') != '1\n':
		assert time.monotonic() < end
		time.sleep(0.02)
	with open(path + '/status') as status:
		subprocess.run(['rm', '-rf', path], check=True)
		gone(path)
		assert status.read().startswith('state')
	caller.wait(20)
	follower.wait(20)


def while_somebody_lists_it(fn):
	"Directories and files that are open outlive the function, and can be closed."
	for names in (('',), ('code',), ('code/lib/deep',), ('code/index.py',), ('status',), ('calls',),
			('', 'code', 'code/lib/deep', 'config', 'status', 'config/timeout', 'logs/current')):
		path = used(fn, 'listed')
		fds = [os.open(os.path.join(path, name), os.O_RDONLY) for name in names]
		subprocess.run(['rm', '-rf', path], check=True)
		gone(path)
		for _ in range(10):  # what the function was is put away meanwhile
			os.mkdir(fn.path('functions', 'other'))
			os.rmdir(fn.path('functions', 'other'))
		for fd in fds:
			errno_of(os.listdir, fd)
			errno_of(os.read, fd, 10)
			errno_of(os.stat, fd)
			os.close(fd)
		os.listdir(fn.path('functions'))


def many(fn):
	"A hundred functions with one command, while others are made."
	for number in range(100):
		os.mkdir(fn.path('functions', 'many%d' % number))
	subprocess.run('rm -r many* & for i in $(seq 50); do mkdir other$i; done; wait; rmdir other*',
		shell=True, check=True, cwd=fn.path('functions'))
	left = [name for name in os.listdir(fn.path('functions')) if name.startswith(('many', 'other'))]
	assert left == [], left


def what_cannot_be_removed(fn):
	"The tree's own directories stay; nobody is told that they went."
	for name in ('functions', 'runtimes'):
		os.rmdir(fn.path(name))
		assert os.path.isdir(fn.path(name))
	names = os.listdir(fn.path('runtimes', 'python', 'template'))
	assert errno_of(os.unlink, fn.path('runtimes', 'python', 'template', names[0])) == 'EROFS'
	assert os.listdir(fn.path('runtimes', 'python', 'template')) == names


CASES = (rm_r, rm_rf, busybox, find_delete, rmtree, an_empty_one, code_is_never_thrown_away_by_rmdir,
	platform_files_have_no_effect, while_it_runs,
	while_somebody_lists_it, many, what_cannot_be_removed)

if __name__ == '__main__':
	chosen = [word for word in sys.argv[1:] if not word.startswith('-')]
	cases = Cases()
	with Mounted() as mounted:
		for case in CASES:
			if not chosen or case.__name__ in chosen:
				cases.run(case, mounted)
	cases.end()
