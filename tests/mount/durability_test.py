#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What mkdir said was published is there, whole, whenever the daemon dies.

Without this a user would lose: the version that production runs, to a crash while another one is published,
removed or tidied up after.

The daemon is killed before each of its steps on the disk in turn, in every kind of change, and at random moments of
a busy time. After it --check-state finds nothing wrong, what was acknowledged is there to the last byte, and of what was
under way all or nothing.

	durability_test.py [CASE...] [--long] [--seed N]
"""

import os
import random
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from disk import Disk  # noqa: E402
from mounted import BUILD, LONG, Cases, Mounted, remove, write_file  # noqa: E402
from trees import compare, picture  # noqa: E402

SAYS = 'VALUE = %r\ndef handler(event, context):\n\treturn VALUE\n'


class Books:
	"""What is there: versions with their contents, and aliases; and what may be there, too."""

	def __init__(self, fn, disk, seed):
		self.fn = fn
		self.disk = disk
		self.chance = random.Random(seed)
		self.path = fn.path('functions', 'f')
		self.versions = {}
		self.aliases = {}
		self.number = 0

	def at(self, *parts):
		return os.path.join(self.path, *parts)

	def prepare(self):
		remove(self.path)
		self.versions, self.aliases, self.number = {}, {}, 0
		self.fn.function(os.path.basename(self.path), {'index.py': SAYS % 0})
		for number in range(40):
			write_file(self.at('code', 'file-%d' % number), 'x%d' % number)
		for change in (lambda: self.publish('first'), lambda: self.publish('second'),
				lambda: self.make_alias('prod')):
			change()()
			self.settle()

	# Each of these prepares a change, and returns what does it. `self.maybe` is how it is afterwards.

	def publish(self, version, change=True):
		if change:
			self.number += 1
			write_file(self.at('code', 'index.py'), SAYS % self.number)
			with open(self.at('code', 'noise'), 'wb') as noise:
				noise.write(self.chance.randbytes(200_000))
		self.maybe = (dict(self.versions, **{version: picture(self.at('code'))}), self.aliases)
		return lambda: os.mkdir(self.at('versions', version))

	def remove(self, version):
		self.maybe = ({v: p for v, p in self.versions.items() if v != version}, self.aliases)
		return lambda: os.rmdir(self.at('versions', version))

	def make_alias(self, alias):
		self.maybe = (self.versions, dict(self.aliases, **{alias: '%s 100\n' % list(self.versions)[-1]}))
		return lambda: os.mkdir(self.at('aliases', alias))

	def route(self, alias, text):
		self.maybe = (self.versions, dict(self.aliases, **{alias: text}))
		return lambda: write_file(self.at('aliases', alias, 'routes'), text)

	def remove_alias(self, alias):
		self.maybe = (self.versions, {a: r for a, r in self.aliases.items() if a != alias})
		return lambda: os.rmdir(self.at('aliases', alias))

	def settle(self):
		self.versions, self.aliases = self.maybe

	# And these judge.

	def names(self):
		versions = set(os.listdir(self.at('versions'))) - {'latest'}
		aliases = {}
		for alias in os.listdir(self.at('aliases')):
			with open(self.at('aliases', alias, 'routes')) as routes:
				aliases[alias] = routes.read()
		return versions, aliases

	def check(self, acknowledged):
		versions, aliases = self.names()
		possible = [self.maybe] if acknowledged else [(self.versions, self.aliases), self.maybe]
		for there in possible:
			if versions == set(there[0]) and aliases == there[1]:
				self.versions, self.aliases = there
				break
		else:
			raise AssertionError('%r %r is none of %r' % (versions, aliases,
				[(sorted(v), a) for v, a in possible]))
		for version, content in self.versions.items():
			compare(content, picture(self.at('versions', version, 'code')))

	def revive(self):
		"""After a death: judged from outside, then mounted again."""
		self.fn.process.wait(20)
		self.disk.live()
		self.fn.unmount()
		done = subprocess.run([os.path.join(BUILD, 'fs', 'fnfsd'), '--check-state', self.fn.state],
			stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
		assert done.returncode == 0, done.stdout.decode()[-2000:]
		assert not [name for name in os.listdir(os.path.join(self.fn.state, 'packs'))
			if not name.endswith('.pack')], os.listdir(os.path.join(self.fn.state, 'packs'))
		self.fn.start()


def die_at(books, steps, change):
	"""True when the daemon died of it; what is there afterwards was checked."""
	acknowledged = False
	books.fn.step()
	books.disk.die_after(steps)
	try:
		change()
		acknowledged = True
	except OSError as error:
		if books.fn.process.poll() is None:
			try:  # being killed takes a moment
				books.fn.process.wait(5)
			except subprocess.TimeoutExpired:
				raise error
	if acknowledged and books.disk.steps() + 1 < books.disk.get(8):
		books.disk.live()
		books.settle()
		return False
	try:
		books.fn.process.wait(0.3)
	except subprocess.TimeoutExpired:
		books.disk.live()
		if books.fn.process.poll() is None:
			books.settle()
			return False
	books.revive()
	books.check(acknowledged)
	return True


def every_step(books, change, undo=None, steps=None):
	"""Dies at the first step, at the second ... until the change ends alive."""
	at, deaths = 1, 0
	while True:
		before = (books.versions, books.aliases)
		if not die_at(books, at, change()):
			break
		deaths += 1
		if (books.versions, books.aliases) != before and undo:
			action = undo()
			action()
			books.settle()
		at += 1 if LONG else books.chance.choice((1, 2, 3, 4))
	books.check(True) if undo is None else None
	return deaths


def while_publishing(books):
	"Killed before each step of a publish: it is there, whole, or not at all; all others are untouched."
	deaths = every_step(books, lambda: books.publish('new'), lambda: books.remove('new'))
	print('     %d deaths' % deaths)
	assert deaths > 3
	books.maybe = (books.versions, books.aliases)
	books.check(True)
	books.remove('new')()
	books.settle()


def while_publishing_the_same(books):
	"The same where nothing new is to be written."
	deaths = every_step(books, lambda: books.publish('new', False), lambda: books.remove('new'))
	print('     %d deaths' % deaths)
	assert deaths > 0
	books.remove('new')()
	books.settle()


def while_routing(books):
	"Killed before each step of a change of routes: the old ones or the new ones."
	texts = ['first 100\n', 'first 90\nsecond 10\n']

	def change():
		new = texts[books.aliases['prod'] == texts[0]]
		return books.route('prod', new)

	deaths = 0
	for at in range(1, 8 if LONG else 5):
		deaths += die_at(books, at, change())
	print('     %d deaths' % deaths)
	assert deaths > 0
	books.route('prod', 'second 100\n')()
	books.settle()


def while_aliases_come_and_go(books):
	"mkdir and rmdir of an alias."
	deaths = every_step(books, lambda: books.make_alias('other'), lambda: books.remove_alias('other'))
	books.maybe = (books.versions, books.aliases)
	deaths += every_step(books, lambda: books.remove_alias('other'), lambda: books.make_alias('other'))
	print('     %d deaths' % deaths)
	assert deaths > 0


def collected(fn):
	"""Waits until garbage was collected, or the daemon is gone."""
	def lines():
		try:
			with open(os.path.join(fn.state, 'log')) as log:
				return log.read().count('collected garbage')
		except OSError:
			return 0

	before, end = lines(), time.monotonic() + 10
	while lines() == before and fn.process.poll() is None and time.monotonic() < end:
		time.sleep(0.05)


def while_collecting(books):
	"Killed while what a removed version held is taken out: what others hold stays."
	deaths = 0
	for at in range(1, 30) if LONG else (2, 5, 8):
		if 'doomed' not in books.versions:
			books.publish('doomed')()
			books.settle()
		action = books.remove('doomed')

		def change():
			action()
			books.settle()
			collected(books.fn)
			if books.fn.process.poll() is not None:
				raise ConnectionAbortedError

		if not die_at(books, at, change):
			break
		deaths += 1
	print('     %d deaths' % deaths)
	assert deaths > 0


def while_the_function_goes(books):
	"rm -r of the whole function: no version is left half, and the next one finishes the work."
	seen = 0
	for at in (3, 12) if not LONG else range(1, 40, 2):
		books.disk.die_after(at)
		subprocess.run(['rm', '-rf', books.path], stderr=subprocess.DEVNULL)
		try:
			books.fn.process.wait(1)
		except subprocess.TimeoutExpired:
			break
		seen += 1
		books.revive()
		if not os.path.exists(books.path):
			break
		for version in set(os.listdir(books.at('versions'))) - {'latest'}:
			compare(books.versions[version], picture(books.at('versions', version, 'code')))
	books.disk.live()
	assert seen
	if os.path.exists(books.path):
		remove(books.path)


def at_random(books):
	"Killed at random moments while all of it goes on at once, in several functions."
	fn = books.fn
	for _ in range(40 if LONG else 4):
		workers = [Worker(fn, number, books.chance.random()) for number in range(3)]
		dying = threading.Event()
		for worker in workers:
			worker.begin(dying)
		time.sleep(books.chance.uniform(0.2, 2.5))
		dying.set()
		fn.kill()
		for worker in workers:
			worker.thread.join(20)
			assert not worker.thread.is_alive() and not worker.trouble, worker.trouble
		books.revive()
		for worker in workers:
			worker.check(worker.acknowledged)
			remove(worker.path)
		fn.step()


class Worker(Books):
	def __init__(self, fn, number, seed):
		super().__init__(fn, None, seed)
		self.path = fn.path('functions', 'w%d' % number)
		self.trouble = None
		self.acknowledged = True

	def begin(self, dying):
		self.dying = dying
		self.prepare()
		self.thread = threading.Thread(target=self.work)
		self.thread.start()

	def pick(self):
		free = [v for v in self.versions if not any(v in r.split() for r in self.aliases.values())]
		kinds = [lambda: self.publish('v%d' % self.number), lambda: self.publish('same%d' % self.number, False)]
		if f'same{self.number}' in self.versions:
			kinds.pop()
		if self.versions and 'prod' not in self.aliases:
			return self.make_alias('prod')
		if free:
			kinds.append(lambda: self.remove(self.chance.choice(free)))
		if 'prod' in self.aliases:
			kinds.append(lambda: self.route('prod', '%s 100\n' % self.chance.choice(list(self.versions))))
		return self.chance.choice(kinds)()

	def work(self):
		self.maybe = (self.versions, self.aliases)
		try:
			while not self.dying.is_set():
				self.acknowledged = True
				action = self.pick()
				self.acknowledged = False
				action()
				self.acknowledged = True
				self.settle()
		except OSError as error:
			if not self.dying.is_set():
				self.trouble = repr(error)


CASES = (while_publishing, while_publishing_the_same, while_routing, while_aliases_come_and_go,
	while_collecting, while_the_function_goes, at_random)

if __name__ == '__main__':
	words = sys.argv[1:]
	seed = int(words.pop(words.index('--seed') + 1)) if '--seed' in words else random.randrange(10**6)
	chosen = [word for word in words if not word.startswith('-')]
	print('--seed', seed)
	cases = Cases()
	with Disk() as disk, Mounted(env=disk.env) as mounted:
		books = Books(mounted, disk, seed)
		for case in CASES:
			if chosen and case.__name__ not in chosen:
				continue
			disk.live()
			if mounted.process.poll() is not None or not mounted.answers():
				mounted.kill()  # the case before failed in the middle
				mounted.unmount()
				mounted.start()
			books.prepare()
			cases.run(case, books)
	cases.end()
