#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the official clients of AWS Lambda's runtime API each count on, one by one.

Without this a user would lose: a program that was built with one of them, in a corner that its tests at
home never saw. runtime_api_test.py has the ordinary course, and what all clients share.
"""

import errno
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from mounted import Cases, Mounted  # noqa: E402
from wire import WIRE  # noqa: E402

# Answers each event with what `do` makes of it; what was answered to a post is told by `last`.
CLIENT = WIRE + r'''
wire = Wire()
last = [0, b'']
seen = []

def register(name, events, extra=()):
	extension = Wire()
	answer = extension.ask('POST', '/2020-01-01/extension/register', [('Lambda-Extension-Name', name), *extra],
		json.dumps({'events': events}).encode() if isinstance(events, list) else events)
	return extension, answer

def poll(extension, identifier, name):
	"""As a library does: in a thread, for ever."""
	def loop():
		while True:
			status, _, body = extension.ask('GET', '/2020-01-01/extension/event/next', [('Lambda-Extension-Identifier', identifier)])
			seen.append([status, body.decode()])
			print(name, 'heard', status, body.decode())
			if status != 200 or b'SHUTDOWN' in body:
				return
	threading.Thread(target=loop, daemon=True).start()


def serve(wire):
	global last
	while True:
		status, headers, body = wire.ask('GET', LAMBDA + 'invocation/next')
		assert status == 200, (status, body)
		to = LAMBDA + 'invocation/' + headers['lambda-runtime-aws-request-id']
		scope = dict(globals(), wire=wire, to=to, headers=headers, answer=b'', error=None)
		exec(json.loads(body)['do'], scope)
		wire, last, answer, error = scope['wire'], scope['last'], scope['answer'], scope['error']
		if answer is not None:
			last = wire.ask('POST', to + '/response', [('Content-Type', 'application/json')], answer)
		elif error:
			last = wire.ask('POST', to + '/error', error[0], error[1])

START = ''
exec(START)
for _ in range(int(os.environ.get('AWS_LAMBDA_MAX_CONCURRENCY', 1)) - 1):
	threading.Thread(target=serve, args=(Wire(),)).start()
serve(wire)
'''

fn = None


def do(text, name='client'):
	return fn.call(name, json.dumps({'do': text}).encode())


def fails(text, name='client'):
	try:
		body = do(text, name)
	except OSError as error:
		assert error.errno == errno.EREMOTEIO, (errno.errorcode[error.errno], error.body)
		return json.loads(error.body)
	raise AssertionError('no error, but %r' % body)


def last(name='client'):
	status, body = json.loads(do('answer = json.dumps([last[0], last[-1].decode()]).encode()', name))
	return status, json.loads(body)


def log_has(name, text):
	end = time.monotonic() + 20
	while text not in (log := fn.read('functions', name, 'logs', 'current')):
		assert time.monotonic() < end, log
		time.sleep(0.01)


def retire(name):
	"""Another deployment takes the place of this one, whose instance is asked to end."""
	fn.set(name, 'timeout', '11s')
	assert do('answer = b"1"', name) == b'1'


# --- all, and C++ ------------------------------------------------------------------------------------


def every_event_has_a_content_type():
	"C++ copies the header without looking whether it is there."
	for event in b'{"do":"answer = headers[\'content-type\'].encode()"}', b' {"do":"answer = headers[\'content-type\'].encode()"} ':
		assert fn.call('client', event) == b'application/json'


def headers_that_have_no_value_are_not_sent():
	headers = json.loads(do('answer = json.dumps(headers).encode()'))
	assert all(headers.values()), headers
	assert not {'lambda-runtime-trace-id', 'lambda-runtime-client-context', 'lambda-runtime-cognito-identity'} & set(headers), headers


def one_connection_is_enough():
	"Whatever was answered, the connection stays: errors, refusals and unknown URLs too."
	before = do('answer = str(wire.socket.fileno()).encode()')
	do('wire.ask("GET", "/nothing"); wire.ask("POST", LAMBDA + "invocation/none/response", (), b"x"); '
		'wire.ask("POST", LAMBDA + "init/error", (), b"{}"); wire.ask("PUT", "/2020-08-15/logs", (), b"{}"); answer = b"kept"')
	fails('answer, error = None, ([], b"{}")')
	assert do('answer = str(wire.socket.fileno()).encode()') == before


def posts_are_answered_202():
	"Go takes any other success for a failure."
	do('answer = b"1"')
	assert last() == (202, {'status': 'OK'})
	fails('answer, error = None, ([], b"{}")')
	assert last() == (202, {'status': 'OK'})


def an_empty_answer_is_one():
	assert do('answer = b""') == b''
	assert last()[0] == 202


def names_of_headers_have_any_case():
	error = fails('answer, error = None, ([("LAMBDA-RUNTIME-FUNCTION-ERROR-TYPE", "Function.Loud")], b"{}")')
	assert error['errorType'] == 'Function.Loud', error


def bodies_may_wait_for_100_continue():
	"curl asks first when a body is larger than a megabyte."
	assert len(do('wire.send("POST", to + "/response", [("Expect", "100-continue"), ("Content-Length", 2000000)], raw=b"")\n'
		'assert wire.file.readline().split()[1] == b"100" and wire.file.readline() == b"\\r\\n"\n'
		'wire.socket.sendall(b"x" * 2000000)\nlast = wire.receive(); answer = None')) == 2000000
	assert last()[0] == 202


def the_api_is_a_host_and_a_port():
	"Node splits at the colon, C++ connects within a second."
	assert do('answer = os.environ["AWS_LAMBDA_RUNTIME_API"].encode()') == b'127.0.0.1:9001'


# --- Go ----------------------------------------------------------------------------------------------


def trailers_may_be_declared_and_empty():
	assert do('wire.send("POST", to + "/response", [("Transfer-Encoding", "chunked"), ("Lambda-Runtime-Function-Response-Mode", '
		'"streaming"), ("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body")], '
		'raw=b"3\\r\\none\\r\\n0\\r\\nLambda-Runtime-Function-Error-Type: \\r\\nLambda-Runtime-Function-Error-Body: \\r\\n\\r\\n")\n'
		'last = wire.receive(); answer = None') == b'one'
	assert last()[0] == 202


def an_error_in_trailers_may_lack_its_body():
	error = b''
	try:
		do('wire.send("POST", to + "/response", [("Transfer-Encoding", "chunked"), ("Trailer", "Lambda-Runtime-Function-Error-Type")], '
			'raw=b"3\\r\\none\\r\\n0\\r\\nLambda-Runtime-Function-Error-Type: Function.Late\\r\\n\\r\\n")\n'
			'last = wire.receive(); answer = None')
	except OSError as failed:
		error = failed.body
	assert error.startswith(b'one') and b'Function.Late' in error, error


def the_deadline_is_a_number():
	left = int(do('answer = headers["lambda-runtime-deadline-ms"].encode()')) / 1000 - time.time()
	assert 0 < left <= 10.5, left


def sigterm_comes_to_who_registers():
	"Go's WithEnableSIGTERM registers for no event, polls, and calls any answer a fault."
	fn.function('sigterm', {'bootstrap+x': CLIENT.replace("START = ''", 'START = r"""\nimport signal\n'
		'extension, answer = register("GoLangEnableSIGTERM", [])\npoll(extension, answer[1]["lambda-extension-identifier"], "go")\n'
		'def ended(*_):\n\tprint("handler ran")\n\tos._exit(0)\nsignal.signal(signal.SIGTERM, ended)\n"""')}, timeout='10s')
	assert do('answer = b"1"', 'sigterm') == b'1'
	retire('sigterm')
	log_has('sigterm', 'handler ran')
	assert 'heard' not in fn.read('functions', 'sigterm', 'logs', 'current')


