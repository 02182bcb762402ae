#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may publish, ship, call and read what was published, as permissions say; for several users.

Without this a user would lose: secrets through a version that were hidden in the code, or the use of telling
who ships from who calls. Needs root, for it acts as three users.
"""

import os
import shutil
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
sys.path.insert(0, os.path.dirname(__file__))
from access_test import ALICE, BOB, OPS, as_user, call, mode, read  # noqa: E402
from mounted import Cases, Mounted, remove, skip, write_file  # noqa: E402

ECHO = 'def handler(event, context):\n\treturn event\n'


def at(fn, *parts):
	return fn.path('functions', 'alices', *parts)


def set_up(fn):
	os.chmod(fn.path('functions'), 0o1777)
	for action, arguments in ((os.mkdir, (at(fn),)), (write_file, (at(fn, 'code', 'index.py'), ECHO)),
			(os.mkdir, (at(fn, 'versions', '1'),)), (os.mkdir, (at(fn, 'aliases', 'prod'),))):
		assert as_user(ALICE, action, *arguments) is None


def they_are_their_functions(fn):
	"Versions and aliases belong to whoever the function belongs to; others look, and change nothing."
	for name in ('versions/1', 'versions/1/invoke', 'versions/1/config/timeout', 'versions/1/code',
			'versions/1/code/index.py', 'aliases/prod', 'aliases/prod/routes'):
		st = os.stat(at(fn, name))
		assert (st.st_uid, st.st_gid) == (ALICE, ALICE), (name, st)
	assert as_user(ALICE, call, at(fn, 'versions/1/invoke')) is None
	assert as_user(ALICE, call, at(fn, 'aliases/prod/invoke')) is None
	for action, name in ((os.mkdir, 'versions/2'), (os.mkdir, 'aliases/bobs'), (os.rmdir, 'versions/1'),
			(os.rmdir, 'aliases/prod'), (call, 'versions/1/invoke'), (call, 'aliases/prod/invoke'),
			(lambda p: write_file(p, '1\n'), 'aliases/prod/routes'), (os.unlink, 'versions/1/status'),
			(lambda p: write_file(p, '1'), 'versions/1/config/min_instances'),
			(lambda p: os.rename(p, p + 'x'), 'aliases/prod'), (lambda p: write_file(p, 'x'), 'aliases/prod/.x'),
			(os.unlink, 'versions/1/code/index.py'), (lambda p: os.chmod(p, 0o777), 'aliases/prod/invoke')):
		assert as_user(BOB, action, at(fn, name)) in ('EACCES', 'EPERM', 'EROFS'), name
	assert as_user(BOB, read, at(fn, 'aliases/prod/routes')) is None
	assert as_user(ALICE, write_file, at(fn, 'versions/1/config/timeout'), '9s', os.O_WRONLY) == 'EACCES'


def a_caller(fn):
	"Who may only call an alias calls it, and sees neither code nor answers of others."
	assert as_user(ALICE, os.chmod, at(fn, 'aliases/prod/invoke'), 0o622) is None
	assert as_user(BOB, write_file, at(fn, 'aliases/prod/invoke'), '{"a":1}', os.O_WRONLY) is None
	assert as_user(BOB, call, at(fn, 'aliases/prod/invoke')) == 'EACCES'  # that would be reading
	assert as_user(BOB, read, at(fn, 'aliases/prod/invoke')) == 'EACCES'
	assert as_user(BOB, call, at(fn, 'invoke')) == 'EACCES'
	assert as_user(BOB, call, at(fn, 'versions/1/invoke')) == 'EACCES'
	assert as_user(BOB, write_file, at(fn, 'aliases/prod/routes'), '1\n') == 'EACCES'
	assert as_user(ALICE, os.chmod, at(fn, 'aliases/prod/invoke'), 0o626) is None
	assert as_user(BOB, call, at(fn, 'aliases/prod/invoke')) is None
	assert as_user(ALICE, os.chmod, at(fn, 'versions'), 0o700) is None
	assert as_user(BOB, call, at(fn, 'aliases/prod/invoke')) is None
	assert as_user(BOB, os.listdir, at(fn, 'versions')) == 'EACCES'
	assert as_user(BOB, read, at(fn, 'versions/1/status')) == 'EACCES'
	assert as_user(ALICE, os.chmod, at(fn, 'versions'), 0o755) is None


def a_shipper(fn):
	"A group that may write routes ships, and can do nothing else."
	routes = at(fn, 'aliases/prod/routes')
	assert as_user(ALICE, os.mkdir, at(fn, 'versions/2')) is None
	os.chown(routes, -1, OPS)
	os.chmod(routes, 0o664)
	assert as_user(BOB, write_file, routes, '2\n') == 'EACCES'
	assert as_user(BOB, write_file, routes, '1 50\n2 50\n', groups=[OPS]) is None
	assert read(routes) == '1 50\n2 50\n'
	assert as_user(BOB, write_file, routes, '3\n', groups=[OPS]) == 'EINVAL'
	for action, name in ((os.mkdir, 'versions/3'), (os.rmdir, 'aliases/prod'), (os.mkdir, 'aliases/x'),
			(lambda p: write_file(p, 'x'), 'aliases/prod/description'),
			(lambda p: write_file(p, 'x'), 'code/index.py'), (call, 'invoke')):
		assert as_user(BOB, action, at(fn, name), groups=[OPS]) == 'EACCES', name
	assert as_user(ALICE, write_file, routes, '1\n') is None
	assert as_user(ALICE, os.rmdir, at(fn, 'versions/2')) is None


def a_publisher(fn):
	"A group that may write to versions/ publishes; the version is the function's."
	folder = at(fn, 'versions')
	os.chown(folder, -1, OPS)
	os.chmod(folder, 0o775)
	assert as_user(BOB, os.mkdir, folder + '/by-bob') == 'EACCES'
	assert as_user(BOB, os.mkdir, folder + '/by-bob', groups=[OPS]) is None
	assert os.stat(folder + '/by-bob').st_uid == ALICE
	assert as_user(BOB, os.rmdir, folder + '/by-bob', groups=[OPS]) is None
	os.chmod(folder, 0o755)


def hidden_code(fn):
	"What is closed in code/ is closed in a version of it, and it runs all the same."
	code = at(fn, 'code')
	assert as_user(ALICE, write_file, code + '/key', 'secret') is None
	assert as_user(ALICE, os.chmod, code + '/key', 0o600) is None
	assert as_user(ALICE, os.mkdir, at(fn, 'versions/open')) is None
	assert as_user(BOB, read, at(fn, 'versions/open/code/index.py')) is None
	assert as_user(BOB, read, at(fn, 'versions/open/code/key')) == 'EACCES'
	assert as_user(ALICE, os.chmod, code, 0o700) is None
	assert as_user(ALICE, os.mkdir, at(fn, 'versions/closed')) is None
	for action, name in ((os.listdir, ''), (read, '/index.py'), (os.stat, '/index.py'), (os.stat, '/nothing')):
		assert as_user(BOB, action, at(fn, 'versions/closed/code') + name) == 'EACCES', name
		assert as_user(ALICE, action, at(fn, 'versions/closed/code') + name) in (None, 'ENOENT')
	assert as_user(ALICE, os.chmod, at(fn, 'versions/closed/code'), 0o755) == 'EROFS'
	assert as_user(ALICE, os.chmod, at(fn, 'versions/closed/invoke'), 0o666) is None
	assert as_user(BOB, call, at(fn, 'versions/closed/invoke')) is None
	# nor by a descriptor of a link, or a name of somebody else's
	assert as_user(BOB, os.link, at(fn, 'versions/open/code/key'), fn.path('functions', 'key')) is not None
	assert as_user(ALICE, os.chmod, code, 0o755) is None


def hidden_variables(fn):
	"A variable that only its owner reads is so in every version, also when a removal stopped half-way."
	config = at(fn, 'config')
	assert as_user(ALICE, write_file, config + '/env/TOKEN', 'secret') is None
	assert as_user(ALICE, write_file, config + '/env/PLAIN', 'open') is None
	assert as_user(ALICE, os.chmod, config + '/env/TOKEN', 0o600) is None
	assert as_user(ALICE, os.mkdir, at(fn, 'versions/env')) is None
	there = at(fn, 'versions/env/config')
	assert mode(there + '/env/TOKEN') == 0o400
	assert as_user(BOB, read, there + '/env/TOKEN') == 'EACCES'
	assert as_user(BOB, read, there + '/env/PLAIN') is None
	assert as_user(ALICE, os.unlink, there + '/env/TOKEN') is None
	assert as_user(BOB, read, there + '/env/TOKEN') == 'EACCES'
	assert as_user(ALICE, os.chmod, config + '/env', 0o700) is None
	assert as_user(ALICE, os.chmod, config + '/description', 0o600) is None
	assert as_user(ALICE, os.mkdir, at(fn, 'versions/env2')) is None
	assert as_user(BOB, os.listdir, at(fn, 'versions/env2/config/env')) == 'EACCES'
	assert as_user(BOB, read, at(fn, 'versions/env2/config/description')) == 'EACCES'
	assert as_user(ALICE, write_file, at(fn, 'versions/env2/config/description'), 'x') is None
	assert as_user(ALICE, os.chmod, config, 0o700) is None
	assert as_user(ALICE, os.mkdir, at(fn, 'versions/env3')) is None
	assert as_user(BOB, os.listdir, at(fn, 'versions/env3/config')) == 'EACCES'
	assert as_user(ALICE, os.chmod, config, 0o755) is None


def files_of_others(fn):
	"Files in the code keep their owners in a version; what their owner closed is closed to the function's owner."
	path = at(fn, 'code', 'bobs')
	write_file(path, 'of bob')
	os.chown(path, BOB, BOB)
	os.chmod(path, 0o640)
	assert as_user(ALICE, os.mkdir, at(fn, 'versions/mixed')) is None
	st = os.stat(at(fn, 'versions/mixed/code/bobs'))
	assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (BOB, BOB, 0o640)
	assert as_user(BOB, read, at(fn, 'versions/mixed/code/bobs')) is None
	assert as_user(ALICE, read, at(fn, 'versions/mixed/code/bobs')) == 'EACCES'
	os.unlink(path)


def all_of_it_survives(fn):
	"The same after a restart."
	paths = [at(fn, p) for p in ('aliases/prod/routes', 'aliases/prod/invoke', 'versions/closed/code',
		'versions/closed/invoke', 'versions/env/config/env/TOKEN', 'versions/env2/config/env',
		'versions/env3/config', 'versions/mixed/code/bobs')]
	seen = [[(st.st_mode, st.st_uid, st.st_gid) for st in map(os.stat, paths)]]
	assert fn.stop() == 0
	fn.start()
	seen.append([(st.st_mode, st.st_uid, st.st_gid) for st in map(os.stat, paths)])
	assert seen[0] == seen[1], list(zip(paths, *seen))
	assert as_user(BOB, write_file, paths[0], '1 1\n', groups=[OPS]) is None
	assert as_user(BOB, read, paths[4]) == 'EACCES'


def given_away(fn):
	"chown of a function makes its versions and aliases another's at once, whatever the kernel remembered."
	assert as_user(ALICE, os.mkdir, at(fn, 'aliases/other')) is None
	names = ('versions/1', 'versions/1/invoke', 'aliases/other', 'aliases/other/invoke',
		'aliases/other/metrics/' + read(at(fn, 'aliases/other/routes')).split()[0], 'versions/1/config')
	for name in names:
		assert os.stat(at(fn, name)).st_uid == ALICE, name
	os.chown(at(fn), BOB, BOB)
	for _ in range(1000):
		if os.stat(at(fn, names[-1])).st_uid == BOB:
			break
	assert [os.stat(at(fn, name)).st_uid for name in names] == [BOB] * len(names)
	assert as_user(BOB, call, at(fn, 'versions/1/invoke')) is None
	assert as_user(ALICE, call, at(fn, 'versions/1/invoke')) == 'EACCES'
	assert as_user(BOB, write_file, at(fn, 'aliases/other/routes'), '1\n') is None
	os.chown(at(fn), ALICE, ALICE)
	for _ in range(1000):
		if os.stat(at(fn, names[-1])).st_uid == ALICE:
			break


def removal(fn):
	"The owner removes all of it at once; others nothing."
	assert as_user(BOB, shutil.rmtree, at(fn)) == 'EACCES'
	assert as_user(BOB, call, at(fn, 'aliases/prod/invoke')) is None
	assert as_user(ALICE, remove, at(fn)) is None
	assert not os.path.exists(at(fn))


CASES = (they_are_their_functions, a_caller, a_shipper, a_publisher, hidden_code, hidden_variables,
	files_of_others, all_of_it_survives, given_away, removal)

if __name__ == '__main__':
	if os.getuid() != 0:
		skip('only root can be several users')
	chosen = [word for word in sys.argv[1:] if not word.startswith('-')]
	cases = Cases()
	with Mounted(options='allow_other') as mounted:
		set_up(mounted)
		for case in CASES:
			if not chosen or case.__name__ in chosen:
				cases.run(case, mounted)
	cases.end()
