# SPDX-License-Identifier: Apache-2.0
"""A network of the test's own: this process, and whatever it starts, moves into one that has a cable to a
machine outside, and a default route to it. That machine is a process in another network.

    outside = Outside()        # root; as an ordinary user afterwards: outside.become(65534)
    outside.address            # answers on TCP and UDP port 7000, and asks DNS questions on port 53

The machine's resolver knows `outside.test`. Nothing is left behind: networks go with their last process.
"""

import contextlib
import ctypes
import os
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
HERE, THERE = '198.18.0.1', '198.18.0.2'
HERE6, THERE6 = 'fd00:1908::1', 'fd00:1908::2'
PORT = 7000


def ip(*words):
	subprocess.run(['ip', *words], check=True)


def unshare(flags):
	if ctypes.CDLL(None, use_errno=True).unshare(flags) < 0:
		raise OSError(ctypes.get_errno(), 'unshare')


class Outside:
	address, address6, port, here, here6 = THERE, THERE6, PORT, HERE, HERE6

	def __init__(self, resolver=THERE):
		unshare(CLONE_NEWNET | CLONE_NEWNS)
		subprocess.run(['mount', '--make-rprivate', '/'], check=True)
		self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__)],
			stdin=subprocess.PIPE, stdout=subprocess.PIPE)
		self.process.stdout.readline()  # it is in its network
		ip('link', 'set', 'lo', 'up')
		ip('link', 'add', 'uplink', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', str(self.process.pid))
		ip('address', 'add', HERE + '/24', 'dev', 'uplink')
		ip('-6', 'address', 'add', HERE6 + '/64', 'dev', 'uplink', 'nodad')
		ip('link', 'set', 'uplink', 'up')
		self.process.stdin.write(b'\n')
		self.process.stdin.flush()
		self.process.stdout.readline()  # it listens
		self.connect()
		self.cover_resolvers()
		self.set_resolver(resolver)
		self.open_device()

	def connect(self):
		ip('route', 'add', 'default', 'via', THERE)
		ip('-6', 'route', 'add', 'default', 'via', THERE6)

	def disconnect(self):
		ip('route', 'del', 'default')
		ip('-6', 'route', 'del', 'default')

	def set_resolver(self, address):
		"""/etc/resolv.conf in this process's mounts, and in those that were made of them."""
		self.resolvers.seek(0)
		self.resolvers.truncate()
		self.resolvers.write('options timeout:2\nnameserver %s\n' % address)
		self.resolvers.flush()

	def cover_resolvers(self):
		fd, path = tempfile.mkstemp()
		os.chmod(path, 0o644)
		subprocess.run(['mount', '--bind', path, '/etc/resolv.conf'], check=True)
		os.unlink(path)
		self.resolvers = open(fd, 'w')

	@staticmethod
	def open_device():
		"""/dev/net/tun as udev makes it; some machines without it have one that is root's alone."""
		with tempfile.TemporaryDirectory() as directory:
			path = os.path.join(directory, 'tun')
			os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(10, 200))
			os.chmod(path, 0o666)
			subprocess.run(['mount', '--bind', path, '/dev/net/tun'], check=True)

	@staticmethod
	def become(uid):
		os.setgroups([])
		os.setresgid(uid, uid, uid)
		os.setresuid(uid, uid, uid)

	def reach(self, port, host=HERE):
		"""What the machine outside hears when it connects to us."""
		self.process.stdin.write(b'%s %d\n' % (host.encode(), port))
		self.process.stdin.flush()
		return self.process.stdout.readline().decode().strip()

	def close(self):
		self.process.stdin.close()
		self.process.wait()


# --- the machine outside ----------------------------------------------------------------------------


def dns_answer(question):
	"""Every name is this machine, for IPv4; there is nothing else to know."""
	end = question.index(b'\0', 12) + 5
	wanted, = struct.unpack('>H', question[end - 4:end - 2])
	record = b'\xc0\x0c' + struct.pack('>HHIH', 1, 1, 60, 4) + socket.inet_aton(THERE) if wanted == 1 else b''
	return question[:2] + struct.pack('>HHHHH', 0x8180, 1, 1 if record else 0, 0, 0) + question[12:end] + record


def serve_udp(family, port, answer):
	server = socket.socket(family, socket.SOCK_DGRAM)
	server.bind(('', port))
	while True:
		data, peer = server.recvfrom(4096)
		server.sendto(answer(data), peer)


def answer_tcp(connection):
	with connection, contextlib.suppress(OSError):
		while data := connection.recv(65536):
			connection.sendall(data)


def serve_tcp(family, port):
	server = socket.socket(family)
	server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
	if family == socket.AF_INET6:
		server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
	server.bind(('', port))
	server.listen()
	while True:
		threading.Thread(target=answer_tcp, args=(server.accept()[0],), daemon=True).start()


def start(target, *arguments):
	threading.Thread(target=target, args=arguments, daemon=True).start()


def main():
	ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
	unshare(CLONE_NEWNET)
	print('ready', flush=True)
	sys.stdin.readline()
	ip('link', 'set', 'lo', 'up')
	ip('address', 'add', THERE + '/24', 'dev', 'eth0')
	ip('-6', 'address', 'add', THERE6 + '/64', 'dev', 'eth0', 'nodad')
	ip('link', 'set', 'eth0', 'up')
	start(serve_tcp, socket.AF_INET, PORT)
	start(serve_tcp, socket.AF_INET6, PORT)
	start(serve_udp, socket.AF_INET, PORT, lambda data: data)
	start(serve_udp, socket.AF_INET, 53, dns_answer)
	print('ready', flush=True)
	for line in sys.stdin:
		host, port = line.split()
		try:
			with socket.create_connection((host, int(port)), timeout=5) as connection:
				print(connection.recv(100).decode() or 'closed', flush=True)
		except OSError as error:
			print(type(error).__name__, flush=True)


if __name__ == '__main__':
	main()
