#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A user would lose the value that was good, the function that worked, or the daemon, to one bad input;
or would not learn why it was refused. Row by row the table of bad inputs: the errno comes from the call
that brought the input, nothing changes, and `last_error` says why.

	bad_input_test.py [CASE...]
"""

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from mounted import Cases, Mounted, descendants, errno_of, write_file

GOOD = 'def handler(event, context):\n\treturn "good"\n'


def fails(mount, name, expected, event=b'{}'):
	"""A call that fails; its error body, parsed."""
	try:
		answer = mount.call(name, event)
	except OSError as trouble:
		found = errno.errorcode.get(trouble.errno)
		assert found in expected.split(), '%s, not %s: %r' % (found, expected, trouble.body)
		return json.loads(trouble.body) if trouble.body else {}
	raise AssertionError('the call succeeded: %r' % answer[:100])


def last_error(mount, *where):
	return mount.read(*where, 'last_error').strip()


def refused(mount, action, expected, says, *where):
	"""An action that is refused with this errno and a sentence that names `says`."""
	found = errno_of(action)
	assert found in expected.split(), '%s, not %s' % (found, expected)
	sentence = last_error(mount, *where)
	assert says in sentence, 'last_error says %r, nothing of %r' % (sentence, says)
	assert '\n' not in sentence


@contextlib.contextmanager
def still_alive(mount):
	"""The daemon is the same one afterwards, and works."""
	pid = mount.served_by()
	yield
	assert mount.served_by() == pid
	name = 'alive-%d' % time.monotonic_ns()
	mount.function(name, {'main+x': '#!/bin/sh\necho alive\n'})
	assert mount.call(name) == b'alive\n'
	shutil.rmtree(mount.path('functions', name))


# Names --------------------------------------------------------------------------------------------

def function_names(mount):
	before = sorted(os.listdir(mount.path('functions')))
	out_of_rule = [b'9a', b'-a', b'_a', b'a-', b'a_', b'a b', b'a.b', b'a:b', b'a' * 61, b'\xff\xfe', b'a\xc3',
		b'a\x01b', b'a\nb', b'a\x7fb', 'größe'.encode(), b'a*', b'a\\b', b'.a', b'a~', b'4913', b'.DS_Store']
	for name in out_of_rule:
		path = os.path.join(mount.path('functions').encode(), name)
		refused(mount, lambda: os.mkdir(path), 'EINVAL', 'name')
	refused(mount, lambda: os.mkdir(mount.path('functions', '..')), 'EEXIST EINVAL', '')
	for length in (256, 1025, 5000):
		path = mount.path('functions', 'a' * length)
		assert errno_of(os.mkdir, path) == 'ENAMETOOLONG', (length, errno_of(os.mkdir, path))
	mount.function('taken', {})
	refused(mount, lambda: os.mkdir(mount.path('functions', 'taken')), 'EEXIST', '')
	for name in out_of_rule:
		path = os.path.join(mount.path('functions').encode(), name)
		refused(mount, lambda: os.rename(mount.path('functions', 'taken').encode(), path), 'EINVAL', '')
	mount.function('other', {})
	assert errno_of(os.rename, mount.path('functions', 'taken'), mount.path('functions', 'other')) in (
		'EEXIST', 'ENOTEMPTY')
	assert sorted(os.listdir(mount.path('functions'))) == sorted(before + ['taken', 'other'])


def the_sentence_goes(mount):
	"""last_error belongs to the last change: the next one that succeeds empties it."""
	refused(mount, lambda: os.mkdir(mount.path('functions', '9x')), 'EINVAL', 'name')
	os.mkdir(mount.path('functions', 'fine'))
	assert last_error(mount) == ''
	refused(mount, lambda: mount.set('fine', 'timeout', 'abc'), 'EINVAL', 'timeout', 'functions', 'fine')
	assert mount.read('functions', 'fine', 'config', 'timeout')  # reading empties nothing
	assert 'abc' in last_error(mount, 'functions', 'fine')
	mount.set('fine', 'timeout', '4')
	assert last_error(mount, 'functions', 'fine') == ''


def things_that_cannot_be_made(mount):
	mount.function('fixed', {'index.py': GOOD})
	for path in (('x',), ('functions', 'fixed', 'x'), ('functions', 'fixed', 'config', 'x'),
			('functions', 'fixed', 'logs', 'x'), ('functions', 'fixed', 'instances', 'x')):
		found = errno_of(os.mkdir, mount.path(*path))
		assert found in ('EPERM', 'EACCES'), (path, found)
	found = errno_of(write_file, mount.path('functions', 'file'), 'x')
	assert found in ('EPERM', 'EACCES'), found
	for path in (('functions', 'fixed', 'status'), ('README',), ('functions', 'fixed', 'metrics', 'count')):
		assert errno_of(write_file, mount.path(*path), 'x') in ('EACCES', 'EPERM'), path


# Values -------------------------------------------------------------------------------------------

def values(mount):
	mount.function('values', {})
	rows = (
		('timeout', '99999999', 'ERANGE', '99999999'), ('timeout', '-1', 'ERANGE', '-1'),
		('timeout', 'abc', 'EINVAL', 'abc'), ('timeout', '0', 'ERANGE', '0'),
		('timeout', '9' * 400, 'ERANGE EINVAL', '9999'), ('timeout', ' ', 'EINVAL', 'timeout'),
		('timeout', '\t\n', 'EINVAL', 'timeout'), ('timeout', '\n', 'EINVAL', 'timeout'),
		('timeout', '3\n4', 'EINVAL', 'timeout'), ('timeout', '3s\0', 'EINVAL', 'timeout'),
		('timeout', '\0', 'EINVAL', 'timeout'), ('timeout', '\udcff\udcfe', 'EINVAL', 'timeout'),
		('memory', '1M', 'ERANGE', 'memory'), ('memory', '9999T', 'ERANGE', 'memory'),
		('cpu', '-1', 'ERANGE', 'cpu'), ('cpu', 'all', 'EINVAL', 'cpu'),
		('concurrency', '0', 'ERANGE', 'concurrency'), ('concurrency', '1001', 'ERANGE', 'concurrency'),
		('max_instances', '1001', 'ERANGE', 'max_instances'),
		('handler', '../x.y', 'EINVAL', 'handler'), ('handler', '/x.y', 'EINVAL', 'handler'),
		('handler', 'x.y\0', 'EINVAL', 'handler'), ('handler', '\0', 'EINVAL', 'handler'),
		('initializer', 'x', 'EINVAL', 'initializer'),
		('network', 'outside', 'EINVAL', 'network'), ('log_format', 'xml', 'EINVAL', 'log_format'),
		('log_retention', '30d', 'EINVAL', 'log_retention'), ('runtime', 'cobol', 'EINVAL', 'runtime'),
		('description', 'x' * 513, 'ERANGE EINVAL', 'description'),
		('description', 'a\x1b[1m', 'EINVAL', 'description'),
	)
	mount.set('values', 'handler', 'kept.handler')
	mount.set('values', 'timeout', '7s')
	for key, text, expected, says in rows:
		path = mount.path('functions', 'values', 'config', key)
		before = mount.read('functions', 'values', 'config', key)
		data = text.encode('utf-8', 'surrogateescape')
		for data in (data, data + b'\n'):
			try:
				refused(mount, lambda: write_file(path, data, os.O_WRONLY | os.O_TRUNC), expected, says,
					'functions', 'values')
			except AssertionError as error:
				raise AssertionError('%s %r: %s' % (key, data[:40], error)) from None
			assert mount.read('functions', 'values', 'config', key) == before, (key, data[:40])
	assert mount.read('functions', 'values', 'config', 'timeout') == '7s\n'


def large_values(mount):
	"""1 MB of zeros, of digits and of blanks, in one write and in many."""
	mount.function('large', {})
	for key in ('timeout', 'handler', 'description', 'log_retention', 'runtime'):
		path, before = mount.path('functions', 'large', 'config', key), mount.read('functions', 'large',
			'config', key)
		for data in (bytes(1 << 20), b'0' * (1 << 20), b' ' * (1 << 20), b'9' * (1 << 20)):
			found = errno_of(write_file, path, data, os.O_WRONLY | os.O_TRUNC)
			assert found in ('EINVAL', 'ERANGE', 'EFBIG', 'E2BIG'), (key, data[:1], found)
			assert mount.read('functions', 'large', 'config', key) == before
			assert key in last_error(mount, 'functions', 'large'), last_error(mount, 'functions', 'large')
		found = subprocess.run(['dd', 'if=/dev/zero', 'of=' + path, 'bs=1M', 'count=1', 'status=none'],
			stderr=subprocess.PIPE)
		assert found.returncode != 0
		assert mount.read('functions', 'large', 'config', key) == before


def values_written_strangely(mount):
	mount.function('strange', {})
	path = mount.path('functions', 'strange', 'config', 'timeout')
	fd = os.open(path, os.O_WRONLY)
	assert errno_of(os.pwrite, fd, b'5\n', 1) == 'EINVAL'
	assert os.write(fd, b'6\n') == 2
	assert errno_of(os.write, fd, b'7\n') == 'EINVAL'  # a second line, behind the first
	os.close(fd)
	assert mount.read('functions', 'strange', 'config', 'timeout') == '6s\n'
	fd = os.open(path, os.O_WRONLY | os.O_APPEND)
	assert errno_of(os.write, fd, b'5\n') == 'EINVAL'
	os.close(fd)
	os.truncate(path, 0)
	os.utime(path)
	os.close(os.open(path, os.O_WRONLY | os.O_TRUNC))
	assert mount.read('functions', 'strange', 'config', 'timeout') == '6s\n'


def variables(mount):
	mount.function('variables', {})
	folder = mount.path('functions', 'variables', 'config', 'env')
	for name in ('_HANDLER', 'RUNTIME_X', 'LAMBDA_TASK_ROOT', 'AWS_LAMBDA_RUNTIME_API'):
		refused(mount, lambda: write_file(os.path.join(folder, name), 'x\n'), 'EINVAL', name,
			'functions', 'variables')
	assert os.listdir(folder) == []
	write_file(os.path.join(folder, 'GOOD'), 'value\n')
	found = errno_of(write_file, os.path.join(folder, 'GOOD'), b'a\0b', os.O_WRONLY | os.O_TRUNC)
	assert found == 'EINVAL', found
	found = errno_of(write_file, os.path.join(folder, 'GOOD'), b'x' * (1 << 20), os.O_WRONLY | os.O_TRUNC)
	assert found in ('EFBIG', 'ERANGE', 'EINVAL'), found
	assert mount.read('functions', 'variables', 'config', 'env', 'GOOD') == 'value\n'
	assert os.listdir(folder) == ['GOOD']


# Code that does not load --------------------------------------------------------------------------

def does_not_load(mount, name, files, reason, **settings):
	mount.function(name, files, **settings)
	body = fails(mount, name, 'ENOEXEC')
	assert reason in json.dumps(body), body
	assert body.get('errorType') and body.get('errorMessage'), body
	status = mount.read('functions', name, 'status')
	assert 'broken' in status or 'empty' in status, status
	assert reason in status, status
	assert last_error(mount, 'functions', name), 'no sentence'


def code_that_does_not_load(mount):
	does_not_load(mount, 'no-code', {}, '')
	does_not_load(mount, 'no-module', {'other.py': GOOD}, 'index', runtime='python')
	does_not_load(mount, 'no-handler', {'index.py': 'x = 1\n'}, 'handler')
	does_not_load(mount, 'other-handler', {'index.py': GOOD}, 'missing', handler='index.missing')
	does_not_load(mount, 'syntax', {'index.py': 'def handler(:\n'}, 'SyntaxError')
	does_not_load(mount, 'raises', {'index.py': 'raise KeyError("at import")\n'}, 'at import')
	does_not_load(mount, 'exits', {'index.py': 'import os\nos._exit(3)\n'}, '')
	does_not_load(mount, 'js-syntax', {'index.js': 'exports.handler = ;\n'}, 'SyntaxError')
	does_not_load(mount, 'js-none', {'index.js': 'exports.other = 1;\n'}, 'handler')
	does_not_load(mount, 'not-executable', {'index.py': GOOD, 'run.sh': '#!/bin/sh\n'}, '',
		runtime='exec', handler='run.sh')
	does_not_load(mount, 'bad-initializer', {'index.py': GOOD}, 'nothing',
		initializer='index.nothing')


def import_that_hangs(mount):
	began = time.monotonic()
	does_not_load(mount, 'hangs', {'index.py': 'import time\ntime.sleep(600)\n'}, '',
		init_timeout='500ms')
	assert time.monotonic() - began < 30


def mended_code_runs(mount):
	does_not_load(mount, 'mended', {'index.py': 'def handler(:\n'}, 'SyntaxError')
	write_file(mount.path('functions', 'mended', 'code', 'index.py'), GOOD)
	assert mount.call('mended') == b'good'


# Handlers that misbehave --------------------------------------------------------------------------

HANDLERS = (
	('cycle', 'EREMOTEIO', '\ta = []\n\ta.append(a)\n\treturn a\n'),
	('seven-mib', 'EFBIG', '\treturn "x" * (7 << 20)\n'),
	('nan', 'EREMOTEIO', '\treturn {"x": float("nan")}\n'),
	('not-json', 'EREMOTEIO', '\treturn {"x": object()}\n'),
	('raises', 'EREMOTEIO', '\traise ValueError("on purpose")\n'),
	('raises-strangely', 'EREMOTEIO', '\traise SystemExit(7)\n'),
	('interrupts', 'EREMOTEIO', '\traise KeyboardInterrupt\n'),
	('recursion', 'EREMOTEIO', '\treturn handler(event, context)\n'),
	('dies', 'EREMOTEIO', '\timport os\n\tos._exit(1)\n'),
	('kills-itself', 'EREMOTEIO', '\timport os\n\tos.kill(os.getpid(), 9)\n'),
	('segfault', 'EREMOTEIO', '\timport ctypes\n\tctypes.string_at(0)\n'),
	('too-slow', 'ETIMEDOUT', '\timport time\n\ttime.sleep(600)\n'),
	('too-slow-loop', 'ETIMEDOUT', '\twhile True:\n\t\tpass\n'),
	('closes-all', 'EREMOTEIO EIO ETIMEDOUT', '\timport os\n\tos.closerange(0, 1 << 20)\n\treturn 1\n'),
	('garbage', 'EIO EREMOTEIO', '\timport os\n\tos.write(4, b"garbage, not a frame at all......")\n'
		'\timport time\n\ttime.sleep(600)\n'),
	('four-gib', 'EIO EREMOTEIO', '\timport os, struct, time\n'
		'\tos.write(4, struct.pack("<IBBHQ", 0xffffffff, 19, 0, 0, 1))\n\ttime.sleep(600)\n'),
	('unknown-call', 'EIO EREMOTEIO', '\timport os, struct, time\n'
		'\tos.write(4, struct.pack("<IBBHQ", 0, 19, 0, 0, 4711))\n\ttime.sleep(600)\n'),
	('too-much-memory', 'ENOMEM', '\tx = []\n\twhile True:\n\t\tx.append(bytearray(1 << 22))\n'),
)
FINE = (
	('bytes', b'\xff\x00\xfe', '\treturn b"\\xff\\x00\\xfe"\n'),
	('prints-binary', b'fine', '\timport os\n\tos.write(1, bytes(range(256)) * 300)\n\treturn "fine"\n'),
	('closes-output', b'fine', '\timport os\n\tos.close(1)\n\tos.close(2)\n\treturn "fine"\n'),
	('floods', b'fine', '\tfor _ in range(200000):\n\t\tprint("x" * 100)\n\treturn "fine"\n'),
	('forks', b'fine', '\timport os\n\tif os.fork() == 0:\n\t\timport time\n\t\tos.setsid()\n'
		'\t\ttime.sleep(600)\n\t\tos._exit(0)\n\treturn "fine"\n'),
	('one-line-of-a-megabyte', b'fine', '\tprint("x" * (1 << 20))\n\treturn "fine"\n'),
)


def misbehaving_code(body):
	"""Misbehaves when asked to; else answers."""
	inner = body.replace('\n\t', '\n\t\t').rstrip('\t')
	return 'def handler(event, context):\n\tif event.get("bad"):\n\t' + inner + '\treturn "good"\n'


def misbehaves(mount, name, body):
	mount.function(name, {'index.py': misbehaving_code(body)}, timeout='2', init_timeout='30',
		memory='64M' if 'memory' in name else '128M')
	assert mount.call(name) == b'good'


def handlers_that_misbehave(mount):
	"""An error of that call alone: the next one is answered."""
	trouble = []
	for name, expected, body in HANDLERS:
		name = 'bad-' + name
		try:
			misbehaves(mount, name, body)
			error = fails(mount, name, expected, b'{"bad": 1}')
			assert error.get('errorType'), error
			assert mount.call(name) == b'good'
		except Exception as reason:
			trouble.append('%s: %r' % (name, reason))
	assert not trouble, '\n'.join(trouble)


def handlers_that_are_only_strange(mount):
	trouble = []
	for name, expected, body in FINE:
		name = 'odd-' + name
		try:
			misbehaves(mount, name, body)
			mount.set(name, 'timeout', '20')
			for _ in range(2):
				answer = mount.call(name, b'{"bad": 1}')
				assert answer == expected, answer[:100]
			assert mount.call(name) == b'good'
		except Exception as reason:
			trouble.append('%s: %r' % (name, reason))
	assert not trouble, '\n'.join(trouble)


def children_do_not_stay(mount):
	"""What a handler left behind goes with its instance."""
	mount.function('leaves', {'main+x': '#!/bin/sh\nsleep 4711 > /dev/null 2>&1 &\necho left\n'})
	assert mount.call('leaves') == b'left\n'
	folder = mount.path('functions', 'leaves', 'instances')
	for instance in os.listdir(folder):
		with contextlib.suppress(FileNotFoundError):
			os.rmdir(os.path.join(folder, instance))
	end = time.monotonic() + 10
	while left := sleepers(mount):
		assert time.monotonic() < end, left
		time.sleep(0.05)


def sleepers(mount):
	found = []
	for pid in descendants(mount.process.pid):
		with contextlib.suppress(OSError), open('/proc/%d/cmdline' % pid, 'rb') as line:
			if b'4711' in line.read():
				found.append(pid)
	return found


def bad_events(mount):
	mount.function('json', {'index.py': 'calls = 0\ndef handler(event, context):\n\tglobal calls\n'
		'\tcalls += 1\n\treturn calls\n'})
	assert mount.call('json') == b'1'
	for event in (b'{', b'not json', b'{"a": }', b'\xff', b'\x00', b'{} {}', b'[1,]', b"{'a': 1}"):
		error = fails(mount, 'json', 'EBADMSG', event)
		assert error.get('errorMessage'), (event, error)
	assert mount.call('json', b' \n\t ') == b'2'  # none of them was called
	fd = os.open(mount.path('functions', 'json', 'invoke'), os.O_WRONLY)
	os.write(fd, b'{')
	assert errno_of(os.close, fd) == 'EBADMSG'


def large_events(mount):
	mount.function('size', {'main+x': '#!/bin/sh\nwc -c\n'})
	assert mount.call('size', b'"' + b'x' * ((6 << 20) - 2) + b'"').strip() == b'%d' % (6 << 20)
	fd = os.open(mount.path('functions', 'size', 'invoke'), os.O_RDWR)
	found = None
	for _ in range(7 * 16):
		found = found or errno_of(os.write, fd, b'x' * 65536)
	os.close(fd)
	assert found == 'EFBIG', found
	assert mount.call('size', b'1').strip() == b'1'


# A full disk --------------------------------------------------------------------------------------

def full_disk(mount):
	"""The writer is told; what runs goes on; what was there is there."""
	if os.geteuid() != 0:
		return
	folder = os.path.join(mount.base, 'small')
	os.mkdir(folder)
	subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=24m,mode=755', 'small', folder], check=True)
	try:
		with Mounted(state=os.path.join(folder, 'state')) as full:
			suffer_full_disk(full, os.path.join(folder, 'filler'))
	finally:
		subprocess.run(['umount', '-l', folder], check=True)


def fill(path):
	with open(path, 'ab', buffering=0) as file:
		with contextlib.suppress(OSError):
			while True:
				file.write(bytes(65536))
		with contextlib.suppress(OSError):
			while True:
				file.write(bytes(512))


def suffer_full_disk(full, filler):
	full.function('runs', {'main+x': '#!/bin/sh\ncat\n'})
	full.function('kept', {'index.py': GOOD, 'data': 'x' * 1000})
	full.set('kept', 'timeout', '44s')
	full.set('kept', 'description', '-1 from before')
	assert full.call('runs', b'"before"') == b'"before"'
	assert full.call('kept') == b'good'
	fill(filler)
	found = errno_of(write_file, full.path('functions', 'kept', 'code', 'new'), b'x' * (1 << 20))
	assert found == 'ENOSPC', found
	refusals, kept = 0, -1
	for number in range(300):  # the log of the store has room from before, for some
		found = errno_of(full.set, 'kept', 'description', ('%d ' % number) + 'd' * 500)
		assert found in (None, 'ENOSPC'), found
		if found:
			refusals += 1
		else:
			kept = number
	assert refusals, 'the disk was not full'
	assert full.read('functions', 'kept', 'config', 'description').split()[0] == '%d' % kept
	assert 'full' in last_error(full, 'functions', 'kept'), last_error(full, 'functions', 'kept')
	found = errno_of(os.mkdir, full.path('functions', 'more'))
	assert found == 'ENOSPC', found
	assert 'more' not in os.listdir(full.path('functions'))
	assert full.call('runs', b'"meanwhile"') == b'"meanwhile"'
	assert full.call('kept') == b'good'
	full.kill()
	with contextlib.suppress(OSError):
		os.truncate(filler, 4096)
	full.start()
	assert full.read('functions', 'kept', 'config', 'description').split()[0] == '%d' % kept
	assert full.read('functions', 'kept', 'config', 'timeout') == '44s\n'
	assert full.read('functions', 'kept', 'code', 'data') == 'x' * 1000
	assert full.call('kept') == b'good'
	assert full.call('runs', b'"after"') == b'"after"'
	write_file(full.path('functions', 'kept', 'code', 'new'), b'x' * (1 << 20))
	os.mkdir(full.path('functions', 'more'))


CASES = (function_names, the_sentence_goes, things_that_cannot_be_made, values, large_values,
	values_written_strangely, variables, code_that_does_not_load, import_that_hangs, mended_code_runs,
	handlers_that_misbehave, handlers_that_are_only_strange, children_do_not_stay, bad_events,
	large_events, full_disk)

if __name__ == '__main__':
	chosen = [word for word in sys.argv[1:] if not word.startswith('-')]
	cases = Cases()
	with Mounted() as mounted:
		for case in CASES:
			if not chosen or case.__name__ in chosen:
				with still_alive(mounted):
					cases.run(case, mounted)
	cases.end()
