#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Dependency packages: made of files, of archives and of URLs, bound by links, kept while they are used.

Without this a user would lose: packages that are what was packed, a package that something still uses, and
files of others, to whoever has the daemon read them.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(here, '..', 'fetch'), os.path.join(here, '..', 'lib')]
from archives import directory, member, packed, symlink, tar, zipped  # noqa: E402
from mounted import LONG, Cases, Mounted, errno_of, write_file  # noqa: E402
from server import Server  # noqa: E402

NOBODY = 65534
DEBIAN = '/usr/lib/python3/dist-packages'
NPM_FILES = 100000 if LONG else 10000
UNDER_WAY = ('waiting', 'fetching', 'unpacking', 'publishing')


def package(fn, name, *parts):
	return fn.path('dependencies', name, *parts)


def status(fn, name):
	with open(package(fn, name, 'status')) as file:
		return dict(line.rstrip('\n').partition(' ')[::2] for line in file)


def settled(fn, name, patience=60):
	"""The status when nothing is under way any more."""
	end = time.monotonic() + patience
	while True:
		fn.step()
		try:
			now = status(fn, name)
		except FileNotFoundError:
			now = {'state': 'waiting'}  # the upload was closed by a process that did not wait
		if now['state'] not in UNDER_WAY:
			return now
		assert time.monotonic() < end, now
		time.sleep(0.01)


def fetched(fn, name, source):
	if not os.path.exists(package(fn, name)):
		os.mkdir(package(fn, name))
	write_file(package(fn, name, 'source'), source + '\n')
	return settled(fn, name)


def save(fn, name, data):
	path = os.path.join(fn.base, name)
	with open(path, 'wb') as file:
		file.write(data)
	os.chmod(path, 0o644)
	return path


