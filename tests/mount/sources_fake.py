# SPDX-License-Identifier: Apache-2.0
"""A broker of the test's own and programs that bring events, for sources_test.py.

The broker keeps numbered events, and gives those that were not acknowledged to whoever connects; what was acknowledged is
in a file, so that it may be killed. The programs are what docs/sources.md asks for, or the opposite of it.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time

WINDOW = 300  # events that are on their way to one client

# --- the broker ---


def acknowledged(directory):
	try:
		with open(os.path.join(directory, 'acknowledged')) as file:
			return [int(line) for line in file if line.endswith('\n')]
	except FileNotFoundError:
		return []


def serve_one(connection, todo, acks):
	under_way, unread = 0, b''
	while True:
		while todo and under_way < WINDOW:
			number = todo.pop(0)
			connection.sendall(b'%d event number %d\n' % (number, number))
			under_way += 1
		piece = connection.recv(65536)
		if not piece:
			return
		*lines, unread = (unread + piece).split(b'\n')
		for line in lines:
			acks.write(line.decode() + '\n')
		acks.flush()
		under_way -= len(lines)


def broker(directory, count):
	path = os.path.join(directory, 'socket')
	with socket.socket(socket.AF_UNIX) as server:
		if os.path.exists(path):
			os.unlink(path)
		server.bind(path)
		os.chmod(path, 0o666)
		server.listen()
		while True:
			connection, _ = server.accept()
			done = set(acknowledged(directory))
			with connection, open(os.path.join(directory, 'acknowledged'), 'a') as acks:
				try:
					serve_one(connection, [n for n in range(count) if n not in done], acks)
				except OSError:
					pass


class Broker:
	"""The broker as a process."""

	def __init__(self, directory, count):
		self.directory, self.count = directory, count
		os.makedirs(directory, exist_ok=True)
		self.start()

	def start(self):
		self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__), 'broker',
			self.directory, str(self.count)])

	def kill(self):
		self.process.kill()
		self.process.wait()

	def done(self):
		return len(set(acknowledged(self.directory)))


# --- programs ---

def say(text):
	data = text if isinstance(text, bytes) else text.encode()
	while data:
		data = data[os.write(1, data):]


def event(identity, data, attributes=''):
	say(f'event {identity} {len(data)}{" " + attributes if attributes else ""}\n'.encode()
		+ data + b'\n')


def forward(connection, identified):
	"""From the broker to the daemon, and acknowledgements back, until one of them is gone."""
	numbers, from_broker, answers = [], b'', b''
	import select
	while True:
		readable, _, _ = select.select([connection, 0], [], [])
		if 0 in readable:
			piece = os.read(0, 65536)
			if not piece:
				sys.exit(0)
			*lines, answers = (answers + piece).split(b'\n')
			for line in lines:
				number = numbers.pop(0)
				expected = b'ok %s' % (number if identified else b'-')
				if line != expected:
					sys.stderr.write(f'{line} is not {expected}\n')
					sys.exit(9)
				connection.sendall(number + b'\n')
		if connection in readable:
			piece = connection.recv(65536)
			if not piece:
				return
			*lines, from_broker = (from_broker + piece).split(b'\n')
			for line in lines:
				number, _, data = line.partition(b' ')
				numbers.append(number)
				event(number.decode() if identified else '-', data)


def client():
	"""VALUE: the broker's directory, and `-` behind it for events without ids."""
	directory, _, anonymous = os.environ['FNFS_SOURCE_VALUE'].partition(' ')
	while True:
		say('state connecting\n')
		try:
			with socket.socket(socket.AF_UNIX) as connection:
				connection.connect(os.path.join(directory, 'socket'))
				say('state connected\n')
				forward(connection, not anonymous)
		except OSError as error:
			say(f'state connecting {error.strerror}\n')
		time.sleep(0.1)


def wait_for_the_end():
	while os.read(0, 4096):
		pass


