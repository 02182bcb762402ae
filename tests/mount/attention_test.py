#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon stays awake for a moment between calls that follow one another closely. Without these it could take a
processor away from everybody: for good after a burst of calls, or from the very programs it works for."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from mounted import Cases, Mounted  # noqa: E402

CALLS = 2000


def calls(fn, count):
	fd = os.open(fn.path('functions', 'echo', 'invoke'), os.O_RDWR)
	for _ in range(count):
		os.write(fd, b'{"a":1}')
		assert os.read(fd, 100) == b'{"a":1}'
	os.close(fd)


def waits(fn):
	"How often the daemon's loop has fallen asleep."
	with open('/proc/%d/status' % fn.process.pid) as status:
		return next(int(line.split()[1]) for line in status if line.startswith('voluntary'))


def processor_seconds(fn):
	with open('/proc/%d/stat' % fn.process.pid) as stat:
		fields = stat.read().rpartition(')')[2].split()
	return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def rests_after_a_burst(fn):
	"A daemon that went on looking would burn a processor until it is ended."
	calls(fn, CALLS)
	time.sleep(0.2)
	before = processor_seconds(fn)
	time.sleep(1)
	used = processor_seconds(fn) - before
	assert used < 0.1, 'an idle daemon used the processor for %.2f s of one' % used


def sleeps_where_there_is_one_processor(fn):
	"Looking there would keep caller and instance from the only processor there is."
	before = waits(fn)
	calls(fn, CALLS)
	slept = waits(fn) - before
	assert slept >= CALLS, 'it slept %d times in %d calls' % (slept, CALLS)


if __name__ == '__main__':
	cases = Cases()
	everywhere = os.sched_getaffinity(0)
	for case, processors in ((rests_after_a_burst, everywhere),
			(sleeps_where_there_is_one_processor, {min(everywhere)})):
		os.sched_setaffinity(0, processors)
		with Mounted() as mounted:
			mounted.function('echo', {'index.py': 'def handler(event, context):\n\treturn event\n'})
			mounted.call('echo', b'{}')
			cases.run(case, mounted)
	cases.end()