def nobody_else_is_sent_sigterm():
	"Without an extension the end is at once."
	fn.function('abrupt', {'bootstrap+x': CLIENT.replace("START = ''", 'START = r"""\nimport signal\n'
		'signal.signal(signal.SIGTERM, lambda *_: print("handler ran"))\n"""')}, timeout='10s')
	assert do('answer = b"1"', 'abrupt') == b'1'
	retire('abrupt')
	while len(os.listdir(fn.path('functions', 'abrupt', 'instances'))) > 1:
		time.sleep(0.01)
	assert 'handler ran' not in fn.read('functions', 'abrupt', 'logs', 'current')


# --- Rust, Node.js, Python -----------------------------------------------------------------------------


def error_types_are_recognised():
	"Rust says literally `unhandled`; what contains a known form is kept as it is."
	for given, expected in (('unhandled', 'Runtime.Unknown'), ('Function.Mine', 'Function.Mine'), ('Runtime.ImportModuleError',) * 2,
			('a Runtime.Ab b',) * 2, ('Function.mine', 'Function.Unknown'), ('Runtime.X', 'Runtime.Unknown'), ('Error', 'Runtime.Unknown'),
			('Function.', 'Function.Unknown')):
		error = fails('answer, error = None, ([("Lambda-Runtime-Function-Error-Type", %r)], b"{\\"errorMessage\\":\\"m\\"}")' % given)
		assert error['errorType'] == expected, (given, error)
		assert error['errorMessage'] == 'm' and error['stackTrace'] == [], error


