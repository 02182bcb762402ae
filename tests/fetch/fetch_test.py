#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""fnfs-fetch by itself: what it unpacks, and what it refuses.

Without this a user would lose: packages that are what was packed; and everybody, files that an archive
of a stranger writes where it has no business, and disks that it fills.
"""

import errno
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here, os.path.join(here, '..', 'lib')]
from archives import (directory, encrypted_zip, hard_link, member, packed, symlink, tar,  # noqa: E402
	zip_renamed, zipped)
from mounted import Cases  # noqa: E402
from server import KEY, REGION, SECRET, TOKEN, Server  # noqa: E402

PROGRAM = os.environ['FNFS_FETCH']
KINDS = ['', '.gz', '.xz', '.zst']


class Fetched:
	"""One run: its lines, its errno's name (None: done), and the directory."""

	def __init__(self, place, source=None, sha256=None, archive=None, options=(), env=None, program=PROGRAM, **more):
		self.tree = tempfile.mkdtemp(dir=place)
		where = os.open(self.tree, os.O_RDONLY | os.O_DIRECTORY)
		job = '' if source is None else 'source %s\n' % source
		if sha256:
			job += 'sha256 %s\n' % sha256
		command = [program, *options] + (['--archive'] if archive else [])
		# 3 is the directory, and nothing else is inherited but what the program closes.
		self.process = subprocess.Popen(['/bin/sh', '-c', 'exec "$@" 3<&%d' % where, 'sh', *command],
			stdin=archive or subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[where],
			env={'LANG': 'C', **(env or {})}, **more)
		os.close(where)
		if not archive:
			self.process.stdin.write(os.fsencode(job))
			self.process.stdin.close()

	def wait(self):
		lines = self.process.stdout.read().decode().splitlines()
		code = self.process.wait()
		assert code >= 0, 'ended by signal %d' % -code
		self.error = errno.errorcode[code] if code else None
		self.lines, self.last = lines, lines[-1] if lines else ''
		assert self.last.startswith('error ' if code else 'done '), lines
		assert 'Sanitizer' not in self.last
		return self

	def names(self):
		found = set()
		for place, directories, files in os.walk(self.tree):
			found |= {os.path.relpath(os.path.join(place, name), self.tree)
				for name in directories + files}
		return found

	def path(self, name):
		return os.path.join(self.tree, name)

	def read(self, name):
		with open(self.path(name), 'rb') as file:
			return file.read()


class Bench:
	def __init__(self):
		self.place = tempfile.mkdtemp(prefix='fnfs-fetch-')
		os.chmod(self.place, 0o755)

	def write(self, data, name='archive'):
		path = os.path.join(self.place, name)
		with open(path, 'wb') as file:
			file.write(data)
		return path

	def unpack(self, data, **more):
		return Fetched(self.place, self.write(data), **more).wait()

	def fetch(self, source, **more):
		return Fetched(self.place, source, **more).wait()

	def refused(self, data, name, words=None, **more):
		"""Refused with this errno, a sentence that has these words, and nothing written beside it."""
		secret = self.write(b'before', 'outside')
		done = self.unpack(data, **more)
		assert done.error == name, (done.error, done.last)
		assert words is None or words in done.last, done.last
		with open(secret, 'rb') as file:
			assert file.read() == b'before'
		assert set(os.listdir(self.place)) >= {'outside', 'archive'}
		assert not [n for n in os.listdir(self.place) if n.startswith('evil')], os.listdir(self.place)
		return done


SAMPLE = [directory('pkg'), member('pkg/a.py', b'print(1)\n'), member('pkg/run', b'#!/bin/sh\n', mode=0o755),
	directory('pkg/empty'), symlink('pkg/link', 'a.py'), symlink('up', 'pkg/../pkg/a.py'),
	hard_link('pkg/hard', 'pkg/a.py'), member('pkg/\xe4\xf6 name', b'u'), member('./pkg//dots', b'd')]
NAMES = {'pkg', 'pkg/a.py', 'pkg/run', 'pkg/empty', 'pkg/link', 'up', 'pkg/hard', 'pkg/\xe4\xf6 name', 'pkg/dots'}


