#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may put calls into a queue, take them back and read what came of them; for several users.

Without this a user would lose: answers to whoever shares the machine, or a queue that everybody may write to.
Needs root, for it acts as three users.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
sys.path.insert(0, os.path.dirname(__file__))
from access_test import ALICE, BOB, as_user, mode, read, says  # noqa: E402
from mounted import Cases, Mounted, skip, write_file  # noqa: E402

ECHO = 'def handler(event, context):\n\treturn event\n'


def at(fn, *parts):
	return fn.path('functions', 'alices', *parts)


def bobs(fn, *parts):
	return fn.path('functions', 'bobs', *parts)


def wait_for(path):
	"""Writes the name into results/.wait and reads what came of it."""
	fd = os.open(os.path.join(os.path.dirname(path), '.wait'), os.O_RDWR)
	try:
		os.write(fd, os.path.basename(path).encode())
		while os.read(fd, 4096):
			pass
	finally:
		os.close(fd)


def append(path, text='{}\n'):
	write_file(path, text, os.O_WRONLY)


def set_up(fn):
	os.chmod(fn.path('functions'), 0o1777)
	for uid, place in (ALICE, at), (BOB, bobs):
		for action, arguments in ((os.mkdir, (place(fn),)), (write_file, (place(fn, 'code', 'index.py'), ECHO))):
			assert as_user(uid, action, *arguments) is None


def a_queue_is_its_owners(fn):
	"Others put nothing in, in no way, and move nothing."
	assert as_user(ALICE, write_file, at(fn, 'queue', 'a'), '{"a":1}') is None
	fn.until(lambda: os.path.exists(at(fn, 'results', 'a')))
	for action, name in ((lambda p: write_file(p, '{}'), 'queue/b'), (lambda p: write_file(p, '{}'), 'queue/.b'),
			(append, 'queue/.batch'), (os.unlink, 'results/a'), (lambda p: write_file(p, 'x'), 'results/a'),
			(lambda p: os.rename(p, at(fn, 'queue', 'a')), 'results/a')):
		assert as_user(BOB, action, at(fn, name)) in ('EACCES', 'EPERM'), name
	assert sorted(os.listdir(at(fn, 'queue')) + os.listdir(at(fn, 'results'))) == ['a']
	assert as_user(BOB, read, at(fn, 'results', 'a')) is None  # made 0644
	assert as_user(BOB, wait_for, at(fn, 'results', 'a')) is None


def an_answer_is_as_its_question(fn):
	"What is asked with a strict umask is answered for its asker alone; that it has ended, all who may list may know."
	def ask(path):
		os.umask(0o077)
		write_file(path, '{"secret":1}', mode=0o666)
	assert as_user(ALICE, ask, at(fn, 'queue', 'secret')) is None
	fn.until(lambda: os.path.exists(at(fn, 'results', 'secret')))
	assert mode(at(fn, 'results', 'secret')) & 0o077 == 0
	assert as_user(BOB, read, at(fn, 'results', 'secret')) == 'EACCES'
	assert as_user(BOB, wait_for, at(fn, 'results', 'secret')) is None
	assert as_user(ALICE, wait_for, at(fn, 'results', 'secret')) is None
	assert as_user(ALICE, os.chmod, at(fn, 'results'), 0o700) is None
	assert as_user(BOB, read, at(fn, 'results', 'a')) == 'EACCES'
	assert as_user(BOB, wait_for, at(fn, 'results', 'a')) == 'EACCES'
	assert as_user(ALICE, os.chmod, at(fn, 'results'), 0o755) is None


def a_queue_can_be_opened(fn):
	"chmod 1777 queue is a letter box: calls are their makers', who take back their own."
	assert as_user(ALICE, write_file, at(fn, 'config', 'max_instances'), '0\n', os.O_WRONLY) is None
	assert as_user(ALICE, os.chmod, at(fn, 'queue'), 0o1777) is None
	assert as_user(BOB, write_file, at(fn, 'queue', 'bobs'), '{"b":1}') is None
	assert as_user(BOB, append, at(fn, 'queue', '.batch'), '{"b":2}\n{"b":3}\n') is None
	assert as_user(ALICE, write_file, at(fn, 'queue', 'alices'), '{"a":2}') is None
	owners = [os.stat(at(fn, 'queue', name)).st_uid for name in os.listdir(at(fn, 'queue'))]
	assert sorted(owners) == [ALICE, BOB, BOB, BOB], owners
	assert as_user(BOB, os.unlink, at(fn, 'queue', 'alices')) in ('EACCES', 'EPERM')
	assert as_user(BOB, os.unlink, at(fn, 'queue', 'bobs')) is None
	assert as_user(ALICE, write_file, at(fn, 'config', 'max_instances'), '1\n', os.O_WRONLY) is None
	fn.until(lambda: os.path.exists(at(fn, 'results', 'alices')) and not os.listdir(at(fn, 'queue')))
	assert as_user(ALICE, os.chmod, at(fn, 'queue'), 0o755) is None


def destinations_need_the_right_to_call(fn):
	"A link to a queue or topic that one may not write to is refused, with a sentence."
	os.chmod(fn.path('topics'), 0o1777)
	assert as_user(ALICE, os.mkdir, fn.path('topics', 'alices')) is None
	for target in '../../alices/queue', '../../../topics/alices':
		assert as_user(BOB, os.symlink, target, bobs(fn, 'config', 'on_success')) == 'EACCES'
		assert as_user(BOB, says('not yours to write to'), bobs(fn, 'last_error')) is None
		assert as_user(ALICE, os.symlink, target, at(fn, 'config', 'on_failure')) is None
		assert as_user(BOB, os.unlink, at(fn, 'config', 'on_failure')) in ('EACCES', 'EPERM')
		assert as_user(ALICE, os.unlink, at(fn, 'config', 'on_failure')) is None
	assert as_user(ALICE, os.chmod, at(fn, 'queue'), 0o1777) is None
	assert as_user(ALICE, os.chmod, fn.path('topics', 'alices', 'publish'), 0o666) is None
	for target in '../../alices/queue', '../../../topics/alices':
		assert as_user(BOB, os.symlink, target, bobs(fn, 'config', 'on_success')) is None
		assert as_user(BOB, os.unlink, bobs(fn, 'config', 'on_success')) is None


def rights_survive(fn):
	"A daemon that was killed knows whose calls those are."
	fn.kill()
	fn.start()
	assert as_user(BOB, read, at(fn, 'results', 'secret')) == 'EACCES'
	assert os.stat(at(fn, 'results', 'secret')).st_uid == ALICE
	assert mode(at(fn, 'queue')) == 0o1777


def main():
	if os.geteuid() != 0:
		skip('acting as other users needs root')
	cases = Cases()
	with Mounted(options='allow_other') as fn:
		set_up(fn)
		for case in (a_queue_is_its_owners, an_answer_is_as_its_question, a_queue_can_be_opened,
				destinations_need_the_right_to_call, rights_survive):
			cases.run(case, fn)
	cases.end()


if __name__ == '__main__':
	main()
