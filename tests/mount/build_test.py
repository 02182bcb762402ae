#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A user would lose the step between what he writes and what runs: he would compile somewhere else, by hand,
and copy the result, and never know which source a binary in `code/` came from.

	build_test.py [--rounds N] [--long]
"""

import argparse
import errno
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from mounted import BUILD, LONG, Mounted, errno_of, until, write_file

C = '#include <stdio.h>\nint main(void)\n{\n\tputs("%s");\n\treturn 0;\n}\n'
# What was built says by which build: each draws a number of its own.
DRAW = 'od -An -N8 -tx8 /dev/urandom > stamp'
MAIN = '#!/bin/sh\ncat /opt/function/code/stamp\n'


def status(fn, *parts):
	text = fn.read('functions', *parts, 'status')
	return dict(line.split(' ', 1) for line in text.split('\n\n')[0].splitlines() if ' ' in line), text


def failure(fn, name):
	try:
		fn.call(name)
	except OSError as error:
		return error.errno, json.loads(error.body)
	raise AssertionError('the call of %s succeeded' % name)


def call_version(fn, name, version):
	fd = os.open(fn.path('functions', name, 'versions', version, 'invoke'), os.O_RDWR)
	try:
		os.write(fd, b'{}')
		body = b''
		while True:
			piece = os.read(fd, 65536)
			if not piece:
				return body.decode().strip()
			body += piece
	finally:
		os.close(fd)


def save(fn, name, file, text):
	write_file(fn.path('functions', name, 'code', file), text)


def log(fn, name):
	return fn.read('functions', name, 'logs', 'build')


def processes(mark):
	found = []
	for path in glob.glob('/proc/[0-9]*/cmdline'):
		try:
			with open(path, 'rb') as file:
				if mark.encode() in file.read().split(b'\0'):
					found.append(path)
		except OSError:
			pass
	return found


def left(fn):
	return os.listdir(os.path.join(fn.state, 'builds')) + os.listdir(os.path.join(fn.state, 'trash'))


# --- what a build is for -------------------------------------------------------------------------

def test_rounds(fn, rounds):
	"""Without it: the answer of a program compiled from what was there before the save."""
	fn.function('c', {'main.c': C % 'first'}, build='cc -O0 -o main main.c')
	assert fn.call('c') == b'first\n'
	for number in range(rounds):
		save(fn, 'c', 'main.c', C % number)
		assert fn.call('c') == b'%d\n' % number, number
	assert log(fn, 'c').startswith('[build of latest: cc -O0 -o main main.c]\n[done after ')
	assert not os.path.exists(fn.path('functions', 'c', 'code', 'main'))  # it works on a copy
	assert fn.read('functions', 'c', 'config', 'build') == 'cc -O0 -o main main.c\n'


def test_make(fn):
	"""Without it: no Makefile of anybody works, for make looks at times."""
	fn.function('make', {'answer.c': 'int answer(void) { return 41; }\n',
		'main.c': '#include <stdio.h>\nint answer(void);\n'
			'int main(void) { printf("%d\\n", answer()); return 0; }\n',
		'Makefile': 'main: main.o answer.o\n\t$(CC) -o $@ $^\n'}, build='make')
	assert fn.call('make') == b'41\n'
	save(fn, 'make', 'answer.c', 'int answer(void) { return 42; }\n')
	assert fn.call('make') == b'42\n'
	assert 'answer.c' in log(fn, 'make')


def test_packages_of_npm(fn):
	"""Without it: node_modules has to be copied into code/, and saved with it."""
	if not shutil.which('npm'):
		print('  npm is not installed: it is not asked')
		return
	lock = {'name': 'f', 'lockfileVersion': 3, 'requires': True, 'packages': {
		'': {'name': 'f', 'dependencies': {'word': 'file:word'}},
		'node_modules/word': {'resolved': 'word', 'link': True},
		'word': {'name': 'word', 'version': '1.0.0'}}}
	fn.function('npm', {'word/package.json': '{"name":"word","version":"1.0.0","main":"word.js"}',
		'word/word.js': 'module.exports = "found";\n',
		'package.json': '{"name":"f","dependencies":{"word":"file:word"}}',
		'package-lock.json': json.dumps(lock),
		'index.js': 'exports.handler = async () => require("word");\n'},
		build='npm ci --offline --no-audit --no-fund', timeout='20s', memory='256M')
	assert fn.call('npm') == b'found'


def test_made_runtime(fn):
	"""Without it: what runs the code would be chosen by the source, not by what was built of it."""
	fn.function('late', {'src/index.txt': 'def handler(event, context):\n\treturn "made"\n'},
		build='cp src/index.txt index.py')
	assert fn.call('late') == b'made'
	save(fn, 'late', 'src/index.txt', 'def handler(event, context):\n\treturn "again"\n')
	assert fn.call('late') == b'again'
	fn.set('late', 'build', '')
	assert failure(fn, 'late')[0] == errno.ENOEXEC
	fn.set('late', 'build', 'cp src/index.txt index.py')
	assert fn.call('late') == b'again'


def test_dependencies(fn):
	"""Without it: a build would not find what the program finds."""
	os.mkdir(fn.path('dependencies', 'words'))
	write_file(fn.path('dependencies', 'words', 'files', 'word.h'), '#define WORD "one"\n')
	os.mkdir(fn.path('dependencies', 'words', 'versions', '1'))
	fn.function('uses', {'main.c': '#include <stdio.h>\n#include "word.h"\n'
		'int main(void) { puts(WORD); return 0; }\n'}, build='cc -o main main.c')
	os.symlink('../../../../dependencies/words',
		fn.path('functions', 'uses', 'config', 'dependencies', 'words'))
	assert fn.call('uses') == b'one\n'
	write_file(fn.path('dependencies', 'words', 'files', 'word.h'), '#define WORD "two"\n')
	os.mkdir(fn.path('dependencies', 'words', 'versions', '2'))
	assert fn.call('uses') == b'two\n'


def test_sandbox(fn):
	"""Without it: whoever may save code would run commands as somebody else."""
	fn.function('inside', {'main+x': '#!/bin/sh\ncat /opt/function/code/found\n'},
		build='{ id -u; pwd; env | grep ^WORD; touch /usr/x /etc/x || echo kept; '
			'ls /proc | grep -c "^[0-9]*$"; echo "$RUNTIME_CODE_ROOT"; '
			'(: < /dev/tcp/1.1.1.1/80) 2>/dev/null && echo out; } > found 2>&1; cat found')
	write_file(fn.path('functions', 'inside', 'config', 'env', 'WORD'), 'of mine')
	found = fn.call('inside').decode()
	lines = found.splitlines()
	assert lines[0] == '1003' and lines[1] == '/opt/function/code', found
	assert 'WORD=of mine' in lines and 'kept' in lines and 'out' not in lines, found
	assert '/opt/function/code' == lines[-1], found
	assert int([line for line in lines if line.isdigit()][1]) < 10, found
	assert 'of mine' in log(fn, 'inside')


# --- failing -------------------------------------------------------------------------------------

def test_failing(fn):
	"""Without it: a typing error would be an empty answer, or the old program goes on for ever."""
	fn.function('broken', {'main.c': C % 'fine'},
		build='echo first; cc -o main main.c || { echo "sorry: $?"; exit 3; }')
	assert fn.call('broken') == b'fine\n'
	save(fn, 'broken', 'main.c', 'int main(void) { return missing; }\n')
	number, body = failure(fn, 'broken')
	assert number == errno.ENOEXEC, number
	assert body['errorType'] == 'BuildFailed', body
	assert 'exit status 3' in body['errorMessage'], body
	assert body['stackTrace'][0] == 'first' and body['stackTrace'][-1] == 'sorry: 1', body
	assert any('missing' in line for line in body['stackTrace']), body
	values, text = status(fn, 'broken')
	assert values['state'] == 'broken' and values['why'].startswith('BuildFailed: '), text
	assert text.endswith('sorry: 1\n'), text
	assert 'sorry: 1\n' in log(fn, 'broken')
	modified = os.stat(fn.path('functions', 'broken', 'logs', 'build')).st_mtime_ns
	assert failure(fn, 'broken') == (number, body)  # it would fail again: nobody tries
	assert os.stat(fn.path('functions', 'broken', 'logs', 'build')).st_mtime_ns == modified
	os.utime(fn.path('functions', 'broken', 'code', 'main.c'))  # but he who touches it asks for it
	assert failure(fn, 'broken')[0] == errno.ENOEXEC
	save(fn, 'broken', 'main.c', C % 'mended')
	assert fn.call('broken') == b'mended\n'
	assert status(fn, 'broken')[0]['state'] == 'ready'


def test_ahead_of_calls(fn):
	"""Without it: the first call after a save pays for the build, and a failure shows only then."""
	fn.function('ahead', {'main.c': C % 'x'}, build='cc -o main main.c')
	until(lambda: status(fn, 'ahead')[0]['state'] == 'ready', 60, 'it was built')
	save(fn, 'ahead', 'main.c', 'no program\n')
	until(lambda: status(fn, 'ahead')[0]['state'] == 'broken', 60, 'it failed')


def test_progress(fn):
	"""Without it: nobody knows whether a build of minutes is at work, or stuck."""
	fn.function('slow', {'main+x': '#!/bin/sh\necho up\n'},
		build='echo at work; sleep 600')
	until(lambda: 'build_says' in status(fn, 'slow')[0], 60, 'it says what it does')
	values, text = status(fn, 'slow')
	assert values['state'] == 'building' and values['build'] == 'running', text
	assert values['build_says'] == 'at work' and values['build_since'].startswith('2'), text
	assert log(fn, 'slow').endswith('at work\n')
	listed = os.stat(fn.path('functions', 'slow', 'logs', 'build'))
	assert listed.st_size == len(log(fn, 'slow').encode())
	assert 'build' in os.listdir(fn.path('functions', 'slow', 'logs'))
	fn.set('slow', 'build', 'true')
	assert fn.call('slow') == b'up\n'


# --- what was built before -----------------------------------------------------------------------

def test_cache(fn):
	"""Without it: going back, restarting and renaming would cost minutes each time."""
	fn.function('drawn', {'main+x': MAIN, 'part': 'one'}, build=DRAW)
	first = fn.call('drawn')
	assert first.strip()
	save(fn, 'drawn', 'part', 'two')
	second = fn.call('drawn')
	assert second != first
	save(fn, 'drawn', 'part', 'one')
	assert fn.call('drawn') == first
	fn.set('drawn', 'timeout', '9s')   # is nothing to a build
	assert fn.call('drawn') == first
	write_file(fn.path('functions', 'drawn', 'config', 'env', 'LEVEL'), '2')
	assert fn.call('drawn') not in (first, second)
	os.unlink(fn.path('functions', 'drawn', 'config', 'env', 'LEVEL'))
	assert fn.call('drawn') == first
	os.rename(fn.path('functions', 'drawn'), fn.path('functions', 'redrawn'))
	assert fn.call('redrawn') == first
	fn.stop()
	fn.start()
	assert fn.call('redrawn') == first
	fn.kill()
	fn.start()
	assert fn.call('redrawn') == first
	save(fn, 'redrawn', 'part', 'two')
	assert fn.call('redrawn') == second
	os.chmod(fn.path('functions', 'redrawn', 'code', 'part'), 0o755)
	assert fn.call('redrawn') not in (first, second)


# --- versions ------------------------------------------------------------------------------------

def test_versions(fn):
	"""Without it: what was tried before the release is not what is released."""
	fn.function('pub', {'main+x': MAIN, 'part': 'one'}, build=DRAW)
	tried = fn.call('pub').decode().strip()
	os.mkdir(fn.path('functions', 'pub', 'versions', '1'))
	assert call_version(fn, 'pub', '1') == tried
	save(fn, 'pub', 'part', 'two')
	os.mkdir(fn.path('functions', 'pub', 'versions', '2'))
	second = call_version(fn, 'pub', '2')
	assert second != tried
	assert sorted(os.listdir(fn.path('functions', 'pub', 'versions', '1', 'code'))) == ['main', 'part']
	assert fn.read('functions', 'pub', 'versions', '1', 'config', 'build') == DRAW + '\n'
	assert fn.call('pub').decode().strip() == second
	shutil.rmtree(fn.path('functions', 'pub', 'code'), ignore_errors=True)
	fn.stop()
	shutil.rmtree(os.path.join(fn.state, 'published'))
	fn.start()
	assert call_version(fn, 'pub', '1') == tried
	assert call_version(fn, 'pub', '2') == second
	assert status(fn, 'pub', 'versions', '1')[0]['state'] == 'ready'
	checked = fn.read('functions', 'pub', '.fsck')
	assert checked.splitlines()[-1].endswith(' 2 versions, 0 problems'), checked


def test_collection(fn):
	"""Without it: results of builds fill the disk, or what a version runs is swept with them."""
	fn.function('many', {'main+x': MAIN, 'part': '0'},
		build='head -c 20000 /dev/urandom > load; ' + DRAW)
	first = fn.call('many').decode().strip()
	os.mkdir(fn.path('functions', 'many', 'versions', '1'))
	assert call_version(fn, 'many', '1') == first
	for number in range(30):  # more than are kept, and a part of it that is worth the while
		save(fn, 'many', 'part', 'x%d' % number)
		last = fn.call('many')
		fn.step()
	until(lambda: 'collected garbage: ' in fn.stderr(), 60, 'garbage is collected')
	fn.stop()
	shutil.rmtree(os.path.join(fn.state, 'published'))
	fn.start()
	assert call_version(fn, 'many', '1') == first
	assert fn.call('many') == last  # it was not built again
	save(fn, 'many', 'part', 'x28')
	before_last = fn.call('many')
	save(fn, 'many', 'part', 'x29')
	assert fn.call('many') == last != before_last
	checked = fn.read('.fsck')
	assert checked.splitlines()[-1].endswith(' 0 problems'), checked


def test_removed(fn):
	"""Without it: a build goes on for a function that is gone."""
	mark = '4710.%d' % os.getpid()
	fn.function('gone', {'main+x': MAIN}, build='sleep %s' % mark)
	until(lambda: processes(mark), 60, 'it works')
	shutil.rmtree(fn.path('functions', 'gone'), ignore_errors=True)
	assert not os.path.exists(fn.path('functions', 'gone'))
	until(lambda: not processes(mark), 60, 'its processes are gone')
	until(lambda: not left(fn), 60, 'nothing is left')


def test_broken_version(fn):
	"""Without it: a version that cannot run would try again at every call, or look ready."""
	fn.function('bad', {'main.c': 'none\n'}, build='cc -o main main.c')
	os.mkdir(fn.path('functions', 'bad', 'versions', '1'))
	until(lambda: status(fn, 'bad', 'versions', '1')[0]['state'] == 'broken', 60, 'it is broken')
	assert 'BuildFailed' in status(fn, 'bad', 'versions', '1')[1]
	assert errno_of(call_version, fn, 'bad', '1') == 'ENOEXEC'
	until(lambda: status(fn, 'bad')[0]['state'] == 'broken', 60, 'it was tried ahead of calls, too')
	modified = os.stat(fn.path('functions', 'bad', 'logs', 'build')).st_mtime_ns
	fn.stop()
	fn.start()
	assert status(fn, 'bad', 'versions', '1')[0]['state'] == 'broken'
	assert errno_of(call_version, fn, 'bad', '1') == 'ENOEXEC'
	os.rmdir(fn.path('functions', 'bad', 'versions', '1'))
	assert os.stat(fn.path('functions', 'bad', 'logs', 'build')).st_mtime_ns == modified


def test_moving(fn):
	"""Without it: an exported function would lose its build, or not come back."""
	command = os.path.join(BUILD, 'tools', 'fnfs')
	fn.function('here', {'main.c': C % 'moved'}, build='cc -o main main.c')
	os.mkdir(fn.path('functions', 'here', 'versions', '1'))
	assert call_version(fn, 'here', '1') == 'moved'
	bundle = subprocess.run([command, 'export', 'here'], cwd=fn.directory, check=True,
		stdout=subprocess.PIPE).stdout
	subprocess.run([command, 'import', 'there'], cwd=fn.directory, check=True, input=bundle,
		stdout=subprocess.DEVNULL)
	assert call_version(fn, 'there', '1') == 'moved'


# --- interrupted ---------------------------------------------------------------------------------

def test_killed_daemon(fn):
	"""Without it: what a dead daemon began goes on by itself, or fills the disk for ever."""
	fn.function('cut', {'main+x': MAIN, 'part': 'one'}, build=DRAW)
	before = fn.call('cut')
	mark = '4711.%d' % os.getpid()
	fn.set('cut', 'build', 'echo begun; head -c 1000000 /dev/zero > big; sleep %s; true' % mark)
	until(lambda: processes(mark), 60, 'it works')
	fn.kill()
	until(lambda: not processes(mark), 60, 'its processes are gone')
	fn.start()
	fn.set('cut', 'build', DRAW)
	assert fn.call('cut') == before
	until(lambda: not left(fn), 60, 'nothing is left')


def test_killed_guardian(fn):
	"""Without it: a version is broken for good because of an accident that had nothing to do with it."""
	mark = '4709.%d' % os.getpid()
	fn.function('ward', {'main+x': MAIN}, build='sleep %s' % mark)
	until(lambda: processes(mark), 60, 'it works')
	errors = []
	waiting = threading.Thread(target=lambda: errors.append(errno_of(fn.call, 'ward')))
	waiting.start()
	until(lambda: status(fn, 'ward')[0]['waiting'] == '1', 60, 'somebody waits')
	guardian = [line.split()[1] for line in fn.read('status').splitlines() if line.startswith('guardian ')]
	os.kill(int(guardian[0]), signal.SIGKILL)
	waiting.join()
	assert errors == ['EIO'], errors
	until(lambda: not processes(mark), 60, 'its processes are gone')
	fn.set('ward', 'build', DRAW)
	assert fn.call('ward').strip()
	until(lambda: not left(fn), 60, 'nothing is left')


def test_killed_publish(fn):
	"""Without it: a version that was acknowledged would never become one that runs."""
	mark = '4712.%d' % os.getpid()
	fn.function('half', {'main+x': MAIN, 'wait': ''},
		build='[ -e wait ] && sleep %s; %s' % (mark, DRAW))
	os.mkdir(fn.path('functions', 'half', 'versions', '1'))
	until(lambda: processes(mark), 60, 'it works')
	assert status(fn, 'half', 'versions', '1')[0]['state'] == 'building'
	fn.kill()
	until(lambda: not processes(mark), 60, 'its processes are gone')
	fn.start()
	until(lambda: processes(mark), 60, 'it works again, though nobody calls')
	assert status(fn, 'half', 'versions', '1')[0]['state'] == 'building'
	os.rmdir(fn.path('functions', 'half', 'versions', '1'))
	os.unlink(fn.path('functions', 'half', 'code', 'wait'))
	assert fn.call('half').strip()
	until(lambda: not processes(mark), 60, 'nobody works on what was removed')
	until(lambda: not left(fn), 60, 'nothing is left')


def test_superseded(fn):
	"""Without it: who saves twice waits twice; or never, who saves and saves."""
	mark = '4713.%d' % os.getpid()
	fn.function('over', {'main+x': '#!/bin/sh\ncat /opt/function/code/part\n', 'part': 'one'},
		build='[ $(cat part) = one ] && sleep %s; true' % mark)
	until(lambda: processes(mark), 60, 'the first is at work')
	save(fn, 'over', 'part', 'two')  # nobody waits for the first
	assert fn.call('over') == b'two'
	assert not processes(mark)

	fn.set('over', 'build', 'sleep 0.5; true')
	save(fn, 'over', 'part', 'three')
	answers = []
	waiting = threading.Thread(target=lambda: answers.append(fn.call('over')))
	waiting.start()
	until(lambda: status(fn, 'over')[0].get('build') == 'running', 60, 'somebody waits')
	for number in range(20):  # calls that wait are not put off by what is saved meanwhile
		save(fn, 'over', 'part', 'later-%d' % number)
	assert fn.call('over') == b'later-19'
	waiting.join()
	assert answers[0] == b'three' or answers[0].startswith(b'later-'), answers


# --- up to no good -------------------------------------------------------------------------------

DEEP = 'import os\nfor i in range(3000):\n\tos.mkdir("d")\n\tos.chdir("d")\n'

WILD = {
	'forks': ':(){ :|: & }; :; sleep 1',
	'deaf': 'exec 0<&- 1>&- 2>&- 3>&- 4>&-; true',
	'parents': 'for i in 1 2 3 4 5 6 7 8; do setsid sleep %(mark)s & done; true',
	'flood': 'yes "a line that says nothing new" | head -c 30000000; echo the end',
	'things': 'mkfifo pipe; mkdir -p locked/inside; touch locked/inside/x; chmod 0 locked; '
		'python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\'sock\')"; '
		'ln -s /etc/shadow link; chmod 4755 main',
}


def test_wild(fn):
	"""Without it: one build takes the machine, or leaves something on it."""
	mark = '4714.%d' % os.getpid()
	for name, command in WILD.items():
		fn.function('wild-' + name, {'main+x': '#!/bin/sh\necho up\n'},
			build=command % {'mark': mark} if '%(' in command else command)
		try:
			assert fn.call('wild-' + name) == b'up\n', name
		except OSError as error:
			assert name == 'forks' and error.errno == errno.ENOEXEC, (name, error, error.body)
		assert not processes(mark)
		fn.step()
	text = log(fn, 'wild-flood')
	assert len(text) < 1200000 and ' bytes are left out here]\n' in text, len(text)
	assert 'the end\n[done after' in text
	assert os.stat(fn.path('functions', 'wild-flood', 'logs', 'build')).st_size == len(text.encode())
	until(lambda: not left(fn), 60, 'nothing is left')


def test_bounds():
	"""Without it: one build fills the disk, or never ends."""
	mark = '4715.%d' % os.getpid()
	bounds = {'FNFS_BUILD_SECONDS': '3', 'FNFS_BUILD_BYTES': str(48 << 20)}
	wild = {
		'time': ('sleep %s' % mark, 'ran longer than 3s'),
		'disk': ('i=0; while :; do i=$((i+1)); head -c 4000000 /dev/urandom > f$i; done', 'on the disk'),
		'kept': ('head -c 60000000 /dev/urandom > f', 'left more than 48M on the disk'),
		'deep': ('python3 deep.py', 'left directories deeper than'),
	}
	with Mounted(env=bounds) as fn:
		for name, (command, sentence) in wild.items():
			fn.function(name, {'main+x': '#!/bin/sh\n', 'deep.py': DEEP}, build=command)
			number, body = failure(fn, name)
			assert number == errno.ENOEXEC and sentence in body['errorMessage'], (name, body)
			assert not processes(mark)
		until(lambda: not left(fn), 60, 'nothing is left')


def main():
	parser = argparse.ArgumentParser()
	parser.add_argument('--rounds', type=int, default=150 if LONG else 12)
	parser.add_argument('--long', action='store_true')
	parser.add_argument('--only')
	options = parser.parse_args()
	if not shutil.which('cc') or not shutil.which('make'):
		print('cc or make is not installed')
		sys.exit(77)
	def run(test, *arguments):
		if not options.only or options.only in test.__name__:
			began = time.monotonic()
			test(*arguments)
			print('%s %.1f s' % (test.__name__, time.monotonic() - began), flush=True)

	with Mounted() as fn:
		run(test_rounds, fn, options.rounds)
		for test in (test_make, test_packages_of_npm, test_made_runtime, test_dependencies,
				test_sandbox, test_failing, test_ahead_of_calls, test_progress, test_cache,
				test_versions, test_collection, test_removed, test_broken_version, test_moving, test_killed_daemon,
				test_killed_guardian, test_killed_publish, test_superseded, test_wild):
			fn.step()
			run(test, fn)
	with Mounted(env={'FNFS_OVERLAY': 'no'}) as fn:  # dependencies are merged another way
		run(test_dependencies, fn)
	run(test_bounds)


main()