def shell(fn, command, ok=True):
	done = subprocess.run(['sh', '-c', command], cwd=fn.directory, stdin=subprocess.DEVNULL,
		stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
	assert (done.returncode == 0) == ok, done.stdout
	return done.stdout


def why(fn):
	return fn.read('last_error')


def left_behind(fn):
	"""What fetching and uploading leave in the state directory, once it was thrown away."""
	left = []
	for name in 'fetches', 'uploads':
		place = os.path.join(fn.state, name)
		left += [name + '/' + entry for entry in os.listdir(place)] if os.path.exists(place) else []
	return left


def contents(top):
	found = {}
	for place, names, files in os.walk(top):
		for name in names + files:
			path = os.path.join(place, name)
			key = os.path.relpath(path, top)
			if os.path.islink(path):
				found[key] = os.readlink(path)
			elif os.path.isdir(path):
				found[key] = None
			else:
				with open(path, 'rb') as file:
					found[key] = file.read()
	return found


# --- by hand ---

def made_of_files(fn):
	"mkdir, files, mkdir versions/1: the version is what the files were, whatever becomes of them."
	os.mkdir(package(fn, 'own'))
	assert sorted(os.listdir(package(fn, 'own'))) == [
		'description', 'files', 'source', 'status', 'used_by', 'versions']
	assert status(fn, 'own')['state'] == 'empty'
	for name, text in {'lib/a.py': 'a = 1\n', 'lib/deep/b.py': 'b = 1\n', 'top': 'x'}.items():
		os.makedirs(os.path.dirname(package(fn, 'own', 'files', name)), exist_ok=True)
		write_file(package(fn, 'own', 'files', name), text)
	os.symlink('a.py', package(fn, 'own', 'files', 'lib', 'link'))
	for wrong in '2', '0', '01', 'one', '-1', '1.0', '99999999999999999999':
		assert errno_of(os.mkdir, package(fn, 'own', 'versions', wrong)) == 'EINVAL', wrong
		assert 'mkdir versions/1' in why(fn), why(fn)
	before = contents(package(fn, 'own', 'files'))
	os.mkdir(package(fn, 'own', 'versions', '1'))
	assert errno_of(os.mkdir, package(fn, 'own', 'versions', '1')) == 'EEXIST'
	write_file(package(fn, 'own', 'files', 'top'), 'y')
	os.mkdir(package(fn, 'own', 'versions', '2'))
	assert contents(package(fn, 'own', 'versions', '1')) == before
	assert contents(package(fn, 'own', 'versions', '2'))['top'] == b'y'
	for change in (lambda path: write_file(path + '/top', 'z'), lambda path: os.mkdir(path + '/d'),
			lambda path: os.rename(path + '/top', path + '/t'), lambda path: os.chmod(path, 0o700)):
		assert errno_of(change, package(fn, 'own', 'versions', '1')) == 'EROFS'
	assert status(fn, 'own')['latest'] == '2' and status(fn, 'own')['versions'] == '2'
	os.rmdir(package(fn, 'own', 'versions', '1'))
	assert os.listdir(package(fn, 'own', 'versions')) == ['2']
	assert errno_of(os.mkdir, package(fn, 'own', 'versions', '1')) == 'EINVAL'  # no number twice
	assert errno_of(os.rmdir, package(fn, 'own')) == 'ENOTEMPTY'
	write_file(package(fn, 'own', 'description'), 'mine\n')
	os.rename(package(fn, 'own'), package(fn, 'renamed'))
	assert fn.read('dependencies', 'renamed', 'description') == 'mine\n'
	shell(fn, 'rm -r dependencies/renamed')
	assert 'renamed' not in os.listdir(fn.path('dependencies'))
	assert errno_of(os.mkdir, package(fn, 'no.dots')) == 'EINVAL' and why(fn)


# --- archives ---

def copied_archives(fn):
	"cp, mv, rsync, cat and programs put an archive there: it becomes a package, or its next version."
	data = zipped(('lib/__init__.py', b'x = 1\n'), ('lib/run', b'#!/bin/sh\n', 0o100755))
	path = save(fn, 'shape.zip', data)
	ways = ['cp %s dependencies/shape.zip', 'cp -a %s dependencies/', 'cat %s >dependencies/shape.zip',
		'dd if=%s of=dependencies/shape.zip bs=100 status=none', 'install -m 600 %s dependencies/',
		'cp %s /tmp/fnfs-$$.zip; mv /tmp/fnfs-$$.zip dependencies/shape.zip']
	if shutil.which('rsync'):
		ways.append('rsync -a %s dependencies/')
	for number, way in enumerate(ways, 1):
		assert shell(fn, way % path) == '', way
		now = settled(fn, 'shape')
		assert now['state'] == 'ready' and now['latest'] == str(number), (way, now)
		assert now['sha256'] == hashlib.sha256(data).hexdigest()
		assert 'shape.zip' not in os.listdir(fn.path('dependencies')), way
		version = package(fn, 'shape', 'versions', str(number))
		assert contents(version) == {'lib': None, 'lib/__init__.py': b'x = 1\n',
			'lib/run': b'#!/bin/sh\n'}, way
		assert os.access(os.path.join(version, 'lib/run'), os.X_OK)
	shutil.copy2(path, fn.path('dependencies'))  # sets mode and times of what it closed, by name
	assert settled(fn, 'shape')['latest'] == str(len(ways) + 1)
	shutil.copy2(path, fn.path('dependencies'))
	assert settled(fn, 'shape')['latest'] == str(len(ways) + 2)
	assert shell(fn, 'ls dependencies/shape.zip', ok=False)  # but for the process that copied it
	with zipfile.ZipFile(fn.path('dependencies', 'written.zip'), 'w') as archive:  # seeks about
		archive.writestr('a', 'b')
	assert settled(fn, 'written')['state'] == 'ready'
	for ending in '.tar', '.tar.gz', '.tar.xz', '.tar.zst':
		name = 'of' + ending.replace('.', '-')
		save(fn, name + ending, packed(tar(member('a', b'b' * 100000)), ending[4:]))
		shell(fn, 'cp %s/%s%s dependencies/' % (fn.base, name, ending))
		assert settled(fn, name)['state'] == 'ready'
		assert contents(package(fn, name, 'versions', '1')) == {'a': b'b' * 100000}
	assert left_behind(fn) == []


def unfinished_copies(fn):
	"What is no archive is refused at once; what was not copied to its end leaves nothing."
	for wrong in 'x.rar', 'x', 'no dots.zip', '.zip', 'a.b.zip':
		path = fn.path('dependencies', wrong)
		if not wrong.startswith('.'):
			assert errno_of(write_file, path, 'x') == 'EINVAL', wrong
			assert why(fn), wrong
	shell(fn, ': >dependencies/nothing.zip; touch dependencies/touched.zip')
	killed = subprocess.Popen(['sh', '-c', 'exec dd if=/dev/zero of=dependencies/killed.zip bs=1M status=none'],
		cwd=fn.directory)
	end = time.monotonic() + 20
	while not (os.path.exists(fn.path('dependencies', 'killed.zip'))
			and os.stat(fn.path('dependencies', 'killed.zip')).st_size):
		assert time.monotonic() < end
		time.sleep(0.01)
	assert 'killed.zip' in os.listdir(fn.path('dependencies'))  # it is seen while it is copied
	killed.kill()
	killed.wait()
	fd = os.open(fn.path('dependencies', 'dropped.zip'), os.O_WRONLY | os.O_CREAT)
	os.write(fd, b'x')
	os.unlink(fn.path('dependencies', 'dropped.zip'))
	os.close(fd)
	end = time.monotonic() + 20
	while left_behind(fn):
		assert time.monotonic() < end, left_behind(fn)
		os.listdir(fn.path('dependencies'))
		time.sleep(0.05)
	names = os.listdir(fn.path('dependencies'))
	assert not {'nothing', 'touched', 'killed', 'dropped'} & set(names), names


def bad_archives(fn):
	"Bad archives are refused, with a sentence in `status`, and leave nothing but that."
	bad = {
		'noise': b'noise' * 100,
		'escape': zipped(('../../etc/passwd', b'x')),
		'absolute': tar(member('/etc/passwd', b'x')),
		'through': tar(symlink('d', '/tmp'), member('d/x', b'x')),
		'cut': zipped(('a', os.urandom(100000)))[:-50000],
		'device': tar(member('null', kind=b'3', devmajor=1, devminor=3)),
		'bomb': zipped(('zeros', bytes(600 << 20))) if LONG else packed(tar(member('z', bytes(300 << 20))), '.gz'),
	}
	for name, data in bad.items():
		path = save(fn, name + ('.zip' if data[:2] == b'PK' else '.tar'), data)
		shell(fn, 'cp %s dependencies/' % path)
		now = settled(fn, name)
		assert now['state'] == 'failed' and len(now['why']) > 10, (name, now)
		assert os.listdir(package(fn, name, 'versions')) == [], name
		now = fetched(fn, name, path)
		assert now['state'] == 'failed', (name, now)
		os.rmdir(package(fn, name))
	assert left_behind(fn) == []


# --- sources ---

def sources(fn):
	"`source` takes paths and URLs; what is wrong is refused, by the write or in `status`."
	data = tar(member('a', b'1'), directory('empty'))
	path = save(fn, 'source.tar', data)
	good, wrong = hashlib.sha256(data).hexdigest(), hashlib.sha256(b'').hexdigest()
	now = fetched(fn, 'src', path)
	assert now['state'] == 'ready' and now['latest'] == '1', now
	assert fn.read('dependencies', 'src', 'source') == path + '\n'
	assert contents(package(fn, 'src', 'versions', '1')) == {'a': b'1', 'empty': None}
	assert os.listdir(package(fn, 'src', 'files')) == []  # they are the user's
	now = fetched(fn, 'src', path + ' sha256=' + good.upper())
	assert now['latest'] == '2' and now['sha256'] == good, now
	now = fetched(fn, 'src', path + ' sha256=' + wrong)
	assert now['state'] == 'failed' and 'sha256' in now['why'].lower() and now['latest'] == '2', now
	for text in 'relative.zip', 'ftp://x/y.zip', path + ' sha256=12', '/' + 'x' * 9000, '':
		assert errno_of(write_file, package(fn, 'src', 'source'), text + '\n') == 'EINVAL', text
	assert fetched(fn, 'src', '/nowhere/x.zip')['state'] == 'failed'
	assert fetched(fn, 'src', '/etc')['state'] == 'failed'
	assert fetched(fn, 'src', '/dev/zero')['state'] == 'failed'
	assert left_behind(fn) == []
	shell(fn, 'rm -r dependencies/src')


def urls(fn):
	"Archives come from servers, and a newer source takes the place of one under way."
	with Server(tar(member('a', os.urandom(500000)))) as server:
		now = fetched(fn, 'web', server.url('good.tar'))
		assert now['state'] == 'ready' and now['latest'] == '1', now
		assert fetched(fn, 'web', server.url('away'))['latest'] == '2'
		for bad in 'nowhere', 'round', 'promises', 'huge', 'silent-not-asked':
			now = fetched(fn, 'web', server.url(bad))
			assert now['state'] == 'failed' and now['why'], (bad, now)
		write_file(package(fn, 'web', 'source'), server.url('steps') + '\n')
		server.step.release()
		end = time.monotonic() + 20
		while not status(fn, 'web').get('bytes', '0').startswith('1'):
			assert time.monotonic() < end, status(fn, 'web')
			time.sleep(0.01)
		now = status(fn, 'web')
		assert now['state'] == 'fetching' and ' of 5' in now['bytes'] and 'speed' in now, now
		now = fetched(fn, 'web', server.url('good.tar'))
		assert now['state'] == 'ready' and now['latest'] == '3', now
		write_file(package(fn, 'web', 'source'), server.url('steps') + '\n')
		write_file(package(fn, 'web', 'source'), 'http://me:secret@127.0.0.1:1/x.tar\n')
		assert 'secret' not in fn.read('dependencies', 'web', 'source')
		assert settled(fn, 'web')['state'] == 'failed'
		assert 'secret' not in fn.read('dependencies', 'web', 'status')
		write_file(package(fn, 'web', 'source'), server.url('steps') + '\n')
		shell(fn, 'rm -r dependencies/web')  # also while it is fetched
		server.step.release(100)
	end = time.monotonic() + 20
	while left_behind(fn):
		assert time.monotonic() < end, left_behind(fn)
		time.sleep(0.02)


def killed(fn):
	"kill -9 in the middle: a copied archive is unpacked by the next daemon, a fetch leaves nothing."
	data = zipped(*[('d%d/f%d' % (i % 40, i), b'%d' % i * 100) for i in range(1000)])
	path = save(fn, 'phoenix.zip', data)
	with Server(data) as server:
		os.mkdir(package(fn, 'fetching'))
		write_file(package(fn, 'fetching', 'source'), server.url('steps') + '\n')
		for i in range(3):
			shell(fn, 'cp %s dependencies/' % path)
			time.sleep(0.1 * i)
			fn.kill()
			fn.unmount()
			fn.start()
			now = settled(fn, 'phoenix')
			assert now['state'] == 'ready', now
			latest = package(fn, 'phoenix', 'versions', now['latest'])
			assert sum(map(os.path.isfile, [os.path.join(latest, 'd%d/f%d' % (i % 40, i))
				for i in range(1000)])) == 1000
		now = status(fn, 'fetching')
		assert now['state'] == 'unfetched' and 'write it again' in now['why'], now
		assert server.url('steps') in fn.read('dependencies', 'fetching', 'source')
		server.step.release(100)
	assert left_behind(fn) == []
	shell(fn, 'rm -r dependencies/phoenix dependencies/fetching')


def ended(fn):
	"SIGTERM right after a copy: the next daemon unpacks it."
	path = save(fn, 'late.zip', zipped(*[('f%d' % i, os.urandom(2000)) for i in range(1000)]))
	shell(fn, 'cp %s dependencies/' % path)
	assert fn.stop() == 0
	fn.start()
	now = settled(fn, 'late')
	assert now['state'] == 'ready' and now['versions'] == '1', now
	assert left_behind(fn) == []
	shell(fn, 'rm -r dependencies/late')


def full_disk(fn):
	"Where there is no room, the copy is told so, and nothing stays of it."
	with open(fn.path('dependencies', 'first.zip'), 'wb') as file:
		file.write(zipped(('a', b'b')))
	assert settled(fn, 'first')['state'] == 'ready'
	for command in ('dd if=/dev/zero of=dependencies/big.tar bs=1M count=64 status=none',
			'cp /proc/self/exe dependencies/a.tar && dd if=/dev/zero of=dependencies/b.tar bs=1M count=64'):
		assert 'No space left' in shell(fn, command, ok=False)
	assert 'full' in why(fn), why(fn)
	end = time.monotonic() + 30
	while left_behind(fn):
		assert time.monotonic() < end, left_behind(fn)
		fn.step()
		time.sleep(0.1)
	bomb = os.path.join(fn.base, 'tight.tar.gz')
	with open(bomb, 'wb') as file:
		file.write(packed(tar(member('z', bytes(60 << 20))), '.gz'))
	now = fetched(fn, 'tight', bomb)
	assert now['state'] == 'failed' and now['versions'] == '0', now
	assert fetched(fn, 'first', bomb)['latest'] == '1'
	shell(fn, 'cat dependencies/first/versions/1/a')
	with open(fn.path('dependencies', 'first.zip'), 'wb') as file:
		file.write(zipped(('a', b'c')))
	assert settled(fn, 'first')['latest'] == '2'


def with_little_room(cases):
	place = tempfile.mkdtemp(prefix='fnfs-test-')
	mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=32m', 'fnfs-test', place],
		stderr=subprocess.DEVNULL).returncode == 0
	try:
		if mounted:
			with Mounted(state=os.path.join(place, 'state')) as fn:
				cases.run(full_disk, fn)
	finally:
		if mounted:
			subprocess.run(['umount', '-l', place])
		os.rmdir(place)


