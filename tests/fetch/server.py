# SPDX-License-Identifier: Apache-2.0
"""A web server on the loopback interface, good for one archive and for many bad manners."""

import hashlib
import hmac
import http.server
import re
import threading
import urllib.parse

REGION, KEY, SECRET, TOKEN = 'here-1', 'AKIDEXAMPLE', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', 'tok=en'


def signature_holds(handler):
	"""Signature version 4, checked as a store does it; what is signed is what came."""
	found = re.fullmatch(r'AWS4-HMAC-SHA256 Credential=([^,]*), ?SignedHeaders=([^,]*), ?Signature=(\w+)',
		handler.headers.get('Authorization', ''))
	if not found:
		return False
	scope = found[1].split('/', 1)
	names = found[2].split(';')
	path, _, query = handler.path.partition('?')
	canonical = '\n'.join([handler.command, path, query]
		+ ['%s:%s' % (name, handler.headers[name].strip()) for name in names]
		+ ['', found[2], handler.headers['x-amz-content-sha256']])
	stamp = handler.headers['x-amz-date']
	text = '\n'.join(['AWS4-HMAC-SHA256', stamp, scope[1],
		hashlib.sha256(canonical.encode()).hexdigest()])
	key = ('AWS4' + SECRET).encode()
	for part in stamp[:8], REGION, 's3', 'aws4_request':
		key = hmac.digest(key, part.encode(), 'sha256')
	return (scope[0] == KEY and scope[1] == '%s/%s/s3/aws4_request' % (stamp[:8], REGION)
		and handler.headers.get('x-amz-security-token') == TOKEN
		and 'x-amz-security-token' in names and 'host' in names
		and hmac.compare_digest(hmac.digest(key, text.encode(), 'sha256').hex(), found[3]))


class Handler(http.server.BaseHTTPRequestHandler):
	protocol_version = 'HTTP/1.1'

	def log_message(self, *arguments):
		pass

	def do_GET(self):
		self.server.asked.append(self.path)
		action = getattr(self, 'get_' + self.path.split('/')[1].split('?')[0].split('.')[0], None)
		if action:
			action()
		else:
			self.answer(404, b'no')

	def answer(self, status, body, length=None, **headers):
		self.send_response(status)
		for name, value in headers.items():
			self.send_header(name, value)
		self.send_header('Content-Length', str(len(body) if length is None else length))
		self.end_headers()
		self.wfile.write(body)

	def get_good(self):
		self.answer(200, self.server.archive)

	def get_away(self):
		self.answer(302, b'', Location='/good.tar')

	def get_round(self):
		self.answer(302, b'elsewhere', Location='/round?' + str(len(self.server.asked)))

	def get_scheme(self):
		self.answer(302, b'', Location=urllib.parse.unquote(self.path.split('?')[1]))

	def get_promises(self):
		self.answer(200, self.server.archive, length=len(self.server.archive) + 1000)
		self.close_connection = True

	def get_hides(self):
		self.answer(200, self.server.archive, length=len(self.server.archive) // 2)
		self.close_connection = True

	def get_huge(self):
		self.answer(200, b'x', length=1 << 50)
		self.close_connection = True

	def get_endless(self):
		self.send_response(200)
		self.send_header('Transfer-Encoding', 'chunked')
		self.end_headers()
		try:
			while True:
				self.wfile.write(b'10000\r\n' + bytes(65536) + b'\r\n')
		except OSError:
			self.close_connection = True

	def get_stalls(self):
		"""Half of it, and then silence until the other side has had enough."""
		self.answer(200, self.server.archive[:100], length=len(self.server.archive))
		self.connection.recv(1)
		self.close_connection = True

	def get_silent(self):
		self.connection.recv(1)
		self.close_connection = True

	def get_steps(self):
		"""In pieces, each when the one before was seen: it asks for them by the progress."""
		whole = self.server.archive
		self.answer(200, b'', length=len(whole))
		for at in range(0, len(whole), 100000):
			self.server.step.acquire()
			self.wfile.write(whole[at:at + 100000])
			self.wfile.flush()

	def get_secret(self):
		given = self.headers.get('Authorization')
		if given == 'Basic dXNlcjpwYXNz':
			self.get_good()
		else:
			self.answer(401, b'')

	def get_bucket(self):
		if urllib.parse.unquote(self.path) != '/bucket/a key/p+1.tar':
			self.answer(404, b'')
		elif not self.server.signed or signature_holds(self):
			self.get_good()
		else:
			self.answer(403, b'')


class Server(http.server.ThreadingHTTPServer):
	daemon_threads = True

	def __init__(self, archive):
		super().__init__(('127.0.0.1', 0), Handler)
		self.archive, self.asked, self.signed = archive, [], False
		self.step = threading.Semaphore(0)
		threading.Thread(target=self.serve_forever, daemon=True).start()

	def url(self, path):
		return 'http://127.0.0.1:%d/%s' % (self.server_address[1], path)

	def handle_error(self, request, address):
		pass  # whoever has enough hangs up

	def __exit__(self, *reason):
		self.shutdown()
		super().__exit__(*reason)
