#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""config/network `outbound`: a function that reaches the world, and that nothing reaches.

Without this a user would lose: calls to a database or a web service from a function; the certainty that
such a function sees nothing of this machine and that nobody comes in; and the sentence that says what is
missing. Real traffic: the daemon runs in a network of the test's own, with a machine at the other end of a
cable. With --user, it runs as an ordinary user.
"""

import json
import os
import shutil
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from mounted import BUILD, Cases, Mounted, descendants, errno_of, skip  # noqa: E402
from outside import Outside  # noqa: E402

USER = 65534

PROBE = r'''
import concurrent.futures, errno, os, socket, threading, time

def speak(kind, host, port):
	family = socket.AF_INET6 if ':' in host else socket.AF_INET
	with socket.socket(family, socket.SOCK_STREAM if kind == 'tcp' else socket.SOCK_DGRAM) as to:
		to.settimeout(2)
		try:
			to.connect((host, port))
			to.send(b'hello')
			return to.recv(100).decode() or 'closed'
		except OSError as error:
			return errno.errorcode.get(error.errno, type(error).__name__)

def listen(port):
	server = socket.create_server(('0.0.0.0', port))
	def serve():
		while True:
			with server.accept()[0] as peer:
				peer.recv(100)
	threading.Thread(target=serve, daemon=True).start()

def handler(event, context):
	return {'answer': answer(event)}

def answer(event):
	if 'eat' in event:
		pieces = []
		while True:
			pieces.append(b'x' * (1 << 20))
	if 'sleep' in event:
		print('asleep', flush=True)
		time.sleep(event['sleep'])
	if 'listen' in event:
		return listen(event['listen'])
	if 'resolve' in event:
		return socket.getaddrinfo(event['resolve'], 80, socket.AF_INET)[0][4][0]
	if 'read' in event:
		return open(event['read']).read()
	if 'transfer' in event:
		with socket.create_connection(event['transfer'], timeout=10) as to:
			got = 0
			for _ in range(64):
				to.sendall(b'x' * 65536)
				while got % 65536 or not got or got < 65536 * (_ + 1):
					got += len(to.recv(65536))
			return got
	with concurrent.futures.ThreadPoolExecutor(20) as pool:
		return list(pool.map(lambda target: speak(*target), event['speak']))
'''

SERVER = r'''#!/usr/bin/python3
import http.server, socket
class Handler(http.server.BaseHTTPRequestHandler):
	def log_message(self, *arguments):
		pass
	def do_POST(self):
		with socket.create_connection(('%s', %d)) as to:
			to.sendall(b'from a server')
			answer = to.recv(100)
		self.send_response(200)
		self.send_header('Content-Length', str(len(answer)))
		self.end_headers()
		self.wfile.write(answer)
http.server.HTTPServer(('127.0.0.1', 8000), Handler).serve_forever()
'''

POLLER = r'''#!/usr/bin/python3
import os, socket, urllib.request
base = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/invocation/'
while True:
	with urllib.request.urlopen(base + 'next') as event:
		name = event.headers['Lambda-Runtime-Aws-Request-Id']
	with socket.create_connection(('%s', %d)) as to:
		to.sendall(b'from a poller')
		answer = to.recv(100)
	urllib.request.urlopen(base + name + '/response', answer).close()
'''


def probe(fn, name='probe', **event):
	return json.loads(fn.call(name, json.dumps(event).encode()))['answer']


def error_of(fn, name, **event):
	"""The sentence of a call that fails."""
	try:
		fn.call(name, json.dumps(event or {'speak': []}).encode())
	except OSError as error:
		return json.loads(error.body)['errorMessage']
	raise AssertionError('it did not fail')


def pastas(fn):
	"""pid -> whom it runs as; of this daemon's guardian."""
	found = {}
	for pid in descendants(fn.process.pid):
		try:
			with open('/proc/%d/status' % pid) as file:
				fields = dict(line.rstrip('\n').split(':\t', 1) for line in file if ':\t' in line)
		except OSError:
			continue  # it has just ended
		if fields['Name'].startswith(('pasta', 'passt')):  # it becomes a variant for this processor
			found[pid] = int(fields['Uid'].split()[0])
	return found


def runs(pid):
	try:
		with open('/proc/%d/stat' % pid) as file:
			return file.read().rpartition(')')[2].split()[0] != 'Z'
	except OSError:
		return False


def await_ends(pids):
	"""Until they are gone; the test's patience ends what never does."""
	end = time.monotonic() + 20
	while left := list(filter(runs, pids)):
		assert time.monotonic() < end, left
		time.sleep(0.01)


def stop_instances(fn, name):
	directory = fn.path('functions', name, 'instances')
	for instance in os.listdir(directory):
		os.rmdir(os.path.join(directory, instance))


def way_out(fn, outside):
	"A function reaches the world by TCP and UDP, IPv4 and IPv6, and by name."
	assert probe(fn, speak=[['tcp', outside.address, outside.port], ['udp', outside.address, outside.port]]) == ['hello'] * 2
	while probe(fn, speak=[['tcp', outside.address6, outside.port]]) != ['hello']:
		pass  # older pastas leave the kernel to look first whether somebody else has the address
	assert probe(fn, resolve='outside.test') == outside.address
	assert probe(fn, transfer=[outside.address, outside.port]) == 4 << 20


