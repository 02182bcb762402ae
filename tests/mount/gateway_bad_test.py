#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The gateway and those who mean it ill, or are merely slow, many, or gone.

Without this a user would lose: a gateway that answers everybody else while it is attacked, and the
certainty that a request which a proxy let through is the one that a function gets.
"""

import contextlib
import json
import os
import resource
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from gatewayed import Gatewayed, read_all  # noqa: E402
from mounted import LONG, Cases  # noqa: E402

ECHO = r'''
import time
def handler(event, context):
	if event.get('sleep'):
		time.sleep(event['sleep'])
	if event.get('fill'):
		return 'x' * event['fill']
	return {'event': event}
'''
DRIP = r'''#!/bin/sh
while sleep 0.05; do echo more; done
'''

CALL = b'POST /function/echo HTTP/1.1\r\nHost: localhost\r\n'
SECOND = b'POST /function/smuggled HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}'

# What a proxy before us may read otherwise than we do. In each a second request is hidden, or the one
# there is has a doubtful end.
SMUGGLING = {
	'length and coding': CALL + b'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' + SECOND,
	'coding and length': CALL + b'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n' + SECOND,
	'two lengths': CALL + b'Content-Length: 2\r\nContent-Length: %d\r\n\r\n{}' % len(SECOND) + SECOND,
	'two lengths alike': CALL + b'Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}' + SECOND,
	'a list of lengths': CALL + b'Content-Length: 2, 2\r\n\r\n{}' + SECOND,
	'a length with a sign': CALL + b'Content-Length: +2\r\n\r\n{}' + SECOND,
	'a negative length': CALL + b'Content-Length: -1\r\n\r\n' + SECOND,
	'a length in hexadecimal': CALL + b'Content-Length: 0x2\r\n\r\n{}' + SECOND,
	'a length that is too long': CALL + b'Content-Length: 99999999999999999999\r\n\r\n' + SECOND,
	'an empty length': CALL + b'Content-Length:\r\n\r\n' + SECOND,
	'a blank before the colon': CALL + b'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n' + SECOND,
	'a blank before the length': CALL + b'Content-Length : 2\r\n\r\n{}' + SECOND,
	'a coding of its own': CALL + b'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n' + SECOND,
	'codings': CALL + b'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n' + SECOND,
	'identity': CALL + b'Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}' + SECOND,
	'two codings': CALL + b'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n' + SECOND,
	'a tab before the coding': CALL + b'Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n' + SECOND,
	'a lone carriage return': CALL + b'X: a\rTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}' + SECOND,
	'a chunk that is no number': CALL + b'Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n' + SECOND,
	'a chunk in 0x': CALL + b'Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n' + SECOND,
	'a negative chunk': CALL + b'Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n' + SECOND,
	'a chunk beyond 64 bits': CALL + b'Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n' + SECOND,
	'a chunk longer than it says': CALL + b'Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n' + SECOND,
	'coding in HTTP/1.0': CALL.replace(b'/1.1', b'/1.0')
		+ b'Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n' + SECOND,
	'two hosts': CALL + b'Host: other\r\nContent-Length: 2\r\n\r\n{}' + SECOND,
	'no host': b'POST /function/echo HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}' + SECOND,
	'no colon': CALL + b'nonsense\r\nContent-Length: 2\r\n\r\n{}' + SECOND,
}

# libmicrohttpd 0.9 takes a header without a name for the end of the head; what follows is no request then,
# for no proxy lets a line pass as a header that looks like the first line of one.
NAMELESS = CALL + b': x\r\nContent-Length: 2\r\n\r\n{}' + SECOND

# Those have one meaning only: the function gets what everybody reads in them, once.
UNUSUAL = {
	'chunks': CALL + b'Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\nX: y\r\n\r\n',
	'an extension': CALL + b'Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\n{\r\n1\r\n}\r\n0\r\n\r\n',
	'a header of two lines': CALL + b'Connection: close\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\n{}',
	'lines that end in LF alone': CALL.replace(b'\r\n', b'\n') + b'Connection: close\nContent-Length: 2\n\n{}',
	'an empty line before': b'\r\n' + CALL + b'Connection: close\r\nContent-Length: 2\r\n\r\n{}',
	'a zero byte, which ends a value': CALL + b'Connection: close\r\nX: a\0b\r\nContent-Length: 2\r\n\r\n{}',
	'CHUNKED': CALL + b'Connection: close\r\nTransfer-Encoding: CHUNKED\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
}

# libmicrohttpd from 1.0 on takes these for a mistake, which is as safe.
MAY_BE_REFUSED = {'an extension', 'a header of two lines', 'lines that end in LF alone', 'a zero byte, which ends a value'}

NONSENSE = [b'', b'\r\n\r\n', b'\0' * 100, os.urandom(1000), b'GET\r\n\r\n', b'GET / HTTP/9.9\r\n\r\n',
	b'POST ' + b'x' * 100000 + b' HTTP/1.1\r\nHost: x\r\n\r\n',
	CALL + b''.join(b'X-%d: %s\r\n' % (i, b'y' * 900) for i in range(100)) + b'\r\n',
	CALL + b'X: ' + b'z' * 200000 + b'\r\n\r\n',
	b'GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n',
	b'GET /function/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n',
	b'GET /function/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n',
	b'GET /function/../etc HTTP/1.1\r\nHost: localhost\r\n\r\n',
	b'GET /' + b'a/' * 200 + b' HTTP/1.1\r\nHost: localhost\r\n\r\n',
	b'CONNECT example:80 HTTP/1.1\r\nHost: localhost\r\n\r\n',
	b'OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n',
	b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03']


def counts(fn, *names):
	return [fn.read('functions', name, 'metrics', 'count').strip() for name in names]


def exchange(fn, data):
	"""Sends it, half-closes nothing, and returns what comes until the other side has done."""
	with fn.raw(timeout=5) as wire:
		try:
			wire.sendall(data)
		except (ConnectionResetError, BrokenPipeError):
			pass
		answer = b''
		try:
			while True:
				piece = wire.recv(65536)
				if not piece:
					break
				answer += piece
		except (ConnectionResetError, socket.timeout):
			pass
		return answer


def nothing_is_smuggled(fn):
	"""What can be read in two ways is refused and the connection closed: nothing of it reaches a function."""
	before = counts(fn, 'smuggled')
	for name, data in SMUGGLING.items():
		fn.step()
		answer = exchange(fn, data)
		assert counts(fn, 'smuggled') == before, name
		assert not answer or answer.startswith((b'HTTP/1.1 4', b'HTTP/1.0 4', b'HTTP/1.1 5')), (name, answer)
		assert b'HTTP/1.1 2' not in answer, (name, answer)
	assert b'HTTP/1.1 400' in exchange(fn, NAMELESS)
	assert counts(fn, 'smuggled') == before


def unusual_requests_work(fn):
	"""Rare forms with one meaning are understood."""
	for name, data in UNUSUAL.items():
		fn.step()
		answer = exchange(fn, data)
		assert answer.count(b'HTTP/1.') == 1, (name, answer)
		if name in MAY_BE_REFUSED and answer.startswith(b'HTTP/1.1 400'):
			continue
		assert answer.startswith(b'HTTP/1.1 200') and b'{"event":{}}' in answer, (name, answer)


def nonsense_is_refused(fn):
	"""Whatever comes, the answer is an error or none, and the next one is served."""
	for data in NONSENSE:
		fn.step()
		with fn.raw(timeout=5) as wire:
			try:
				wire.sendall(data)
				wire.shutdown(socket.SHUT_WR)
			except OSError:
				pass
			answer = read_all(wire)
		assert not answer or answer[9:10] in b'45' or b'healthz' in data, (data[:60], answer)
	assert fn.ask('GET', '/healthz', connection=fn.loopback())[0] == 200


def bodies_are_bounded(fn):
	"""More than the limit is 413, also when it is not announced; who asks before is told before."""
	too_much = (6 << 20) + 1
	chunk = b'10000\r\n' + b' ' * 65536 + b'\r\n'
	data = CALL + b'Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n' + chunk * 97 + b'0\r\n\r\n'
	assert exchange(fn, data).startswith(b'HTTP/1.1 413')
	data = CALL + b'Expect: 100-continue\r\nContent-Length: %d\r\n\r\n' % too_much
	assert exchange(fn, data).startswith(b'HTTP/1.1 413')
	data = CALL + b'Content-Length: %d\r\n\r\n' % (1 << 40)
	assert exchange(fn, data).startswith(b'HTTP/1.1 413')
	with fn.raw(timeout=20) as wire:
		wire.sendall(CALL + b'Connection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n')
		assert wire.recv(1000).startswith(b'HTTP/1.1 100')
		wire.sendall(b'{}')
		assert b'{"event":{}}' in read_all(wire)


def slow_clients_hold_up_nobody(fn):
	"""Hundreds who send a byte now and then, or take none, while everybody else is served."""
	clients = []
	for number in range(300):
		wire = fn.raw()
		wire.sendall(CALL[:number % len(CALL)])
		clients.append(wire)
	for number in range(100):
		wire = fn.raw()
		wire.sendall(CALL + b'Content-Length: 1000\r\n\r\n' + b'x' * number)
		clients.append(wire)
	for _ in range(8):  # they ask for much, and do not read
		wire = fn.raw()
		wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
		wire.sendall(CALL + b'Content-Length: 16\r\n\r\n{"fill":6000000}')
		clients.append(wire)
	sent = 0
	for number in range(20):
		for wire in clients[:300:30]:
			with contextlib.suppress(OSError):  # what it has sent so far may be known for nonsense
				sent += wire.send(b'x')
		assert fn.ask('POST', '/function/echo', b'{}', connection=fn.loopback())[0] == 200
	assert sent >= 100, sent
	with fn.raw() as wire:  # one that takes its time, and takes all
		wire.sendall(CALL + b'Content-Length: 16\r\n\r\n{"fill":3000000}')
		answer = b''
		while len(answer) < 3000000:
			piece = wire.recv(65536)
			assert piece, len(answer)
			answer += piece
			time.sleep(0.005)
	for wire in clients:
		wire.close()


def slow_clients_are_cut_off(fn):
	"""Who drips a head is cut off after a minute, however steadily."""
	with fn.raw(timeout=120) as wire:
		begun = time.monotonic()
		try:
			while time.monotonic() - begun < 100:
				fn.step()
				wire.sendall(b'G' if time.monotonic() == begun else b'E')
				time.sleep(1)
		except OSError:
			pass
		assert 50 < time.monotonic() - begun < 95, time.monotonic() - begun


def idle_connections_cost_little(fn):
	"""Thousands of connections that do nothing, and calls beside them."""
	most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
	if most == resource.RLIM_INFINITY:
		most = 1 << 20
	resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
	want = min(10000 if LONG else 2000, most - 200)
	idle = []
	try:
		while len(idle) < want:
			wire = fn.raw()
			if len(idle) % 2:
				wire.sendall(b'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
			idle.append(wire)
			if len(idle) % 500 == 0:
				fn.step()
		for _ in range(20):
			assert fn.ask('POST', '/function/echo', b'{}', connection=fn.loopback())[0] == 200
			assert fn.ask('POST', '/function/echo', b'{}')[0] == 200
		answered = sum(bool(wire.recv(20)) for wire in idle[1:400:2])
		assert answered == 200, answered
		with open('/proc/%s/status' % fn.status()['pid']) as status:
			memory = [line.split()[1] for line in status if line.startswith('VmRSS')][0]
		print('     %d connections, the gateway has %s KiB' % (len(idle), memory))
		if 'asan' not in os.environ.get('FNFS_BUILD', ''):
			assert int(memory) < 300000, memory
	finally:
		for wire in idle:
			wire.close()


def who_leaves_cancels(fn):
	"""A client that goes away takes its call along, whether it waits or reads."""
	for name, event in (('echo', b'{"sleep":30}'), ('drip', b'{}')):
		for connection in (fn.loopback(), fn.unix()):
			connection.request('POST', '/function/' + name, event)
			fn.until(lambda: fn.last_call(name)['state'] == 'running')
			if name == 'drip':
				assert connection.getresponse().read1(5) == b'more\n'
			connection.close()
			fn.until(lambda: fn.last_call(name)['state'] == 'canceled')
			fn.step()


def killed_it_comes_back(fn):
	"""Killed, it is started again on the same sockets; calls under way end, and none of them stays."""
	for _ in range(3):
		fn.step()
		pid = int(fn.status()['pid'])
		connections = [fn.loopback() for _ in range(5)]
		for connection in connections:
			connection.request('POST', '/function/echo', b'{"sleep":20}')
		fn.until(lambda: fn.status()['running'] == '5')
		os.kill(pid, signal.SIGKILL)
		for connection in connections:
			try:
				connection.getresponse().read()
				raise AssertionError('there was an answer')
			except OSError:
				connection.close()
		# Who connects now waits in the socket's queue.
		assert fn.ask('POST', '/function/echo', b'{}', connection=fn.loopback())[0] == 200
		status = fn.status()
		assert status['state'] == 'ready' and int(status['pid']) != pid, status
		fn.until(lambda: fn.status()['running'] == '0')
		fn.until(lambda: fn.last_call('echo')['state'] != 'running')


def stopped_it_loses_nothing(fn):
	"""Stopped for a while (SIGSTOP), it goes on where it was; the daemon minds nothing."""
	pid = int(fn.status()['pid'])
	answers = []

	def call():
		answers.append(fn.ask('POST', '/function/echo', b'{"sleep":0.3}', connection=fn.loopback())[0])
	callers = [threading.Thread(target=call) for _ in range(5)]
	for caller in callers:
		caller.start()
	fn.until(lambda: fn.status()['running'] == '5')
	os.kill(pid, signal.SIGSTOP)
	try:
		fn.until(lambda: fn.status()['running'] == '0')
		assert fn.call('echo', b'{}') == b'{"event":{}}'
	finally:
		os.kill(pid, signal.SIGCONT)
	for caller in callers:
		caller.join()
	assert answers == [200] * 5, answers


def many_at_once(fn):
	"""Two hundred calls under way together, each with its own answer."""
	wrong = []

	def call(number):
		body = fn.ask('POST', '/function/echo', b'{"n":%d}' % number, connection=fn.loopback())[2]
		if json.loads(body) != {'event': {'n': number}}:
			wrong.append(body)
	callers = [threading.Thread(target=call, args=(number,)) for number in range(200)]
	for caller in callers:
		caller.start()
	for caller in callers:
		caller.join()
	assert not wrong, wrong


def main():
	cases = Cases()
	with Gatewayed(open=True) as fn:
		fn.function('echo', {'index.py': ECHO}, timeout='60s', concurrency=50, max_instances=4,
			memory='256M')
		fn.function('smuggled', {'index.py': ECHO})
		fn.function('drip', {'main+x': DRIP}, timeout='60s')
		assert fn.ask('POST', '/function/echo', b'{}')[0] == 200
		for case in (nothing_is_smuggled, unusual_requests_work, nonsense_is_refused, bodies_are_bounded,
				slow_clients_hold_up_nobody, idle_connections_cost_little, who_leaves_cancels,
				killed_it_comes_back, stopped_it_loses_nothing, many_at_once):
			cases.run(case, fn)
		if LONG:
			cases.run(slow_clients_are_cut_off, fn)
	cases.end()


main()
