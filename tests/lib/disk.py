# SPDX-License-Identifier: Apache-2.0
"""A disk that is slow, or the last thing a daemon sees: see disk.c.

    with Disk() as disk, Mounted(env=disk.env) as fn:
        disk.hold()         # no pack reaches the disk ...
        disk.release()      # ... until now
        disk.die_after(7)   # the daemon is killed before its seventh step on the disk from here
"""

import mmap
import os
import struct
import tempfile

from mounted import BUILD, skip

STEPS, DIE_AT, GATE, WAITING = (8 * number for number in range(4))


class Disk:
	def __enter__(self):
		module = os.path.join(BUILD, 'tests', 'lib', 'disk.so')
		if not os.path.exists(module):
			skip('%s was not built' % module)
		self.file = tempfile.NamedTemporaryFile(prefix='fnfs-test-disk-')
		self.file.truncate(mmap.PAGESIZE)
		self.page = mmap.mmap(self.file.fileno(), mmap.PAGESIZE)
		options = os.environ.get('ASAN_OPTIONS', '')
		self.env = {'LD_PRELOAD': module, 'FNFS_DISK': self.file.name,
			'ASAN_OPTIONS': options + ':verify_asan_link_order=0'}
		return self

	def __exit__(self, *_):
		self.page.close()
		self.file.close()

	def get(self, place):
		return struct.unpack_from('Q', self.page, place)[0]

	def put(self, place, value):
		struct.pack_into('Q', self.page, place, value)

	def hold(self):
		self.put(GATE, 1)

	def release(self):
		self.put(GATE, 0)

	def waiting(self):
		return self.get(WAITING)

	def steps(self):
		return self.get(STEPS)

	def die_after(self, steps):
		self.put(DIE_AT, self.get(STEPS) + steps)

	def live(self):
		self.put(DIE_AT, 0)