def tars_of_all_kinds(bench):
	for kind in KINDS:
		for form in tarfile.PAX_FORMAT, tarfile.GNU_FORMAT:
			data = packed(tar(*SAMPLE, form=form), kind)
			done = bench.unpack(data)
			assert done.error is None, (kind, done.last)
			assert done.names() == NAMES, done.names() ^ NAMES
			assert done.read('pkg/a.py') == b'print(1)\n' == done.read('up')
			assert os.path.samefile(done.path('pkg/a.py'), done.path('pkg/hard'))
			assert os.readlink(done.path('pkg/link')) == 'a.py'
			assert os.stat(done.path('pkg/a.py')).st_mtime == 1000000000
			assert os.stat(done.path('pkg')).st_mtime == 1000000000
			assert done.last == 'done 9 21 ' + hashlib.sha256(data).hexdigest(), done.last


def zips(bench):
	done = bench.unpack(zipped(('pkg/', b'', 0o40755), ('pkg/a.py', b'print(1)\n'), ('run', b'x', 0o100755),
		('pkg/link', b'a.py', 0o120777), ('\xe4', b'u')))
	assert done.error is None, done.last
	assert done.names() == {'pkg', 'pkg/a.py', 'run', 'pkg/link', '\xe4'}, done.names()
	assert os.readlink(done.path('pkg/link')) == 'a.py'
	assert os.access(done.path('run'), os.X_OK) and not os.stat(done.path('pkg/a.py')).st_mode & 0o111


def nothing_is_no_package(bench):
	for data in tar(), zipped(), b'', tar(directory('.')):
		bench.refused(data, 'EBADMSG')


def modes_are_made_sane(bench):
	done = bench.unpack(tar(member('s', b'', mode=0o6777), member('hidden', b'', mode=0o000),
		directory('d', mode=0o3000), member('d/f', b'', mode=0o100)))
	modes = {name: stat.S_IMODE(os.stat(done.path(name)).st_mode) for name in ('s', 'hidden', 'd', 'd/f')}
	assert modes == {'s': 0o755, 'hidden': 0o644, 'd': 0o755, 'd/f': 0o755}, modes


def later_members_replace_earlier_ones(bench):
	done = bench.unpack(tar(member('a', b'1'), symlink('b', 'a'), member('b', b'2'), member('a', b'3')))
	assert done.error is None and (done.read('a'), done.read('b')) == (b'3', b'2')
	assert not os.path.islink(done.path('b'))


def holes_are_kept(bench):
	path = os.path.join(bench.place, 'holes')
	with open(path, 'wb') as file:
		file.write(b'begin')
		file.seek(20 << 20)
		file.write(b'middle')
		file.truncate(30 << 20)
	subprocess.check_call(['tar', '-S', '-C', bench.place, '-cf', os.path.join(bench.place, 'holes.tar'), 'holes'])
	done = bench.fetch(os.path.join(bench.place, 'holes.tar'))
	assert done.error is None, done.last
	assert done.read('holes') == open(path, 'rb').read()
	assert os.stat(done.path('holes')).st_blocks * 512 < 1 << 20


def names_that_leave(bench):
	for name in '../evil', '../../evil', 'a/../../evil', 'a/..', '/evil', '//evil', '/etc/passwd', '..':
		bench.refused(tar(member(name, b'x')), 'EPERM', 'a name in the archive')
		bench.refused(tar(directory(name)), 'EPERM')
		bench.refused(tar(symlink(name, 'x')), 'EPERM')
	bench.refused(zip_renamed('aa/evil', '../evil'), 'EPERM')
	bench.refused(zip_renamed('aa/bb/etc/passwd', '../../etc/passwd'), 'EPERM')
	bench.refused(zip_renamed('aevil', '/evil'), 'EPERM')
	bench.refused(tar(member('.', b'x')), 'EPERM')


def links_that_leave(bench):
	outside = os.path.join(bench.place, 'outside')
	for target in '/etc/passwd', '..', '../outside', outside, 'a/../../outside', './../x', '/':
		bench.refused(tar(symlink('l', target)), 'EPERM', 'leads out')
	bench.refused(tar(directory('d'), symlink('d/l', '../../outside')), 'EPERM', 'leads out')
	bench.refused(zipped(('l', b'../outside', 0o120777)), 'EPERM', 'leads out')


def links_that_leave_over_other_links(bench):
	"""Their words stay inside; what they lead to does not."""
	bench.refused(tar(directory('a/b/c'), symlink('a/b/c/top', '../../..'),
		symlink('l', 'a/b/c/top/../outside')), 'EPERM', 'leads out')
	bench.refused(tar(directory('a/b/c'), symlink('l', 'a/b/c/top/..'),
		symlink('a/b/c/top', '../../..')), 'EPERM', 'leads out')