def what_rust_needs_is_there():
	"It does not start without these, the size as a whole number, nor takes an event without id and deadline."
	names = 'AWS_LAMBDA_FUNCTION_NAME', 'AWS_LAMBDA_FUNCTION_MEMORY_SIZE', 'AWS_LAMBDA_FUNCTION_VERSION', 'AWS_LAMBDA_LOG_GROUP_NAME', \
		'AWS_LAMBDA_LOG_STREAM_NAME'
	seen = json.loads(do('answer = json.dumps([os.environ[n] for n in %r]).encode()' % (names,)))
	assert seen[0] == 'client' and int(seen[1]) == 128 and all(seen), seen


def rusts_text_in_the_stream_is_data():
	"It writes an error in mid-stream as the last piece of the body."
	text = 'Lambda-Runtime-Function-Error-Type: X'
	assert do('wire.ask("POST", to + "/response", [("Transfer-Encoding", "chunked"), ("Lambda-Runtime-Function-Response-Mode", "streaming")], '
		'raw=b"3\\r\\none\\r\\n%x\\r\\n%s\\r\\n0\\r\\n\\r\\n"); answer = None' % (len(text), text)) == b'one' + text.encode()


def nodes_and_pythons_errors_are_whole():
	error = fails('answer, error = None, ([], b\'{"errorMessage":"m","errorType":"T","trace":["a","b"]}\')')
	assert error == {'errorMessage': 'm', 'errorType': 'T', 'stackTrace': ['a', 'b']}, error
	error = fails('answer, error = None, ([], b\'{"errorMessage":"m","errorType":"T","requestId":"i","stackTrace":["a"]}\')')
	assert error == {'errorMessage': 'm', 'errorType': 'T', 'requestId': 'i', 'stackTrace': ['a']}, error


def causes_may_be_large():
	"The header for X-Ray, of a megabyte."
	fails('answer, error = None, ([("Lambda-Runtime-Function-XRay-Error-Cause", "{" + " " * 1048000 + "}")], b"{}")')
	assert last()[0] == 202


def python_is_not_forked_or_restored():
	"The mere presence of one variable makes it fork, the value of another makes it restore."
	assert do('answer = os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"].encode()') == b'on-demand'
	assert do('answer = str("AWS_LAMBDA_MAX_CONCURRENCY" in os.environ).encode()') == b'False'
	assert do('answer = str([wire.ask("GET", LAMBDA + "restore/next")[0], wire.ask("POST", LAMBDA + "restore/error", (), b"{}")[0]]).encode()') \
		== b'[404, 404]'


def an_error_of_the_start_and_its_status():
	"Node.js posts the error and ends with 128 or 129; what was posted is what the call says."
	for status in 1, 128, 129:
		name = 'start%d' % status
		fn.function(name, {'bootstrap+x': CLIENT.replace("START = ''", 'START = r"""\nprint("gave", wire.ask("POST", LAMBDA + "init/error", '
			'[("Lambda-Runtime-Function-Error-Type", "Runtime.UserCodeSyntaxError")], b\'{"errorMessage":"bad","errorType":"S","trace":[]}\'))\n'
			'os._exit(%d)\n"""' % status)})
		try:
			do('answer = b"1"', name)
			raise AssertionError('no error')
		except OSError as error:
			assert error.errno == errno.ENOEXEC, error
			assert json.loads(error.body) == {'errorMessage': 'bad', 'errorType': 'S', 'stackTrace': []}, error.body
		log_has(name, 'gave (202')


# --- refusals, each with its type ------------------------------------------------------------------------


