# SPDX-License-Identifier: Apache-2.0
"""Real servers of brokers, each on a spare port of loopback, in a folder of its own, ended by its pid.

    with Redis() as broker:
        broker.make()                     # what a source of it needs there
        broker.publish([b'a', b'b'])      # returns when the broker said that it has them
        broker.value()                    # what is written into a trigger's file
        broker.kill(); broker.start()     # -9, and again on the same data

A class whose server is not installed says so by `missing()`.
"""

import ctypes
import glob
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

SUBJECT = 'orders'
USER, PASSWORD = 'fnfs', 'open-sesame-4711'


def find(*names):
	"""The first program of these (patterns of paths, too) that is there."""
	for name in names:
		if '/' in name:
			found = sorted(glob.glob(name))
		else:
			found = [shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')]
		if found and found[-1]:
			return found[-1]
	return None


def spare_port():
	with socket.socket() as probe:
		probe.bind(('127.0.0.1', 0))
		return probe.getsockname()[1]


def die_with_parent():
	ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG


class Server:
	kind = None
	program = None
	patience = 30
	user = None  # whom to start it as, where that is root
	stamped = True  # its messages have ids of their own
	trigger_type = None  # FunctionGraph's
	largest = 7 << 20  # the largest message a test sends
	nonsense = ()  # what makes no sense behind a URL
	denies = True  # asks for a password
	shared = False  # slow to start: make() begins anew on the same server

	def __init__(self):
		self.base = tempfile.mkdtemp(prefix='fnfs-broker-', dir='/var/tmp')
		os.chmod(self.base, 0o755)
		self.port = spare_port()
		self.process = None

	@classmethod
	def missing(cls):
		"""A sentence why it cannot be tested here, or None."""
		return None if cls.program else 'the server of %s is not installed' % cls.kind

	def __enter__(self):
		try:
			self.prepare()
			self.start()
		except BaseException:
			self.close()
			raise
		return self

	def __exit__(self, *_):
		self.close()

	def prepare(self):
		"""Before the first start."""

	def command(self):
		raise NotImplementedError

	def answers(self):
		with socket.socket() as probe:
			return probe.connect_ex(('127.0.0.1', self.port)) == 0

	def launch(self):
		with open(self.path('log'), 'ab') as log:
			self.process = subprocess.Popen(self.command(), cwd=self.base, stdin=subprocess.DEVNULL,
				stdout=log, stderr=log, env=self.environment(), start_new_session=True,
				preexec_fn=die_with_parent, user=self.user)

	def environment(self):
		return {'PATH': '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', 'HOME': self.base, 'LC_ALL': 'C.UTF-8'}

	def start(self):
		self.launch()
		end = time.monotonic() + self.patience
		while not self.answers():
			if self.process.poll() is not None or time.monotonic() > end:
				raise RuntimeError('%s does not start: %s' % (self.kind, self.log()))
			time.sleep(0.02)

	def kill(self):
		if self.process:
			try:
				os.killpg(self.process.pid, signal.SIGKILL)
			except ProcessLookupError:
				pass
			self.process.wait()
			self.process = None

	def close(self):
		self.kill()
		shutil.rmtree(self.base, ignore_errors=True)

	def path(self, *parts):
		return os.path.join(self.base, *parts)

	def log(self):
		with open(self.path('log'), errors='replace') as log:
			return log.read()[-2000:]

	def url(self, user=USER, password=PASSWORD):
		return '%s://%s:%s@127.0.0.1:%d' % (self.kind, user, password, self.port)

	def value(self, options='', **login):
		return '%s %s %s' % (self.url(**login), SUBJECT, options)

	def make(self):
		"""What has to be there before a source reads."""

	def publish(self, payloads):
		raise NotImplementedError

	def rest(self):
		"""How many messages are not acknowledged, those included that nobody got yet."""
		raise NotImplementedError

	def until_settled(self, source):
		"""Until nothing is left that the broker would give again."""
		source.until(lambda: self.rest() == 0)

	def down(self):
		"""As the end of its machine; up() has the same data again."""
		self.kill()

	def up(self):
		self.start()

	def judge_lambda(self, event):
		"""Where Lambda has no such source it is the daemon that makes an event of it."""
		assert event.word == 'event' and event.data == b'{"order":1}', event.data

	@classmethod
	def own_tests(cls, play, connected):
		"""What only this broker has: functions without arguments."""
		return []

	def write(self, name, text):
		with open(self.path(name), 'w') as file:
			file.write(text)
		return self.path(name)


class Lines:
	"""A connection whose protocol has lines."""

	def __init__(self, port):
		self.socket = socket.create_connection(('127.0.0.1', port), timeout=30)
		self.file = self.socket.makefile('rb')

	def close(self):
		self.file.close()
		self.socket.close()

	def send(self, data):
		self.socket.sendall(data)

	def line(self):
		line = self.file.readline()
		if not line.endswith(b'\r\n'):
			raise ConnectionError('the server is gone')
		return line[:-2]

	def read(self, length):
		data = self.file.read(length)
		if len(data) != length:
			raise ConnectionError('the server is gone')
		return data


class Redis(Server):
	kind = 'redis'
	program = find('redis-server', 'valkey-server')
	trigger_type = 'REDIS'
	nonsense = ('/x orders', ' orders from=yesterday', ' orders claim=0', ' orders claim=1s')

	def prepare(self):
		self.write('conf', 'port %d\nbind 127.0.0.1\nappendonly yes\nappendfsync everysec\nsave ""\n'
			'dir %s\nuser default off\nuser %s on >%s ~* &* +@all\n' % (
			self.port, self.base, USER, PASSWORD))

	def command(self):
		return [self.program, self.path('conf')]

	def answers(self):
		try:
			return self.ask([['PING']]) == [b'PONG']
		except (OSError, ConnectionError):
			return False

	def ask(self, commands):
		link = Lines(self.port)
		try:
			link.send(b''.join(self.packed(words) for words in [['AUTH', USER, PASSWORD]] + commands))
			return [self.reply(link) for _ in range(len(commands) + 1)][1:]
		finally:
			link.close()

	@staticmethod
	def packed(words):
		words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
		return b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(word), word) for word in words)

	def reply(self, link):
		line = link.line()
		sign, text = line[:1], line[1:]
		if sign == b'-':
			raise ConnectionError(text.decode())
		if sign == b'$':
			return link.read(int(text) + 2)[:-2] if int(text) >= 0 else None
		if sign == b'*':
			return [self.reply(link) for _ in range(max(int(text), 0))]
		return int(text) if sign == b':' else text

	def publish(self, payloads):
		for at in range(0, len(payloads), 500):
			self.ask([['XADD', SUBJECT, '*', 'data', payload] for payload in payloads[at:at + 500]])

	def rest(self):
		groups = self.ask([['XINFO', 'GROUPS', SUBJECT]])[0]
		facts = dict(zip(groups[0][::2], groups[0][1::2]))
		return facts[b'pending'] + (facts.get(b'lag') or 0)

	@classmethod
	def own_tests(cls, play, connected):
		def fields_of_an_entry():
			with cls() as broker, connected(broker) as source, \
					play(broker, options='field=b group=other') as one:
				one.until_state('connected')
				broker.ask([['XADD', SUBJECT, '5000000000000-7', 'a', 'x', 'b', b'\xff']])
				event = source.until_events(1)[0]
				assert event.json() == {'a': 'x', 'b_base64': '/w=='}, event.data
				assert event.id == '5000000000000-7'
				assert event.attributes['datacontenttype'] == 'application/json'
				assert one.until_events(1)[0].data == b'\xff'

		def all_that_is_there():
			with cls() as broker:
				broker.publish([b'a', b'b'])
				with connected(broker, options='from=begin') as source:
					assert source.until_events(2) and source.payloads() == [b'a', b'b']

		def deleted_while_pending():
			with cls() as broker:
				with connected(broker, answer=lambda event: None) as source:
					broker.publish([b'a', b'b'])
					name = source.until_events(1)[0].id
				broker.ask([['XDEL', SUBJECT, name]])
				with connected(broker) as source:
					source.until_events(1)
					broker.until_settled(source)
					assert source.payloads() == [b'b']

		def left_by_another():
			"""One of a group that went away: another takes over what it had."""
			with cls() as broker:
				with connected(broker, options='group=all', answer=lambda event: None) as source:
					broker.publish([b'a'])
					source.until_events(1)
				with connected(broker, options='group=all claim=1', name='fnfs-other') as source:
					source.until_events(1)
					broker.until_settled(source)

		def given_to_one_that_ends():
			"""The process before this one was there still, was given something, and died."""
			with cls() as broker, connected(broker) as source:
				with connected(broker, options='from=new', answer=lambda event: None) as before:
					broker.publish([b'a', b'b'])
					source.until(lambda: (before.step(0.01), len(source.events + before.events) >= 2)[1])
				source.until(lambda: set(source.payloads()) == {b'a', b'b'})
				broker.until_settled(source)

		def not_a_stream():
			with cls() as broker:
				broker.ask([['SET', SUBJECT, 'x']])
				with play(broker) as source:
					source.until_state('retrying')
					assert 'WRONGTYPE' in source.states[-1][1], source.states

		return [fields_of_an_entry, all_that_is_there, deleted_while_pending, left_by_another, given_to_one_that_ends, not_a_stream]