# --- binding ---

def links(fn):
	"Links bind: they are understood by their end, shown canonically, replaced, renamed and removed."
	for name in 'one', 'two':
		os.mkdir(package(fn, name))
		os.mkdir(package(fn, name, 'versions', '1'))
		os.mkdir(package(fn, name, 'versions', '2'))
	fn.function('linker', {'index.py': 'def handler(event, context):\n\treturn 1\n'})
	here = fn.path('functions', 'linker', 'config', 'dependencies')
	to = '../../../../dependencies/'
	for target, shown in ((to + 'one', to + 'one'), ('/elsewhere/dependencies/one/', to + 'one'),
			('dependencies/two/versions/1', to + 'two/versions/1'),
			(fn.path('dependencies', 'two', 'versions', '2') + '//', to + 'two/versions/2')):
		os.symlink(target, os.path.join(here, 'x'))
		assert os.readlink(os.path.join(here, 'x')) == shown, target
		assert os.path.samefile(os.path.join(here, 'x'), os.path.join(here, shown))
		os.unlink(os.path.join(here, 'x'))
	for target in ('nowhere', to + 'three', to + 'one/versions/9', to + 'one/versions/x', to, '/', '../x',
			to + 'one/files', to + 'one/versions'):
		assert errno_of(os.symlink, target, os.path.join(here, 'x')) == 'ENOENT', target
		assert why(fn), target
	assert errno_of(os.symlink, to + 'one', os.path.join(here, '.x')) == 'EINVAL'
	shell(fn, 'cd functions/linker/config/dependencies && ln -s %sone && ln -sfn %stwo one' % (to, to))
	assert os.readlink(here + '/one') == to + 'two' and os.listdir(here) == ['one']
	shell(fn, 'cd functions/linker/config/dependencies && ln -s %sone && mv -T one two' % to, ok=False)
	shell(fn, 'cd functions/linker/config/dependencies && mv -T one two && ls -l && cat */status')
	assert os.readlink(here + '/two') == to + 'two' and os.listdir(here) == ['two']
	# ln would follow the old link, and make its new one in the package.
	shell(fn, 'cd functions/linker/config/dependencies && ln -sf %sone two' % to, ok=False)
	assert 'ln -sfn' in why(fn)
	assert errno_of(os.mkdir, here + '/d') == 'EPERM'
	shutil.rmtree(fn.path('functions', 'linker'))
	shell(fn, 'rm -r dependencies/one dependencies/two')


