#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A user would lose calls: those whose close() said that they are taken, when the daemon dies.

Shells drop calls into a queue, as files, under dot-names, and in batches, and note what was acknowledged. The
daemon is killed with -9 at a random moment, again and again. In the end every acknowledged call has run at
least once, none ran again after its result had been seen, and each stands in exactly one place. The function
tells of each of its runs by a datagram.

	queue_kill_test.py [--rounds N] [--long] [--seed N]
"""

import argparse
import json
import os
import random
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from mounted import LONG, Mounted, skip, write_file  # noqa: E402

CODE = '''import socket
to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def handler(event, context):
	to.sendto((event["name"] + " " + context.getRequestID()).encode(), ("127.0.0.1", %d))
	if event.get("bad"):
		raise ValueError("as it was asked to")
	return event["name"]
'''
PLACES = ('queue', 'running', 'results', 'failed')


class Runs:
	"""What the function told."""

	def __init__(self):
		self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
		self.socket.bind(('127.0.0.1', 0))
		self.socket.setblocking(False)
		self.ids = {}       # name -> request id
		self.count = 0
		self.over = set()   # its result was seen
		self.again = []     # ran after that

	def port(self):
		return self.socket.getsockname()[1]

	def take(self):
		while True:
			try:
				name, request = self.socket.recv(1000).decode().split()
			except BlockingIOError:
				return
			self.count += 1
			if name in self.over:
				self.again.append(name)
			known = self.ids.setdefault(name, request)
			assert known == request, (name, 'has two request ids')

	def look(self, queue):
		"""Whatever has a result now must not run any more; what ran before that has told so by now."""
		try:
			results = os.listdir(os.path.join(queue, 'results'))
		except OSError:
			results = []
		self.take()
		self.over |= set(results)


class Shell(threading.Thread):
	def __init__(self, test, number, seed):
		super().__init__(daemon=True)
		self.test = test
		self.number = number
		self.chance = random.Random(seed)
		self.made = 0
		self.taken = []

	def name(self):
		self.made += 1
		return 's%d-%d' % (self.number, self.made)

	def drop(self, name, event):
		write_file(self.test.at('queue', name), event)

	def rename(self, name, event):
		write_file(self.test.at('queue', '.' + name), event)
		os.rename(self.test.at('queue', '.' + name), self.test.at('queue', name))

	def step(self):
		name = self.name()
		event = json.dumps({'name': name, 'bad': self.chance.random() < 0.03,
			'more': 'x' * self.chance.choice((0, 100, 10000))})
		if self.chance.random() < 0.1:
			# The names are derived, so the events say what was taken.
			lines = [json.dumps({'name': '%s.%d' % (name, line)}) for line in range(5)]
			write_file(self.test.at('queue', '.batch'), '\n'.join(lines) + '\n')
			self.test.batched += ['%s.%d' % (name, line) for line in range(5)]
			return
		self.chance.choice((self.drop, self.drop, self.rename))(name, event)
		self.taken.append(name)

	def run(self):
		while not self.test.over.is_set():
			try:
				self.step()
			except OSError:
				time.sleep(0.01)  # not acknowledged: the daemon is dead


class Test:
	def __init__(self, mount, seed):
		self.mount = mount
		self.chance = random.Random(seed)
		self.over = threading.Event()
		self.batched = []
		self.runs = Runs()
		self.shells = [Shell(self, number, self.chance.random()) for number in range(4)]

	def at(self, *parts):
		return self.mount.path('functions', 'f', *parts)

	def begin(self):
		self.mount.function('f', {'index.py': CODE % self.runs.port()}, network='host',
			concurrency=1, max_instances=4, timeout='20s')
		for shell in self.shells:
			shell.start()

	def kill(self):
		end = time.monotonic() + self.chance.uniform(0.02, 0.5)
		while time.monotonic() < end:
			self.runs.look(self.at())
			time.sleep(0.02)
		self.mount.kill()
		self.mount.start()

	def places(self):
		found = {}
		for place in PLACES:
			for name in os.listdir(self.at(place)):
				if not name.startswith('.') and not name.endswith('.error'):
					found.setdefault(name, []).append(place)
		return found

	def end(self):
		self.over.set()
		for shell in self.shells:
			shell.join(30)
		end = time.monotonic() + 300
		while os.listdir(self.at('running')) or \
				[name for name in os.listdir(self.at('queue')) if not name.startswith('.')]:
			self.mount.step()
			self.runs.look(self.at())
			assert time.monotonic() < end, 'the queue does not drain: %s' % self.places()
			time.sleep(0.1)
		self.runs.look(self.at())

	def check(self):
		found = self.places()
		taken = [name for shell in self.shells for name in shell.taken]
		for name in taken:
			assert len(found.get(name, ())) == 1, (name, found.get(name), name in self.runs.ids)
			assert name in self.runs.ids, (name, 'never ran')
		for name in self.batched:
			assert name in self.runs.ids, (name, 'of a batch never ran')
		assert not self.runs.again, (self.runs.again, 'ran after their result was there')
		failed = [name for name in taken if found[name] == ['failed']]
		print('%d calls taken and %d in batches, %d runs, %d of them more than once, %d failed'
			% (len(taken), len(self.batched), self.runs.count,
			self.runs.count - len(self.runs.ids), len(failed)))


def main():
	words = argparse.ArgumentParser()
	words.add_argument('--rounds', type=int, default=1000 if LONG else 20)
	words.add_argument('--seed', type=int, default=int(os.environ.get('SEED') or
		random.randrange(1 << 32)))
	words.add_argument('--long', action='store_true')
	options = words.parse_args()
	if os.getuid() != 0:
		skip('only root gives a function the network of the machine')
	print('seed', options.seed, flush=True)
	with Mounted(wait=60) as mount:
		test = Test(mount, options.seed)
		test.begin()
		for _ in range(options.rounds):
			mount.step()
			test.kill()
		test.end()
		test.check()


if __name__ == '__main__':
	main()
