#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real broker calls a function, through its adapter and the daemon. A user would lose what a broker had acknowledged.

	source_brokers_test.py KIND

10000 messages; on the way the broker is killed and started again on the same data, and the daemon is killed and mounted
again. Each message stands in the queue then, and those of brokers whose messages have ids stand there once.
"""

import json
import os
import subprocess
import sys
import threading
import time

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(here, '..', 'lib')]
from brokers import BROKERS, PASSWORD  # noqa: E402
from mounted import BUILD, Cases, Mounted, skip, write_file  # noqa: E402

kind = sys.argv[1]
Broker = BROKERS[kind]
COUNT = 10000
OPTIONS = {'kafka': 'group=' + getattr(Broker, 'group', '')}


def read(*parts):
	with open(os.path.join(*parts), 'rb') as file:
		return file.read()


def status(path):
	return dict(line.partition(' ')[::2] for line in read(path, 'status').decode().splitlines())


class Publisher(threading.Thread):
	"""Publishes up to a mark; what could not be published, for the server was gone, is published again."""

	def __init__(self, broker, payloads):
		super().__init__(daemon=True)
		self.broker, self.payloads, self.failure = broker, payloads, None
		self.start()

	def run(self):
		try:
			self.broker.publish(self.payloads)
		except BaseException as error:
			self.failure = error

	def end(self):
		self.join(90)
		assert not self.failure and not self.is_alive(), self.failure


def storm(fn, broker, path, queue):
	payloads = [b'%d' % number for number in range(COUNT)]
	third = COUNT // 3

	def there():
		return len(os.listdir(queue))

	broker.publish(payloads[:third])
	fn.until(lambda: there() > third // 8, 90)
	broker.down()
	fn.until(lambda: status(path)['state'] == 'retrying', 90)
	broker.up()
	fn.until(lambda: there() >= third, 90)
	second = Publisher(broker, payloads[third:2 * third])
	fn.until(lambda: there() > third + third // 8, 90)
	fn.kill()
	fn.unmount()
	fn.start()
	second.end()
	Publisher(broker, payloads[2 * third:]).end()
	fn.until(lambda: there() >= COUNT, 90)
	fn.until(lambda: broker.rest() == 0, 90)
	return payloads


def test_ten_thousand_over_two_kills(broker, fn):
	write_file(fn.path('functions', 'hello', 'config', 'max_instances'), '0\n')
	write_file(fn.path('functions', 'hello', 'config', 'queue_limit'), '100000\n')
	path, queue = fn.path('functions', 'hello', 'triggers', 't'), fn.path('functions', 'hello', 'queue')
	fn.until(lambda: status(path).get('state') == 'connected', 90)
	payloads = storm(fn, broker, path, queue)
	came = {}

	def missing():
		came.update((name, read(queue, name)) for name in os.listdir(queue) if name not in came)
		return set(payloads) - set(came.values())

	# Some come twice: that there are as many as were sent does not say that the last one is there.
	until = time.monotonic() + 90
	while (lost := missing()) and time.monotonic() < until:
		fn.step()
		time.sleep(0.05)
	assert not lost, ('lost', len(lost), sorted(lost)[:10])
	print('      %d of %d twice' % (len(came) - COUNT, COUNT))
	assert len(came) == COUNT or not broker.stamped
	assert PASSWORD.encode() not in read(path, 'status') + read(fn.path('log'))
	assert PASSWORD not in subprocess.run(['ps', '-e', '-o', 'args'], stdout=subprocess.PIPE, text=True).stdout


def test_calls_the_function(broker, fn):
	write_file(fn.path('functions', 'hello', 'triggers', 't', 'format'), 'functiongraph\n')
	fn.until(lambda: status(fn.path('functions', 'hello', 'triggers', 't')).get('state') == 'connected', 90)
	broker.publish([b'{"order":17}'])
	results = fn.path('functions', 'hello', 'results')
	name = fn.until(lambda: os.listdir(results), 90)[0]
	event = json.loads(read(results, name))
	assert event['trigger_type'] == broker.trigger_type, event
	assert event['records'][0]['messages'] == ['{"order":17}'], event


def run(test):
	def with_both():
		with Broker() as broker, Mounted(env={'FNFS_SOURCES': os.path.join(BUILD, 'engine', 'brokers')}) as fn:
			broker.make()
			fn.function('hello', {'index.py': 'def handler(event, context):\n\treturn event\n'})
			path = fn.path('functions', 'hello', 'triggers', 't')
			os.mkdir(path)
			write_file(os.path.join(path, 'format'), 'raw\n')
			write_file(os.path.join(path, kind), broker.value(OPTIONS.get(kind, '')) + '\n')
			test(broker, fn)
	with_both.__name__ = test.__name__
	return with_both


if __name__ == '__main__':
	if not os.access(os.path.join(BUILD, 'engine', 'brokers', 'fnfs-source-' + kind), os.X_OK):
		skip('fnfs-source-%s is not built: its library is not installed' % kind)
	if Broker.missing():
		skip(Broker.missing())
	cases = Cases()
	cases.run(run(test_ten_thousand_over_two_kills))
	cases.run(run(test_calls_the_function))
	cases.end()
