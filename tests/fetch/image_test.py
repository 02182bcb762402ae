#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""fnfs-fetch --image by itself: what images become, and what is refused.

Without this a user would lose: an image that is, layer over layer, what it was built as; and everybody, what
a stranger's image writes where it has no business, and disks that it fills.
"""

import errno
import json
import os
import stat
import subprocess
import sys
import tarfile
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(here, '..', 'lib')]
from images import ARCHITECTURE, MANIFEST, Image, digest, layer, member  # noqa: E402
from mounted import Cases  # noqa: E402

PROGRAM = os.environ['FNFS_FETCH']
SYMLINK, HARD, FOLDER = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
place = None


class Unpacked:
	"""One run over a file, a directory, or the members of an archive."""

	def __init__(self, source, options=()):
		if isinstance(source, dict):
			path = os.path.join(place, 'source.tar')
			with open(path, 'wb') as file:
				file.write(layer(*[member(name, data=data) for name, data in source.items()]))
			source = path
		self.directory = tempfile.mkdtemp(dir=place)
		fds = [os.open(self.directory, os.O_RDONLY), os.open(source, os.O_RDONLY)]
		done = subprocess.run(['/bin/sh', '-c', 'exec "$@" 3<&%d <&%d' % tuple(fds), 'sh', PROGRAM, '--image', *options],
			stdout=subprocess.PIPE, pass_fds=fds, env={'LANG': 'C'})
		for fd in fds:
			os.close(fd)
		lines = done.stdout.decode().splitlines()
		assert done.returncode >= 0, 'ended by signal %d' % -done.returncode
		self.error = errno.errorcode[done.returncode] if done.returncode else None
		self.last = lines[-1] if lines else ''
		assert self.last.startswith('error ' if self.error else 'done '), lines
		assert 'Sanitizer' not in self.last, self.last

	def path(self, name):
		return os.path.join(self.directory, 'root', name)

	def read(self, name):
		with open(self.path(name)) as file:
			return file.read()

	def there(self, name):
		return os.path.lexists(self.path(name))

	def words(self):
		with open(os.path.join(self.directory, 'run')) as file:
			words = file.read().split('\0')[:-1]
		return list(zip(words[::2], words[1::2]))


def of_layers(*layers, **more):
	return Image([layer(*each) for each in layers], **more)


def root_of(*layers, **more):
	done = Unpacked(of_layers(*layers, **more).files())
	assert done.error is None, done.last
	return done


def refused(image, error, words, options=()):
	done = Unpacked(image.files() if isinstance(image, Image) else image, options)
	assert (done.error, words in done.last) == (error, True), (done.error, done.last)
	assert sorted(os.listdir(place + '/outside')) == ['before']


def text(name, data='x', **more):
	return member(name, data=data.encode(), **more)


# --- layers ---

def a_layer_takes_away_what_lies_below():
	below = [text('a'), text('b/c'), text('b/d'), text('e/f/g'), text('h/i')]
	done = root_of(below, [text('.wh.a', ''), text('b/.wh.c', ''), text('.wh.e', ''), text('h/.wh.not-there', '')])
	assert [done.there(name) for name in ('a', 'b/c', 'b/d', 'e', 'h/i')] == [False, False, True, False, True]
	assert not done.there('.wh.a')


def it_never_takes_away_what_it_brings():
	"""In whatever order: what is taken away is of the layers below."""
	below = [text('d/old'), text('d/both', 'old'), text('s/old')]
	for order in (1, -1):
		above = [text('d/.wh..wh..opq', ''), text('d/new'), text('d/both', 'new'), text('s/.wh.old', ''), text('s/old', 'new')]
		done = root_of(below, above[::order])
		assert sorted(os.listdir(done.path('d'))) == ['both', 'new']
		assert done.read('d/both') == 'new' == done.read('s/old')


def the_last_layer_wins_whatever_it_is():
	done = root_of([text('a/b'), text('c'), member('d', SYMLINK, link='c'), text('f/g/h')],
		[text('a', 'file'), member('c', FOLDER, mode=0o755), text('c/e'), member('d', FOLDER), text('d/x'),
			member('f', SYMLINK, link='/c')])
	assert done.read('a') == 'file' and done.read('c/e') == 'x' and done.read('d/x') == 'x'
	assert stat.S_ISDIR(os.lstat(done.path('d')).st_mode) and os.readlink(done.path('f')) == '/c'


def links_on_the_way_are_followed_inside():
	done = root_of([member('usr/lib', FOLDER, mode=0o755), member('lib', SYMLINK, link='usr/lib'),
		member('abs', SYMLINK, link='/usr'), member('up', SYMLINK, link='../../../usr')],
		[text('lib/a'), text('abs/b'), text('up/c'), text('lib/.wh.not', ''), member('hard', HARD, link='lib/a')])
	assert done.read('usr/lib/a') == 'x' == done.read('usr/b') == done.read('usr/c')
	assert os.path.samefile(done.path('hard'), done.path('usr/lib/a'))


def a_replaced_link_is_followed_no_more():
	done = root_of([member('usr/lib', FOLDER, mode=0o755), member('lib', SYMLINK, link='usr/lib')],
		[text('lib/one'), member('lib', FOLDER, mode=0o755), text('lib/two')])
	assert os.listdir(done.path('usr/lib')) == ['one'] and os.listdir(done.path('lib')) == ['two']


def hard_links_reach_into_layers_below():
	done = root_of([text('a', mode=0o755), member('l', SYMLINK, link='a')],
		[member('b', HARD, link='a'), member('c', HARD, link='/l'), member('/d', data=b'y')])
	assert os.path.samefile(done.path('a'), done.path('b')) and os.readlink(done.path('c')) == 'a'
	assert done.read('d') == 'y' and os.access(done.path('b'), os.X_OK)


def modes_are_kept_but_for_what_is_dangerous():
	done = root_of([text('s', mode=0o6755), text('p', mode=0o600), text('n', mode=0), text('w', mode=0o666),
		member('d', FOLDER, mode=0o1777), member('dev/sda', tarfile.BLKTYPE), member('f', tarfile.FIFOTYPE)])
	modes = [stat.S_IMODE(os.lstat(done.path(name)).st_mode) for name in 'spnwd']
	assert modes == [0o755, 0o600, 0o600, 0o644, 0o755], [oct(mode) for mode in modes]
	assert not done.there('dev/sda') and not done.there('f')


def mount_points_are_real():
	done = root_of([member('tmp', SYMLINK, link='/outside'), member('etc/hosts', SYMLINK, link='/outside/hosts'),
		member('proc', SYMLINK, link='etc'), text('dev')])
	for name in ('tmp', 'proc', 'dev', 'etc'):
		assert stat.S_ISDIR(os.lstat(done.path(name)).st_mode), name
	for name in ('etc/hosts', 'etc/resolv.conf', '.fnfs-init'):
		assert stat.S_ISREG(os.lstat(done.path(name)).st_mode), name
	refused(of_layers([member('etc', SYMLINK, link='/outside')]), 'EINVAL', '/etc is not a directory')


def layers_may_be_plain():
	done = Unpacked(Image([layer(text('a')), layer(text('b'))], compress=False).files())
	assert done.error is None and done.there('a') and done.there('b'), done.last


# --- what is written of it ---

def the_words_to_start_it_with():
	done = root_of([text('etc/passwd', 'root:x:0:0::/root:/bin/sh\napp:x:5:6::/home/app:/bin/sh\n'), text('etc/group', 'team:x:77:app\n')],
		config={'Entrypoint': ['/bin/a', 'b c'], 'Cmd': ['', 'ä'], 'Env': ['A=1', 'B=x=y'], 'User': 'app:team', 'WorkingDir': '/x/y'})
	found = done.words()
	assert found[0][0] == 'digest' and len(found[0][1]) == 64
	assert found[1:] == [('argument', '/bin/a'), ('argument', 'b c'), ('argument', ''), ('argument', 'ä'),
		('variable', 'A=1'), ('variable', 'B=x=y'), ('uid', '5'), ('gid', '77'), ('variable', 'HOME=/home/app'),
		('directory', '/x/y')], found
	assert os.path.isdir(done.path('x/y'))


def users_are_found():
	passwd = 'app:x:5:6::/home/app:/bin/sh\nbad:x:99999999999999999999:1::/:\n'
	for user, uid, gid in [('', 1003, 1003), ('root', 1003, 1003), ('0', 1003, 1003), ('app', 5, 6), ('5', 5, 6),
			('7', 7, 7), ('7:8', 7, 8), ('app:0', 5, 5)]:
		words = dict(root_of([text('etc/passwd', passwd)], config={'User': user}).words())
		assert (words['uid'], words['gid']) == (str(uid), str(gid)), (user, words)
	for user in ('who', 'bad', 'app:who', '-1', '99999999999', 'app:99999999999', '1e3'):
		refused(of_layers([text('etc/passwd', passwd)], config={'User': user}), 'EINVAL', 'not in its /etc/')
	# A file that is none of the image's is not read.
	refused(of_layers([member('etc/passwd', SYMLINK, link=place + '/outside/before')], config={'User': 'app'}),
		'EINVAL', 'not in its /etc/passwd')


# --- the three forms ---

def saved(image, **changed):
	names = ['%d/layer.tar' % number for number in range(len(image.layers))]
	files = {'config.json': image.config}
	files.update({name: image.blobs[blob] for name, blob in zip(names, image.layers)})
	files['manifest.json'] = json.dumps([dict({'Config': 'config.json', 'RepoTags': ['a:1'], 'Layers': names},
		**changed)]).encode()
	return files


def what_docker_saves():
	image = of_layers([text('a')], [text('b')])
	done = Unpacked(saved(image))
	assert done.error is None and done.there('a') and done.there('b'), done.last
	assert done.last.split()[-1] == digest(image.config)[7:]


def what_docker_saved_of_old():
	"""A layer that is there twice is a link to the first."""
	image = of_layers([text('a')], [text('a')])
	path = os.path.join(place, 'old.tar')
	files = saved(image)
	with tarfile.open(path, 'w') as tar:
		for name, data in files.items():
			info, data = member(name, data=data) if name != '1/layer.tar' else member(name, SYMLINK, link='../0/layer.tar')
			tar.addfile(info, __import__('io').BytesIO(data))
	done = Unpacked(path)
	assert done.error is None and done.there('a'), done.last


def a_directory():
	path = of_layers([text('a')]).layout(os.path.join(place, 'layout'))
	assert Unpacked(path).there('a')


def the_one_for_this_machine_is_taken():
	ours, other = of_layers([text('ours')]), of_layers([text('other')], architecture='other')

	def entry(image, machine):
		return dict(image.descriptor(image.digest, MANIFEST), platform={'os': 'linux', 'architecture': machine})

	inner = json.dumps({'manifests': [entry(other, 'other'), entry(ours, ARCHITECTURE), entry(other, 'unknown')]}).encode()
	files = dict(other.files(), **ours.files())
	files['blobs/sha256/' + digest(inner)[7:]] = inner
	files['index.json'] = json.dumps({'manifests': [{'digest': digest(inner), 'size': len(inner)}]}).encode()
	assert Unpacked(files).there('ours')
	files['index.json'] = json.dumps({'manifests': [entry(other, 'other'), entry(other, 'more')]}).encode()
	refused(files, 'EINVAL', 'none is marked as for linux/' + ARCHITECTURE)
	files['index.json'] = json.dumps({'manifests': [entry(ours, ARCHITECTURE), entry(other, ARCHITECTURE)]}).encode()
	refused(files, 'EINVAL', 'there are 2 images')


# --- bad ones ---

def what_leaves_is_refused():
	for each in [text('../evil'), text('a/../../evil'), member('a', HARD, link='../outside/before'),
			member('a', HARD, link='not-there')]:
		refused(of_layers([text('x'), each]), 'EPERM', '')
	refused(of_layers([text('a')], [text('a/.wh...', '')]), 'EPERM', 'take away')
	refused(of_layers([member('out', SYMLINK, link=place + '/outside')], [text('out/evil')]), 'EINVAL', 'no directory')
	done = root_of([text('b')], [member('up', SYMLINK, link='../' * 30 + 'outside'), member('.wh.up', data=b'')],
		[text('.wh..wh..opq', '')])
	assert not done.there('b') and os.listdir(place + '/outside') == ['before']


def files_outside_are_not_read():
	image = of_layers([text('a')])
	for changed in ({'Layers': ['../outside/before']}, {'Config': '/etc/passwd'}, {'Layers': ['/etc/passwd']}):
		refused(saved(image, **changed), 'EPERM', 'outside of itself')
	path = image.layout(os.path.join(place, 'linked'))
	blob = os.path.join(path, 'blobs/sha256', image.layers[0][7:])
	os.unlink(blob)
	os.symlink(place + '/outside/before', blob)
	done = Unpacked(path)
	assert done.error == 'EXDEV', done.last
	os.unlink(blob)
	os.mkfifo(blob)
	assert 'no file' in Unpacked(path).last


def damage_is_found():
	image = of_layers([text('a', 'x' * 100000)])
	files = image.files()
	for name in list(files):
		if name != 'oci-layout':
			refused({key: data for key, data in files.items() if key != name}, 'EBADMSG', '')
			refused(dict(files, **{name: files[name][:len(files[name]) // 2]}), 'EBADMSG', 'damaged')
			refused(dict(files, **{name: b''}), 'EBADMSG', '')
			refused(dict(files, **{name: b'\0' * 5000}), 'EBADMSG', 'damaged')
	for index in (b'[]', b'{"manifests": 1}', b'{"manifests": []}', b'{"manifests": [1]}', b'{"manifests":[{"digest":"x"}]}',
			b'[' * 100000, json.dumps({'manifests': [{'digest': 'sha256:' + '0' * 64}]}).encode()):
		refused(dict(files, **{'index.json': index}), 'EBADMSG', '')
	for manifest in (b'[]', b'{}', b'[1]', b'[{"Config":1,"Layers":[]}]', b'[{"Config":"c","Layers":[1]}]', b'"x"'):
		refused({'manifest.json': manifest}, 'EBADMSG', '')
	refused({'manifest.json': b'[{},{}]'}, 'EINVAL', 'there are 2 images')
	refused(saved(image, Layers=['0/layer.tar'] * 1000), 'EFBIG', '1000 layers')
	path = os.path.join(place, 'cut.tar')
	image.archive(path)
	for part in (1, 100, 600, 5000):
		with open(path, 'r+b') as file:
			file.truncate(os.path.getsize(path) - part if part > 600 else part)
		done = Unpacked(path)
		assert done.error, done.last
		image.archive(path)


def a_layer_must_be_what_is_said():
	good, other = layer(text('a')), layer(text('b'))
	refused(Image([good], diff_ids=[digest(other)]), 'EBADMSG', 'not what its configuration says')
	refused(Image([good], diff_ids=['md5:00']), 'EBADMSG', 'no digest')
	refused(Image([good[:700]], diff_ids=[digest(good)]), 'EBADMSG', '')
	refused(Image([b'no archive at all' * 100], diff_ids=[digest(b'no archive at all' * 100)]), 'EBADMSG', '')


def configurations_are_read_with_care():
	for config, words in [({'Entrypoint': 'sh'}, 'not a list'), ({'Entrypoint': [1]}, 'not a list'), ({'Cmd': {}}, 'not a list'),
			({'Env': [{}]}, 'not a list')]:
		refused(of_layers([text('a')], config=config), 'EBADMSG', words)
	refused(of_layers([text('a')], config={'Cmd': ['x'] * 1000}), 'E2BIG', 'words in Cmd')
	refused(of_layers([text('a')], config={'Env': ['A=' + 'x' * 200000]}), 'E2BIG', 'too long')
	refused(of_layers([text('a')], config={'WorkingDir': 'not/absolute'}), 'EINVAL', 'absolute')
	refused(of_layers([text('a')], config={'WorkingDir': '/a/b'}), 'EINVAL', 'no directory')
	refused(of_layers([text('a')], config={'WorkingDir': '/../x/..'}), 'EINVAL', 'cannot be made')
	refused(of_layers([text('a')], architecture='pdp11'), 'ENOEXEC', 'linux/pdp11')
	refused(of_layers([text('a')], config={'Entrypoint': []}), 'ENOEXEC', 'nothing to start')


def bounds_hold():
	many = of_layers([text('d/%d' % number) for number in range(100)])
	refused(many, 'EFBIG', 'more than 50 files', ['--files', '50'])
	refused(of_layers([text('a', 'x' * 5000)], [text('a', 'y' * 6000)]), 'EFBIG', 'more than 10000 bytes', ['--bytes', '10000'])
	bomb = of_layers([text('zeros', '\0' * (8 << 20))])
	refused(bomb, 'EFBIG', 'times as large', ['--ratio-free-bytes', str(1 << 20), '--ratio', '100'])
	deep = of_layers([text('/'.join(['d'] * 300))])
	refused(deep, 'EPERM', 'too deep')


def main():
	global place
	cases = Cases()
	with tempfile.TemporaryDirectory(prefix='fnfs-image-') as place:
		os.mkdir(place + '/outside', 0o777)
		with open(place + '/outside/before', 'w') as file:
			file.write('app:x:1:1::/:/bin/sh\n')
		for case in [a_layer_takes_away_what_lies_below, it_never_takes_away_what_it_brings,
				the_last_layer_wins_whatever_it_is, links_on_the_way_are_followed_inside,
				a_replaced_link_is_followed_no_more, hard_links_reach_into_layers_below,
				modes_are_kept_but_for_what_is_dangerous, mount_points_are_real, layers_may_be_plain,
				the_words_to_start_it_with, users_are_found, what_docker_saves, what_docker_saved_of_old,
				a_directory, the_one_for_this_machine_is_taken, what_leaves_is_refused,
				files_outside_are_not_read, damage_is_found, a_layer_must_be_what_is_said,
				configurations_are_read_with_care, bounds_hold]:
			cases.run(case)
	cases.end()


main()