def links_that_stay(bench):
	done = bench.unpack(tar(symlink('a', 'nowhere'), symlink('b', 'b'), directory('c/d'),
		symlink('c/d/e', '../../a'), symlink('c/d/f', '..')))
	assert done.error is None and os.readlink(done.path('c/d/e')) == '../../a', done.last


def nothing_is_written_over_links(bench):
	bench.refused(tar(directory('d'), symlink('l', 'd'), member('l/evil', b'x')), 'EINVAL', 'no directory')
	bench.refused(tar(symlink('l', 'd'), directory('l/evil')), 'EINVAL')
	bench.refused(tar(member('f', b''), member('f/x', b'')), 'EINVAL')
	bench.refused(tar(directory('d'), member('d', b'')), 'EINVAL')
	bench.refused(tar(directory('d'), member('d/x', b''), symlink('d', 'e')), 'EINVAL')


def hard_links_that_leave(bench):
	outside = os.path.join(bench.place, 'outside')
	bench.refused(tar(hard_link('h', outside)), 'EPERM')
	bench.refused(tar(hard_link('h', '../outside')), 'EPERM')
	bench.refused(tar(hard_link('h', 'missing')), 'EPERM')
	bench.refused(tar(directory('d'), hard_link('h', 'd')), 'EPERM')
	# A link to a link would mean another place.
	bench.refused(tar(directory('a/b'), symlink('a/b/l', '../..'), hard_link('h', 'a/b/l')), 'EPERM')
	bench.refused(tar(directory('d'), symlink('l', 'd'), member('d/f', b''), hard_link('h', 'l/f')), 'EINVAL')
	done = bench.unpack(tar(member('f', b'x'), hard_link('f', 'f')))
	assert done.error is None and done.read('f') == b'x'


def no_devices(bench):
	for kind in tarfile.CHRTYPE, tarfile.BLKTYPE:
		bench.refused(tar(member('null', kind=kind, devmajor=1, devminor=3)), 'EPERM', 'device')
	bench.refused(tar(member('pipe', kind=tarfile.FIFOTYPE)), 'EPERM')
	bench.refused(zipped(('socket', b'', 0o140755)), 'EPERM')
	bench.refused(zipped(('null', b'', 0o020666)), 'EPERM')


def bombs(bench):
	zeros = zipped(('z', bytes(1 << 26)))
	assert len(zeros) < 1 << 17
	bench.refused(zeros, 'EFBIG', 'bytes', options=['--bytes', '1000000'])
	bench.refused(zeros, 'EFBIG', 'times', options=['--ratio-free-bytes', '1000000'])
	assert bench.unpack(zeros).error is None
	many = tar(*[member('f%d' % i) for i in range(200)])
	bench.refused(many, 'EFBIG', 'files', options=['--files', '199'])
	assert bench.unpack(many, options=['--files', '200']).error is None
	# What is made on the way to a name counts too.
	bench.refused(tar(member('/'.join('abcdefgh') + '/f')), 'EFBIG', options=['--files', '8'])
	bench.refused(tar(member('d/' * 101 + 'f')), 'EPERM', 'deep')
	bench.refused(tar(member('n' * 256)), 'ENAMETOOLONG')
	bench.refused(tar(member('/'.join(['n' * 200] * 30))), 'ENAMETOOLONG')
	bench.refused(zeros, 'EFBIG', 'larger', options=['--archive-bytes', '1000'])


def sizes_that_lie(bench):
	"""A header may promise more than there is, or a hole as large as the sky."""
	huge = bytearray(tar(member('f', b'x'), form=tarfile.GNU_FORMAT))
	huge[124:136] = b'\x80' + (1 << 60).to_bytes(11, 'big')
	huge[148:156] = b' ' * 8
	huge[148:156] = b'%06o\0 ' % sum(huge[:512])
	bench.refused(bytes(huge), 'EFBIG')
	done = bench.unpack(tar(member('f', b'x', pax_headers={'GNU.sparse.major': '1', 'GNU.sparse.minor': '0',
		'GNU.sparse.name': 'f', 'GNU.sparse.realsize': str(1 << 61)})))
	assert done.error in ('EFBIG', 'EBADMSG'), done.error