def self_told():
	"""What it was given, as an event."""
	import json
	with os.scandir('/proc/self/fd') as entries:  # itself a descriptor, that is gone then
		open_ones = [entry.name for entry in entries]
	told = {
		'environment': {key: value for key, value in os.environ.items() if key != 'LC_CTYPE'},
		'ids': [os.getuid(), os.getgid(), os.getgroups()],
		'descriptors': {fd: os.readlink('/proc/self/fd/' + fd)
			for fd in open_ones if os.path.lexists('/proc/self/fd/' + fd)},
		'cwd': os.getcwd(),
		'pid': os.getpid(),
	}
	sys.stderr.write('pid %d\n' % os.getpid())
	sys.stderr.flush()
	say('state connected\n')
	event(str(os.getpid()), json.dumps(told).encode())
	wait_for_the_end()


def stubborn():
	"""Hears nothing, not even the end, and has a child that does not either."""
	signal.signal(signal.SIGTERM, signal.SIG_IGN)
	child = subprocess.Popen(['sleep', '1000'])
	sys.stderr.write('pids %d %d\n' % (os.getpid(), child.pid))
	sys.stderr.flush()
	say('state deaf\n')
	time.sleep(1000)


def bad(value):
	attempt = os.environ['FNFS_SOURCE_VALUE'].partition(' ')[2]
	tries = 1
	if attempt:
		with open(attempt, 'a+') as file:
			file.write('x')
			file.flush()
			tries = file.tell()
	if tries > 1 and value in ('junk', 'nonewline', 'middle', 'zero', 'endless', 'attributes'):
		say('state mended\n')
		event('after', b'good')
		wait_for_the_end()
	if value == 'junk':
		say('hello there\nevent never 1\nx\n')
	elif value == 'endless':
		while True:
			say('x' * 65536)
	elif value == 'nonewline':
		say('event a 4\nlonger\nevent never 1\nx\n')
	elif value == 'zero':
		say(b'event a\0b 1\nx\n')
	elif value == 'attributes':
		say('event a 1 {"type":\nx\nevent never 1\nx\n')
	elif value == 'middle':
		say('event never 100\nhalf')
		sys.exit(3)
	elif value == 'huge':
		say('event huge %d\n' % (7 << 20) + 'x' * (7 << 20) + '\n')
		event('after', b'good')
		event('answers', b''.join(os.read(0, 4096) for _ in range(1)))
	elif value == 'monstrous':
		say('event huge 99999999999999999999\n')
	elif value == 'binary':
		say(b'event \xff\xfe\x01/.. 4\n\x00\xff\n\n\n')
		event('i' * 500, b'long')
		event('a/b.error', b'slash', '{"type":"t.t","subject":"s","bad name":"x","n":7}')
	elif value == 'exits':
		sys.stderr.write('first\nI cannot go on\n')
		sys.exit(7)
	elif value == 'refuses':
		say('refused there is no queue of that name\n')
		sys.exit(0)
	elif value == 'deaf':
		for number in range(200000):
			event('%d-%s' % (number, 'n' * 100), b'')
	elif value == 'storm':
		for number in range(20):
			event(str(number), b'%d' % number)
	wait_for_the_end()


def secret():
	value = os.environ['FNFS_SOURCE_VALUE']
	sys.stderr.write('cannot log in to ' + value + '\n')
	sys.stderr.flush()
	say('state refused-by-broker at ' + value + '\n')
	event('1', b'{"a":1}', '{"source":"%s"}' % value)
	wait_for_the_end()


PROGRAMS = {'fake': 'client()', 'self': 'self_told()', 'stubborn': 'stubborn()', 'nats': 'secret()',
	'bad': "bad(os.environ['FNFS_SOURCE_VALUE'].partition(' ')[0])"}


def install(directory, **more):
	"""Puts the programs there; `more` are texts of others."""
	os.makedirs(directory, exist_ok=True)
	# Another user need not reach where the tests are.
	shutil.copy(os.path.abspath(__file__), os.path.join(directory, 'sources_fake.py'))
	texts = {kind: f'#!{sys.executable} -SB\nfrom sources_fake import *\n{call}\n'
		for kind, call in PROGRAMS.items()}
	for kind, text in {**texts, **more}.items():
		path = os.path.join(directory, 'fnfs-source-' + kind)
		with open(path, 'w') as file:
			file.write(text)
		os.chmod(path, 0o755)


if __name__ == '__main__':
	broker(sys.argv[2], int(sys.argv[3]))