def in_use(fn):
	"What is used stays, and says by whom; a published version keeps the version it was published with."
	os.mkdir(package(fn, 'used'))
	write_file(package(fn, 'used', 'files', 'a'), '1')
	for number in '1', '2':
		os.mkdir(package(fn, 'used', 'versions', number))
	fn.function('user', {'index.py': 'def handler(event, context):\n\treturn 1\n'})
	user = fn.path('functions', 'user')
	os.symlink('../../../../dependencies/used', user + '/config/dependencies/used')
	assert fn.read('dependencies', 'used', 'used_by') == 'functions/user\n'
	os.mkdir(user + '/versions/v1')
	assert fn.read('dependencies', 'used', 'used_by') == 'functions/user\nfunctions/user/versions/v1\n'
	pinned = user + '/versions/v1/config/dependencies/used'
	assert os.readlink(pinned) == '../../../../../../dependencies/used/versions/2'
	assert os.path.samefile(pinned, package(fn, 'used', 'versions', '2'))
	os.mkdir(package(fn, 'used', 'versions', '3'))
	assert os.readlink(pinned).endswith('/2')
	assert errno_of(os.symlink, '../../../../../../dependencies/used',
		os.path.dirname(pinned) + '/more') == 'EROFS'
	assert errno_of(os.rename, pinned, pinned + 'x') == 'EROFS'
	for path in ('2', '2/a'):
		remove = os.rmdir if path == '2' else os.unlink
		assert errno_of(remove, package(fn, 'used', 'versions', path)) == 'EBUSY', path
		assert 'functions/user/versions/v1' in why(fn), why(fn)
	assert errno_of(os.rmdir, package(fn, 'used')) == 'EBUSY'
	assert errno_of(os.unlink, package(fn, 'used', 'status')) == 'EBUSY'
	shell(fn, 'rm -r dependencies/used/versions/2', ok=False)
	os.unlink(package(fn, 'used', 'versions', '1', 'a'))  # without effect, until
	assert os.path.exists(package(fn, 'used', 'versions', '1', 'a'))
	os.rmdir(package(fn, 'used', 'versions', '1'))
	assert sorted(os.listdir(package(fn, 'used', 'versions'))) == ['2', '3']
	assert contents(pinned + '/') == {'a': b'1'}
	os.rename(package(fn, 'used'), package(fn, 'moved'))
	assert os.path.samefile(pinned, package(fn, 'moved', 'versions', '2'))
	fn.stop()
	fn.start()
	assert os.readlink(pinned).endswith('dependencies/moved/versions/2')
	assert os.readlink(user + '/config/dependencies/used').endswith('dependencies/moved')
	os.unlink(user + '/config/dependencies/used')
	assert errno_of(os.rmdir, package(fn, 'moved', 'versions', '2')) == 'EBUSY'
	shutil.rmtree(user)
	assert fn.read('dependencies', 'moved', 'used_by') == ''
	shell(fn, 'rm -rf dependencies/moved')
	assert 'moved' not in os.listdir(fn.path('dependencies'))