def protocols(fn, outside):
	"HTTP functions and programs that poll a runtime API have their ports and a way out."
	for name, program in ('web', SERVER), ('poller', POLLER):
		fn.function(name, {'bootstrap+x': program % (outside.address, outside.port)}, network='outbound')
	assert fn.call('web', b'{}') == b'from a server'
	assert fn.call('poller', b'{}') == b'from a poller'


def builds_have_it(fn, outside):
	"A build gets what it needs from where the function may go."
	fn.function('built', {'get.py': 'import socket\nwith socket.create_connection(("%s", %d)) as to:\n\tto.sendall(b"fetched")\n'
		'\topen("got.txt", "wb").write(to.recv(100))\n' % (outside.address, outside.port),
		'index.py': 'def handler(event, context):\n\treturn open("/opt/function/code/got.txt").read()\n'},
		network='outbound', build='python3 get.py')
	assert fn.call('built') == b'fetched'


def nothing_of_this_machine(fn, outside):
	"What listens on this machine's loopback addresses is reached by no address at all."
	with socket.create_server(('127.0.0.1', 0)) as server, \
			socket.create_server(('::1', 0), family=socket.AF_INET6) as server6:
		ports = server.getsockname()[1], server6.getsockname()[1]
		hosts = ['127.0.0.1', '127.0.0.53', '::1', '0.0.0.0', '169.254.1.1', '169.254.2.1', outside.here, outside.address,
			outside.here6, outside.address6]
		for port in ports:
			found = probe(fn, speak=[['tcp', host, port] for host in hosts])
			assert not {'hello', 'closed'} & set(found), dict(zip(hosts, found))
		for listening in server, server6:
			listening.settimeout(0)
			assert errno_of(listening.accept) == 'EAGAIN'


def nothing_comes_in(fn, outside):
	"What a function listens on is reached by nobody, neither from here nor from outside nor by another function."
	probe(fn, listen=7777)
	assert probe(fn, speak=[['tcp', '127.0.0.1', 7777]]) == ['closed']  # it does listen
	assert outside.reach(7777) == 'ConnectionRefusedError'
	for host in '127.0.0.1', outside.here:
		assert errno_of(socket.create_connection, (host, 7777)) == 'ECONNREFUSED'
	found = probe(fn, 'other', speak=[['tcp', host, 7777] for host in
		('127.0.0.1', outside.here, outside.here6, '169.254.1.1')])
	assert not {'hello', 'closed'} & set(found), found


def never_as_root(fn, outside):
	"The process that carries the traffic is no more than the function's owner."
	probe(fn, speak=[])
	found = pastas(fn)
	assert found and 0 not in found.values(), found


def by_the_hosts_resolver(fn, outside):
	"Names are found where the machine's own resolver is on a loopback address."
	assert probe(fn, read='/etc/resolv.conf') == 'options timeout:2\nnameserver %s\n' % outside.address
	if os.getuid() != 0:
		return  # nobody else may listen on port 53
	outside.set_resolver('127.0.0.53')
	with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
		resolver.bind(('127.0.0.53', 53))
		stop_instances(fn, 'probe')
		pid = os.fork()
		if pid == 0:
			from outside import dns_answer
			while True:
				data, peer = resolver.recvfrom(4096)
				resolver.sendto(dns_answer(data), peer)
		try:
			assert probe(fn, resolve='inside.test') == outside.address
			assert 'nameserver 169.254.1.1' in probe(fn, read='/etc/resolv.conf')
		finally:
			os.kill(pid, signal.SIGKILL)
			os.waitpid(pid, 0)
			outside.set_resolver(outside.address)
	stop_instances(fn, 'probe')


def ends_with_its_instance(fn, outside):
	"An instance that is stopped takes its way out with it."
	probe(fn, speak=[])
	before = set(pastas(fn))
	for name in 'probe', 'other', 'web', 'poller', 'built':
		stop_instances(fn, name)
	await_ends(before)


def a_broken_way_out_is_told(fn, outside):
	"An instance whose way out breaks is ended, says so, and the next call has a new one."
	stop_instances(fn, 'probe')
	found = []
	caller = threading.Thread(target=lambda: found.append(error_of(fn, 'probe', sleep=60)))
	caller.start()
	while 'asleep' not in fn.read('functions', 'probe', 'logs', 'current'):
		time.sleep(0.01)
	for pid in pastas(fn):
		os.kill(pid, signal.SIGKILL)
	caller.join()
	assert 'lost its network: pasta, its way out, ended: Killed' in found[0], found
	assert probe(fn, speak=[['tcp', outside.address, outside.port]]) == ['hello']


def memory_is_told_as_such(fn, outside):
	"An instance that is ended for its memory says so, though its way out ends with it."
	for _ in range(3):
		assert 'memory limit' in error_of(fn, 'probe', eat=1)
		assert probe(fn, speak=[['tcp', outside.address, outside.port]]) == ['hello']


