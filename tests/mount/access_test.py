#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Access is file permissions, for several users, over restarts.

Without this a user would lose: secrets to whoever shares the machine, or the use of chmod and chgrp.
Needs root, for it acts as three users.
"""

import errno
import os
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from mounted import Cases, Mounted, errno_of, skip, write_file  # noqa: E402

ALICE, BOB, OPS = 61001, 61002, 61100
ECHO = 'def handler(event, context):\n\treturn event\n'


def as_user(uid, action, *arguments, groups=()):
	"""The name of the errno an action fails with as that user, or None; in a child."""
	reader, writer = os.pipe()
	pid = os.fork()
	if pid == 0:
		result = 'trouble'
		try:
			os.setgroups(list(groups))
			os.setgid(uid)
			os.setuid(uid)
			result = errno_of(action, *arguments) or ''
		except BaseException as trouble:
			result = repr(trouble)
		os.write(writer, result.encode())
		os._exit(0)
	os.close(writer)
	with os.fdopen(reader) as result:
		text = result.read()
	os.waitpid(pid, 0)
	assert text == '' or text in errno.errorcode.values(), text
	return text or None


def read(path):
	with open(path) as file:
		return file.read()


def says(expected):
	def check(path):
		assert expected in read(path) and (expected or not read(path)), read(path)
	return check


def mode(path):
	return stat.S_IMODE(os.stat(path).st_mode)


def call(path):
	fd = os.open(path, os.O_RDWR)
	os.write(fd, b'{"a": 1}')
	assert os.read(fd, 100) == b'{"a":1}'
	os.close(fd)


def alices(fn, *parts):
	return fn.path('functions', 'alices', *parts)


def set_up(fn):
	os.chmod(fn.path('functions'), 0o1777)
	assert as_user(ALICE, os.mkdir, alices(fn)) is None
	assert as_user(ALICE, write_file, alices(fn, 'code', 'index.py'), ECHO) is None


def a_thing_is_its_makers(fn):
	"Who makes a function owns it, and all that is in it."
	for name in ('', 'status', 'invoke', 'config', 'config/timeout', 'code', 'code/index.py', 'logs'):
		st = os.stat(alices(fn, name))
		assert (st.st_uid, st.st_gid) == (ALICE, ALICE), (name, st)
	assert as_user(ALICE, write_file, alices(fn, 'config', 'timeout'), '5s') is None
	assert as_user(ALICE, call, alices(fn, 'invoke')) is None


def others_look_and_do_not_touch(fn):
	"What others may is what the modes say."
	assert as_user(BOB, read, alices(fn, 'config', 'timeout')) is None
	for action, path in (
			(lambda p: write_file(p, '6s'), 'config/timeout'), (call, 'invoke'),
			(os.rmdir, ''), (os.unlink, 'status'), (lambda p: os.chmod(p, 0o777), 'invoke'),
			(lambda p: write_file(p, 'x'), 'config/env/KEY'),
			(lambda p: write_file(p, 'x'), 'config/.scratch')):
		assert as_user(BOB, action, alices(fn, path)) in ('EACCES', 'EPERM'), path
	assert read(alices(fn, 'config', 'timeout')) == '5s\n'


def the_sticky_bit_counts(fn):
	"In a functions/ that is open to all, nobody removes or renames another's."
	assert as_user(BOB, os.mkdir, fn.path('functions', 'bobs')) is None
	assert as_user(ALICE, os.rmdir, fn.path('functions', 'bobs')) in ('EACCES', 'EPERM')
	assert as_user(ALICE, os.rename, fn.path('functions', 'bobs'), fn.path('functions', 'mine')) in (
		'EACCES', 'EPERM')
	assert as_user(BOB, os.rmdir, fn.path('functions', 'bobs')) is None


def calls_can_be_opened(fn):
	"chmod 0222 invoke lets anyone call, and nobody read others' answers."
	assert as_user(ALICE, os.chmod, alices(fn, 'invoke'), 0o222) is None
	assert as_user(BOB, write_file, alices(fn, 'invoke'), '{}', os.O_WRONLY) is None
	assert as_user(BOB, read, alices(fn, 'invoke')) == 'EACCES'
	assert as_user(ALICE, os.chmod, alices(fn, 'invoke'), 0o666) is None
	assert as_user(BOB, call, alices(fn, 'invoke')) is None


def code_can_be_hidden(fn):
	"chmod 0700 code hides the source, and the function still runs."
	assert as_user(ALICE, os.chmod, alices(fn, 'code'), 0o700) is None
	assert as_user(BOB, os.listdir, alices(fn, 'code')) == 'EACCES'
	assert as_user(BOB, read, alices(fn, 'code', 'index.py')) == 'EACCES'
	assert as_user(BOB, call, alices(fn, 'invoke')) is None


def secrets_stay_secret(fn):
	"A variable made with a strict umask is strict."
	def make(path):
		os.umask(0o077)
		write_file(path, 'secret', mode=0o666)
	assert as_user(ALICE, make, alices(fn, 'config', 'env', 'TOKEN')) is None
	assert mode(alices(fn, 'config', 'env', 'TOKEN')) == 0o600
	assert as_user(BOB, read, alices(fn, 'config', 'env', 'TOKEN')) == 'EACCES'


def a_group_ships(fn):
	"chgrp and chmod g+w say who may change a value."
	path = alices(fn, 'config', 'memory')
	os.chown(path, -1, OPS)
	os.chmod(path, 0o664)
	assert as_user(BOB, write_file, path, '256M') == 'EACCES'
	assert as_user(BOB, write_file, path, '256M', groups=[OPS]) is None
	assert read(path) == '256M\n'


def errors_are_ones_own(fn):
	"last_error tells each user of their own last refusal, and goes with their own next success."
	errors = alices(fn, 'last_error')
	assert as_user(ALICE, write_file, alices(fn, 'config', 'timeout'), 'never') == 'EINVAL'
	assert as_user(ALICE, says('never'), errors) is None
	assert as_user(ALICE, says('alices/config/timeout: '), fn.path('last_error')) is None
	assert as_user(BOB, says(''), errors) is None
	assert as_user(BOB, call, alices(fn, 'invoke')) is None
	assert as_user(ALICE, says('never'), errors) is None
	assert as_user(ALICE, write_file, alices(fn, 'config', 'timeout'), '7s') is None
	assert as_user(ALICE, says(''), errors) is None
	assert as_user(ALICE, says(''), fn.path('last_error')) is None


def the_hosts_network_is_not_for_all(fn):
	"Only root and the mount's owner give a function the host's network."
	path = alices(fn, 'config', 'network')
	assert as_user(ALICE, write_file, path, 'host') == 'EPERM'
	assert as_user(ALICE, says('only root'), alices(fn, 'last_error')) is None
	write_file(path, 'host')
	assert as_user(ALICE, write_file, path, 'none') is None


def facts_are_not_even_roots_to_write(fn):
	"Mode 0444 means it, for root too."
	assert errno_of(write_file, alices(fn, 'status'), 'x', os.O_WRONLY) == 'EACCES'
	assert read(alices(fn, 'status')).startswith('state')


def giving_a_function_away(fn):
	"chown of a function makes all of it another's at once, whatever the kernel remembered."
	os.mkdir(fn.path('functions', 'given'))
	invoke = fn.path('functions', 'given', 'invoke')
	write_file(fn.path('functions', 'given', 'code', 'index.py'), ECHO)
	assert as_user(BOB, call, invoke) == 'EACCES'
	assert os.stat(invoke).st_uid == 0
	os.chown(fn.path('functions', 'given'), BOB, BOB)
	for _ in range(100):
		if os.stat(invoke).st_uid == BOB:
			break
	assert as_user(BOB, write_file, fn.path('functions', 'given', 'config', 'timeout'), '9s') is None
	assert os.stat(invoke).st_uid == BOB
	assert as_user(BOB, call, invoke) is None


def set_id_bits_are_the_owners(fn):
	"chown(2) of nothing, by somebody who may not write, takes no set-id bits; the owner's does, and a write."
	path = fn.path('functions', 'given', 'code', 'tool')
	write_file(path, '#!/bin/sh\n')
	os.chown(path, ALICE, ALICE)
	for mode in 0o6755, 0o4755, 0o2755:
		os.chmod(path, mode)
		as_user(BOB, os.chown, path, -1, -1)
		assert stat.S_IMODE(os.stat(path).st_mode) == mode, oct(os.stat(path).st_mode)
	os.chmod(path, 0o6757)
	assert as_user(BOB, write_file, path, '#!/bin/sh\ntrue\n') is None
	assert stat.S_IMODE(os.stat(path).st_mode) == 0o757, oct(os.stat(path).st_mode)


def what_goes_with_the_daemon_is_fixed(fn):
	"chmod of an instance would be forgotten, and says so."
	as_user(ALICE, call, alices(fn, 'invoke'))
	instances = alices(fn, 'instances')
	one = os.path.join(instances, os.listdir(instances)[0])
	assert errno_of(os.chmod, one, 0o700) == 'EPERM'


def all_of_it_survives(fn):
	"Owner, group and mode are the same after a restart; those of removed things are gone."
	paths = ['functions', 'functions/alices', 'functions/alices/invoke', 'functions/alices/code',
		'functions/alices/config/memory', 'functions/alices/config/env/TOKEN', 'functions/given',
		'functions/given/invoke', 'functions/given/code/index.py']
	before = [(os.stat(fn.path(p)).st_mode, os.stat(fn.path(p)).st_uid, os.stat(fn.path(p)).st_gid)
		for p in paths]
	assert fn.stop() == 0
	fn.start()
	after = [(os.stat(fn.path(p)).st_mode, os.stat(fn.path(p)).st_uid, os.stat(fn.path(p)).st_gid)
		for p in paths]
	assert before == after, list(zip(paths, before, after))
	assert as_user(BOB, call, alices(fn, 'invoke')) is None
	os.unlink(alices(fn, 'config', 'env', 'TOKEN'))
	write_file(alices(fn, 'config', 'env', 'TOKEN'), 'new')
	assert mode(alices(fn, 'config', 'env', 'TOKEN')) == 0o644


CASES = (a_thing_is_its_makers, others_look_and_do_not_touch, the_sticky_bit_counts,
	calls_can_be_opened, code_can_be_hidden, secrets_stay_secret, a_group_ships, errors_are_ones_own,
	the_hosts_network_is_not_for_all, facts_are_not_even_roots_to_write, giving_a_function_away,
	set_id_bits_are_the_owners, what_goes_with_the_daemon_is_fixed, all_of_it_survives)

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
