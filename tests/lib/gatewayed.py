# SPDX-License-Identifier: Apache-2.0
"""A mounted platform that listens: by its socket, where whoever owns it needs no token, and by loopback.

    with Gatewayed() as fn:
        status, headers, body = fn.ask('POST', '/function/hello', b'{}')
"""

import http.client
import os
import socket
import time

from mounted import Mounted


class UnixConnection(http.client.HTTPConnection):
	"""HTTP over the socket in the state directory."""

	def __init__(self, path, timeout=30):
		super().__init__('localhost', timeout=timeout)
		self.path = path

	def connect(self):
		self.sock = socket.socket(socket.AF_UNIX)
		self.sock.settimeout(self.timeout)
		self.sock.connect(self.path)


class Gatewayed(Mounted):
	"""`open`: loopback asks for no token. `port`: of loopback."""

	def __init__(self, open=False, arguments=(), **named):
		listen = ['--listen', '127.0.0.1:0'] + (['--open-loopback'] if open else [])
		super().__init__(arguments=listen + list(arguments), **named)

	def start(self):
		super().start()
		self.until(lambda: self.status()['state'] == 'ready')
		self.port = int(self.read('gateway', 'address').split()[1].rsplit(':', 1)[1])

	def status(self):
		return dict(line.split(' ', 1) for line in self.read('gateway', 'status').splitlines())

	def socket_path(self):
		return os.path.join(self.state, 'gateway.sock')

	def unix(self, timeout=30):
		return UnixConnection(self.socket_path(), timeout)

	def loopback(self, timeout=30):
		return http.client.HTTPConnection('127.0.0.1', self.port, timeout=timeout)

	def ask(self, method, path, body=None, headers=None, connection=None):
		"""One request: status, headers by lower-case names, body."""
		self.step()
		connection = connection or self.unix()
		try:
			connection.request(method, path, body, headers or {})
			answer = connection.getresponse()
			return (answer.status, {name.lower(): value for name, value in answer.getheaders()},
				answer.read())
		finally:
			connection.close()

	def raw(self, timeout=30):
		"""A connection of loopback, to write to by hand."""
		return socket.create_connection(('127.0.0.1', self.port), timeout)

	def until(self, condition, limit=30):
		end = time.monotonic() + limit
		while not condition():
			if time.monotonic() > end:
				raise AssertionError('it did not come to be within %d s' % limit)
			time.sleep(0.01)

	def last_call(self, name):
		"""calls/last/status as a dictionary."""
		try:
			text = self.read('functions', name, 'calls', 'last', 'status')
		except FileNotFoundError:
			text = 'state none'
		return dict(line.split(' ', 1) for line in text.splitlines())


def read_all(connection):
	"""Until the other side closes, or resets."""
	data = b''
	try:
		while True:
			piece = connection.recv(65536)
			if not piece:
				return data
			data += piece
	except ConnectionResetError:
		return data
