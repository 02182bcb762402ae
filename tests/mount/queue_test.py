#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A file dropped in a directory is a call, and where it is found says how it goes.

Without this a user would lose: calls, or track of them.

	queue_test.py [CASE...] [--long]
"""

import json
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from mounted import BUILD, LONG, Cases, Mounted, errno_of, remove, until, write_file  # noqa: E402

CODE = '''import os, time
def handler(event, context):
	if isinstance(event, dict):
		time.sleep(event.get("sleep", 0))
		if event.get("bad"):
			raise ValueError("as it was asked to")
		if event.get("id"):
			return context.getRequestID()
	return event
'''


def read(*parts):
	with open(os.path.join(*parts)) as file:
		return file.read()


def value(path, key):
	for line in read(path).splitlines():
		if line.startswith(key + ' '):
			return line[len(key) + 1:]
	return None


def made(fn, name='f', **settings):
	return fn.function(name, {'index.py': CODE}, **dict({'timeout': '20s'}, **settings))


def place(path, name):
	return [where for where in ('queue', 'running', 'results', 'failed')
		if name in os.listdir(os.path.join(path, where))]


def ended(path, name):
	"""Waits as `fnfs wait` does, and says where the call is found."""
	fd = os.open(path + '/results/.wait', os.O_RDWR)
	try:
		os.write(fd, name.encode() + b'\n')
		return os.read(fd, 1000).decode().rstrip('\n')
	finally:
		os.close(fd)


def shell(path, line, code=0):
	done = subprocess.run(['bash', '-c', line], cwd=path, capture_output=True, text=True)
	assert done.returncode == code, (line, done)
	return done.stdout


def dropped(fn):
	"echo, cp, touch and cp -r make calls; the result is whole when it appears."
	path = made(fn)
	shell(path, "echo '{\"n\":1}' > queue/a")
	assert ended(path, 'a') == 'results/a' and read(path, 'results/a') == '{"n":1}'
	assert place(path, 'a') == ['results']
	assert stat.S_IMODE(os.stat(path + '/results/a').st_mode) == 0o444
	status = path + '/calls/last/status'
	assert value(status, 'source') == 'queue' and value(status, 'name') == 'a'
	assert value(status, 'attempt') == '1'
	shell(path, "touch queue/b; : > queue/c; printf ' \\n' > queue/d")
	for name in 'bcd':
		assert ended(path, name) == 'results/' + name and read(path, 'results', name) == '{}'
	with open('/dev/null') as nothing:  # open and close, nothing more
		fd = os.open(path + '/queue/e', os.O_WRONLY | os.O_CREAT, 0o600)
		os.close(fd)
	assert ended(path, 'e') == 'results/e'
	assert stat.S_IMODE(os.stat(path + '/results/e').st_mode) == 0o400
	events = os.path.join(fn.base, 'events')
	os.mkdir(events)
	for number in range(50):
		write_file('%s/e%d' % (events, number), str(number))
	shell(path, 'cp -r %s/. queue/' % events)
	for number in range(50):
		assert ended(path, 'e%d' % number) == 'results/e%d' % number
		assert read(path, 'results', 'e%d' % number) == str(number)


def names_are_calls(fn):
	"A name is one call: while it is anywhere, and for an hour after."
	path = made(fn)
	shell(path, "echo 1 > queue/a")
	assert errno_of(write_file, path + '/queue/a', '2') == 'EEXIST'
	assert ended(path, 'a') == 'results/a'
	assert errno_of(write_file, path + '/queue/a', '2') == 'EEXIST'
	assert 'within the last hour' in read(path, 'last_error')
	os.unlink(path + '/results/a')
	assert errno_of(write_file, path + '/queue/a', '2') == 'EEXIST'
	assert errno_of(os.open, path + '/queue/b', os.O_WRONLY | os.O_CREAT | os.O_EXCL) is None
	for name, error in (('x' * 201, 'ENAMETOOLONG'), ('x.error', 'EINVAL'), ('a\nb', 'EINVAL'),
			('a\x7f', 'EINVAL'), (b'\xff', 'EINVAL'), ('x' * 300, 'ENAMETOOLONG')):
		name = name if isinstance(name, bytes) else name.encode()
		assert errno_of(write_file, path.encode() + b'/queue/' + name, '1') == error, name
	write_file(path + '/queue/' + 'é' * 100, '3')
	assert ended(path, 'é' * 100).startswith('results/')
	for where in ('running', 'results', 'failed'):
		assert errno_of(write_file, path + '/%s/x' % where, '1') == 'EPERM'


def failing(fn):
	"Tries again, then failed/ has the request and the error; mv makes the call again."
	path = made(fn, max_retries=1)
	write_file(path + '/queue/a', '{"bad":1}')
	until(lambda: read(path, 'metrics/failcount') == '1\n' and place(path, 'a') == ['queue'])  # for its second try
	assert os.stat(path + '/queue/a').st_mtime > time.time() - 5
	assert ended(path, 'a') == 'failed/a'
	assert sorted(os.listdir(path + '/failed')) == ['a', 'a.error']
	assert read(path, 'failed/a') == '{"bad":1}'
	assert json.loads(read(path, 'failed/a.error'))['errorMessage'] == 'as it was asked to'
	assert value(path + '/calls/last/status', 'attempt') == '2'
	request = os.path.basename(os.readlink(path + '/calls/last'))
	calls = [name for name in os.listdir(path + '/calls') if name != 'last']
	assert calls.count(request) >= 1 and set(calls) == {request}  # one id over all tries
	write_file(path + '/code/index.py', 'def handler(event, context):\n\treturn "mended"\n')
	assert errno_of(os.rename, path + '/failed/a', path + '/queue/b') == 'EPERM'
	shell(path, 'mv failed/a queue/')
	assert ended(path, 'a') == 'results/a' and read(path, 'results/a') == 'mended'
	assert os.listdir(path + '/failed') == []
	assert os.path.basename(os.readlink(path + '/calls/last')) == request


def cancelled(fn):
	"rm cancels what waits and what runs."
	path = made(fn, max_instances=1)
	write_file(path + '/queue/a', '{"sleep":15}')
	until(lambda: place(path, 'a') == ['running'])
	write_file(path + '/queue/b', '1')
	assert place(path, 'b') == ['queue']
	assert errno_of(os.rename, path + '/queue/b', path + '/queue/c') == 'EPERM'
	begun = time.monotonic()
	os.unlink(path + '/queue/b')
	os.unlink(path + '/running/a')
	write_file(path + '/queue/c', '2')
	assert ended(path, 'c') == 'results/c'
	assert time.monotonic() - begun < 12  # it did not wait for what was cancelled
	assert not place(path, 'a') and not place(path, 'b')
	assert errno_of(write_file, path + '/queue/a', '1') == 'EEXIST'
	write_file(path + '/queue/b', '1')  # it never began


def postponed(fn):
	"touch -d postpones; a past time changes nothing."
	path = made(fn)
	shell(path, "touch -d '+10 min' queue/later")
	assert os.stat(path + '/queue/later').st_mtime > time.time() + 500
	assert read(path, 'metrics/queueDepth') == '1\n'
	shell(path, "touch -d '-10 min' queue/later; touch queue/later")
	assert os.stat(path + '/queue/later').st_mtime > time.time() + 500
	due = time.time() + 2
	os.utime(path + '/queue/later', (due, due))
	assert ended(path, 'later') == 'results/later' and time.time() >= due
	shell(path, "touch -d '+1 hour' queue/never")
	os.unlink(path + '/queue/never')
	write_file(path + '/queue/copied', '7')
	write_file(os.path.join(fn.base, 'old'), '8')
	os.utime(os.path.join(fn.base, 'old'), (1, 1))
	shell(path, 'cp -p %s/old queue/old' % fn.base)
	assert ended(path, 'old') == 'results/old'


def dot_names(fn):
	"Under a dot-name nothing is a call; mv makes it one."
	path = made(fn)
	write_file(path + '/queue/.a', '{"n":1}')
	write_file(path + '/queue/.b', '2')
	assert read(path, 'metrics/queueDepth') == '0\n'
	assert sorted(os.listdir(path + '/queue')) == ['.a', '.b']
	os.rename(path + '/queue/.a', path + '/queue/a')
	assert ended(path, 'a') == 'results/a' and read(path, 'results/a') == '{"n":1}'
	assert errno_of(os.rename, path + '/queue/.b', path + '/queue/a') == 'EEXIST'
	assert errno_of(os.rename, path + '/queue/.b', path + '/queue/b.error') == 'EINVAL'
	os.unlink(path + '/queue/.b')
	if shutil.which('rsync'):
		events = os.path.join(fn.base, 'rsynced')
		os.mkdir(events)
		write_file(events + '/r', '9')
		shell(path, 'rsync -a %s/ queue/' % events)
		assert ended(path, 'r') == 'results/r'


def killed_writers(fn):
	"Whoever is killed half-way made no call, and the name is free."
	path = made(fn)
	for name in ('a', '.batch'):
		writer = subprocess.Popen([sys.executable, '-c', 'import os, sys, time\n'
			'fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\n'
			'os.write(fd, b"{\\"half\\": 1}\\n{")\nprint("written", flush=True)\ntime.sleep(60)\n',
			path + '/queue/' + name], stdout=subprocess.PIPE)
		writer.stdout.readline()
		writer.send_signal(signal.SIGKILL)
		writer.wait()
		until(lambda: os.listdir(path + '/queue') == [])
	write_file(path + '/queue/a', '1')
	assert ended(path, 'a') == 'results/a'
	assert read(path, 'results/a') == '1' and os.listdir(path + '/results') == ['a']
	shell(path, "{ cat; cat; } > queue/b < /dev/null; (echo 1; /bin/true; echo 2) > queue/c")
	assert ended(path, 'b') == 'results/b' and ended(path, 'c') == 'failed/c'  # no JSON, but whole
	assert read(path, 'failed/c') == '1\n2\n'


def sizes(fn):
	"6 MiB is a call, 7 is none."
	path = made(fn)
	body = b'"' + b'x' * ((6 << 20) - 2) + b'"'
	write_file(path + '/queue/six', body)
	assert ended(path, 'six') == 'results/six' or read(path, 'failed/six.error')
	assert errno_of(write_file, path + '/queue/seven', b'"' + b'x' * (7 << 20) + b'"') == 'EFBIG'
	assert not place(path, 'seven')
	shell(path, 'head -c 7M /dev/zero > queue/eight', 1)
	until(lambda: not place(path, 'eight'))
	shell(path, "touch -d '+1 hour' queue/wait")
	fd = os.open(path + '/queue/big', os.O_WRONLY | os.O_CREAT)
	os.utime(fd, (0, time.time() + 3600))
	os.write(fd, b'5' * 100000)
	os.close(fd)
	assert os.stat(path + '/queue/big').st_size == 100000
	assert read(path, 'queue/big') == '5' * 100000
	fn.set('f', 'queue_limit', '2')
	assert errno_of(write_file, path + '/queue/more', '1') == 'ENOSPC'
	assert 'queue_limit' in read(path, 'last_error')
	assert errno_of(write_file, path + '/queue/.batch', '1\n2\n') == 'ENOSPC'
	shell(path, 'rm queue/*')


def batches(fn):
	"One call per line, all or none."
	path = made(fn)
	assert '.batch' not in os.listdir(path + '/queue')
	shell(path, "printf '1\\n\\n2\\n3' > queue/.batch")
	until(lambda: len(os.listdir(path + '/results')) == 3)
	names = sorted(os.listdir(path + '/results'))
	assert [read(path, 'results', name) for name in names] == ['1', '2', '3'], names
	assert [name[-7:] for name in names] == ['-000001', '-000002', '-000003']
	shell(path, "rm results/*; { echo 4; /bin/true; echo 5; } > queue/.batch; echo 6 >> queue/.batch")
	until(lambda: len(os.listdir(path + '/results')) == 3)
	with open(path + '/queue/.batch', 'w') as batch:
		batch.write('7\n' * 2000)
	until(lambda: len(os.listdir(path + '/results')) == 2003, 120)


def waiting(fn):
	"Waiting ends when the call does, and nothing else is waited for."
	path = made(fn)
	write_file(path + '/queue/a', '{"sleep":1}')
	fd = os.open(path + '/results/.wait', os.O_RDWR | os.O_NONBLOCK)
	os.write(fd, b'a')
	assert errno_of(os.read, fd, 100) == 'EAGAIN'
	poll = select.poll()
	poll.register(fd, select.POLLIN)
	assert poll.poll(20000)
	assert os.read(fd, 100) == b'results/a\n' and os.read(fd, 100) == b''
	os.close(fd)
	assert '.wait' not in os.listdir(path + '/results')
	fd = os.open(path + '/results/.wait', os.O_RDWR)
	assert errno_of(os.write, fd, b'nobody') == 'ENOENT'
	os.close(fd)
	write_file(path + '/queue/b', '{"sleep":9}')
	found = []
	thread = threading.Thread(target=lambda: found.append(ended(path, 'b')))
	thread.start()
	until(lambda: place(path, 'b') == ['running'])
	os.unlink(path + '/running/b')
	thread.join(20)
	assert found == ['gone']


def disabled_and_old(fn):
	"What cannot run waits, until it is too old."
	path = made(fn, max_instances=0, max_event_age='1s')
	write_file(path + '/queue/a', '1')
	assert ended(path, 'a') == 'failed/a'
	assert json.loads(read(path, 'failed/a.error'))['errorType'] == 'EventAgeExceeded'
	fn.set('f', 'max_event_age', '1h')
	write_file(path + '/queue/b', '1')
	assert place(path, 'b') == ['queue']
	fn.set('f', 'max_instances', '2')
	assert ended(path, 'b') == 'results/b'


def fairness(fn):
	"A slow function, and a call that always fails, stand in nobody's way."
	slow, quick = made(fn, max_instances=1), made(fn, 'quick', max_retries=8)
	for number in range(20):
		write_file('%s/queue/s%d' % (slow, number), '{"sleep":2}')
	write_file(quick + '/queue/poison', '{"bad":1}')
	for number in range(20):
		write_file('%s/queue/q%d' % (quick, number), str(number))
	for number in range(20):
		assert ended(quick, 'q%d' % number) == 'results/q%d' % number
	assert len(os.listdir(slow + '/queue')) > 5
	assert place(quick, 'poison') in (['queue'], ['running']), place(quick, 'poison')
	remove(quick)


def destinations(fn):
	"Links send a record of each end; chains go on, loops end."
	path, other = made(fn, max_retries=0), made(fn, 'other')
	assert errno_of(os.symlink, '../../nobody/queue', path + '/config/on_success') == 'ENOENT'
	os.symlink('../../other/queue', path + '/config/on_success')
	shell(path, 'ln -sfn ../../other/queue config/on_failure; ln -sfn ../../other/queue config/on_failure')
	assert os.readlink(path + '/config/on_success') == '../../other/queue'
	assert os.path.samefile(path + '/config/on_failure', other + '/queue')
	write_file(path + '/queue/good', '{"n":1}')
	write_file(path + '/queue/bad', '{"bad":1}')
	until(lambda: len(os.listdir(other + '/results')) == 2)
	records = [json.loads(read(other, 'results', name)) for name in os.listdir(other + '/results')]
	records.sort(key=lambda record: record['request_context']['condition'])
	bad, good = records
	assert good['request_payload'] == {'n': 1} and good['response_payload'] == {'n': 1}
	assert good['request_context']['approximate_invoke_count'] == 1
	assert good['request_context']['function_urn'].endswith(':f:latest')
	assert good['response_context'] == {'status_code': 200, 'function_error': ''}
	assert bad['request_context']['condition'] == 'RetriesExhausted'
	assert bad['response_payload']['errorMessage'] == 'as it was asked to'
	os.rename(other, fn.path('functions', 'renamed'))
	assert os.readlink(path + '/config/on_success') == '../../renamed/queue'
	remove(fn.path('functions', 'renamed'))
	assert not os.path.lexists(path + '/config/on_success')
	os.symlink('../queue', path + '/config/on_success')  # to itself
	write_file(path + '/queue/loop', '1')
	until(lambda: [name for name in os.listdir(path + '/failed') if 'loop' not in name and
		name != 'bad' and name != 'bad.error'])
	errors = [name for name in os.listdir(path + '/failed') if name.endswith('.error')]
	assert any('TooManyHops' in read(path, 'failed', name) for name in errors)
	assert len(os.listdir(path + '/results')) == 1 + 17  # `good`, and the loop
	os.unlink(path + '/config/on_success')
	assert not os.path.lexists(path + '/config/on_success')


def by_command(fn):
	"fnfs wait prints what came of a call; links to queues travel with an export."
	path, other = made(fn, max_retries=0), made(fn, 'other')
	command = [os.path.join(BUILD, 'tools', 'fnfs')]
	env = dict(os.environ, FNFS=fn.directory)

	def fnfs(*words, **more):
		return subprocess.run(command + list(words), env=env, capture_output=True, **more)

	write_file(path + '/queue/a', '{"sleep":1}')
	done = fnfs('wait', 'f', 'a')
	assert (done.returncode, done.stdout) == (0, b'{"sleep":1}'), done
	write_file(path + '/queue/b', '{"bad":1}')
	done = fnfs('wait', 'f', 'b')
	assert done.returncode == 1 and b'as it was asked to' in done.stderr, done
	shell(path, "touch -d '+1 hour' queue/c")
	assert fnfs('wait', '--timeout', '100ms', 'f', 'c').returncode == 124
	assert fnfs('wait', 'f', 'nobody').returncode not in (0, 1, 124)
	os.symlink('../../other/queue', path + '/config/on_success')
	os.symlink('../queue', path + '/config/on_failure')
	bundle = fnfs('export', 'f').stdout
	remove(path)
	done = fnfs('import', input=bundle)
	assert done.returncode == 0, done
	assert os.readlink(path + '/config/on_success') == '../../other/queue'
	assert os.readlink(path + '/config/on_failure') == '../queue'
	assert read(path, 'config/max_retries') == '0\n'
	remove(other)
	remove(path)
	assert b'functions/other/queue, which is not here' in fnfs('import', input=bundle).stderr


def versions_and_aliases(fn):
	"Versions and aliases have queues of their own; what waits when they go fails in failed/."
	path = made(fn)
	os.mkdir(path + '/versions/1')
	os.mkdir(path + '/aliases/prod')
	write_file(path + '/versions/1/queue/a', '1')
	write_file(path + '/aliases/prod/queue/a', '2')
	assert ended(path + '/versions/1', 'a') == 'results/a'
	assert ended(path + '/aliases/prod', 'a') == 'results/a'
	assert read(path, 'versions/1/results/a') == '1'
	assert read(path, 'aliases/prod/results/a') == '2'
	assert os.listdir(path + '/results') == []
	status = path + '/calls/last/status'
	assert value(status, 'alias') == 'prod' and value(status, 'version') == '1'
	shell(path, "touch -d '+1 hour' versions/1/queue/v aliases/prod/queue/w")
	assert read(path, 'versions/1/metrics/queueDepth') == '1\n'
	os.rmdir(path + '/aliases/prod')
	os.rmdir(path + '/versions/1')
	until(lambda: sorted(os.listdir(path + '/failed')) == ['v', 'v.error', 'w', 'w.error'])
	assert json.loads(read(path, 'failed/v.error'))['errorType'] == 'Removed'
	shell(path, 'mv failed/v queue/')
	assert ended(path, 'v') == 'results/v'


def renamed_and_removed(fn):
	"mv keeps the calls of a function; rmdir counts what waits; rm -r takes all."
	path = made(fn)
	shell(path, "touch -d '+1 hour' queue/a; echo 1 > queue/b")
	assert ended(path, 'b') == 'results/b'
	moved = fn.path('functions', 'g')
	os.rename(path, moved)
	assert place(moved, 'a') == ['queue'] and place(moved, 'b') == ['results']
	remove(moved + '/code')
	shell(moved, 'rm -rf code/*')
	assert errno_of(os.rmdir, moved) == 'ENOTEMPTY'
	assert '1 calls wait' in read(fn.directory, 'last_error')
	write_file(moved + '/queue/c', '1')
	shell(fn.path('functions'), 'rm -r g < /dev/null')
	assert not os.path.exists(moved)


def looking_is_free(fn):
	"tar, grep and cp read it all, and nothing happens."
	path = made(fn, max_retries=0)
	shell(path, "touch -d '+1 hour' queue/a; echo 5 > queue/b; echo '{\"bad\":1}' > queue/c")
	assert ended(path, 'b') == 'results/b' and ended(path, 'c') == 'failed/c'
	copy = os.path.join(fn.base, 'copy')
	shell(path, 'mkdir %s; cp -r queue results failed %s; tar cf - queue running results failed | '
		'tar tf -; grep -r 5 results; ls -lR queue running results failed; find queue' % (copy, copy))
	assert sorted(os.listdir(copy + '/failed')) == ['c', 'c.error']
	assert read(copy, 'results/b') == '5' and place(path, 'a') == ['queue']


def survives(fn):
	"A daemon that ends and starts has the same queues."
	path = made(fn, max_retries=0)
	shell(path, "touch -d '+1 hour' queue/a; echo 5 > queue/b; echo '{\"bad\":1}' > queue/c; echo 1 > queue/.d")
	assert ended(path, 'b') == 'results/b' and ended(path, 'c') == 'failed/c'
	os.chmod(path + '/queue/a', 0o600)
	write_file(path + '/queue/slow', '{"sleep":5}')
	until(lambda: place(path, 'slow') == ['running'])
	fn.kill()
	fn.start()
	assert place(path, 'a') == ['queue'] and place(path, 'b') == ['results']
	assert stat.S_IMODE(os.stat(path + '/queue/a').st_mode) == 0o600
	assert os.stat(path + '/queue/a').st_mtime > time.time() + 3000
	assert read(path, 'results/b') == '5' and 'as it was' in read(path, 'failed/c.error')
	assert not place(path, '.d')
	assert ended(path, 'slow') == 'results/slow'
	assert fn.stop() == 0
	fn.start()
	assert place(path, 'slow') == ['results']


def many(fn):
	"A hundred thousand (or, in short, ten thousand) at once, listed, and gone."
	path = made(fn)
	count = 100000 if LONG else 10000
	fn.set('f', 'max_instances', '0')
	for batch in range(0, count, 5000):
		fn.step()
		with open(path + '/queue/.batch', 'w') as file:
			file.write(''.join('%d\n' % number for number in range(batch, batch + 5000)))
	assert len(os.listdir(path + '/queue')) == count
	assert read(path, 'metrics/queueDepth') == '%d\n' % count
	fn.set('f', 'max_instances', '4')
	end = time.monotonic() + (600 if LONG else 60)
	before = count
	while time.monotonic() < end and (len(os.listdir(path + '/results')) < 2000):
		fn.step()
		time.sleep(0.2)
	assert len(os.listdir(path + '/results')) >= 2000
	begun = time.monotonic()
	remove(path)
	print('     removed %d in %.1f s' % (count, time.monotonic() - begun))
	assert not os.path.exists(path)


CASES = (dropped, names_are_calls, failing, cancelled, postponed, dot_names, killed_writers, sizes,
	batches, waiting, disabled_and_old, fairness, destinations, by_command, versions_and_aliases,
	renamed_and_removed, looking_is_free, survives, many)

if __name__ == '__main__':
	chosen = [word for word in sys.argv[1:] if not word.startswith('-')]
	cases = Cases()
	with Mounted() as mounted:
		for case in CASES:
			if not chosen or case.__name__ in chosen:
				mounted.step()
				cases.run(case, mounted)
				remove(mounted.path('functions', 'f'))
				remove(os.path.join(mounted.base, 'copy'))
	cases.end()