def no_archives(bench):
	for data in b'x', b'hello\n' * 1000, bytes(100000), os.urandom(5000), b'PK\5\6', b'\x1f\x8b', b'<html>' * 200:
		bench.refused(data, 'EBADMSG')
	bench.refused(packed(b'hello' * 1000, '.gz'), 'EBADMSG')


def archives_cut_short(bench):
	whole = tar(*SAMPLE, member('big', os.urandom(200000)))
	for kind in KINDS:
		data = packed(whole, kind)
		for part in 0.01, 0.3, 0.9, 0.97:
			bench.refused(data[:int(len(data) * part)], 'EBADMSG')
	bench.refused(whole[:whole.index(bytes(1024))], 'EBADMSG')
	end = len(tar(member('f', b'x' * 512)).rstrip(b'\0')) // 512 * 512
	bench.refused(tar(member('f', b'x' * 512))[:end], 'EBADMSG', 'cut short')
	data = zipped(('a', os.urandom(50000)), ('b', b'b'))
	for part in 0.1, 0.5, 0.99:
		bench.refused(data[:int(len(data) * part)], 'EBADMSG', 'cut short')


def damaged_archives(bench):
	data = bytearray(zipped(('a', bytes(range(256)) * 100)))
	data[60] ^= 0x55
	bench.refused(bytes(data), 'EBADMSG')


def encrypted_archives(bench):
	bench.refused(encrypted_zip('a', b'secret'), 'ENOKEY', 'encrypted')


def sums(bench):
	data = tar(member('f', b'x'))
	right = hashlib.sha256(data).hexdigest()
	assert bench.unpack(data, sha256=right).error is None
	assert bench.unpack(data, sha256=right.upper()).error is None
	done = bench.refused(data, 'EBADMSG', right, sha256='0' * 64)
	assert done.names() == set()
	assert bench.unpack(data, sha256='12').error == 'EINVAL'


def what_is_no_file(bench):
	assert bench.fetch('/nonexistent').error == 'ENOENT'
	assert bench.fetch(bench.place).error == 'EISDIR'
	assert bench.fetch('relative').error == 'EINVAL'
	fifo = os.path.join(bench.place, 'fifo')
	os.mkfifo(fifo)
	for path in fifo, '/dev/zero':
		assert bench.fetch(path).error == 'EINVAL', path
	assert bench.fetch('/proc/self/cmdline').error == 'EBADMSG'


def an_archive_that_is_inherited(bench):
	with open(bench.write(tar(member('f', b'x'))), 'rb') as file:
		done = Fetched(bench.place, archive=file).wait()
	assert done.error is None and done.read('f') == b'x'
	done = Fetched(bench.place, archive=open('/dev/null')).wait()
	assert done.error == 'EINVAL'


def reads_with_the_rights_it_has(bench):
	if os.geteuid() != 0:
		return
	path = bench.write(tar(member('f', b'x')), 'private')
	os.chmod(path, 0o600)
	done = Fetched.__new__(Fetched)
	nobody = {'user': 65534, 'group': 65534, 'extra_groups': []}
	os.chmod(bench.place, 0o777)
	# Where it was built may be closed to others.
	program = shutil.copy(PROGRAM, bench.place)
	assert bench.fetch(path, program=program, **nobody).error == 'EACCES'
	os.chmod(bench.place, 0o755)


def urls(bench):
	archive = tar(*SAMPLE)
	with Server(archive) as server:
		for path in 'good.tar', 'away':
			done = bench.fetch(server.url(path))
			assert done.error is None and done.names() == NAMES, done.last
			assert 'progress %d %d ' % (len(archive), len(archive)) in '\n'.join(done.lines), done.lines
		assert bench.fetch(server.url('good.tar'), sha256='1' * 64).error == 'EBADMSG'
		assert bench.fetch(server.url('missing')).error == 'ENOENT'
		assert bench.fetch(server.url('secret')).error == 'EACCES'
		done = bench.fetch(server.url('secret').replace('//', '//user:wrong@'))
		assert done.error == 'EACCES' and 'wrong' not in done.last, done.last
		assert bench.fetch(server.url('secret').replace('//', '//user:pass@')).error is None


def servers_that_lie(bench):
	archive = packed(tar(*SAMPLE, member('big', os.urandom(300000))), '.gz')
	with Server(archive) as server:
		assert bench.fetch(server.url('promises')).error == 'EPROTO'
		assert bench.fetch(server.url('hides')).error == 'EBADMSG'
		assert bench.fetch(server.url('huge')).error == 'EFBIG'
		done = bench.fetch(server.url('endless'), options=['--archive-bytes', '5000000'])
		assert done.error == 'EFBIG' and done.names() == set(), done.last
		assert bench.fetch(server.url('round')).error == 'ELOOP'
		assert len(server.asked) < 30


