#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A crowd does everything at once, at random, to a handful of functions: the daemon survives it.

Without this a user would lose: everything that runs, to a colleague who removes a function while another
renames it and a third lists it. Nothing is expected of a single step but an answer; under the sanitizers this has
found what tests that know what they want do not.
"""

import os
import random
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from mounted import LONG, Cases, Mounted, write_file  # noqa: E402

SECONDS = 120 if LONG else 12
NAMES = ['f%d' % number for number in range(6)]
VALUES = ('3s', '256M', 'nonsense', '1', '\n', 'index.handler')


class Member:
	def __init__(self, root, seed):
		self.root = root
		self.chance = random.Random(seed)
		self.steps = 0

	def one(self, *parts):
		return os.path.join(self.root, 'functions', self.chance.choice(NAMES), *parts)

	def variable(self):
		return self.one('config', 'env', self.chance.choice(('A', 'B', 'C', 'D', 'x.tmp', 'C~')))

	def make(self):
		os.mkdir(self.one())

	def remove(self):
		shutil.rmtree(self.one())

	def rename(self):
		os.rename(self.one(), self.one())

	def set(self):
		write_file(self.one('config', self.chance.choice(('timeout', 'memory', 'description', 'handler',
			'max_instances'))), self.chance.choice(VALUES))

	def set_variable(self):
		write_file(self.variable(), 'v' * self.chance.randrange(2000))

	def unset_variable(self):
		os.unlink(self.variable())

	def rename_variable(self):
		path = self.one('config', 'env')
		os.rename(os.path.join(path, self.chance.choice('ABCD')),
			os.path.join(path, self.chance.choice(('A', 'B', 'x.tmp', 'C~'))))

	def replace(self):
		directory = self.one('config')
		path = os.path.join(directory, '.tmp%d' % self.steps)
		write_file(path, self.chance.choice(VALUES))
		os.rename(path, os.path.join(directory, 'timeout'))

	def lock(self):
		os.symlink('me', self.one('config', '.#timeout%d' % (self.steps % 5)))

	def save(self):
		write_file(self.one('code', 'index.py'), 'def handler(event, context):\n\treturn %d\n' % self.steps)

	def save_deep(self):
		os.makedirs(self.one('code', 'a', 'b'), exist_ok=True)
		write_file(self.one('code', 'a', 'b', 'c'), 'x' * 10000)

	def call(self):
		fd = os.open(self.one('invoke'), os.O_RDWR)
		try:
			os.write(fd, b'{}')
			if self.chance.random() < 0.8:
				os.read(fd, 100)
		finally:
			os.close(fd)

	def look(self):
		for path, _, names in os.walk(self.one() if self.chance.random() < 0.8 else self.root):
			for name in names:
				if name != 'invoke':
					with open(os.path.join(path, name), 'rb') as file:
						file.read()

	def chmod(self):
		os.chmod(self.one(self.chance.choice(('', 'invoke', 'config', 'code', 'status', 'config/env/A',
			'logs/current'))), self.chance.choice((0o600, 0o755, 0o644)))

	def remove_a_part(self):
		os.rmdir(self.one(self.chance.choice(('config', 'logs', 'metrics', 'instances', 'code'))))

	def stop_an_instance(self):
		path = self.one('instances')
		os.rmdir(os.path.join(path, self.chance.choice(os.listdir(path))))

	def stay(self):
		"""Holds something open while others go on."""
		fd = os.open(self.one(self.chance.choice(('', 'code', 'calls', 'logs', 'status', 'config/timeout',
			'code/index.py', 'logs/current'))), os.O_RDONLY)
		time.sleep(self.chance.random() / 5)
		os.close(fd)

	STEPS = (make, make, remove, rename, set, set_variable, unset_variable, rename_variable, replace,
		lock, save, save, save_deep, call, call, call, look, look, chmod, remove_a_part,
		stop_an_instance, stay)

	def run(self, end):
		while time.time() < end:
			self.steps += 1
			try:
				self.chance.choice(self.STEPS)(self)
			except (OSError, IndexError):
				pass


def a_crowd(seed):
	"Whatever happens in whatever order, the daemon is alive at the end and ends cleanly."
	with Mounted() as fn:
		end = time.time() + SECONDS
		members = [subprocess.Popen([sys.executable, __file__, fn.directory, str(seed + number), str(end)])
			for number in range(4)]
		for member in members:
			assert member.wait(SECONDS + 60) == 0
		for name in os.listdir(fn.path('functions')):
			shutil.rmtree(fn.path('functions', name))
		assert fn.function('after', {'index.py': 'def handler(event, context):\n\treturn 1\n'})
		assert fn.call('after') == b'1'


if __name__ == '__main__':
	if len(sys.argv) == 4:
		Member(sys.argv[1], int(sys.argv[2])).run(float(sys.argv[3]))
	else:
		start = int(os.environ.get('SEED') or time.time())
		print('SEED=%d' % start)
		cases = Cases()
		cases.run(a_crowd, start)
		cases.end()
