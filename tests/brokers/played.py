# SPDX-License-Identifier: Apache-2.0
"""The daemon's side of docs/sources.md, played: starts a source and answers it.

    with Played(broker.value()) as source:
        source.until(state='connected')
        event = source.event()            # answered by `ok`
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from brokers import die_with_parent  # noqa: E402

PROGRAMS = os.environ.get('FNFS_SOURCES_BUILT', '')
PATIENCE = 40
NAME = 'fnfs-0123456789abcdef-7'


class Event:
	def __init__(self, word, name, data, attributes):
		self.word, self.id, self.data = word, name, data
		self.attributes = json.loads(attributes) if attributes else {}

	def json(self):
		return json.loads(self.data)


class Refused(Exception):
	pass


class Ended(Exception):
	pass


class Played:
	"""events: all that came; states: likewise; answers by `answer`, a function of an event, or None for none."""

	def __init__(self, kind, value, form='raw', name=NAME, answer=lambda event: 'ok'):
		self.kind, self.answer = kind, answer
		self.events, self.states, self.taken = [], [], 0
		self.buffer = b''
		self.errors = tempfile.TemporaryFile()
		ours, theirs = socket.socketpair()
		self.socket = ours
		self.process = subprocess.Popen([os.path.join(PROGRAMS, 'fnfs-source-' + kind)],
			stdin=theirs, stdout=theirs, stderr=self.errors, preexec_fn=die_with_parent,
			env={'PATH': '/usr/bin:/bin', 'HOME': '/', 'FNFS_SOURCE_VALUE': value.strip(),
				'FNFS_SOURCE_FORMAT': form, 'FNFS_SOURCE_FUNCTION': 'hello',
				'FNFS_SOURCE_TRIGGER': 'orders', 'FNFS_SOURCE_NAME': name,
				**{key: text for key, text in os.environ.items() if key.endswith('SAN_OPTIONS')}})
		theirs.close()

	def __enter__(self):
		return self

	def __exit__(self, kind, value, trace):
		if kind:
			sys.stderr.write('states: %s\nsays: %s\n' % (self.states[-8:], self.said()))
		self.kill()
		self.errors.close()

	def said(self):
		self.errors.seek(0)
		return self.errors.read().decode(errors='replace')

	def kill(self):
		self.process.kill()
		self.process.wait()
		self.socket.close()

	def end(self):
		"""As the daemon ends it. Returns the seconds it took."""
		begin = time.monotonic()
		self.socket.shutdown(socket.SHUT_WR)
		self.process.wait(PATIENCE)
		self.socket.close()
		return time.monotonic() - begin

	# --- what it says ---

	def fill(self, patience):
		if not select.select([self.socket], [], [], max(patience, 0))[0]:
			return False
		piece = self.socket.recv(1 << 20)
		if not piece:
			raise Ended('it ended with %s: %s' % (self.process.wait(), self.said()))
		self.buffer += piece
		return True

	def need(self, length, end):
		while len(self.buffer) < length:
			if not self.fill(end - time.monotonic()):
				raise AssertionError('half of an event')

	def step(self, patience):
		"""Takes one line; False when none comes in time."""
		end = time.monotonic() + patience
		while b'\n' not in self.buffer:
			if not self.fill(end - time.monotonic()):
				return False
		line, _, self.buffer = self.buffer.partition(b'\n')
		word, _, rest = line.decode().partition(' ')
		if word == 'state':
			self.states.append(tuple(rest.partition(' ')[::2]))
		elif word == 'refused':
			raise Refused(rest)
		else:
			assert word in ('event', 'record'), line
			name, length, attributes = (rest + '  ').split(' ', 2)
			self.need(int(length) + 1, time.monotonic() + PATIENCE)
			data, tail = self.buffer[:int(length)], self.buffer[int(length):int(length) + 1]
			assert tail == b'\n', tail
			self.buffer = self.buffer[int(length) + 1:]
			assert 0 < len(name) <= 150 and name.isascii() and name.isprintable(), name
			self.take(Event(word, name, data, attributes.strip()))
		return True

	def take(self, event):
		self.events.append(event)
		answer = self.answer(event)
		if answer:
			word, _, why = answer.partition(' ')
			self.socket.sendall(('%s %s %s' % (word, event.id, why)).strip().encode() + b'\n')

	def until(self, what, patience=PATIENCE):
		end = time.monotonic() + patience
		while not what():
			if time.monotonic() > end:
				raise AssertionError('it does not come')
			self.step(min(0.1, end - time.monotonic()))

	def until_state(self, word):
		self.until(lambda: self.states and self.states[-1][0] == word)

	def until_events(self, count):
		self.until(lambda: len(self.events) >= count)
		return self.events

	def payloads(self):
		return [event.data for event in self.events]