def servers_that_stall(bench):
	with Server(packed(tar(member('big', os.urandom(300000))), '.gz')) as server:
		for path in 'stalls', 'silent':
			done = bench.fetch(server.url(path), options=['--stall', '1'])
			assert done.error == 'ETIMEDOUT', done.last


def progress_is_told_while_it_comes(bench):
	archive = tar(member('big', os.urandom(300000)))
	with Server(archive) as server:
		done = Fetched(bench.place, server.url('steps'))
		server.step.release()
		line = done.process.stdout.readline().split()
		assert line[0] == b'progress' and 0 < int(line[1]) <= 100000 and int(line[2]) == len(archive), line
		server.step.release(10)
		assert done.wait().error is None, done.last


def other_schemes(bench):
	bench.write(tar(member('f', b'x')))
	for url in ('file://' + bench.place + '/archive', 'gopher://127.0.0.1:1/', 'ftp://127.0.0.1:1/x',
			'dict://127.0.0.1:1/', 'scp://127.0.0.1/x', 'unknown://x'):
		assert bench.fetch(url).error == 'EPROTONOSUPPORT', url
		with Server(b'') as server:
			done = bench.fetch(server.url('scheme?' + url))
			assert done.error == 'EPROTONOSUPPORT', (url, done.last)


def unreachable_servers(bench):
	with Server(b'') as server:
		url = server.url('x')
	assert bench.fetch(url).error == 'ECONNREFUSED'
	assert bench.fetch('http://nowhere.invalid/x').error == 'EHOSTUNREACH'


def stores(bench):
	with Server(tar(member('f', b'x'))) as server:
		env = {'AWS_ENDPOINT_URL': server.url(''), 'AWS_REGION': REGION}
		source = 's3://bucket/a key/p+1.tar'
		done = bench.fetch(source, env=env)
		assert done.error is None and done.read('f') == b'x', (done.last, server.asked)
		server.signed = True
		assert bench.fetch(source, env=env).error == 'EACCES'
		env.update(AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=SECRET, AWS_SESSION_TOKEN=TOKEN)
		done = bench.fetch(source, env=env)
		assert done.error is None, done.last
		env['AWS_SECRET_ACCESS_KEY'] = 'another'
		assert bench.fetch(source, env=env).error == 'EACCES'
		for bad in 's3://', 's3://bucket', 's3://bucket/', 's3:///key', 's3://../x', 's3://b/../c':
			assert bench.fetch(bad, env=env).error == 'EINVAL', bad


def bad_jobs(bench):
	for job in '', 'nonsense', 'source ', 'source /x\nmore 1':
		done = Fetched.__new__(Fetched)
		process = subprocess.run([PROGRAM], input=job.encode(), stdout=subprocess.PIPE)
		assert process.returncode == errno.EINVAL and process.stdout.startswith(b'error '), job
	assert bench.fetch('/x', options=['--bytes', '-1']).error == 'EINVAL'
	assert bench.fetch('/x', options=['--unknown']).error == 'EINVAL'
	process = subprocess.run([PROGRAM], input=b'source /x\n', stdout=subprocess.PIPE)
	assert process.returncode == errno.EBADF


def main():
	bench, cases = Bench(), Cases()
	wanted = sys.argv[1:]
	try:
		for case in (tars_of_all_kinds, zips, nothing_is_no_package, modes_are_made_sane,
				later_members_replace_earlier_ones, holes_are_kept, names_that_leave, links_that_leave,
				links_that_leave_over_other_links, links_that_stay, nothing_is_written_over_links,
				hard_links_that_leave, no_devices, bombs, sizes_that_lie, no_archives, archives_cut_short,
				damaged_archives, encrypted_archives, sums, what_is_no_file, an_archive_that_is_inherited,
				reads_with_the_rights_it_has, urls, servers_that_lie, servers_that_stall,
				progress_is_told_while_it_comes, other_schemes, unreachable_servers, stores, bad_jobs):
			if not wanted or case.__name__ in wanted:
				cases.run(case, bench)
	finally:
		shutil.rmtree(bench.place)
	cases.end()


main()