def refusals_have_types():
	seen = json.loads(do('''answer = json.dumps([[status, json.loads(body)["errorType"]] for status, _, body in (
	wire.ask("POST", LAMBDA + "invocation/none/response", (), b"x"), wire.ask("POST", LAMBDA + "invocation/none/error", (), b"{}"),
	wire.ask("POST", LAMBDA + "invocation//response", (), b"x"), wire.ask("POST", LAMBDA + "init/error", (), b"{}"),
	wire.ask("POST", to + "/response", [("Lambda-Runtime-Function-Response-Mode", "odd")], b"x"),
	wire.ask("GET", "/2018-06-01/runtime"), wire.ask("DELETE", LAMBDA + "invocation/next"),
	wire.ask("PUT", "/2020-08-15/logs", (), b"{}"), wire.ask("PUT", "/2022-07-01/telemetry", (), b"{}"),
	wire.ask("GET", "/2020-01-01/extension/event/next"),
	wire.ask("GET", "/2020-01-01/extension/event/next", [("Lambda-Extension-Identifier", "x")]),
	wire.ask("POST", "/2020-01-01/extension/exit/error", [("Lambda-Extension-Identifier", "x")], b"{}"),
	wire.ask("POST", "/2020-01-01/extension/register", (), b"{}"), register("a", ["SLEEP"])[1], register("a", b"[]")[1],
	register("a", b"not json")[1])]).encode()'''))
	assert seen == [[400, 'InvalidRequestID']] * 2 + [[404, 'NotFound'], [403, 'InvalidStateTransition'],
		[400, 'InvalidFunctionResponseMode'], [404, 'NotFound'], [405, 'MethodNotAllowed'], [202, 'Logs.NotSupported'],
		[202, 'Telemetry.NotSupported'], [403, 'Extension.MissingExtensionIdentifier'], [403, 'Extension.InvalidExtensionIdentifier'],
		[403, 'Extension.InvalidExtensionIdentifier'], [400, 'Extension.MissingExtensionName'], [400, 'Extension.InvalidEventType'],
		[400, 'Extension.InvalidEventType'], [400, 'Extension.InvalidEventType']], seen


def extensions_hear_what_they_asked_for():
	fn.function('extended', {'bootstrap+x': CLIENT.replace("START = ''", 'START = r"""\n'
		'for name, events in ("invokes", ["INVOKE"]), ("ends", ["SHUTDOWN"]), ("both", ["INVOKE", "SHUTDOWN"]), ("none", []):\n'
		'\textension, answer = register(name, events)\n\tpoll(extension, answer[1]["lambda-extension-identifier"], name)\n"""')}, timeout='10s')
	assert do('answer = b"1"', 'extended') == b'1'
	log_has('extended', 'invokes heard 200')
	log_has('extended', 'both heard 200')
	heard = [json.loads(body) for _, body in json.loads(do('answer = json.dumps(seen[:2]).encode()', 'extended'))]
	for event in heard:
		assert event['eventType'] == 'INVOKE' and len(event['requestId']) == 36 and event['deadlineMs'] > time.time() * 1000, event
		assert event['invokedFunctionArn'].endswith(':function:extended') and event['tracing'] == {}, event
	retire('extended')
	for name in 'ends', 'both':
		log_has('extended', name + ' heard 200 {"eventType":"SHUTDOWN","shutdownReason":"spindown","deadlineMs":')
	log = fn.read('functions', 'extended', 'logs', 'current')
	assert 'none heard' not in log and 'ends heard 200 {"eventType":"INVOKE"' not in log, log


def ten_extensions_and_no_more():
	fn.function('crowd', {'bootstrap+x': CLIENT}, timeout='10s')
	assert json.loads(do('answer = json.dumps([register("e%d" % i, [])[1][0] for i in range(11)]).encode()', 'crowd')) == [200] * 10 + [403]


def an_extension_polls_once_at_a_time():
	assert do('''extension, a = register("twice", [])
other = Wire()
id = [("Lambda-Extension-Identifier", a[1]["lambda-extension-identifier"])]
extension.send("GET", "/2020-01-01/extension/event/next", id)
time.sleep(0.1)
answer = str(other.ask("GET", "/2020-01-01/extension/event/next", id)[0]).encode()
extension.socket.close()''') == b'403'
	assert do('answer = b"1"') == b'1'


# --- of that call alone ----------------------------------------------------------------------------------


