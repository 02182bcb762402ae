#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A line of text moves traffic, exactly, and no call is lost while it moves.

Without this a user would lose: calls during a roll-out, or the belief that a tenth is a tenth.

	aliases_test.py [CASE...] [--long]
"""

import collections
import json
import mmap
import os
import shutil
import stat
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from mounted import LONG, Cases, Mounted, errno_of, remove, until, write_file  # noqa: E402

NAMES = 'def handler(event, context):\n\treturn context.getVersion()\n'
SLOW = 'import time\ndef handler(event, context):\n\ttime.sleep(event.get("sleep", 0))\n\treturn context.getVersion()\n'


def read(*parts):
	with open(os.path.join(*parts)) as file:
		return file.read()


def value(path, key):
	for line in read(path).splitlines():
		if line.startswith(key + ' '):
			return line[len(key) + 1:]
	return None


def call(path, event=None):
	fd = os.open(os.path.join(path, 'invoke'), os.O_RDWR)
	try:
		os.write(fd, json.dumps(event or {}).encode())
		body = b''
		while piece := os.read(fd, 1 << 16):
			body += piece
		return body.decode()
	finally:
		os.close(fd)


def shipped(fn, *versions, code=NAMES):
	"""A function with these versions; its alias prod goes to the last."""
	path = fn.function('f', {'index.py': code})
	for version in versions:
		os.mkdir(path + '/versions/' + version)
	if versions:
		os.mkdir(path + '/aliases/prod')
	return path, path + '/aliases/prod'


def route(alias, text):
	write_file(alias + '/routes', text)


def count(alias, times, event=None):
	return collections.Counter(call(alias, event) for _ in range(times))


def running(path):
	found = set()
	for instance in os.listdir(path + '/instances'):
		try:
			found.add(read(path, 'instances', instance, 'version').strip())
		except FileNotFoundError:
			pass  # it has just ended
	return found


# --- making ---------------------------------------------------------------------------------------


def made_for_the_newest(fn):
	"mkdir makes an alias for the newest version; without one there is nothing to stand for."
	path = fn.function('f', {'index.py': NAMES})
	assert errno_of(os.mkdir, path + '/aliases/prod') == 'ENOENT'
	assert 'publish one first' in read(path, 'last_error')
	os.mkdir(path + '/versions/1')
	os.mkdir(path + '/versions/0.9')  # newest is what was published last
	os.mkdir(path + '/aliases/prod')
	alias = path + '/aliases/prod'
	assert sorted(os.listdir(alias)) == ['description', 'failed', 'invoke', 'metrics', 'previous', 'queue', 'results', 'routes',
		'running', 'status']
	assert read(alias, 'routes') == '0.9 100\n' and read(alias, 'previous') == ''
	assert value(alias + '/status', 'routes_generation') == '1'
	assert call(alias) == '0.9'
	assert value(path + '/calls/last/status', 'alias') == 'prod'
	assert value(path + '/calls/last/status', 'version') == '0.9'
	assert value(path + '/calls/last/status', 'routes_generation') == '1'
	os.mkdir(path + '/versions/2')
	assert call(alias) == '0.9'  # it moves when it is told to
	assert errno_of(os.mkdir, alias) == 'EEXIST'
	remove(path)


def names(fn):
	"Names by the rule of functions; rename and remove as mkdir made it."
	path, alias = shipped(fn, '1')
	for name in ('1', '-a', 'a-', 'a.b', 'ü', 'x' * 64, '.x'):
		assert errno_of(os.mkdir, path + '/aliases/' + name) == 'EINVAL', name
		assert read(path, 'last_error')
	write_file(alias + '/description', 'what all use')
	call(alias)
	os.chmod(alias + '/invoke', 0o606)
	number = os.stat(alias).st_ino
	os.rename(alias, path + '/aliases/live')
	assert os.listdir(path + '/aliases') == ['live']
	live = path + '/aliases/live'
	assert os.stat(live).st_ino == number and stat.S_IMODE(os.stat(live + '/invoke').st_mode) == 0o606
	assert read(live, 'description') == 'what all use\n' and read(live, 'metrics', 'count') == '1\n'
	assert call(live) == '1' and value(path + '/calls/last/status', 'alias') == 'live'
	os.mkdir(path + '/aliases/other')
	assert errno_of(os.rename, live, path + '/aliases/other') in ('EEXIST', 'ENOTEMPTY')
	assert errno_of(os.rename, live, path + '/aliases/1') == 'EINVAL'
	assert errno_of(os.rename, live, path + '/versions/2') == 'EXDEV'
	shutil.rmtree(path + '/aliases/other')
	os.mkdir(path + '/aliases/prod')  # the old name is free
	subprocess.run(['rm', '-rf', live], check=True)
	os.rmdir(alias)
	assert os.listdir(path + '/aliases') == []
	os.rmdir(path + '/versions/1')
	remove(path)


def removed_while_called(fn):
	"An alias can be removed at any time: calls under way end well, later ones on an open file are ENOENT."
	path, alias = shipped(fn, '1', code=SLOW)
	fd = os.open(alias + '/invoke', os.O_RDWR)
	os.write(fd, b'{"sleep": 1}')
	answer = []
	thread = threading.Thread(target=lambda: answer.append(os.read(fd, 10)))
	thread.start()
	until(lambda: read(alias, 'metrics', 'concurrency') == '1\n')
	assert read(alias, 'metrics', '1', 'concurrency') == '1\n'
	os.rmdir(alias)
	thread.join()
	assert answer == [b'1']
	os.write(fd, b'{}')
	assert errno_of(os.read, fd, 10) == 'ENOENT'
	os.close(fd)
	os.mkdir(alias)  # a new one of that name begins anew
	assert read(alias, 'metrics', 'count') == '0\n' and os.listdir(alias + '/metrics').count('1') == 1
	assert read(alias, 'metrics', '1', 'count') == '0\n'
	remove(path)


# --- routes ---------------------------------------------------------------------------------------


def one_line(fn):
	"echo VERSION > routes moves all; previous brings it back."
	path, alias = shipped(fn, '1', '2')
	subprocess.run('echo 1 > routes', shell=True, check=True, cwd=alias)
	assert read(alias, 'routes') == '1 100\n' and read(alias, 'previous') == '2 100\n'
	assert count(alias, 5) == {'1': 5}
	subprocess.run('cat previous > routes', shell=True, check=True, cwd=alias)
	assert read(alias, 'routes') == '2 100\n' and read(alias, 'previous') == '1 100\n'
	assert count(alias, 5) == {'2': 5}
	generation = value(alias + '/status', 'routes_generation')
	route(alias, '2 1\n')  # the same in other words is no change
	assert value(alias + '/status', 'routes_generation') == generation == '3'
	assert read(alias, 'previous') == '1 100\n'
	remove(path)


def weights(fn):
	"Shares are exact over time, in every order of callers, and shown as parts of 100."
	path, alias = shipped(fn, '1', '2', '3')
	subprocess.run(r"printf '1 90\n2 10\n' > routes", shell=True, check=True, cwd=alias)
	assert read(alias, 'routes') == '1 90\n2 10\n'
	for _ in range(5):
		assert count(alias, 10) == {'1': 9, '2': 1}
	route(alias, '1 1\n2 1\n3 2\n')
	assert read(alias, 'routes') == '1 25\n2 25\n3 50\n'
	assert count(alias, 20) == {'1': 5, '2': 5, '3': 10}
	route(alias, '1 1\n2 1\n3 1\n')
	assert count(alias, 30) == {'1': 10, '2': 10, '3': 10}
	text = read(alias, 'routes')
	route(alias, text)
	assert read(alias, 'routes') == text
	route(alias, '1 0.5\n2 99.5\n')
	assert count(alias, 200) == {'1': 1, '2': 199}
	with open(alias + '/routes', 'a') as routes:
		routes.write('3 100\n')
	assert count(alias, 20)['3'] == 10
	remove(path)


def latest_in_routes(fn):
	"`latest` may be named: a part of the traffic sees what is saved now."
	path, alias = shipped(fn, '1')
	route(alias, '1 50\nlatest 50\n')
	assert count(alias, 10) == {'1': 5, 'latest': 5}
	write_file(path + '/code/index.py', 'def handler(event, context):\n\treturn "newer"\n')
	assert count(alias, 10) == {'1': 5, 'newer': 5}
	assert sorted(n for n in os.listdir(alias + '/metrics') if n[0] in '1l') == ['1', 'latest']
	assert read(alias, 'metrics', 'latest', 'count') == '10\n'
	route(alias, 'latest')
	os.rmdir(path + '/versions/1')
	assert count(alias, 3) == {'newer': 3}
	remove(path)


def rules(fn):
	"Rules are looked at first, from the top; what they take does not count in the shares."
	path, alias = shipped(fn, '1', '2', '3')
	route(alias, '3 if header X-User = beta\n2 if field customer.plan in gold,platinum and field n = 3\n'
		'1 90\n2 10\n')
	assert read(alias, 'routes').splitlines()[0] == '3 if header x-user = beta' or 'X-User' in read(alias, 'routes')
	beta = {'headers': {'x-USER': 'beta'}}
	gold = {'customer': {'plan': 'gold'}, 'n': 3}
	for _ in range(3):
		assert call(alias, beta) == '3' and call(alias, gold) == '2'
		assert call(alias, dict(gold, **beta)) == '3'
	assert count(alias, 10, {'customer': {'plan': 'gold'}, 'n': 4}) == {'1': 9, '2': 1}
	assert count(alias, 10, {'headers': {'x-user': 'betamax'}}) == {'1': 9, '2': 1}
	route(alias, '3 if field a = "x, y" or header h in a,b\n1\n')
	assert call(alias, {'a': 'x, y'}) == '3' and call(alias, {'headers': {'H': 'b'}}) == '3'
	assert call(alias, {'a': 'x'}) == '1'
	remove(path)


def sticky(fn):
	"The same key always goes the same way, over restarts, too; the shares come out."
	path, alias = shipped(fn, '1', '2')
	route(alias, '1 50\n2 50 sticky field user.id\n')
	ways = {user: call(alias, {'user': {'id': user}}) for user in range(60)}
	assert 12 < collections.Counter(ways.values())['1'] < 48, ways
	for user, way in ways.items():
		assert call(alias, {'user': {'id': user}}) == way
	assert fn.stop() == 0
	fn.start()
	for user, way in ways.items():
		assert call(alias, {'user': {'id': user}}) == way
	remove(path)


def bad_routes(fn):
	"What does not add up is EINVAL; the old routes stay, and last_error names the line and the reason."
	path, alias = shipped(fn, '1', '2')
	route(alias, '1 90\n2 10\n')
	generation = value(alias + '/status', 'routes_generation')
	for text, line, reason in (
			('1 90\n3 10\n', 'line 2', '3'), ('1 0\n', 'line 1', ''), ('1 90\n2 -10\n', 'line 2', '-10'),
			('1 1\n\n2 18446744073709551616\n', 'line 3', ''), ('1 99999999999999999999999999\n', 'line 1', ''),
			('1 ten\n', 'line 1', 'ten'), ('1 1e3\n', 'line 1', ''), ('1 50\n1 50\n', 'line 2', '1'),
			('1 90 10\n', 'line 1', ''), ('1 if\n', 'line 1', ''), ('1 if header x\n', 'line 1', ''),
			('2 if header x = y and\n1\n', 'line 1', ''), ('1 if wind = north\n', 'line 1', 'wind'),
			('1 if header x = "open\n', 'line 1', ''), ('1 10 sticky\n', 'line 1', ''),
			('2 if header x = y\n', '', ''), ('1\x01 10\n', '', ''), ('\n', '', ''),
			('1 %s\n' % ('9' * 10000), 'line 1', ''), ('/etc/passwd', 'line 1', 'passwd')):
		assert errno_of(route, alias, text) == 'EINVAL', text
		assert read(alias, 'routes') == '1 90\n2 10\n', text
		error = read(path, 'last_error')
		assert 'aliases/prod/routes' in error and line in error and reason in error, (text, error)
	many = ''.join('1 if header x = %d\n' % n for n in range(10000)) + '1\n'
	assert errno_of(route, alias, many) in ('EINVAL', 'ERANGE'), errno_of(route, alias, many)
	assert errno_of(route, alias, b'1 50\n2 50\0\n') == 'EINVAL'
	assert errno_of(route, alias, 'x' * 300000) in ('EINVAL', 'ERANGE')
	assert value(alias + '/status', 'routes_generation') == generation
	assert count(alias, 10) == {'1': 9, '2': 1}
	many = ''.join('2 if header x = %d\n' % n for n in range(999)) + '1\n'
	route(alias, many)
	assert call(alias, {'headers': {'x': '777'}}) == '2' and call(alias) == '1'
	assert read(path, 'last_error') == ''
	for name in ('previous', 'status'):
		assert errno_of(write_file, os.path.join(alias, name), 'x', os.O_WRONLY) == 'EACCES'
	for name in ('new', 'dir'):
		assert errno_of(os.mkdir, os.path.join(alias, name)) == 'EPERM'
	remove(path)


def versions_in_use(fn):
	"What is routed to cannot be removed; what was routed to can."
	path, alias = shipped(fn, '1', '2')
	route(alias, '1 if header x = y\n2\n')
	for name in '12':
		assert errno_of(os.rmdir, path + '/versions/' + name) == 'EBUSY'
		assert 'alias prod' in read(path, 'last_error')
	route(alias, '2')
	os.rmdir(path + '/versions/1')
	assert read(alias, 'previous') == '1 if header x = y\n2 100\n'
	assert subprocess.run('cat previous > routes', shell=True, cwd=alias).returncode == 0  # sh ignores close
	assert 'line 1' in read(path, 'last_error'), read(path, 'last_error')
	assert read(alias, 'routes') == '2 100\n' and call(alias) == '2'
	remove(path)


def metrics(fn):
	"A canary is judged with cat: counts of the alias, and of each version under it."
	path, alias = shipped(fn, '1')
	write_file(path + '/code/index.py', 'def handler(event, context):\n\traise ValueError("bad")\n')
	os.mkdir(path + '/versions/2')
	route(alias, '1 80\n2 20\n')
	assert sorted(n for n in os.listdir(alias + '/metrics') if n.isdigit()) == ['1', '2']
	failed = sum(errno_of(call, alias) == 'EREMOTEIO' for _ in range(20))
	assert failed == 4
	call(path + '/versions/1')  # not by the alias
	numbers = lambda *parts: [read(alias, 'metrics', *parts, n) for n in ('count', 'failcount')]  # noqa: E731
	assert numbers() == ['20\n', '4\n'], numbers()
	assert numbers('1') == ['16\n', '0\n'] and numbers('2') == ['4\n', '4\n']
	assert float(read(alias, 'metrics', '1', 'p99')) > 0 and 'svg' in read(alias, 'metrics', '2', 'chart.svg')
	assert read(path, 'versions/1/metrics/count') == '17\n'
	assert fn.stop() == 0
	fn.start()
	assert numbers() == ['20\n', '4\n'] and numbers('1') == ['16\n', '0\n'] and numbers('2') == ['4\n', '4\n']
	route(alias, '1')
	os.rmdir(path + '/versions/2')
	assert '2' not in os.listdir(alias + '/metrics')
	os.mkdir(path + '/versions/2')
	route(alias, '2')
	assert numbers('2') == ['0\n', '0\n']  # another version of that name
	write_file(path + '/versions/2/config/max_instances', '0')
	assert errno_of(call, alias) == 'EAGAIN'
	assert read(alias, 'metrics', 'rejectcount') == '1\n' == read(alias, 'metrics', '2', 'rejectcount')
	remove(path)


def calls_finish_where_they_began(fn):
	"A change of routes leaves calls under way alone, and then the old version's instances stop."
	path, alias = shipped(fn, '1', '2', code=SLOW)
	route(alias, '1')
	fds = [os.open(alias + '/invoke', os.O_RDWR) for _ in range(3)]
	answers = []
	threads = []
	for fd in fds:
		os.write(fd, b'{"sleep": 1}')
		threads.append(threading.Thread(target=lambda fd=fd: answers.append(os.read(fd, 10))))
		threads[-1].start()
	until(lambda: read(alias, 'metrics', 'concurrency') == '3\n')
	route(alias, '2')
	assert call(alias) == '2'
	assert '1' in running(path)
	for thread in threads:
		thread.join()
	assert answers == [b'1'] * 3
	until(lambda: '1' not in running(path))
	assert '2' in running(path) and read(alias, 'metrics', 'concurrency') == '0\n'
	for fd in fds:  # the next call of an open conversation goes the new way
		os.write(fd, b'{}')
		assert os.read(fd, 10) == b'2'
		os.close(fd)
	write_file(path + '/versions/2/config/min_instances', '1')
	route(alias, '1')
	assert call(alias) == '1'
	time.sleep(0.3)
	assert '2' in running(path)  # reserved
	remove(path)


def reads_and_writes(fn):
	"Editors, several lines by several writes, and half a text that is never closed."
	path, alias = shipped(fn, '1', '2')
	fd = os.open(alias + '/routes', os.O_WRONLY | os.O_TRUNC)
	os.write(fd, b'1 90\n')
	assert read(alias, 'routes') == '2 100\n'  # not whole yet
	os.write(fd, b'2 10\n')
	os.close(fd)
	assert read(alias, 'routes') == '1 90\n2 10\n'
	fd = os.open(alias + '/routes', os.O_WRONLY | os.O_TRUNC)
	os.write(fd, b'1 90\nnonsense')
	assert errno_of(os.close, fd) == 'EINVAL'
	assert read(alias, 'routes') == '1 90\n2 10\n'
	write_file(alias + '/.routes.tmp', '2 100\n')  # save by rename, as editors do
	os.rename(alias + '/.routes.tmp', alias + '/routes')
	assert read(alias, 'routes') == '2 100\n' and read(alias, 'previous') == '1 90\n2 10\n'
	child = os.fork()
	if child == 0:
		os.write(os.open(alias + '/routes', os.O_WRONLY | os.O_TRUNC), b'1 1\n')
		os.kill(os.getpid(), 9)
	os.waitpid(child, 0)
	assert read(alias, 'routes') == '2 100\n'
	remove(path)


# --- under load -----------------------------------------------------------------------------------


class Callers:
	"""Processes that call until they are told to stop, and say how many answers there were of each kind."""

	def __init__(self, alias, number):
		self.page = mmap.mmap(-1, mmap.PAGESIZE)  # shared: the word to stop, and how many calls each made
		self.children = []
		for place in range(8, 8 * number + 8, 8):
			reader, writer = os.pipe()
			pid = os.fork()
			if pid == 0:
				try:
					self.work(alias, place, writer)
				finally:
					os._exit(0)
			os.close(writer)
			self.children.append((pid, reader))

	def work(self, alias, place, out):
		counts = collections.Counter()
		fd = os.open(alias + '/invoke', os.O_RDWR)
		while not self.page[0]:
			try:
				os.write(fd, b'{}')
				counts[os.read(fd, 100).decode()] += 1
				assert os.read(fd, 100) == b''
			except OSError as error:
				counts['failed: %s' % error] += 1
			struct.pack_into('Q', self.page, place, sum(counts.values()))
		with os.fdopen(out, 'w') as result:
			json.dump(counts, result)

	def calls(self):
		return sum(struct.unpack_from('%dQ' % len(self.children), self.page, 8))

	def stop(self):
		counts = collections.Counter()
		self.page[0] = 1
		for pid, reader in self.children:
			with os.fdopen(reader) as result:
				counts.update(json.load(result))
			os.waitpid(pid, 0)
		return counts


def rewritten_under_load(fn):
	"""While routes is rewritten all the time no call fails, and the shares of every generation are exact
	to one call. Each generation has a pair of versions to itself, so that an answer tells its generation."""
	generations, calls = (1000, 200_000) if LONG else (30, 3_000)
	path, alias = shipped(fn, 'a0', 'b0')
	for number in range(1, generations + 1):
		os.mkdir('%s/versions/a%d' % (path, number))
		os.mkdir('%s/versions/b%d' % (path, number))
		fn.step()
	fn.patience = 600
	route(alias, 'a0 90\nb0 10\n')
	begun = time.monotonic()
	callers = Callers(alias, 3)
	loop = ('i=1; while [ $i -le %d ]; do printf "a$i 90\\nb$i 10\\n" > routes || exit 1; '
		'sleep %s; i=$((i + 1)); done' % (generations, '0.05' if LONG else '0.03'))
	rewriter = subprocess.Popen(['sh', '-c', loop], cwd=alias)
	while rewriter.poll() is None or callers.calls() < calls:
		fn.step()
		time.sleep(0.05)
	counts = callers.stop()
	calls = sum(counts.values())
	took = time.monotonic() - begun
	assert rewriter.returncode == 0
	failed = {answer: n for answer, n in counts.items() if answer[0] not in 'ab'}
	assert not failed, failed
	seen = 0
	for number in range(generations + 1):
		a, b = counts['a%d' % number], counts['b%d' % number]
		seen += a + b > 0
		assert abs(a - 0.9 * (a + b)) < 1 and abs(b - 0.1 * (a + b)) < 1, (number, a, b)
	assert seen > 2, seen
	print('     %d calls, %d generations took some, %.0f calls/s' % (calls, seen, calls / took))
	assert value(alias + '/status', 'routes_generation') == str(generations + 2)
	assert read(alias, 'metrics', 'count') == '%d\n' % calls
	assert read(alias, 'metrics', 'failcount') == '0\n'
	until(lambda: running(path) <= {'latest', 'a%d' % generations, 'b%d' % generations})
	remove(path)


def many_aliases(fn):
	"A hundred aliases of one version, and their ways."
	path, alias = shipped(fn, '1')
	for number in range(100):
		os.mkdir('%s/aliases/a%d' % (path, number))
		assert call('%s/aliases/a%d' % (path, number)) == '1'
	assert len(os.listdir(path + '/aliases')) == 101
	subprocess.run('rm -r aliases/*', shell=True, check=True, cwd=path)
	os.rmdir(path + '/versions/1')
	remove(path)


CASES = (made_for_the_newest, names, removed_while_called, one_line, weights, latest_in_routes, rules,
	sticky, bad_routes, versions_in_use, metrics, calls_finish_where_they_began, reads_and_writes,
	rewritten_under_load, many_aliases)

if __name__ == '__main__':
	chosen = [word for word in sys.argv[1:] if not word.startswith('-')]
	cases = Cases()
	with Mounted() as mounted:
		for case in CASES:
			if not chosen or case.__name__ in chosen:
				cases.run(case, mounted)
				remove(mounted.path('functions', 'f'))
	cases.end()
