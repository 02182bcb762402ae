#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A synchronous call in all its forms, as shells and programs make it.

Without this a user would lose: a response, an error in the place where their tool reports it, a Ctrl-C
that returns at once, or the whole mount to one slow function.
"""

import errno
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from mounted import LONG, Cases, Mounted  # noqa: E402

CODE = '''
import os, time

def handler(event, context):
	do = event.get('do') if isinstance(event, dict) else None
	if do == 'raise':
		raise ValueError('seven')
	if do == 'exit':
		os._exit(3)
	if do == 'sleep':
		time.sleep(event.get('s', 60))
	if do == 'mark':
		time.sleep(event.get('s', 0))
		print('marked', event['name'])
	if do == 'big':
		return 'x' * event['n']
	if do == 'stream':
		def pieces():
			for i in range(5):
				yield 'piece %d\\n' % i
				time.sleep(0.2)
		return pieces()
	return event
'''

fn = None
INVOKE = None


def shell(script, **more):
	"""Runs bash, in a session of its own as a terminal would be; returns (status, stdout, stderr)."""
	done = subprocess.run(['bash', '-c', script], capture_output=True, text=True, timeout=60,
		cwd=fn.path('functions', 'f'), start_new_session=True, **more)
	return done.returncode, done.stdout, done.stderr


def fails_with(expected, function, *arguments):
	try:
		result = function(*arguments)
	except OSError as error:
		assert error.errno == expected, (errno.errorcode[error.errno], errno.errorcode[expected])
		return error
	raise AssertionError('no error but %r' % (result,))


def write_all(fd, data):
	"""A write that crosses a bound is cut short there; the next one fails."""
	while data:
		data = data[os.write(fd, data):]


def wait_until(condition, seconds=10):
	end = time.monotonic() + seconds
	while not condition():
		assert time.monotonic() < end, 'still not so after %d s' % seconds
		time.sleep(0.01)


def log():
	return fn.read('functions', 'f', 'logs', 'current')


def count():
	return int(fn.read('functions', 'f', 'metrics', 'count'))


# --- read-write ---

def a_conversation_in_bash():
	status, out, err = shell('''exec 3<>invoke; printf '{"n":1}' >&3; cat <&3''')
	assert (status, out) == (0, '{"n":1}'), (status, out, err)


def several_calls_on_one_open_file():
	fd = os.open(INVOKE, os.O_RDWR)
	for i in range(20):
		os.write(fd, b'{"i":%d}' % i)
		assert os.read(fd, 4096) == b'{"i":%d}' % i
		assert os.read(fd, 4096) == b''
	os.close(fd)


def a_request_in_many_pieces():
	fd = os.open(INVOKE, os.O_RDWR)
	event = json.dumps({'a': list(range(2000))}, separators=(',', ':')).encode()
	for i in range(0, len(event), 100):
		os.write(fd, event[i:i + 100])
	body = b''
	while True:
		piece = os.read(fd, 777)
		if not piece:
			break
		body += piece
	assert json.loads(body) == json.loads(event)
	os.close(fd)


def reading_again_and_by_position():
	fd = os.open(INVOKE, os.O_RDWR)
	os.write(fd, b'"abcdef"')
	base = os.lseek(fd, 0, os.SEEK_CUR)
	assert os.read(fd, 4096) == b'abcdef'
	assert os.pread(fd, 3, base + 2) == b'cde'
	os.close(fd)


def python_text_mode():
	with open(INVOKE, 'r+') as file:
		file.write('{"text":true}')
		file.flush()
		assert file.read() == '{"text":true}'


def nothing_written_nothing_called():
	before = count()
	fd = os.open(INVOKE, os.O_RDWR)
	assert os.read(fd, 10) == b''
	os.close(fd)
	assert shell(': > invoke; touch invoke; cat < invoke; truncate -s 0 invoke')[0] == 0
	assert count() == before


def white_space_is_the_empty_event():
	assert fn.call('f', b' \n') == b'{}'


# --- errors ---

def errors_are_a_body_and_an_errno():
	error = fails_with(errno.EREMOTEIO, fn.call, 'f', b'{"do":"raise"}')
	body = json.loads(error.body)
	assert body['errorMessage'] == 'seven' and body['errorType'] == 'ValueError', body
	assert any('index.py' in line for line in body['stackTrace']), body
	status, out, err = shell('''exec 3<>invoke; echo '{"do":"raise"}' >&3; cat <&3''')
	assert status == 1 and 'seven' in out and 'Remote I/O' in err, (status, out, err)
	assert 'seven' in fn.read('functions', 'f', 'last_error')
	assert 'seven' in fn.read('last_error')


def a_dead_instance_is_its_calls_error():
	error = fails_with(errno.EREMOTEIO, fn.call, 'f', b'{"do":"exit"}')
	assert b'exit status 3' in error.body, error.body
	assert fn.call('f', b'1') == b'1'


def not_json_is_refused_before_the_code():
	fails_with(errno.EBADMSG, fn.call, 'f', b'{"n":')
	fails_with(errno.EBADMSG, fn.call, 'f', b'\xff\xfe\x00')


def time_runs_out():
	fn.set('f', 'timeout', '300ms')
	try:
		begin = time.monotonic()
		error = fails_with(errno.ETIMEDOUT, fn.call, 'f', b'{"do":"sleep"}')
		assert b'timed out' in error.body and time.monotonic() - begin < 10
	finally:
		fn.set('f', 'timeout', '60s')


def a_disabled_function_says_so_at_open():
	fn.set('f', 'max_instances', '0')
	try:
		fails_with(errno.EAGAIN, os.open, INVOKE, os.O_RDWR)
		assert 'max_instances' in fn.read('last_error')
	finally:
		fn.set('f', 'max_instances', '100')
	assert fn.call('f', b'1') == b'1'


def what_was_saved_while_disabled_runs_once_enabled():
	fn.set('f', 'max_instances', '0')
	try:
		with open(fn.path('functions', 'f', 'code', 'note'), 'w') as note:
			note.write('x')
		# Taken in, though it cannot be tried.
		wait_until(lambda: '\nruntime ' in fn.read('functions', 'f', 'status'))
		time.sleep(0.5)
	finally:
		fn.set('f', 'max_instances', '100')
	assert fn.call('f', b'1') == b'1'


def bounds_of_six_mebibytes():
	mebibyte = 1 << 20
	assert len(fn.call('f', b'"' + b'a' * (6 * mebibyte - 2) + b'"')) == 6 * mebibyte - 2
	assert len(fn.call('f', b'{"do":"big","n":%d}' % (6 * mebibyte))) == 6 * mebibyte
	fails_with(errno.EFBIG, fn.call, 'f', b'{"do":"big","n":%d}' % (6 * mebibyte + 1))
	fd = os.open(INVOKE, os.O_RDWR)
	write_all(fd, b'"' + b'a' * (5 * mebibyte))
	fails_with(errno.EFBIG, write_all, fd, b'a' * (2 * mebibyte))
	os.close(fd)
	before = count()
	status, out, err = shell('head -c 7000000 /dev/zero > invoke')
	assert status != 0 and 'too large' in err.lower(), (status, err)
	assert count() == before


# --- write-only and read-only ---

def echo_calls_and_cat_reads_the_answer():
	status, out, err = shell('''echo '{"n":2}' > invoke && cat invoke && cat invoke''')
	assert (status, out) == (0, '{"n":2}{"n":2}'), (status, out, err)


def cp_and_tee_report_the_failure():
	event = os.path.join(fn.base, 'event')
	with open(event, 'w') as file:
		file.write('{"do":"raise"}')
	status, out, err = shell('cp %s invoke; echo cp $?; cat invoke; echo cat $?' % event)
	assert 'cp 1' in out and 'seven' in out and 'cat 1' in out, (out, err)


def answers_stay_in_the_family():
	assert shell('''echo '"mine"' > invoke''')[0] == 0
	status, out, err = shell('cat invoke')  # another session
	assert (status, out) == (0, ''), (out, err)
	status, out, err = shell('''(echo '"child"' > invoke); cat invoke''')
	assert out == 'child', (out, err)


def a_writer_that_hands_its_descriptor_on():
	before = count()
	status, out, err = shell('''{ printf '{"a":'; /bin/true; printf '3}'; } > invoke; cat invoke''')
	assert (status, out) == (0, '{"a":3}'), (status, out, err)
	status, out, err = shell('''exec 4>invoke; echo 1 >&4; echo 2 >&4; exec 4>&-; cat invoke''')
	assert status == 0 and out == '2', (status, out, err)
	assert count() == before + 3


def looking_never_calls():
	before = count()
	status, out, err = shell('''ls -l invoke; wc -c invoke; grep -c x invoke; file invoke 2>&1;
		head -c 10 invoke; tail invoke; stat invoke; less invoke </dev/null; true''')
	assert status == 0 and count() == before, (status, err)


# --- interruptions ---

def ctrl_c_ends_the_wait_at_once():
	reader = subprocess.Popen(['bash', '-c',
		'''exec 3<>invoke; echo '{"do":"sleep","s":30}' >&3; exec cat <&3'''],
		cwd=fn.path('functions', 'f'), start_new_session=True)
	wait_until(lambda: int(fn.read('functions', 'f', 'metrics', 'concurrency')) > 0)
	begin = time.monotonic()
	os.killpg(reader.pid, signal.SIGINT)
	assert reader.wait(10) == -signal.SIGINT
	assert time.monotonic() - begin < 5
	wait_until(lambda: int(fn.read('functions', 'f', 'metrics', 'concurrency')) == 0)


def other_signals_do_not_lose_the_response():
	hits = []
	old = signal.signal(signal.SIGALRM, lambda *_: hits.append(1))
	signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
	try:
		assert fn.call('f', b'{"do":"sleep","s":0.5}') == b'{"do":"sleep","s":0.5}'
	finally:
		signal.setitimer(signal.ITIMER_REAL, 0)
		signal.signal(signal.SIGALRM, old)
	assert hits


def a_write_only_call_outlives_ctrl_c():
	writer = subprocess.Popen(['bash', '-c',
		'''echo '{"do":"mark","s":1,"name":"outlived"}' > invoke'''],
		cwd=fn.path('functions', 'f'), start_new_session=True)
	wait_until(lambda: int(fn.read('functions', 'f', 'metrics', 'concurrency')) > 0)
	os.killpg(writer.pid, signal.SIGINT)
	writer.wait(5)
	wait_until(lambda: 'marked outlived' in log())


def kill_9_in_every_phase():
	# Opened; written; waiting for the response; reading it; closing a write-only file.
	scripts = {
		'opened': 'import os,time;f=os.open("invoke",os.O_RDWR);print(1,flush=True);time.sleep(60)',
		'written': 'import os,time;f=os.open("invoke",os.O_RDWR);os.write(f,b"{}");'
			'print(1,flush=True);time.sleep(60)',
		'waiting': 'import os;f=os.open("invoke",os.O_RDWR);'
			'os.write(f,b\'{"do":"sleep","s":30}\');print(1,flush=True);os.read(f,100)',
		'reading': 'import os,time;f=os.open("invoke",os.O_RDWR);'
			'os.write(f,b\'{"do":"stream"}\');os.read(f,1);print(1,flush=True);time.sleep(60)',
		'half-written': 'import os,time;f=os.open("invoke",os.O_WRONLY);'
			'os.write(f,b\'{"do":"mark","name":"never"}\');print(1,flush=True);time.sleep(60)',
		'closing': 'import os;f=os.open("invoke",os.O_WRONLY);'
			'os.write(f,b\'{"do":"sleep","s":2}\');print(1,flush=True);os.close(f)',
	}
	for phase, script in scripts.items():
		victim = subprocess.Popen(['/usr/bin/python3', '-c', script], stdout=subprocess.PIPE,
			cwd=fn.path('functions', 'f'))
		victim.stdout.readline()
		if phase in ('waiting', 'closing'):
			wait_until(lambda: int(fn.read('functions', 'f', 'metrics', 'concurrency')) > 0)
		begin = time.monotonic()
		victim.kill()
		assert victim.wait(10) == -signal.SIGKILL
		assert time.monotonic() - begin < 5, phase
		victim.stdout.close()
		assert fn.call('f', b'"after"') == b'after', phase
	wait_until(lambda: int(fn.read('functions', 'f', 'metrics', 'concurrency')) == 0)
	assert 'marked never' not in log()


def rmdir_cancels_a_call():
	failed = []

	def caller():
		failed.append(fails_with(errno.ECANCELED, fn.call, 'f', b'{"do":"sleep"}'))
	thread = threading.Thread(target=caller)
	thread.start()
	calls = fn.path('functions', 'f', 'calls')
	wait_until(lambda: int(fn.read('functions', 'f', 'metrics', 'concurrency')) > 0)
	last = os.path.basename(os.readlink(os.path.join(calls, 'last')))
	assert 'state running' in fn.read('functions', 'f', 'calls', last, 'status')
	os.rmdir(os.path.join(calls, last))
	thread.join(10)
	assert failed and b'Canceled' in failed[0].body


# --- streaming, polling, many ---

def a_stream_comes_as_it_is_made():
	fd = os.open(INVOKE, os.O_RDWR)
	os.write(fd, b'{"do":"stream"}')
	pieces, begin = [], time.monotonic()
	while True:
		piece = os.read(fd, 4096)
		if not piece:
			break
		pieces.append((time.monotonic() - begin, piece))
	os.close(fd)
	assert b''.join(piece for _, piece in pieces) == b''.join(b'piece %d\n' % i for i in range(5))
	assert len(pieces) >= 4, pieces
	assert pieces[0][0] < pieces[-1][0] - 0.3, pieces


def poll_and_nonblocking_reads():
	fd = os.open(INVOKE, os.O_RDWR | os.O_NONBLOCK)
	poller = select.poll()
	poller.register(fd, select.POLLIN)
	assert poller.poll(50) == []
	os.write(fd, b'{"do":"sleep","s":0.5}')
	fails_with(errno.EAGAIN, os.read, fd, 100)
	assert poller.poll(50) == []
	assert poller.poll(10000) == [(fd, select.POLLIN)]
	assert os.read(fd, 100) == b'{"do":"sleep","s":0.5}'
	assert os.read(fd, 100) == b''
	os.close(fd)
	fd = os.open(INVOKE, os.O_RDWR)
	epoll = select.epoll()
	epoll.register(fd, select.EPOLLIN | select.EPOLLET)
	epoll.poll(0.01)
	os.set_blocking(fd, False)
	os.write(fd, b'{"do":"sleep","s":0.3}')
	fails_with(errno.EAGAIN, os.read, fd, 100)
	assert epoll.poll(10) != []
	assert os.read(fd, 100) == b'{"do":"sleep","s":0.3}'
	os.close(fd)


def a_thousand_conversations():
	many = 1000 if LONG else 300
	fn.function('many', {'index.js': 'exports.handler = async (event) => {\n'
		'\tawait new Promise((done) => setTimeout(done, 1000));\n\treturn event;\n};\n'})
	fn.set('many', 'concurrency', '1000')
	fn.set('many', 'timeout', '60s')
	fds = [os.open(fn.path('functions', 'many', 'invoke'), os.O_RDWR) for _ in range(many)]
	for i, fd in enumerate(fds):
		os.set_blocking(fd, False)
		os.write(fd, b'{"i":%d}' % i)
		fails_with(errno.EAGAIN, os.read, fd, 100)
	begin = time.monotonic()
	assert fn.call('f', b'1') == b'1'  # nothing else waits for them
	os.listdir(fn.path('functions', 'f'))
	alone = time.monotonic() - begin
	poller = select.poll()
	answers = {}
	for fd in fds:
		poller.register(fd, select.POLLIN)
	while len(answers) < many:
		for fd, _ in poller.poll(30000) or [(None, None)]:
			assert fd is not None, '%d of %d answered' % (len(answers), many)
			answers[fd] = os.read(fd, 100)
			poller.unregister(fd)
	for i, fd in enumerate(fds):
		assert answers[fd] == b'{"i":%d}' % i
		os.close(fd)
	print('    %d conversations in %.2f s, another call meanwhile in %.3f s'
		% (many, time.monotonic() - begin, alone))


def waiting_blocks_nothing_else():
	threads = [threading.Thread(target=fn.call, args=('f', b'{"do":"sleep","s":2}'))
		for _ in range(8)]
	for thread in threads:
		thread.start()
	wait_until(lambda: int(fn.read('functions', 'f', 'metrics', 'concurrency')) == 8)
	begin = time.monotonic()
	subprocess.run(['ls', '-lR', fn.directory], stdout=subprocess.DEVNULL, check=True)
	with open(fn.path('functions', 'f', 'code', 'other.txt'), 'w') as file:
		file.write('x')
	assert time.monotonic() - begin < 2
	os.unlink(fn.path('functions', 'f', 'code', 'other.txt'))
	for thread in threads:
		thread.join()


def throttled_when_all_are_busy():
	fn.function('one', {'main+x': '#!/bin/sh\nsleep 5\n'})
	fn.set('one', 'max_instances', '1')
	fn.set('one', 'timeout', '1m')
	fds = []
	for _ in range(1100):
		fd = os.open(fn.path('functions', 'one', 'invoke'), os.O_RDWR | os.O_NONBLOCK)
		os.write(fd, b'x')
		fails_with(errno.EAGAIN, os.read, fd, 10)  # also "wait": told apart by poll below
		fds.append(fd)
	wait_until(lambda: int(fn.read('functions', 'one', 'metrics', 'rejectcount')) >= 50)
	poller = select.poll()
	poller.register(fds[-1], select.POLLIN)
	assert poller.poll(5000)
	assert b'TooManyRequests' in os.read(fds[-1], 1000)
	fails_with(errno.EAGAIN, os.read, fds[-1], 1000)
	for fd in fds:
		os.close(fd)


def main():
	global fn, INVOKE
	cases = Cases()
	with Mounted() as mounted:
		fn = mounted
		fn.function('f', {'index.py': CODE})
		fn.set('f', 'timeout', '60s')
		INVOKE = fn.path('functions', 'f', 'invoke')
		names = sys.argv[1:] or [
			'a_conversation_in_bash', 'several_calls_on_one_open_file', 'a_request_in_many_pieces',
			'reading_again_and_by_position', 'python_text_mode', 'nothing_written_nothing_called',
			'white_space_is_the_empty_event', 'errors_are_a_body_and_an_errno',
			'a_dead_instance_is_its_calls_error', 'not_json_is_refused_before_the_code',
			'time_runs_out', 'a_disabled_function_says_so_at_open',
			'what_was_saved_while_disabled_runs_once_enabled', 'bounds_of_six_mebibytes',
			'echo_calls_and_cat_reads_the_answer', 'cp_and_tee_report_the_failure',
			'answers_stay_in_the_family', 'a_writer_that_hands_its_descriptor_on',
			'looking_never_calls', 'ctrl_c_ends_the_wait_at_once',
			'other_signals_do_not_lose_the_response', 'a_write_only_call_outlives_ctrl_c',
			'kill_9_in_every_phase', 'rmdir_cancels_a_call', 'a_stream_comes_as_it_is_made',
			'poll_and_nonblocking_reads', 'a_thousand_conversations',
			'waiting_blocks_nothing_else', 'throttled_when_all_are_busy']
		for name in names:
			if not name.startswith('-'):
				cases.run(globals()[name])
	cases.end()


if __name__ == '__main__':
	main()
