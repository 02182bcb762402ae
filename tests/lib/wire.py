# SPDX-License-Identifier: Apache-2.0
"""The beginning of a `bootstrap` that asks a runtime API for its events, as clients do it on the wire."""

# One connection and one HTTP/1.1 exchange at a time, by hand, so that every byte is the test's.
WIRE = r'''#!/usr/bin/python3 -u
import base64, json, os, socket, sys, threading, time

class Wire:
	def __init__(self):
		host, port = os.environ['AWS_LAMBDA_RUNTIME_API'].split(':')
		self.socket = socket.create_connection((host, int(port)), 1)
		self.socket.settimeout(None)
		self.file = self.socket.makefile('rb')
	def send(self, method, path, headers=(), body=b'', raw=None):
		lines = ['%s %s HTTP/1.1' % (method, path), 'host: x', 'user-agent: test/1']
		lines += ['%s: %s' % header for header in headers]
		if raw is None and method != 'GET':
			lines.append('content-length: %d' % len(body))
		self.socket.sendall('\r\n'.join(lines).encode() + b'\r\n\r\n' + (body if raw is None else raw))
	def receive(self):
		status = int(self.file.readline().split()[1])
		headers = {}
		while True:
			line = self.file.readline().strip().decode()
			if not line:
				break
			name, value = line.split(':', 1)
			headers[name.lower()] = value.strip()
		return status, headers, self.file.read(int(headers.get('content-length', 0)))
	def ask(self, *arguments, **named):
		self.send(*arguments, **named)
		return self.receive()

LAMBDA = '/2018-06-01/runtime/'
GRAPH = '/v1/runtime/'
'''