class Nats(Server):
	kind = 'nats'
	program = find('nats-server')
	trigger_type = 'NATS'
	nonsense = (' a..b', ' .a', ' a.>.b', '/x orders', ' orders mode=fast', ' orders group=x')
	jetstream = True

	def prepare(self):
		self.write('conf', 'host: 127.0.0.1\nport: %d\nmax_payload: 8MB\n%s'
			'authorization { user: %s, password: %s }\n' % (self.port,
			'jetstream { store_dir: "%s" }\n' % self.base if self.jetstream else '', USER, PASSWORD))

	def command(self):
		return [self.program, '-c', self.path('conf')]

	def link(self):
		link = Lines(self.port)
		link.line()
		link.send(b'CONNECT %s\r\nSUB _INBOX.test 1\r\nPING\r\n' % json.dumps(
			{'user': USER, 'pass': PASSWORD, 'verbose': False, 'pedantic': False}).encode())
		line = link.line()
		if line != b'PONG':
			raise ConnectionError(line.decode())
		return link

	def answers(self):
		try:
			self.link().close()
			return not self.jetstream or 'error' not in self.ask('$JS.API.INFO')
		except (OSError, ConnectionError):
			return False

	@staticmethod
	def answer(link):
		while True:
			line = link.line()
			if line.startswith(b'MSG '):
				return json.loads(link.read(int(line.split()[-1]) + 2))
			if line == b'PING':
				link.send(b'PONG\r\n')
			elif not line.startswith((b'PONG', b'INFO')):
				raise ConnectionError(line.decode())

	def ask(self, subject, request=None):
		link = self.link()
		body = json.dumps(request).encode() if request is not None else b''
		try:
			link.send(b'PUB %s _INBOX.test %d\r\n%s\r\n' % (subject.encode(), len(body), body))
			return self.answer(link)
		finally:
			link.close()

	def make(self):
		answer = self.ask('$JS.API.STREAM.CREATE.ORDERS', {'name': 'ORDERS', 'subjects': [SUBJECT, 'more.*'],
			'retention': 'limits', 'storage': 'file', 'max_consumers': -1, 'max_msgs': -1, 'max_bytes': -1,
			'max_age': 0, 'num_replicas': 1, 'discard': 'old'})
		assert 'error' not in answer, answer

	def publish(self, payloads, subject=SUBJECT, stored=True):
		link = self.link()
		try:
			for at in range(0, len(payloads), 200):
				some = payloads[at:at + 200]
				link.send(b''.join(b'PUB %s %s%d\r\n%s\r\n' % (subject.encode(), b'_INBOX.test ' if stored else b'',
					len(payload), payload) for payload in some))
				for _ in some if stored else []:
					answer = self.answer(link)
					assert 'seq' in answer, answer
			link.send(b'PING\r\n')
			assert link.line() == b'PONG'
		finally:
			link.close()

	def rest(self):
		names = self.ask('$JS.API.CONSUMER.NAMES.ORDERS')['consumers']
		facts = [self.ask('$JS.API.CONSUMER.INFO.ORDERS.' + name) for name in names]
		return sum(fact['num_pending'] + fact['num_ack_pending'] for fact in facts)

	@classmethod
	def own_tests(cls, play, connected):
		class Core(cls):
			jetstream = False

		def no_stream():
			with cls() as broker, play(broker) as source:
				source.until_state('retrying')
				assert 'no stream keeps the subject orders' in source.states[-1][1], source.states
				broker.make()
				source.until_state('connected')

		def no_jetstream_and_core():
			with Core() as broker, play(broker) as source:
				source.until_state('retrying')
				assert 'JetStream is not enabled' in source.states[-1][1], source.states
				with connected(broker, options='mode=core') as core:
					assert 'at most once' in core.states[-1][1]
					broker.publish([b'a', b'b'], stored=False)
					assert [event.id for event in core.until_events(2)] == ['-', '-']

		def another_subject():
			"""The value was changed: the consumer is made anew, and gives what is published from now on."""
			with cls() as broker:
				broker.make()
				connected(broker).kill()
				broker.publish([b'a'])
				value = broker.value().replace(SUBJECT, 'more.*')
				with play(broker, value=value) as source:
					source.until_state('connected')
					broker.publish([b'b'], 'more.news')
					event = source.until_events(1)[0]
					assert event.data == b'b' and event.attributes['subject'] == 'more.news'
					assert event.id == 'ORDERS-2', event.id
					broker.until_settled(source)

		return [no_stream, no_jetstream_and_core, another_subject]