def wrong_calls_harm_no_other():
	"Of two calls in one process, one does all that is wrong; the other does not notice."
	fn.function('pair', {'bootstrap+x': CLIENT}, timeout='20s', concurrency=2)
	pid = do('answer = str(os.getpid()).encode()', 'pair')
	results = []
	thread = threading.Thread(target=lambda: results.append(do(
		'while not os.path.exists("/tmp/go"): time.sleep(0.01)\nanswer = str(os.getpid()).encode()', 'pair')))
	thread.start()
	try:
		assert do('wire.ask("POST", LAMBDA + "invocation/none/response", (), b"x"); answer = b"1"', 'pair') == b'1'
		assert do('wire.ask("POST", to + "/response", (), b"2"); wire.ask("POST", to + "/response", (), b"3"); answer = None', 'pair') == b'2'
		try:
			do('answer = b"x" * (7 << 20)', 'pair')
			raise AssertionError('no error')
		except OSError as error:
			assert error.errno == errno.EFBIG, error
		fails('wire.send("POST", to + "/response", [("Content-Length", 100)], raw=b""); wire.socket.shutdown(socket.SHUT_RDWR); wire = Wire(); answer = None', 'pair')
		fails('answer, error = None, ([], b"no json")', 'pair')
		assert not results
	finally:
		do('open("/tmp/go", "w"); answer = b"1"', 'pair')
	thread.join()
	assert results == [pid], results


def a_death_in_mid_answer_is_of_its_call():
	"The process ends while it answers; the next call has another one."
	for _ in range(10):
		error = b''
		try:
			do('wire.send("POST", to + "/response", [("Content-Length", 100)], raw=b"half"); time.sleep(0.01); os._exit(3)')
		except OSError as failed:
			assert failed.errno == errno.EREMOTEIO, failed
			error = failed.body
		assert error.startswith(b'half') and (b'exit status 3' in error or b'TruncatedResponse' in error), error
		assert do('answer = b"1"') == b'1'


def a_poll_after_a_timeout_gets_the_next_event():
	"A call times out beside another; its process is told so at its answer, and goes on."
	fn.function('slow', {'bootstrap+x': CLIENT}, timeout='1s', concurrency=3)
	pid = do('answer = str(os.getpid()).encode()', 'slow')
	failed = []

	def late():
		try:
			do('while not os.path.exists("/tmp/go"): time.sleep(0.01)\nanswer = b"late"', 'slow')
		except OSError as error:
			failed.append(error.errno)
	thread = threading.Thread(target=late)
	thread.start()
	beside = []
	stopping = threading.Event()

	def keep_busy():  # an instance in which nothing else runs would be ended with the call
		while not stopping.is_set():
			beside.append(do('time.sleep(0.2); answer = str(os.getpid()).encode()', 'slow'))
	others = [threading.Thread(target=keep_busy) for _ in range(2)]
	for other in others:
		other.start()
		time.sleep(0.1)  # so that one of them is always inside
	thread.join()
	assert failed == [errno.ETIMEDOUT], failed
	do('open("/tmp/go", "w"); answer = b"1"', 'slow')
	stopping.set()
	for other in others:
		other.join()
	assert set(beside) == {pid}, (pid, beside)
	assert do('answer = str(os.getpid()).encode()', 'slow') == pid


def main():
	global fn
	cases = Cases()
	with Mounted() as fn:
		fn.function('client', {'bootstrap+x': CLIENT}, timeout='10s')
		for case in (every_event_has_a_content_type, headers_that_have_no_value_are_not_sent, one_connection_is_enough,
				posts_are_answered_202, an_empty_answer_is_one, names_of_headers_have_any_case, bodies_may_wait_for_100_continue,
				the_api_is_a_host_and_a_port, trailers_may_be_declared_and_empty, an_error_in_trailers_may_lack_its_body,
				the_deadline_is_a_number, sigterm_comes_to_who_registers, nobody_else_is_sent_sigterm, error_types_are_recognised,
				what_rust_needs_is_there, rusts_text_in_the_stream_is_data, nodes_and_pythons_errors_are_whole, causes_may_be_large,
				python_is_not_forked_or_restored, an_error_of_the_start_and_its_status, refusals_have_types,
				extensions_hear_what_they_asked_for, ten_extensions_and_no_more, an_extension_polls_once_at_a_time,
				wrong_calls_harm_no_other, a_death_in_mid_answer_is_of_its_call, a_poll_after_a_timeout_gets_the_next_event):
			cases.run(case)
	cases.end()


main()