def no_route(fn, outside):
	"Without a way out of the machine a function does not start, and it is told; or it has what the machine still has."
	if os.getuid() != 0:
		return  # the routes are root's
	stop_instances(fn, 'probe')
	outside.disconnect()
	try:
		assert probe(fn, speak=[['tcp', outside.address, outside.port]]) == ['hello']  # newer pastas
	except OSError as error:
		assert 'no default route' in json.loads(error.body)['errorMessage'], error.body
	finally:
		outside.connect()
	assert probe(fn, speak=[['tcp', outside.address, outside.port]]) == ['hello']


def with_the_guardian(fn, outside):
	"When the guardian is killed the ways out end with it."
	probe(fn, speak=[])
	before = set(pastas(fn))
	with open(fn.path('status')) as file:
		guardian = int(dict(line.split(None, 1) for line in file)['guardian'])
	os.kill(guardian, signal.SIGKILL)
	await_ends(before | {guardian})
	assert probe(fn, speak=[['tcp', outside.address, outside.port]]) == ['hello']


def with_the_daemon(fn, outside):
	"When the daemon is killed the ways out end with it."
	probe(fn, speak=[])
	before = set(pastas(fn))
	assert before
	fn.kill()
	await_ends(before)
	fn.unmount()
	fn.start()
	assert probe(fn, speak=[['tcp', outside.address, outside.port]]) == ['hello']


# --- a pasta that is not as it should be ------------------------------------------------------------


def write_fake(fn, text):
	path = os.path.join(fn.base, 'pasta')
	with open(path + '.new', 'w') as file:
		file.write(text)
	os.chmod(path + '.new', 0o755)
	os.rename(path + '.new', path)
	return path


def fakes(outside):
	"A pasta that fails, hangs or spins is ended, and the call says it; none at all, and the setting is refused."
	with Mounted() as fn:
		pass
	base = fn.base
	with Mounted(env={'FNFS_PASTA': os.path.join('/var/tmp', 'fnfs-fake-%d' % os.getpid(), 'pasta')}) as fn:
		directory = os.path.dirname(fn.env['FNFS_PASTA'])
		os.mkdir(directory, 0o755)
		try:
			fn.base, base = directory, fn.base
			fake_cases(fn)
		finally:
			fn.base = base
			shutil.rmtree(directory)


def fake_cases(fn):
	fn.function('probe', {'index.py': PROBE}, timeout='20s')
	assert errno_of(fn.set, 'probe', 'network', 'outbound') in ('EOPNOTSUPP', 'ENOTSUP')
	assert 'apt-get install passt' in fn.read('functions', 'probe', 'last_error')
	write_fake(fn, '#!/bin/sh\necho Failed to send 9 bytes to syslog >&2\necho it does not want to >&2\nexit 1\n')
	fn.set('probe', 'network', 'outbound')
	assert 'it does not want to' in error_of(fn, 'probe')
	write_fake(fn, '#!/bin/sh\nkill -SEGV $$\n')
	assert 'Segmentation fault' in error_of(fn, 'probe')
	for text in '#!/bin/sh\nexec sleep 1000\n', '#!/bin/sh\nwhile :; do :; done\n':
		write_fake(fn, text)
		assert 'not ready within 5 s' in error_of(fn, 'probe')
		left = [pid for pid in descendants(fn.process.pid) if 'pasta' in command_of(pid) or 'sleep' in command_of(pid)]
		await_ends(left)
	os.unlink(os.path.join(fn.base, 'pasta'))
	assert 'apt-get install passt' in error_of(fn, 'probe')
	fn.set('probe', 'network', 'none')
	assert probe(fn, speak=[]) == []


def command_of(pid):
	try:
		with open('/proc/%d/cmdline' % pid) as file:
			return file.read()
	except OSError:
		return ''


def main():
	if os.getuid() != 0:
		skip('only root can make a network')
	if not shutil.which('pasta') or not shutil.which('ip', path=os.environ['PATH'] + ':/usr/sbin:/sbin'):
		skip('passt or iproute2 is not installed')
	os.environ['PATH'] += ':/usr/sbin:/sbin'
	cases = Cases()
	outside = Outside()
	if '--user' in sys.argv:
		outside.become(USER)
		if not os.access(BUILD, os.X_OK) or not os.access(sys.executable, os.X_OK):
			skip('an ordinary user cannot reach the build, or this Python')
	with Mounted() as fn:
		for name in 'probe', 'other':
			fn.function(name, {'index.py': PROBE}, network='outbound', timeout='20s')
		for case in (way_out, protocols, builds_have_it, nothing_of_this_machine, nothing_comes_in, never_as_root, by_the_hosts_resolver,
				ends_with_its_instance, a_broken_way_out_is_told, memory_is_told_as_such, no_route, with_the_guardian, with_the_daemon):
			cases.run(case, fn, outside)
	cases.run(fakes, outside)
	outside.close()
	cases.end()


if __name__ == '__main__':
	main()