class Postgres(Server):
	kind = 'postgres'
	program = find('/usr/lib/postgresql/*/bin/postgres')
	trigger_type = 'POSTGRES'
	nonsense = (' orders mode=queue', ' orders poll=0', ' orders mode=notify id=x', ' orders sslmode=maybe')
	shared = True
	user = 'postgres' if os.getuid() == 0 else None

	def prepare(self):
		data, secret = self.path('data'), self.write('secret', PASSWORD)
		os.mkdir(data, 0o700)
		if self.user:
			shutil.chown(data, self.user)
		subprocess.run([os.path.join(os.path.dirname(self.program), 'initdb'), '-D', data, '-U', USER,
			'--auth=scram-sha-256', '--pwfile', secret, '--no-sync', '-E', 'UTF8', '--locale', 'C'],
			check=True, user=self.user, stdout=subprocess.DEVNULL, cwd=self.base)

	def command(self):
		return [self.program, '-D', self.path('data'), '-h', '127.0.0.1', '-p', str(self.port),
			'-c', 'unix_socket_directories=', '-c', 'fsync=off', '-c', 'shared_buffers=16MB',
			'-c', 'dynamic_shared_memory_type=mmap']

	def start(self):
		"""The processes below a killed one see that it is gone, and only then another one may begin."""
		for left in range(20, -1, -1):
			try:
				return super().start()
			except RuntimeError:
				if not left:
					raise
				time.sleep(0.1)

	def answers(self):
		return self.sql('SELECT 1', check=False) == '1'

	def sql(self, text, check=True):
		done = subprocess.run(['psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-h', '127.0.0.1', '-p', str(self.port), '-U', USER,
			'postgres', '-f', '-'], input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
			env=dict(self.environment(), PGPASSWORD=PASSWORD))
		if check and done.returncode:
			raise ConnectionError(done.stderr)
		return done.stdout.strip()

	def url(self, **login):
		return super().url(**login) + '/postgres'

	def make(self):
		self.sql('DROP TABLE IF EXISTS orders;'
			'CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY (START %d) PRIMARY KEY, payload bytea);'
			'CREATE OR REPLACE FUNCTION say_orders() RETURNS trigger LANGUAGE plpgsql AS'
			" 'BEGIN NOTIFY orders; RETURN NULL; END';"
			'CREATE TRIGGER say AFTER INSERT ON orders FOR EACH STATEMENT EXECUTE FUNCTION say_orders();'
			% (time.time_ns() // 1000))

	def publish(self, payloads):
		for at in range(0, len(payloads), 500):
			self.sql('INSERT INTO orders (payload) VALUES %s;' % ','.join(
				"('\\x%s')" % payload.hex() for payload in payloads[at:at + 500]))

	def rest(self):
		return int(self.sql('SELECT count(*) FROM orders'))

	@classmethod
	def own_tests(cls, play, connected):
		def marked_instead_of_deleted(broker):
			broker.sql('DROP TABLE IF EXISTS box; CREATE TABLE box ("Key" text PRIMARY KEY, body jsonb, done timestamptz);'
				"INSERT INTO box VALUES ('a \"\\b', '{\"x\":1}'), ('b', NULL), ('c', '2')")
			value = '%s public.box id=Key payload=body done=done channel=Box' % broker.url()
			with play(broker, value=value) as source:
				source.until_events(3)
				source.until(lambda: broker.sql('SELECT count(*) FROM box WHERE done IS NULL') == '0')
				assert source.payloads() == [b'{"x": 1}', b'', b'2'], source.payloads()
				assert [len(event.id) for event in source.events] == [64, 1, 1]
				assert source.events[0].attributes['datacontenttype'] == 'application/json'
				broker.sql("INSERT INTO box VALUES ('d', '3'); NOTIFY \"Box\"")
				source.until_events(4)

		def two_share_a_table(broker):
			with connected(broker, answer=lambda event: None) as slow, connected(broker) as quick:
				broker.publish([b'1'])
				slow.until(lambda: slow.step(0.05) or quick.step(0.05) or slow.events or quick.events)
				broker.publish([b'%d' % i for i in range(2, 30)])
				quick.until(lambda: (slow.step(0.01), len(slow.events) + len(quick.events) >= 29)[1])
				assert sorted(slow.payloads() + quick.payloads(), key=int) == [b'%d' % i for i in range(1, 30)], (slow.payloads(), quick.payloads())

		def notifications_alone(broker):
			with connected(broker, options='mode=notify') as source:
				assert 'at most once' in source.states[-1][1]
				broker.sql("NOTIFY orders, 'a'; NOTIFY orders, 'b'")
				assert [event.id for event in source.until_events(2)] == ['-', '-']
				assert source.payloads() == [b'a', b'b']

		def no_table(broker):
			broker.sql('DROP TABLE orders')
			with play(broker) as source:
				source.until_state('retrying')
				assert 'orders' in source.states[-1][1] and 'connected' not in dict(source.states), source.states
				broker.make()
				source.until_state('connected')

		return [marked_instead_of_deleted, two_share_a_table, notifications_alone, no_table]


class RabbitMQ(Server):
	kind = 'amqp'
	program = find('/usr/lib/rabbitmq/bin/rabbitmq-server')
	trigger_type = 'RABBITMQ'
	nonsense = (' orders declare=maybe', ' orders ids=all', ' ' + 'q' * 256)
	shared = True
	patience = 90

	def __init__(self):
		super().__init__()
		self.names, self.distribution = spare_port(), spare_port()
		self.name_server = None

	@classmethod
	def missing(cls):
		return super().missing() or (None if find('/usr/lib/python3/dist-packages/pika') else 'python3-pika is not installed')

	def prepare(self):
		"""Erlang's server of names would stay behind, in the background; here it is a child of ours."""
		self.write('rabbitmq.conf', 'listeners.tcp.1 = 127.0.0.1:%d\ndefault_user = %s\ndefault_pass = %s\n'
			'loopback_users = none\ndisk_free_limit.absolute = 1MB\nlog.console.level = warning\n' % (self.port, USER, PASSWORD))
		self.write('plugins', '[].')
		self.write('env', '')
		self.name_server = subprocess.Popen(['epmd', '-address', '127.0.0.1', '-port', str(self.names)],
			env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
			stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)

	def environment(self):
		return dict(super().environment(), RABBITMQ_NODENAME='fnfs%d@localhost' % self.port,
			RABBITMQ_CONFIG_FILE=self.path('rabbitmq'), RABBITMQ_CONF_ENV_FILE=self.path('env'),
			RABBITMQ_ENABLED_PLUGINS_FILE=self.path('plugins'), RABBITMQ_MNESIA_BASE=self.path('mnesia'),
			RABBITMQ_LOG_BASE=self.path('logs'), RABBITMQ_LOGS='-', RABBITMQ_DIST_PORT=str(self.distribution),
			ERL_EPMD_PORT=str(self.names), ERL_EPMD_ADDRESS='127.0.0.1',
			RABBITMQ_PID_FILE=self.path('pid'), RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=
			'+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none '  # it looks for work while there is none, else
			'-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}')

	def command(self):
		return [self.program]

	def close(self):
		super().close()
		if self.name_server:
			self.name_server.kill()
			self.name_server.wait()

	def link(self):
		import pika
		return pika.BlockingConnection(pika.ConnectionParameters('127.0.0.1', self.port,
			credentials=pika.PlainCredentials(USER, PASSWORD), socket_timeout=5, connection_attempts=1))

	def answers(self):
		import pika
		if not super().answers():
			return False
		try:
			self.link().close()
			return True
		except pika.exceptions.AMQPError:
			return False

	def make(self, **arguments):
		link = self.link()
		link.channel().queue_delete(SUBJECT)
		link.channel().queue_declare(SUBJECT, durable=True, arguments=arguments)
		link.close()

	def publish(self, payloads, ids=True, **properties):
		import pika
		link = self.link()
		channel = link.channel()
		channel.tx_select()
		for number, payload in enumerate(payloads):
			name = '%d-%d' % (time.time_ns(), number) if ids else None
			channel.basic_publish('', SUBJECT, payload, pika.BasicProperties(
				delivery_mode=2, message_id=name, **properties))
			if number % 1000 == 999:
				channel.tx_commit()
		channel.tx_commit()
		link.close()

	def rest(self, queue=SUBJECT):
		done = subprocess.run(['/usr/lib/rabbitmq/bin/rabbitmqctl', '-q', '--no-table-headers', 'list_queues', 'name', 'messages'],
			stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.environment(), cwd=self.base)
		for line in done.stdout.splitlines():
			if line.split()[0] == queue:
				return int(line.split()[1])
		raise ConnectionError(done.stdout)

	def judge_lambda(self, event):
		assert event.word == 'record'
		record = event.json()
		assert record['eventSource'] == 'aws:rmq', record
		message, = record['rmqMessagesByQueue'][SUBJECT + '::/']
		assert message['data'] == 'eyJvcmRlciI6MX0=' and message['redelivered'] is False, message
		properties = message['basicProperties']
		assert properties['messageId'] == event.id and properties['deliveryMode'] == 2, properties
		assert properties['bodySize'] == 11 and properties['replyTo'] is None and properties['headers'] == {}

	@classmethod
	def own_tests(cls, play, connected):
		def dead_letters(broker):
			broker.make(**{'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead'})
			link = broker.link()
			link.channel().queue_declare('dead', durable=True)
			with connected(broker, answer=lambda event: 'no for a reason') as source:
				broker.publish([b'a'])
				source.until_events(1)
				source.until(lambda: link.channel().queue_declare('dead', passive=True).method.message_count == 1)
			link.close()

		def properties(broker):
			with connected(broker, form='lambda') as source:
				broker.publish([b'a'], ids=False, timestamp=2021, content_type='text/x', headers={'a': 'b', 'n': 7, 'l': [1]})
				event = source.until_events(1)[0]
				facts = event.json()['rmqMessagesByQueue'][SUBJECT + '::/'][0]['basicProperties']
				assert event.id == '-' and facts['messageId'] is None
				assert facts['timestamp'] == 'Jan 1, 1970, 12:33:41 AM', facts
				assert facts['headers'] == {'a': {'bytes': [98]}, 'n': 7, 'l': None}, facts
			with connected(broker, options='ids=none') as source:
				broker.publish([b'a'], content_type='text/x', timestamp=2021)
				event = source.until_events(1)[0]
				assert event.id == '-' and event.attributes['datacontenttype'] == 'text/x'
				assert event.attributes['time'] == '1970-01-01T00:33:41.000Z'
				broker.until_settled(source)

		def no_queue(broker):
			link = broker.link()
			link.channel().queue_delete(SUBJECT)
			with play(broker) as source:
				source.until_state('retrying')
				assert "no queue 'orders'" in source.states[-1][1], source.states
				with play(broker, options='declare=durable') as other:
					other.until_state('connected')
					source.until_state('connected')
					link.channel().queue_delete(SUBJECT)
					source.until_state('retrying')
			link.close()

		return [dead_letters, properties, no_queue]


class Mosquitto(Server):
	kind = 'mqtt'
	program = find('mosquitto')
	trigger_type = 'MQTT'
	nonsense = (' a/#/b', ' a#', ' a+/b', '/x orders', ' orders qos=0')
	stamped = False
	published = 0

	def prepare(self):
		secret = self.write('passwords', '%s:%s\n' % (USER, PASSWORD))
		subprocess.run(['mosquitto_passwd', '-U', secret], check=True)
		self.write('conf', 'listener %d 127.0.0.1\nallow_anonymous false\npassword_file %s\npersistence true\n'
			'persistence_location %s/\nautosave_interval 0\nmax_queued_messages 0\nlog_type all\n'
			'log_dest stderr\nset_tcp_nodelay true\nuser %s\n' % (self.port, secret, self.base, pwd.getpwuid(os.getuid()).pw_name))

	def command(self):
		return [self.program, '-c', self.path('conf')]

	@staticmethod
	def packet(kind, *pieces):
		body, head, length = b''.join(pieces), bytes([kind]), sum(map(len, pieces))
		while True:
			length, digit = divmod(length, 128)
			head += bytes([digit | (128 if length else 0)])
			if not length:
				return head + body

	@staticmethod
	def text(text):
		return len(text).to_bytes(2, 'big') + text.encode()

	def link(self):
		link = Lines(self.port)
		link.send(self.packet(0x10, self.text('MQTT'), b'\x04\xc2\x00\x00', self.text('publisher'),
			self.text(USER), self.text(PASSWORD)))
		if link.read(4) != b'\x20\x02\0\0':
			raise ConnectionError('refused')
		return link

	def answers(self):
		try:
			self.link().close()
			return True
		except (OSError, ConnectionError):
			return False

	def publish(self, payloads, topic=SUBJECT, retain=False):
		link = self.link()
		for at in range(0, len(payloads), 500):
			some = payloads[at:at + 500]
			link.send(b''.join(self.packet(0x32 | retain, self.text(topic), (number + 1).to_bytes(2, 'big'), payload)
				for number, payload in enumerate(some)))
			for _ in some:
				assert link.read(4)[:2] == b'\x40\x02'
		link.close()
		self.published += len(payloads)

	def rest(self):
		"""The log has each acknowledgement."""
		with open(self.path('log'), errors='replace') as log:
			return max(0, self.published - log.read().count('Received PUBACK from fnfs-'))

	def down(self):
		"""It writes its sessions now and then; what came after the last time is lost with it, and so it writes them first."""
		def saved():
			try:
				return os.stat(self.path('mosquitto.db')).st_mtime_ns
			except FileNotFoundError:
				return 0
		before = saved()
		self.process.send_signal(signal.SIGUSR1)
		end = time.monotonic() + self.patience
		while saved() == before:
			assert time.monotonic() < end, 'it does not write its sessions'
			time.sleep(0.01)
		self.kill()

	@classmethod
	def own_tests(cls, play, connected):
		def filters_and_topics():
			with cls() as broker, play(broker, value=broker.url() + ' shop/+/#') as source:
				source.until_state('connected')
				broker.publish([b'a'], 'shop/berlin/orders')
				broker.publish([b'b'], 'elsewhere/berlin')
				broker.publish([b'c'], 'shop/paris')
				events = source.until_events(2)
				assert [event.attributes['subject'] for event in events] == ['shop/berlin/orders', 'shop/paris']

		def another_subject():
			with cls() as broker:
				connected(broker).kill()
				with play(broker, value=broker.url() + ' other') as source:
					source.until_state('connected')
					broker.publish([b'a'])
					broker.publish([b'b'], 'other')
					source.until_events(1)
					assert source.payloads() == [b'b']

		return [filters_and_topics, another_subject]


class Kafka(Server):
	"""The cluster of librdkafka's own tests: down() is that nobody can reach it, for its data would die with it."""
	kind = 'kafka'
	program = find(os.environ.get('FNFS_KAFKA_MOCK', '/nowhere'))
	trigger_type = 'KAFKA'
	nonsense = (' a/b', ' ' + 'a' * 250, '/x orders', ' orders sasl=NTLM', ' orders from=end')
	group = 'fnfs-0123456789abcdef-7'
	denies = False
	largest = 3 << 20  # what a partition of this cluster holds is 5 MB

	def start(self):
		with open(self.path('log'), 'ab') as log:
			self.process = subprocess.Popen([self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
				stderr=log, preexec_fn=die_with_parent, start_new_session=True)
		self.port = int(self.process.stdout.readline().decode().strip().rpartition(':')[2])

	def kill(self):
		if self.process:
			self.process.stdin.close()
			self.process.stdout.close()
		super().kill()

	def order(self, order):
		self.process.stdin.write(order.encode() + b'\n')
		self.process.stdin.flush()
		answer = self.process.stdout.readline().decode().strip()
		assert not answer.startswith('no'), (order, answer)
		return answer

	def url(self, **login):
		return 'kafka://127.0.0.1:%d' % self.port

	def make(self):
		self.order('create %s 2' % SUBJECT)

	def publish(self, payloads):
		for payload in payloads:
			self.process.stdin.write(b'produce %s %d\n' % (SUBJECT.encode(), len(payload)) + payload)
		self.order('flush')

	def down(self):
		self.order('down')

	def up(self):
		self.order('up')

	def rest(self):
		return int(self.order('rest %s %s' % (SUBJECT, self.group)))

	def judge_lambda(self, event):
		record = event.json()
		assert event.word == 'record' and record['eventSource'] == 'SelfManagedKafka', record
		assert record['bootstrapServers'] == '127.0.0.1:%d' % self.port
		message, = record['records']['orders-0']
		assert event.id == 'orders-0-%d' % message['offset'] and message['topic'] == 'orders', message
		assert message['value'] == 'eyJvcmRlciI6MX0=' and message['key'] == 'a2V5', message
		assert message['headers'] == [{'h': [97, 98]}] and message['timestampType'] == 'CREATE_TIME', message
		assert abs(message['timestamp'] / 1000 - time.time()) < 3600

	@classmethod
	def own_tests(cls, play, connected):
		def all_that_is_there():
			with cls() as broker:
				broker.make()
				broker.publish([b'a', b'b'])
				with connected(broker, options='from=begin') as source:
					assert source.until_events(2) and source.payloads() == [b'a', b'b']
					assert source.events[0].attributes['subject'] == 'key'

		return [all_that_is_there]


BROKERS = {broker.kind: broker for broker in (Redis, Nats, Postgres, RabbitMQ, Mosquitto, Kafka)}
