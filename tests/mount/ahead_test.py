#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Functions are started in processes that waited for them, in Python forked from one that has imported much. Without
these a user could meet another's leftovers, two instances with the same random numbers, or a process that is
allowed more than it would be if it had been started for the function alone."""

import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from mounted import Cases, Mounted  # noqa: E402

LOOK = '''
import json, os, platform, random, resource, signal, sys, uuid
def lines(path, *wanted):
    with open(path) as file:
        return [line.split(':', 1)[1].split() for line in file if line.startswith(wanted)]
def mounts():
    with open('/proc/self/mountinfo') as file:
        for line in file:
            fields = line.split()
            if fields[4] != '/opt/function/code':
                yield fields[4:6] + [fields[fields.index('-', 6) + 1]]
def handler(event, context):
    found = {
        'environment': dict(os.environ), 'ids': [os.getpid(), os.getuid(), os.getgid(), os.getgroups(),
            os.getsid(0), os.getpgid(0)],
        'status': lines('/proc/self/status', 'Uid', 'Gid', 'Groups', 'NSpid', 'Seccomp:', 'NoNewPrivs', 'Cap', 'Sig',
            'Shd', 'CoreDumping', 'Umask'),
        'mounts': sorted(mounts()), 'root': sorted(os.listdir('/')), 'cwd': os.getcwd(),
        'code': [os.statvfs('/opt/function/code').f_flag & 15, sorted(os.listdir('/opt/function/code'))],
        'processes': sorted(name for name in os.listdir('/proc') if name.isdigit()),
        'descriptors': sorted((name, os.readlink('/proc/self/fd/' + name).split('[')[0].split(':')[0])
            for name in os.listdir('/proc/self/fd') if int(name) < 3),
        'open': len(os.listdir('/proc/self/fd')),
        'limits': [resource.getrlimit(number) for number in range(16)],
        'oom': open('/proc/self/oom_score_adj').read(), 'dumpable': os.stat('/proc/self/maps').st_uid,
        'command': open('/proc/self/cmdline').read().rstrip('\\0'), 'argv': [sys.argv, sys.orig_argv, sys.path, sys.flags.utf8_mode],
        'main': [sys.modules['__main__'].__name__, sys.modules['__main__'].__file__],
        'runtime': sorted(module.__file__ for name, module in sys.modules.items() if name.startswith('fnfs_runtime.')
            and name.split('.')[1] in ('main', 'channel', 'loading', 'values')),
        'stdout': [sys.stdout.encoding, sys.stdout.errors, sys.stdout.line_buffering, sys.stdout.isatty()],
        'network': [line.split(':')[0].strip() for line in open('/proc/net/dev')],
        'signals': [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)],
        'host': [os.uname().nodename.split('-')[0], platform.node().split('-')[0]],
    }
    return json.dumps([found, [random.random(), str(uuid.uuid4()), os.urandom(8).hex()]])
'''

REFUSED = '''
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def tries(*call):
    ctypes.set_errno(0)
    return libc.syscall(*call) < 0 and ctypes.get_errno()
def handler(event, context):
    return {'unshare': tries(272, 0x10000000), 'mount': tries(165, b'x', b'/tmp', b'tmpfs', 0, 0),
        'setns': tries(308, os.open('/proc/self/ns/net', os.O_RDONLY), 0), 'bpf': tries(321, 0, 0, 0),
        'setuid': tries(105, 0), 'sethostname': tries(170, b'x', 1),
        'ptrace': tries(101, 16, 1, 0, 0)}
'''

LEAVES = '''
import os, sys
if hasattr(os, 'left') or 'LEFT' in os.environ or os.path.exists('/tmp/left'):
    raise RuntimeError('somebody was here')
os.left, os.environ['LEFT'], sys.modules['left'] = 1, '1', sys
open('/tmp/left', 'w').close()
def handler(event, context):
    return '%s %s' % (os.environ['RUNTIME_FUNC_NAME'], os.environ['RUNTIME_HANDLER'])
'''

ORPHANS = '''
import os, time
def handler(event, context):
    for _ in range(20):
        if os.fork() == 0:
            if os.fork() == 0:
                time.sleep(0.02)
            os._exit(0)
        os.wait()
    end = time.monotonic() + 10
    while True:
        count = len([name for name in os.listdir('/proc') if name.isdigit()])
        if count == 2 or time.monotonic() > end:
            return count
        time.sleep(0.01)
'''


def status(fn, key):
	return next(line.split()[1] for line in fn.read('status').splitlines() if line.startswith(key + ' '))


def end_instances(fn, name):
	"The processes of its instances are killed, and gone."
	for instance in os.listdir(fn.path('functions', name, 'instances')):
		try:
			os.kill(int(fn.read('functions', name, 'instances', instance, 'pid')), signal.SIGKILL)
		except (FileNotFoundError, ProcessLookupError):  # it went by itself meanwhile
			pass
	end = time.monotonic() + 20
	while os.listdir(fn.path('functions', name, 'instances')):
		assert time.monotonic() < end
		time.sleep(0.01)


def until_ahead(fn, name, event=b'{}'):
	"The response of an instance whose sandbox had waited."
	end = time.monotonic() + 30
	while True:
		fn.step()
		end_instances(fn, name)
		before = int(status(fn, 'starts_ahead'))
		response = fn.call(name, event)
		if int(status(fn, 'starts_ahead')) > before:
			return response
		assert time.monotonic() < end, 'none waits'
		time.sleep(0.05)


def looks_as_if_started_alone(fn):
	"Everything a program can see of its process and where it is."
	with Mounted(env={'FNFS_SPARES': '0'}) as alone:
		alone.function('look', {'index.py': LOOK})
		expected = json.loads(alone.call('look', b'{}'))[0]
		assert status(alone, 'starts_ahead') == '0'
	fn.function('look', {'index.py': LOOK})
	for _ in range(3):
		found = json.loads(until_ahead(fn, 'look'))[0]
		for key, value in expected.items():
			assert found[key] == value, (key, found[key], value)


def is_random(fn):
	"Whoever comes from the same process."
	fn.function('random', {'index.py': LOOK})
	seen = [tuple(json.loads(until_ahead(fn, 'random'))[1]) for _ in range(4)]
	for values in zip(*seen):
		assert len(set(values)) == len(values), seen


def may_no_more(fn):
	fn.function('refused', {'index.py': REFUSED})
	with Mounted(env={'FNFS_SPARES': '0'}) as alone:
		alone.function('refused', {'index.py': REFUSED})
		expected = json.loads(alone.call('refused', b'{}'))
	assert all(expected.values()), expected
	assert json.loads(until_ahead(fn, 'refused')) == expected


def leaves_nothing(fn):
	for name in ('one', 'two', 'three'):
		fn.function(name, {'index.py': LEAVES})
		assert until_ahead(fn, name).decode().split() == [name, 'index.handler']
		assert until_ahead(fn, name).decode().split() == [name, 'index.handler']


def collects_orphans(fn):
	fn.function('orphans', {'index.py': ORPHANS})
	fn.set('orphans', 'timeout', '20')
	assert until_ahead(fn, 'orphans') == b'2'


def goes_on_when_what_it_comes_from_is_killed(fn):
	"As an administrator might, who sees a process of Python that nobody seems to need."
	fn.function('kept', {'index.py': 'def handler(event, context):\n    return event\n'})
	until_ahead(fn, 'kept')
	guardian = status(fn, 'guardian')
	with open('/proc/%s/task/%s/children' % (guardian, guardian)) as file:
		children = [int(pid) for pid in file.read().split()]
	for pid in children:
		try:
			with open('/proc/%d/cmdline' % pid) as file:
				if 'python' in file.read().split('\0')[0]:
					os.kill(pid, signal.SIGKILL)
		except (FileNotFoundError, ProcessLookupError):  # one that is never there for long
			pass
	for _ in range(5):
		end_instances(fn, 'kept')
		assert fn.call('kept', b'7') == b'7'
	assert until_ahead(fn, 'kept', b'8') == b'8'


if __name__ == '__main__':
	cases = Cases()
	with Mounted() as mounted:
		for case in (looks_as_if_started_alone, is_random, may_no_more, leaves_nothing, collects_orphans,
				goes_on_when_what_it_comes_from_is_killed):
			cases.run(case, mounted)
	cases.end()
