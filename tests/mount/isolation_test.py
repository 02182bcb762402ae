#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A function that is up to no good tries what it can, as an event function and as an HTTP function, and with a
way out (config/network `outbound`) where root can make a network for the test.

Without this a user would lose: whatever else is on the machine, to the worst program that anybody drops
into a code/.
"""

import json
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from mounted import BUILD, Cases, Mounted, errno_of, write_file  # noqa: E402
from outside import Outside  # noqa: E402

outside = None

# What runs inside. Each trial returns something that JSON can say; an OSError is its errno's name.
TRIALS = r'''
import ctypes, errno, os, resource, signal, socket, stat, struct, sys, time

libc = ctypes.CDLL(None, use_errno=True)
X86 = {'mount': 165, 'umount2': 166, 'pivot_root': 155, 'unshare': 272, 'setns': 308, 'ptrace': 101,
	'process_vm_readv': 310, 'process_vm_writev': 311, 'pidfd_getfd': 438, 'kcmp': 312, 'keyctl': 250,
	'add_key': 248, 'request_key': 249, 'bpf': 321, 'perf_event_open': 298, 'userfaultfd': 323,
	'io_uring_setup': 425, 'kexec_load': 246, 'init_module': 175, 'finit_module': 313, 'reboot': 169,
	'swapon': 167, 'acct': 163, 'settimeofday': 164, 'clock_settime': 227, 'sethostname': 170,
	'setdomainname': 171, 'chroot': 161, 'open_by_handle_at': 304, 'name_to_handle_at': 303,
	'fanotify_init': 300, 'quotactl': 179, 'syslog': 103, 'iopl': 172, 'ioperm': 173, 'move_mount': 429,
	'open_tree': 428, 'fsopen': 430, 'mount_setattr': 442, 'clone3': 435, 'clone': 56, 'setuid': 105,
	'setgid': 106, 'setgroups': 116, 'capset': 126, 'vhangup': 153, 'modify_ldt': 154}

def call(name, *arguments):
	ctypes.set_errno(0)
	r = libc.syscall(X86[name], *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
	return r if r >= 0 else errno.errorcode[ctypes.get_errno()]

def attempt(action, *arguments):
	try:
		r = action(*arguments)
		return r if isinstance(r, (str, int, float, list, dict)) else 'done'
	except OSError as error:
		return errno.errorcode.get(error.errno, str(error))

def write(path, text='1'):
	fd = os.open(path, os.O_WRONLY)
	try:
		return os.write(fd, text.encode())
	finally:
		os.close(fd)

# --- what a trial is asked for by name ---

def look(event):
	"""Each path, through every root that might lead out."""
	found = {}
	for path in event['paths']:
		for root in ('', '/proc/1/root', '/proc/self/root', '/proc/self/cwd/' + '../' * 20, '/..'):
			r = attempt(lambda: os.lstat(root + path).st_ino)
			if r not in ('ENOENT', 'EACCES'):
				found[root + path] = r
	return found

def calls(event):
	small = ctypes.create_string_buffer(4096)
	new_user, new_ns, new_net, new_pid = 0x10000000, 0x20000, 0x40000000, 0x20000000
	tries = {name: call(name, small, small, small, 0, small) for name in X86 if name not in (
		'unshare', 'setns', 'ptrace', 'clone', 'clone3', 'keyctl', 'setuid', 'setgid', 'setgroups', 'syslog',
		'reboot', 'perf_event_open', 'iopl', 'capset', 'io_uring_setup', 'process_vm_readv', 'process_vm_writev', 'kcmp')}
	for flag in new_user, new_ns, new_net, new_pid, new_user | new_ns, 0x02000000, 0x04000000, 0x08000000:
		tries['unshare %x' % flag] = call('unshare', flag)
		tries['clone %x' % flag] = call('clone', flag | signal.SIGCHLD, 0, 0, 0, 0)
		if tries['clone %x' % flag] == 0:
			os._exit(0)
	network = os.open('/proc/self/ns/net', os.O_RDONLY)
	tries['setns'] = call('setns', network, 0)
	os.close(network)
	tries['ptrace attach'] = call('ptrace', 16, 1, 0, 0)
	tries['ptrace seize'] = call('ptrace', 0x4206, os.getppid(), 0, 0)
	tries['ptrace me'] = call('ptrace', 0, 0, 0, 0)
	for name in 'process_vm_readv', 'process_vm_writev':
		tries[name] = call(name, 1, small, 1, small, 1, 0)
	tries['kcmp'] = call('kcmp', 1, os.getpid(), 0, 0, 0)
	for command in 0, 1, 10, 11:
		tries['keyctl %d' % command] = call('keyctl', command, -3, 0, 0, 0)
	for uid in 0, 1, 65534:
		tries['setuid %d' % uid] = call('setuid', uid)
		tries['setgid %d' % uid] = call('setgid', uid)
	tries['setgroups'] = call('setgroups', 0, small)
	tries['syslog'] = call('syslog', 3, small, 4096)
	tries['reboot'] = call('reboot', 0xfee1dead, 672274793, 0, 0)
	tries['perf_event_open'] = call('perf_event_open', small, 0, -1, -1, 0)
	tries['iopl'] = call('iopl', 3)
	tries['io_uring_setup'] = call('io_uring_setup', 4, small)
	tries['clone3'] = call('clone3', small, 88)
	tries['capset'] = call('capset', ctypes.c_char_p(struct.pack('Ii', 0x20080522, 0)),
		ctypes.c_char_p(struct.pack('6I', *[0xffffffff] * 6)))
	return {name: r for name, r in tries.items()
		if r not in ('EPERM', 'ENOSYS') and not (name.startswith('set') and r == 'EINVAL')}  # not mapped

def identity(event):
	lines = dict(line.split(':\t', 1) for line in open('/proc/self/status').read().splitlines() if ':\t' in line)
	return {key: lines[key].split()[0] for key in ('Uid', 'Gid', 'CapEff', 'CapPrm', 'CapBnd', 'CapAmb', 'CapInh',
		'NoNewPrivs', 'Seccomp')} | {'groups': [g for g in os.getgroups() if g not in (1003, 65534)]}

def descriptors(event):
	"""Of the process that was started, before it opened anything: kinds of what it inherited."""
	kinds = {}
	for name in os.listdir('/proc/1/fd') if os.access('/proc/1/fd', os.R_OK) else ():
		kinds['init ' + name] = os.readlink('/proc/1/fd/' + name)
	for name in os.listdir('/proc/self/fd'):
		try:
			mode = os.fstat(int(name)).st_mode
		except OSError:
			continue
		target = os.readlink('/proc/self/fd/' + name)
		if stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and os.path.exists(target) is False and 'memfd' not in target):
			kinds[name] = target
	return kinds

def processes(event):
	return [open('/proc/%s/comm' % name).read().strip() for name in os.listdir('/proc') if name.isdigit()]

def signals(event):
	return {str(pid): attempt(os.kill, pid, 0) for pid in event['pids']}

def system(event):
	tries = {}
	for path in ('/proc/sys/kernel/core_pattern', '/proc/sys/kernel/hostname', '/proc/sys/kernel/modprobe',
			'/proc/sys/vm/overcommit_memory', '/proc/sys/net/ipv4/ip_forward', '/proc/sysrq-trigger',
			'/proc/1/oom_score_adj', '/proc/1/mem', '/proc/self/loginuid', '/proc/self/uid_map', '/proc/self/gid_map',
			'/sys/kernel/uevent_helper', '/sys/power/state', '/sys/kernel/mm/transparent_hugepage/enabled',
			'/sys/fs/cgroup/cgroup.procs', '/sys/fs/cgroup/memory/cgroup.procs', '/proc/kcore', '/proc/kmsg',
			'/proc/acpi/wakeup', '/proc/timer_list', '/dev/mem', '/dev/kmsg', '/dev/kvm', '/dev/fuse', '/dev/vda',
			'/dev/sda', '/dev/net/tun', '/dev/loop-control', '/dev/tty1', '/dev/mapper/control'):
		tries['write ' + path] = attempt(write, path)
	for path in '/', '/etc', '/usr', '/usr/bin', '/opt', '/opt/function', '/opt/function/code', '/opt/fnfs', '/var', '/proc', '/dev':
		tries['create in ' + path] = attempt(os.open, path + '/made', os.O_CREAT | os.O_WRONLY, 0o644)
	for path in '/dev', '/tmp':
		tries['device in ' + path] = attempt(os.mknod, path + '/disk', 0o666 | stat.S_IFBLK, os.makedev(254, 0))
	return {name: r for name, r in tries.items() if r not in ('ENOENT', 'EACCES', 'EPERM', 'EROFS', 'EINVAL', 'EIO', 'ENXIO')}

def devices(event):
	return sorted(name for name in os.listdir('/dev') if stat.S_ISCHR(os.lstat('/dev/' + name).st_mode)
		or stat.S_ISBLK(os.lstat('/dev/' + name).st_mode))

def code(event):
	"""Nothing may change what is published, or what others run from the same file."""
	path = event['path']
	tries = {'open': attempt(os.open, path, os.O_RDWR), 'truncate': attempt(os.truncate, path, 0),
		'append': attempt(os.open, path, os.O_WRONLY | os.O_APPEND), 'chmod': attempt(os.chmod, path, 0o777),
		'chown': attempt(os.chown, path, 1003, 1003), 'utime': attempt(os.utime, path),
		'link': attempt(os.link, path, '/tmp/link'), 'unlink': attempt(os.unlink, path),
		'rename': attempt(os.rename, path, '/opt/function/code/other'),
		'xattr': attempt(os.setxattr, path, 'user.x', b'1'),
		'proc': attempt(write, '/proc/self/fd/%d' % os.open(path, os.O_RDONLY))}
	return {name: r for name, r in tries.items() if r not in ('EROFS', 'EACCES', 'EPERM', 'EXDEV')}

def setuid(event):
	"""A file of its own with set-id bits, and those of the machine, give nothing."""
	import shutil, subprocess
	shutil.copy('/usr/bin/id', '/tmp/id')
	os.chmod('/tmp/id', 0o6755)
	found = {'/tmp/id': subprocess.run(['/tmp/id', '-u'], capture_output=True, text=True).stdout.strip()}
	for path in '/usr/bin/su', '/usr/bin/passwd', '/usr/bin/mount', '/usr/bin/fusermount3', '/usr/bin/sudo':
		if os.path.exists(path) and os.stat(path).st_mode & 0o6000:
			process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
			lines = open('/proc/%d/status' % process.pid).read()
			process.kill()
			process.communicate()
			found[path] = [line.split()[1:5] for line in lines.splitlines() if line.startswith('Uid')][0]
	return found

def connect(event):
	"""Addresses of the host and of other instances."""
	r = {}
	for host, port in event.get('tcp', ()):
		sock = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_STREAM)
		sock.settimeout(2)
		try:
			sock.connect((host, port))
			r['%s %d' % (host, port)] = 'connected'
		except (TimeoutError, socket.timeout):
			r['%s %d' % (host, port)] = 'timeout'
		except OSError as error:
			r['%s %d' % (host, port)] = errno.errorcode.get(error.errno, str(error))
	for name in event.get('unix', ()):
		sock = socket.socket(socket.AF_UNIX)
		r[name] = attempt(sock.connect, '\0' + name[1:] if name[0] == '@' else name)
	return r

def sockets(event):
	kinds = {'raw': (socket.AF_INET, socket.SOCK_RAW, 1), 'raw6': (socket.AF_INET6, socket.SOCK_RAW, 58),
		'packet': (socket.AF_PACKET, socket.SOCK_RAW, 768), 'packet dgram': (socket.AF_PACKET, socket.SOCK_DGRAM, 768),
		'netfilter': (socket.AF_NETLINK, socket.SOCK_RAW, 12), 'audit': (socket.AF_NETLINK, socket.SOCK_RAW, 9),
		'vsock': (40, socket.SOCK_STREAM, 0), 'alg': (38, socket.SOCK_SEQPACKET, 0), 'bluetooth': (31, socket.SOCK_RAW, 1),
		'xdp': (44, socket.SOCK_RAW, 0), 'can': (29, socket.SOCK_RAW, 1), 'key': (15, socket.SOCK_RAW, 2)}
	r = {name: attempt(lambda: socket.socket(*kind).close()) for name, kind in kinds.items()}
	r['interfaces'] = [name for _, name in socket.if_nameindex()]
	return r

def keep(event):
	open('/tmp/kept', 'w').write(event['text'])
	os.makedirs('/dev/shm', exist_ok=True)
	attempt(lambda: open('/dev/shm/kept', 'w').write(event['text']))
	return sorted(os.listdir('/tmp'))

def kept(event):
	return [name for name in ('/tmp/kept', '/dev/shm/kept', '/var/tmp/kept') if os.path.exists(name)]

def kill_all(event):
	pid = os.fork()
	if pid == 0:
		os.kill(-1, signal.SIGKILL)
		os._exit(0)
	time.sleep(5)
	return 'alive'

def environment(event):
	out = {}
	for name in os.listdir('/proc'):
		if name.isdigit():
			for file in 'environ', 'cmdline', 'maps':
				r = attempt(lambda: open('/proc/%s/%s' % (name, file), errors='replace').read())
				if any(word in r for word in event['words']):
					out['/proc/%s/%s' % (name, file)] = 'seen'
	return out

def fill(event):
	"""As much as goes in; the rest is refused, or this process ends."""
	block, total = b'x' * (1 << 20), 0
	try:
		with open(event['path'], 'wb') as file:
			while total < 4096:
				file.write(block)
				file.flush()
				total += 1
	except OSError as error:
		return [errno.errorcode[error.errno], total]
	return ['done', total]

def open_many(event):
	held = []
	try:
		while len(held) < 200000:
			held.append(os.open('/dev/null', os.O_RDONLY))
	except OSError as error:
		for fd in held:
			os.close(fd)
		return [errno.errorcode[error.errno], len(held)]
	return ['done', len(held)]

def hello(event):
	return 'hello'

def run(event):
	try:
		return globals()[event['do']](event)
	except OSError as error:
		return errno.errorcode[error.errno]
'''

EVENT = 'import trials\ndef handler(event, context):\n\treturn trials.run(event)\n'

HTTP = '''#!/usr/bin/python3
import json, http.server, trials
class Handler(http.server.BaseHTTPRequestHandler):
	def do_POST(self):
		event = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
		body = json.dumps(trials.run(event)).encode()
		self.send_response(200)
		self.send_header('Content-Length', str(len(body)))
		self.end_headers()
		self.wfile.write(body)
	def log_message(self, *arguments):
		pass
http.server.ThreadingHTTPServer(('127.0.0.1', 8000), Handler).serve_forever()
'''

# The functions that try: an event function, one of a published version, an HTTP function; and, when there is a
# way out, two that have it.
BAD = ['event', 'event:1', 'web']
OUT = []


def deploy(fn):
	fn.function('event', {'trials.py': TRIALS, 'index.py': EVENT}, timeout="30s", memory="256M")
	fn.function('web', {'trials.py': TRIALS, 'bootstrap+x': HTTP}, timeout="30s", memory="256M")
	for name in OUT:
		fn.function(name, {'trials.py': TRIALS, 'index.py': EVENT} if name == 'out' else {'trials.py': TRIALS, 'bootstrap+x': HTTP},
			timeout='30s', memory='256M', network='outbound')
	fn.function('good', {'index.py': 'def handler(event, context):\n\treturn open(__file__).read()\n'})
	for name in 'good', 'event':
		os.mkdir(fn.path('functions', name, 'versions', '1'))
	os.mkdir(fn.path('functions', 'good', 'versions', '2'))


def attempt(fn, name, do, **event):
	name, _, version = name.partition(':')
	path = fn.path('functions', name, *(['versions', version] if version else []), 'invoke')
	fn.step()
	with open(path, 'r+b', buffering=0) as invoke:
		invoke.write(json.dumps(dict(event, do=do)).encode())
		body = b''
		while piece := invoke.read(1 << 20):
			body += piece
	return json.loads(body) if body[:1] in b'{["0123456789' else body.decode()


def everywhere(fn, do, **event):
	return {name: attempt(fn, name, do, **event) for name in BAD + OUT}


def nobody(fn):
	for name, found in everywhere(fn, 'identity').items():
		assert found.pop('groups') == [], (name, found)
		assert {found.pop('Uid'), found.pop('Gid')} == {'1003'}, (name, found)
		assert found.pop('NoNewPrivs') == '1' and found.pop('Seccomp') == '2', (name, found)
		assert {int(value, 16) for value in found.values()} == {0}, (name, found)


def files(fn):
	home = pwd.getpwuid(os.getuid()).pw_dir
	paths = [fn.state, fn.directory, fn.path('functions'), os.path.join(fn.state, 'fnfs.db'), BUILD, home,
		'/etc/shadow', '/root', '/home', '/boot', '/run/systemd', '/run/dbus', '/var/lib/dpkg', '/var/log', '/mnt', '/media',
		'/srv', '/sys/kernel', '/sys/class', '/lost+found', os.path.abspath(__file__)]
	for name, found in everywhere(fn, 'look', paths=paths).items():
		assert found == {}, (name, found)


def others(fn):
	attempt(fn, 'event', 'keep', text='secret')
	attempt(fn, 'web', 'keep', text='secret')
	fn.set('event', 'description', 'another deployment')
	assert attempt(fn, 'event:1', 'kept') == []
	attempt(fn, 'event:1', 'keep', text='secret')
	fn.function('other', {'trials.py': TRIALS, 'index.py': EVENT})
	assert attempt(fn, 'other', 'kept') == []
	words = [fn.state, fn.directory]
	for name, found in everywhere(fn, 'environment', words=words).items():
		assert found == {}, (name, found)


def system_calls(fn):
	for name, found in everywhere(fn, 'calls').items():
		assert found == {}, (name, found)


def system_files(fn):
	for name, found in everywhere(fn, 'system').items():
		assert found == {}, (name, found)
	for name, found in everywhere(fn, 'devices').items():
		assert set(found) <= {'null', 'zero', 'full', 'random', 'urandom', 'tty'}, (name, found)


def its_code(fn):
	before = fn.call('good')
	for name in BAD + OUT:
		for path in '/opt/function/code/trials.py', '/var/task/trials.py', '/usr/bin/python3', '/etc/hosts':
			found = attempt(fn, name, 'code', path=path)
			assert found == {}, (name, path, found)
	assert fn.call('good') == before


def privileges(fn):
	for name, found in everywhere(fn, 'setuid').items():
		assert found.pop('/tmp/id') == '1003', (name, found)
		assert all(set(ids) == {'1003'} for ids in found.values()), (name, found)


def processes(fn):
	for name in BAD + OUT:
		seen = attempt(fn, name, 'processes')
		assert len(seen) <= 4, (name, seen)
		assert not {'fnfsd', 'fnfs-guardian', 'bash', 'systemd'} & set(seen), (name, seen)
		pids = [os.getpid(), os.getppid(), fn.process.pid, 300000]
		assert set(attempt(fn, name, 'signals', pids=pids).values()) == {'ESRCH'}, name
		found = attempt(fn, name, 'descriptors')
		assert found == {}, (name, found)


def kill_all(fn):
	"""Whoever kills all it can see kills itself."""
	instance = os.listdir(fn.path('functions', 'good', 'instances'))
	assert errno_of(attempt, fn, 'web', 'kill_all')
	assert errno_of(attempt, fn, 'event', 'kill_all')
	fn.call('good')
	assert os.listdir(fn.path('functions', 'good', 'instances')) == instance
	assert attempt(fn, 'event', 'hello') == 'hello'
	assert attempt(fn, 'web', 'hello') == 'hello'


def network(fn):
	with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as abstract:
		tcp.bind(('0.0.0.0', 0))
		tcp.listen()
		abstract.bind('\0fnfs-isolation-%d' % os.getpid())
		abstract.listen()
		port = tcp.getsockname()[1]
		addresses = [address for address in subprocess.run(['hostname', '-I'], stdout=subprocess.PIPE,
			text=True).stdout.split()]
		tcp_targets = [[host, port] for host in ['127.0.0.1', *addresses, '169.254.169.254']] + [['127.0.0.1', 22]]
		for name, found in everywhere(fn, 'connect', tcp=tcp_targets,
				unix=['@fnfs-isolation-%d' % os.getpid(), '/run/dbus/system_bus_socket']).items():
			allowed = {'ECONNREFUSED', 'ENETUNREACH', 'ENOENT'} | ({'EHOSTUNREACH', 'timeout'} if name in OUT else set())
			assert set(found.values()) <= allowed, (name, found)
	for name in OUT:  # it does have a way out
		assert attempt(fn, name, 'connect', tcp=[[outside.address, outside.port]]) == {'%s %d' % (outside.address, outside.port): 'connected'}
	# A web server of another instance, on the same port.
	assert attempt(fn, 'event', 'connect', tcp=[['127.0.0.1', 8000]]) == {'127.0.0.1 8000': 'ECONNREFUSED'}
	assert attempt(fn, 'web', 'connect', tcp=[['127.0.0.1', 8000]]) == {'127.0.0.1 8000': 'connected'}
	if OUT:
		for host in '127.0.0.1', outside.here, outside.address, '169.254.1.1':
			assert 'connected' not in attempt(fn, 'out', 'connect', tcp=[[host, 8000]]).values(), host


def sockets(fn):
	for name, found in everywhere(fn, 'sockets').items():
		interfaces = found.pop('interfaces')
		assert interfaces == ['lo'] or (name in OUT and len(interfaces) == 2), (name, interfaces)
		assert set(found.values()) <= {'EPERM', 'EACCES', 'EAFNOSUPPORT', 'EPROTONOSUPPORT', 'ESOCKTNOSUPPORT'}, (name, found)


def greed(fn):
	"""Memory of its own is all that it can use up; whoever else runs does not feel it."""
	for name in ['event', 'web', *OUT]:
		for path in '/tmp/big', '/dev/shm/big':
			try:
				error, megabytes = attempt(fn, name, 'fill', path=path)
				assert error in ('ENOSPC', 'ENOENT', 'EROFS', 'EACCES') and megabytes <= 512, (name, error, megabytes)
			except OSError:
				pass  # ended for its memory, which a temporary file is
		error, count = attempt(fn, name, 'open_many')
		assert error in ('EMFILE', 'ENFILE') and count <= 65536, (name, count)
		fn.call('good')


HOLDER = 'import os\ndef handler(event, context):\n\tif event.get("fail"):\n\t\tos._exit(3)\n' \
	'\treturn os.environ["PASSWORD"] == context.getUserData("PASSWORD")\n'
SERVING_HOLDER = '''#!/usr/bin/python3
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
	def do_POST(self):
		if b"fail" in self.rfile.read(int(self.headers["Content-Length"])):
			os._exit(3)
		body = b"true" if os.environ["PASSWORD"] in os.environ["RUNTIME_USERDATA"] else b"false"
		self.send_response(200)
		self.send_header("Content-Length", str(len(body)))
		self.end_headers()
		self.wfile.write(body)
	def log_message(self, *arguments):
		pass
http.server.HTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
'''


def readable(directory, word, skipped=()):
	"""Files that others can read, with that word in them."""
	holding = set()
	for at, _, names in os.walk(directory):
		for name in names:
			file = os.path.join(at, name)
			try:
				if stat.S_ISREG(os.stat(file).st_mode) and os.stat(file).st_mode & 0o044 and name not in skipped:
					with open(file, 'rb') as text:
						if word.encode() in text.read():
							holding.add(file)
			except FileNotFoundError:
				continue  # it has just ended
	return holding


def look_at_arguments(word, seen, enough):
	"""The arguments of all processes, over and over."""
	while not enough.is_set():
		for pid in filter(str.isdigit, os.listdir('/proc')):
			try:
				with open('/proc/%s/cmdline' % pid, 'rb') as line:
					if word.encode() in line.read():
						seen.add(pid)
			except OSError:
				continue  # it ended


def secrets(fn):
	"""config/env/KEY of mode 0600 reaches the function, and nothing that others can read, nor any process's arguments."""
	word, seen, enough = 'pa55-w0rd-of-mine', set(), threading.Event()
	looking = threading.Thread(target=look_at_arguments, args=(word, seen, enough), daemon=True)
	looking.start()
	holders = {'holder': ({'index.py': HOLDER}, 'none'), 'holder-web': ({'bootstrap+x': SERVING_HOLDER}, 'none')}
	if OUT:
		holders['holder-out'] = ({'index.py': HOLDER}, 'outbound')
	for name, (files, network) in holders.items():
		fn.function(name, files, network=network)
		path = fn.path('functions', name, 'config', 'env', 'PASSWORD')
		os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
		with open(path, 'w') as file:
			file.write(word)
		assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
		for _ in range(3):  # each a start
			assert fn.call(name) == b'true'
			assert errno_of(fn.call, name, b'{"fail": true}')
		assert fn.call(name) == b'true'
		os.mkdir(fn.path('functions', name, 'versions', '1'))
		published = fn.path('functions', name, 'versions', '1', 'config', 'env', 'PASSWORD')
		assert stat.S_IMODE(os.stat(published).st_mode) & 0o077 == 0, oct(os.stat(published).st_mode)
		# A value that cannot be is refused without being repeated.
		assert errno_of(write_file, path, word + '\0' + word)
		assert word not in fn.read('functions', name, 'last_error') + fn.read('last_error')
	enough.set()
	looking.join()
	assert seen == set(), seen
	assert readable(fn.directory, word, ('follow', 'invoke')) == set(), readable(fn.directory, word, ('follow', 'invoke'))
	assert stat.S_IMODE(os.stat(fn.state).st_mode) & 0o077 == 0  # the database is in there
	assert readable(os.path.join(fn.state, 'sandbox'), word) == set()
	assert word not in fn.read('log') + fn.stderr()


def make_outside():
	"""A network with a way out for the daemon, where that can be."""
	global outside
	os.environ['PATH'] += ':/usr/sbin:/sbin'
	if os.getuid() == 0 and shutil.which('ip') and shutil.which('pasta'):
		outside = Outside()
		OUT.extend(['out', 'outweb'])
	else:
		print('without functions that have a way out: that takes root, iproute2 and passt')


def main():
	make_outside()
	cases = Cases()
	with Mounted() as fn:
		deploy(fn)
		for case in (nobody, files, others, system_calls, system_files, its_code, privileges, processes, kill_all, network,
				sockets, greed, secrets):
			cases.run(case, fn)
	if outside:
		outside.close()
	cases.end()


if __name__ == '__main__':
	main()