def sees(fn, name, code, event=None):
	fn.function(name, {'index.py': code})
	os.symlink('../../../../dependencies/' + name, fn.path('functions', name, 'config', 'dependencies', name))
	return json.loads(fn.call(name, json.dumps(event or {}).encode()))


def debian_requests(fn):
	"Debian's python3-requests, zipped: a function imports it, from its code."
	if not os.path.isdir(os.path.join(DEBIAN, 'requests')):
		print('     (python3-requests is not installed)')
		return
	path = os.path.join(fn.base, 'requests.zip')
	with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
		for name in 'requests', 'urllib3', 'idna', 'certifi', 'chardet', 'charset_normalizer':
			for place, _, files in os.walk(os.path.join(DEBIAN, name)):
				for file in files:
					if file.endswith('.py') or file.endswith('.pem'):
						whole = os.path.join(place, file)
						archive.write(whole, os.path.relpath(whole, DEBIAN))
	shell(fn, 'cp %s dependencies/' % path)
	now = settled(fn, 'requests')
	assert now['state'] == 'ready', now
	version = package(fn, 'requests', 'versions', '1')
	with open(os.path.join(DEBIAN, 'requests', 'api.py'), 'rb') as original:
		assert contents(version)['requests/api.py'] == original.read()
	answer = sees(fn, 'requests', 'import requests\ndef handler(event, context):\n'
		'\treturn [requests.__file__, requests.Request("GET", "http://x/", params={"a": 1}).prepare().url]\n')
	assert answer == ['/opt/function/code/requests/__init__.py', 'http://x/?a=1'], answer


def debian_numpy(fn):
	"Debian's python3-numpy: compiled parts, thousands of files."
	if not os.path.isdir(os.path.join(DEBIAN, 'numpy')):
		print('     (python3-numpy is not installed)')
		return
	shell(fn, 'tar -C %s --exclude=__pycache__ --exclude=tests -cf %s/numpy.tar numpy && cp %s/numpy.tar dependencies/'
		% (DEBIAN, fn.base, fn.base))
	assert settled(fn, 'numpy')['state'] == 'ready'
	answer = sees(fn, 'numpy', 'import numpy\ndef handler(event, context):\n'
		'\treturn [numpy.__file__, int(numpy.arange(10).sum())]\n')
	assert answer == ['/opt/function/code/numpy/__init__.py', 45], answer


def npm_tree(fn):
	"An npm tree of ten thousand files, with its links, packed and copied, and byte for byte the same."
	top = tempfile.mkdtemp(dir=fn.base)
	for i in range(NPM_FILES // 10):
		place = os.path.join(top, 'node_modules', '@scope%d' % (i % 7), 'package%d' % i, 'lib')
		os.makedirs(place)
		for j in range(9):
			with open(os.path.join(place, 'file%d.js' % j), 'w') as file:
				file.write('module.exports = %d;\n' % (i * 10 + j))
		with open(os.path.join(place, '..', 'package.json'), 'w') as file:
			json.dump({'name': 'package%d' % i, 'main': 'lib/file0.js'}, file)
	os.mkdir(os.path.join(top, 'node_modules', '.bin'))
	os.symlink('../@scope0/package0/lib/file0.js', os.path.join(top, 'node_modules', '.bin', 'zero'))
	shell(fn, 'tar -C %s -czf %s/npm.tar.gz node_modules && cp %s/npm.tar.gz dependencies/'
		% (top, fn.base, fn.base))
	now = settled(fn, 'npm', 120)
	assert now['state'] == 'ready', now
	done = subprocess.run(['diff', '-r', '--no-dereference', top, package(fn, 'npm', 'versions', '1')],
		stdout=subprocess.PIPE)
	assert done.returncode == 0, done.stdout[-1000:]
	if shutil.which('node'):
		fn.function('npm', {'index.js': 'const one = require("@scope1/package1");\n'
			'exports.handler = async () => one;\n'})
		os.symlink('../../../../dependencies/npm',
			fn.path('functions', 'npm', 'config', 'dependencies', 'npm'))
		assert fn.call('npm') == b'10'
		shutil.rmtree(fn.path('functions', 'npm'))
	shell(fn, 'rm -r dependencies/npm')


# --- somebody else ---

def as_nobody(fn, command):
	done = subprocess.run(['sh', '-c', command], cwd=fn.directory, user=NOBODY, group=NOBODY,
		extra_groups=[], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
		text=True)
	return done.returncode, done.stdout


def nobody_can(fn, command):
	done = as_nobody(fn, command)
	assert done == (0, ''), done


def another_user(fn):
	"Nobody has the daemon read what they could not, nor gives another's package its next version."
	os.chmod(fn.path('dependencies'), 0o777)
	secret = save(fn, 'secret.zip', zipped(('a', b'secret')))
	open_one = save(fn, 'open.zip', zipped(('a', b'open')))
	os.chmod(secret, 0o600)
	nobody_can(fn, 'mkdir dependencies/theirs && echo %s >dependencies/theirs/source' % secret)
	now = settled(fn, 'theirs')
	assert now['state'] == 'failed' and now['versions'] == '0', now
	nobody_can(fn, 'echo %s >dependencies/theirs/source' % open_one)
	assert settled(fn, 'theirs')['state'] == 'ready'
	assert os.stat(package(fn, 'theirs')).st_uid == NOBODY
	nobody_can(fn, 'echo x >dependencies/theirs/files/x && mkdir dependencies/theirs/versions/2')
	assert fetched(fn, 'open', open_one)['state'] == 'ready'
	for command in ('cp %s dependencies/' % open_one, 'echo /x.zip >dependencies/open/source',
			'mkdir dependencies/open/versions/2', 'rmdir dependencies/open/versions/1',
			'echo x >dependencies/open/files/x',
			'cp %s dependencies/.x.zip && mv dependencies/.x.zip dependencies/open.zip' % open_one):
		code, said = as_nobody(fn, command)
		assert code and 'denied' in said, (command, said)
	assert status(fn, 'open')['latest'] == '1'
	code, said = as_nobody(fn, 'cp %s dependencies/new.zip' % open_one)
	assert code == 0 and said == '', said
	assert settled(fn, 'new')['state'] == 'ready'
	assert os.stat(package(fn, 'new')).st_uid == NOBODY
	os.chmod(fn.path('functions'), 0o777)
	bind = 'ln -s ../../../../dependencies/open functions/theirs/config/dependencies/'
	nobody_can(fn, 'mkdir functions/theirs && ' + bind)
	nobody_can(fn, 'rm functions/theirs/config/dependencies/open')
	os.chmod(package(fn, 'open'), 0o700)
	code, said = as_nobody(fn, bind)
	assert code and 'denied' in said, said
	shell(fn, 'rm -r functions/theirs dependencies/theirs dependencies/new dependencies/open')


def main():
	cases = Cases()
	with Mounted() as fn:
		for case in (made_of_files, copied_archives, unfinished_copies, bad_archives, sources, urls,
				killed, ended, links, in_use, debian_requests, debian_numpy, npm_tree):
			cases.run(case, fn)
	if os.getuid() == 0:
		with Mounted(options='allow_other') as fn:
			cases.run(another_user, fn)
		with_little_room(cases)
	cases.end()


main()
