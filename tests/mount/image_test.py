#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Container images: copied into code/, or named in config/image and pulled from a registry.

Without this a user would lose: an image that was built for FunctionGraph, or for anywhere, and runs here as it
is; and everybody, what a stranger's image does to the machine that unpacks it.
"""

import base64
import errno
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from images import (ARCHITECTURE, Image, Packed, Registry, layer, member, serving_members,  # noqa: E402
	tools_missing)
from mounted import Cases, LONG, Mounted, descendants, errno_of, skip  # noqa: E402

fn = packed = registry = base = None


def code(name, *parts):
	return fn.path('functions', name, 'code', *parts)


def make(name, **settings):
	os.mkdir(fn.path('functions', name))
	for setting, value in dict({'timeout': '30s', 'init_timeout': '30s'}, **settings).items():
		fn.set(name, setting, str(value))


def copy(source, name):
	subprocess.run(['cp', source, code(name, 'image.tar')], check=True)


def shell(name, command):
	return fn.call(name, command.encode()).decode()


def status(name, *parts):
	text = fn.read('functions', name, *parts, 'status')
	return dict(line.split(' ', 1) for line in text.splitlines() if ' ' in line), text


def command_of(pid):
	try:
		with open('/proc/%d/comm' % pid) as file:
			return file.read().strip()
	except OSError:
		return None  # it has just ended


def wait_for(what, patience=30):
	end = time.monotonic() + patience
	while time.monotonic() < end:
		found = what()
		if found:
			return found
		time.sleep(0.01)
	raise AssertionError('it did not become so')


def refused(name, *words):
	"""A call fails as one of code that does not start, and says these words; so does status."""
	try:
		fn.call(name, b'id')
	except OSError as error:
		assert error.errno == 8, error
		message = json.loads(error.body)['errorMessage']
	else:
		raise AssertionError('it was called')
	for word in words:
		assert word in message, (word, message)
	facts, text = status(name)
	assert facts['state'] == 'broken' and words[0] in text, text
	return message


def simple(**more):
	return Image([layer(*serving_members())], **more)


# --- what is copied into code/ ---

def check_answers(name):
	assert shell(name, 'echo $GREETING $RUNTIME_FUNC_NAME; pwd') == 'hello %s\n/srv/www/deep' % name
	event = {'httpMethod': 'PUT', 'path': '/a b', 'queryStringParameters': {'q': '1'}, 'headers': {}, 'body': 'x'}
	response = json.loads(fn.call(name, json.dumps(event).encode()))
	assert response['statusCode'] == 200 and response['isBase64Encoded'], response
	assert base64.b64decode(response['body']) == b'PUT /a%20b?q=1 x', response
	assert shell(name, 'cat /d/stays /d/changes /d/replaced/new') == 'belowaboveabove'
	assert shell(name, 'ls /d /d/replaced') == '/d:\nchanges\nreplaced\nstays\n\n/d/replaced:\nnew'
	facts, text = status(name)
	assert facts['state'] == 'ready' and facts['runtime'] == 'image', text


def an_oci_archive_answers():
	make('oci')
	copy(packed.archive('oci-archive'), 'oci')
	check_answers('oci')


def what_docker_saves_answers():
	make('docker')
	copy(packed.archive('docker-archive'), 'docker')
	check_answers('docker')


def a_layout_as_the_code_answers():
	make('layout')
	subprocess.run(['cp', '-r', packed.layout + '/.', code('layout')], check=True)
	check_answers('layout')


def a_compressed_archive_answers():
	make('gz')
	with open(packed.archive('oci-archive'), 'rb') as plain, \
			subprocess.Popen(['gzip', '-1'], stdin=plain, stdout=subprocess.PIPE) as gzip:
		with open(code('gz', 'image.tar'), 'wb') as file:
			shutil.copyfileobj(gzip.stdout, file)
	check_answers('gz')


def it_is_unpacked_once_for_all():
	"""The functions above have the same owner; where that is root, each has a user of its own."""
	images = os.listdir(os.path.join(fn.state, 'images'))
	if os.getuid():
		# The layout, its archive and the compressed one are one; what docker saves has another digest.
		assert len(images) == 2, images
	make('again')
	copy(packed.archive('oci-archive'), 'again')
	check_answers('again')
	before = set(os.listdir(os.path.join(fn.state, 'images')))
	fn.set('again', 'memory', '64M')  # deployed anew
	assert shell('again', 'echo $RUNTIME_MEMORY') == '64'
	assert set(os.listdir(os.path.join(fn.state, 'images'))) == before
	wait_for(lambda: os.listdir(os.path.join(fn.state, 'unpacking')) == [])


def another_image_takes_its_place():
	make('next')
	simple(config={'Env': ['PATH=/bin', 'N=1']}).archive(code('next', 'image.tar'))
	assert shell('next', 'echo $N') == '1'
	simple(config={'Env': ['PATH=/bin', 'N=2']}).archive(code('next', 'image.tar'))
	assert shell('next', 'echo $N') == '2'


# --- what an image says of itself ---

def user_directory_and_variables_are_its_own():
	make('user')
	simple_with = Image([layer(*serving_members(),
		member('etc/passwd', data=b'app:x:1234:1235::/home/app:/bin/sh\n'))],
		{'User': 'app', 'WorkingDir': '/made/here', 'Env': ['PATH=/bin', 'A=image', 'B=image']})
	simple_with.archive(code('user', 'image.tar'))
	with open(fn.path('functions', 'user', 'config', 'env', 'B'), 'w') as file:
		file.write('mine')
	assert shell('user', 'id -u; id -g; pwd; echo $A $B $HOME; stat -c %u /bin/busybox') == (
		'1234\n1235\n/made/here\nimage mine /home/app\n1234')


def without_a_user_or_as_root_it_is_1003():
	for number, user in enumerate(['', 'root', '0:0']):
		name = 'nobody%d' % number
		make(name)
		simple(config={'User': user}).archive(code(name, 'image.tar'))
		assert shell(name, 'id -u; id -g; echo $HOME') == '1003\n1003\n/tmp'


def the_entrypoint_and_the_command_are_one_line():
	make('words')
	simple(config={'Entrypoint': ['/bin/sh', '-c'], 'Cmd': ['export V=1; exec nc -ll -p 8000 -e /bin/answer']}
		).archive(code('words', 'image.tar'))
	assert shell('words', 'echo $V') == '1'


def init_is_asked_once_for_each_instance():
	make('init', idle_timeout='60s')
	simple(config={'Env': ['PATH=/bin', 'INIT_STATUS=200']}).archive(code('init', 'image.tar'))
	for _ in range(3):
		assert shell('init', 'wc -l </tmp/inits').strip() == '1'


def a_failed_init_says_what_it_said():
	make('bad-init')
	simple(config={'Env': ['PATH=/bin', 'INIT_STATUS=500', 'INIT_WORDS={"errorMessage":"no table"}']}
		).archive(code('bad-init', 'image.tar'))
	try:
		fn.call('bad-init')
	except OSError as error:
		assert error.errno == 8 and b'no table' in error.body, error.body
	else:
		raise AssertionError('it was called')


# --- the sandbox ---

def instances_do_not_see_what_others_write():
	make('apart', timeout='20s')
	copy(packed.archive('oci-archive'), 'apart')
	found = []

	def write():
		# Each leaves a file, waits until both have begun, and looks for that of the other.
		found.append(shell('apart', 'ls /mine* 2>/dev/null; echo x >/mine$PPID; sleep 1; ls /mine* | wc -l;'
			' rm -r /d/stays; echo new >/d/changes; cat /d/changes'))

	assert shell('apart', 'cat /d/stays') == 'below'
	threads = [threading.Thread(target=write) for _ in range(2)]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join()
	assert [each.split() for each in found] == [['1', 'new']] * 2, found
	for instance in os.listdir(fn.path('functions', 'apart', 'instances')):
		os.rmdir(fn.path('functions', 'apart', 'instances', instance))
	assert shell('apart', 'cat /d/stays; ls /mine* 2>/dev/null') == 'below'


def it_sees_nothing_of_the_machine():
	make('blind')
	copy(packed.archive('oci-archive'), 'blind')
	assert shell('blind', 'ls -a /') == '.\n..\n.fnfs-init\nbin\nd\ndev\netc\nproc\nsrv\ntmp'
	assert shell('blind', 'ls /dev') == 'fd\nfull\nnull\nrandom\nshm\nstderr\nstdin\nstdout\nurandom\nzero'
	assert shell('blind', 'cat /etc/hosts | head -n 1') == '127.0.0.1\tlocalhost'
	assert shell('blind', 'echo x >/proc/sys/kernel/hostname; hostname') != 'x'
	assert shell('blind', 'grep CapEff /proc/self/status').split()[1] == '0' * 16
	assert shell('blind', 'grep -c . /proc/net/dev') in ('3', '4')  # lo alone


def set_user_id_and_devices_are_left_behind():
	make('bits')
	Image([layer(*serving_members(), member('bin/sudo', data=b'#!/bin/sh\n', mode=0o4755, uid=0),
		member('bin/game', data=b'#!/bin/sh\n', mode=0o2755),
		member('dev/sda', tarfile.BLKTYPE, devmajor=8, devminor=0),
		member('dev/mem', tarfile.CHRTYPE, devmajor=1, devminor=1), member('var/fifo', tarfile.FIFOTYPE))]).archive(code('bits', 'image.tar'))
	assert shell('bits', 'stat -c %a /bin/sudo /bin/game') == '755\n755'
	assert shell('bits', 'ls /dev/sda /dev/mem /var/fifo 2>/dev/null') == ''


def where_overlays_cannot_be_it_is_read_only():
	with Mounted(env={'FNFS_OVERLAY': 'no'}) as other:
		os.mkdir(other.path('functions', 'web'))
		subprocess.run(['cp', packed.archive('oci-archive'), other.path('functions', 'web', 'code', 'image.tar')],
			check=True)
		said = other.call('web', b'echo x >/mine || echo refused; echo y >/tmp/mine; cat /tmp/mine /d/stays').decode()
		assert said.endswith('refused\ny\nbelow') and 'Read-only' in said, said


# --- what cannot be run ---

def images_that_cannot_run_say_why():
	for name, image, words in [
		('machine', simple(architecture='s390x'), ['made for linux/s390x', 'linux/' + ARCHITECTURE]),
		('nothing', simple(config={'Entrypoint': None, 'Cmd': []}), ['nothing to start']),
		('stranger', simple(config={'User': 'nobody-knows'}), ['nobody-knows', '/etc/passwd']),
		('lies', simple(diff_ids=['sha256:' + '0' * 64]), ['not what its configuration says']),
		('less', simple(diff_ids=['sha256:' + '0' * 64] * 2), ['does not know its layers']),
		('config', simple(config_bytes=b'[' * 10000), ['damaged']),
		('away', Image([layer(*serving_members(), member('../../etc/cron.d/x', data=b'x'))]), ['..']),
	]:
		make(name)
		image.archive(code(name, 'image.tar'))
		refused(name, *words)


def a_program_that_is_not_there_is_named():
	make('ghost')
	simple(config={'Entrypoint': ['/bin/ghost']}).archive(code('ghost', 'image.tar'))
	refused('ghost', '/bin/ghost', 'cannot be executed')


def half_an_image_is_none_until_it_is_whole():
	make('half')
	whole = os.path.join(base, 'whole.tar')
	simple().archive(whole)
	with open(whole, 'rb') as file:
		data = file.read()
	with open(code('half', 'image.tar'), 'wb') as file:
		file.write(data[:len(data) // 2])
	refused('half', 'damaged')
	copy(whole, 'half')
	assert shell('half', 'id -u') == '1003'


def what_is_no_image_says_so():
	make('text')
	with open(code('text', 'image.tar'), 'w') as file:
		file.write('this is no archive\n' * 100)
	refused('text', 'damaged')
	make('empty', runtime='image')
	with open(code('empty', 'file'), 'w') as file:
		file.write('x')
	refused('empty', 'no image')


def links_lead_to_the_image_only():
	"""Links out of the root are followed inside of it, also by what comes through them later."""
	make('links')
	outside = os.path.join(base, 'outside')
	os.mkdir(outside, 0o777)
	Image([layer(*serving_members(), member('out', tarfile.SYMTYPE, link=outside),
		member('up', tarfile.SYMTYPE, link='../../../../../..' + outside)),
		layer(member('out/one', data=b'1'), member('up/two', data=b'2'))]).archive(code('links', 'image.tar'))
	refused('links', 'no directory')  # in the image they lead nowhere
	assert os.listdir(outside) == []
	make('inside')
	Image([layer(*serving_members(), member('srv/real', tarfile.DIRTYPE, mode=0o755),
		member('out', tarfile.SYMTYPE, link='/srv/real')), layer(member('out/one', data=b'1'))]
		).archive(code('inside', 'image.tar'))
	assert shell('inside', 'cat /srv/real/one') == '1' and not os.path.exists('/srv/real')


def many_files_are_many_files():
	"""In memory where there are very many: some disks need a millisecond for each."""
	count = 200000 if LONG else 1500
	with tempfile.TemporaryDirectory(dir='/dev/shm' if LONG else base) as state, \
			Mounted(state=state, patience=600 if LONG else 120) as other:
		os.mkdir(other.path('functions', 'many'))
		Image([layer(*serving_members(), *[member('many/%d/%d' % (i // 1000, i)) for i in range(count)])]
			).archive(other.path('functions', 'many', 'code', 'image.tar'))
		said = other.call('many', b'ls /many | wc -l').decode()
		assert int(said) == (count + 999) // 1000, said


# --- from a registry ---

def a_named_image_is_pulled():
	registry.tags['team/web:1'] = simple(config={'Env': ['PATH=/bin', 'N=1']})
	make('pulled')
	fn.set('pulled', 'image', registry.name('team/web:1'))
	assert fn.read('functions', 'pulled', 'config', 'image') == registry.name('team/web:1') + '\n'
	assert shell('pulled', 'echo $N') == '1'
	assert status('pulled')[0]['runtime'] == 'image'
	fn.set('pulled', 'image', registry.name('team/web:1')[len('docker://'):])  # the same, and nothing happens
	assert fn.read('functions', 'pulled', 'config', 'image') == registry.name('team/web:1') + '\n'


def a_version_keeps_its_image():
	name = registry.name('team/web')
	first = registry.tags['team/web:1']
	os.mkdir(fn.path('functions', 'pulled', 'versions', '1.0'))
	pinned = fn.read('functions', 'pulled', 'versions', '1.0', 'config', 'image')
	assert pinned == '%s@%s\n' % (name, first.digest), pinned
	registry.tags['team/web:1'] = simple(config={'Env': ['PATH=/bin', 'N=2']})
	fn.set('pulled', 'memory', '64M')  # deployed anew: the tag is looked up again
	assert shell('pulled', 'echo $N') == '2'
	version = fn.path('functions', 'pulled', 'versions', '1.0', 'invoke')
	fd = os.open(version, os.O_RDWR)
	os.write(fd, b'echo $N')
	assert os.read(fd, 100) == b'1\n'[:1]
	os.close(fd)
	assert fn.read('functions', 'pulled', 'config', 'image') == registry.name('team/web:1') + '\n'


def a_code_image_is_in_the_version():
	os.mkdir(fn.path('functions', 'oci', 'versions', '1'))
	shutil.rmtree(code('oci'), ignore_errors=True)
	fd = os.open(fn.path('functions', 'oci', 'versions', '1', 'invoke'), os.O_RDWR)
	os.write(fd, b'echo $GREETING')
	assert os.read(fd, 100) == b'hello'
	os.close(fd)


def status_says_how_far_it_is():
	registry.tags['slow/web:1'] = simple(config={'Env': ['PATH=/bin', 'N=slow']})
	registry.gate.clear()
	registry.waiting.clear()
	make('slow')
	fn.set('slow', 'image', registry.name('slow/web:1'))
	answers = []
	thread = threading.Thread(target=lambda: answers.append(shell('slow', 'echo $N')))
	thread.start()
	assert registry.waiting.wait(30)
	facts, text = status('slow')
	assert facts['state'] == 'building' and 'pulling ' + registry.name('slow/web:1') in facts['image'], text
	assert not answers
	registry.gate.set()
	thread.join()
	assert answers == ['slow'], answers


def a_build_may_make_the_image():
	"""Also in a version, which is built once."""
	make('built', build='mv packed image.tar')
	subprocess.run(['cp', packed.archive('oci-archive'), code('built', 'packed')], check=True)
	assert shell('built', 'echo $GREETING') == 'hello'
	os.mkdir(fn.path('functions', 'built', 'versions', '1'))
	fd = os.open(fn.path('functions', 'built', 'versions', '1', 'invoke'), os.O_RDWR)
	os.write(fd, b'echo $GREETING')
	assert os.read(fd, 100) == b'hello'
	os.close(fd)


def the_template_packs_an_image():
	make('template')
	subprocess.run(['cp', '-r', fn.path('runtimes', 'image', 'template') + '/.', code('template')], check=True)
	subprocess.run(['sh', code('template', 'pack')], check=True, stdout=subprocess.DEVNULL,
		stderr=subprocess.DEVNULL, env=dict(os.environ, HOME=base, TMPDIR=base))
	assert fn.call('template', b'{"n":1}') == b'{"n":1}'


def what_cannot_be_pulled_says_why_and_is_tried_again():
	make('absent')
	fn.set('absent', 'image', registry.name('absent/web:1'))
	refused('absent', 'cannot be pulled')
	registry.tags['absent/web:1'] = simple(config={'Env': ['PATH=/bin', 'N=here']})

	def answers():
		"""A try that began before the image was there may still be under way, and calls wait for that one."""
		try:
			return shell('absent', 'echo $N') == 'here'
		except OSError as trouble:
			assert trouble.errno == errno.ENOEXEC, trouble
			return False

	wait_for(answers)


def names_that_are_none_are_refused():
	make('named')
	path = fn.path('functions', 'named', 'config', 'image')
	for value in ['--help', 'docker://', 'dir:/etc', 'oci:/tmp/x y', 'docker:///x', 'a' * 400, '/etc/passwd', '-x']:
		def write():
			with open(path, 'w') as file:
				file.write(value + '\n')
		assert errno_of(write) in ('EINVAL', 'ERANGE'), value
	assert fn.read('functions', 'named', 'config', 'image') == '\n'


def it_lives_through_the_daemon_and_the_registry():
	"""Killed and started again, with the registry gone: what was pulled is there, what was half made is not."""
	registry.tags['cut/web:1'] = simple(config={'Env': ['PATH=/bin', 'N=cut']})
	registry.gate.clear()
	registry.waiting.clear()
	make('cut')
	fn.set('cut', 'image', registry.name('cut/web:1'))
	assert registry.waiting.wait(30)
	assert os.listdir(os.path.join(fn.state, 'unpacking'))
	children = descendants(fn.process.pid)
	assert 'skopeo' in map(command_of, children), children
	fn.kill()
	registry.gate.set()
	wait_for(lambda: not any(os.path.exists('/proc/%d' % pid) for pid in children))
	fn.unmount()
	registry.end()
	fn.start()
	wait_for(lambda: os.listdir(os.path.join(fn.state, 'unpacking')) == [])
	assert shell('pulled', 'echo $N') == '2'  # by its tag, as it was pulled last
	fd = os.open(fn.path('functions', 'pulled', 'versions', '1.0', 'invoke'), os.O_RDWR)
	os.write(fd, b'echo $N')
	assert os.read(fd, 100) == b'1'
	os.close(fd)
	refused('cut', 'cannot be pulled')


# --- what else may go wrong ---

def without_skopeo_it_says_what_to_install():
	with Mounted(env={'FNFS_SKOPEO': '/nowhere/skopeo'}) as other:
		os.mkdir(other.path('functions', 'web'))
		other.set('web', 'image', 'docker://127.0.0.1:1/x:1')
		try:
			other.call('web')
		except OSError as error:
			assert error.errno == 8 and b'apt install skopeo' in error.body, error.body
		else:
			raise AssertionError('it was called')
		assert 'apt install skopeo' in other.read('functions', 'web', 'status')


def what_nobody_runs_any_more_goes():
	with Mounted(env={'FNFS_IMAGES_BYTES': '1'}) as other:
		images = os.path.join(other.state, 'images')
		os.mkdir(other.path('functions', 'web'))
		place = other.path('functions', 'web', 'code', 'image.tar')
		for number in range(3):
			simple(config={'Env': ['PATH=/bin', 'N=%d' % number]}).archive(place)
			assert other.call('web', b'echo $N') == b'%d' % number
		wait_for(lambda: len(os.listdir(images)) == 1)
		assert other.call('web', b'echo $N') == b'2'


def what_a_version_names_stays():
	"""However little room there is, and with the registry gone."""
	shop = Registry()
	with Mounted(env={'FNFS_IMAGES_BYTES': '1'}) as other:
		images = os.path.join(other.state, 'images')
		os.mkdir(other.path('functions', 'web'))
		for number in range(3):
			shop.tags['team/web:1'] = simple(config={'Env': ['PATH=/bin', 'N=%d' % number]})
			other.set('web', 'image', shop.name('team/web:1'))
			other.set('web', 'memory', '%dM' % (64 + number))  # deployed anew
			assert other.call('web', b'echo $N') == b'%d' % number
			if number == 0:
				os.mkdir(other.path('functions', 'web', 'versions', 'first'))
		wait_for(lambda: len(os.listdir(images)) == 2)
		shop.end()
		with open(other.path('functions', 'web', 'versions', 'first', 'invoke'), 'r+b', buffering=0) as invoke:
			invoke.write(b'echo $N')
			assert invoke.read(10) == b'0'
		assert len(os.listdir(images)) == 2


def main():
	global fn, packed, registry, base
	if tools_missing():
		skip('not installed: ' + ' '.join(tools_missing()))
	cases = Cases()
	with tempfile.TemporaryDirectory(prefix='fnfs-image-') as base:
		os.chmod(base, 0o755)
		packed = Packed(base)
		registry = Registry()
		with Mounted() as fn:
			for case in [an_oci_archive_answers, what_docker_saves_answers, a_layout_as_the_code_answers,
					a_compressed_archive_answers, it_is_unpacked_once_for_all, another_image_takes_its_place,
					user_directory_and_variables_are_its_own, without_a_user_or_as_root_it_is_1003,
					the_entrypoint_and_the_command_are_one_line, init_is_asked_once_for_each_instance,
					a_failed_init_says_what_it_said, instances_do_not_see_what_others_write,
					it_sees_nothing_of_the_machine, set_user_id_and_devices_are_left_behind,
					where_overlays_cannot_be_it_is_read_only, images_that_cannot_run_say_why,
					a_program_that_is_not_there_is_named, half_an_image_is_none_until_it_is_whole,
					what_is_no_image_says_so, links_lead_to_the_image_only, many_files_are_many_files,
					a_code_image_is_in_the_version, a_build_may_make_the_image,
					the_template_packs_an_image, a_named_image_is_pulled, a_version_keeps_its_image,
					status_says_how_far_it_is, what_cannot_be_pulled_says_why_and_is_tried_again,
					names_that_are_none_are_refused, it_lives_through_the_daemon_and_the_registry,
					without_skopeo_it_says_what_to_install, what_nobody_runs_any_more_goes,
					what_a_version_names_stays]:
				cases.run(case)
	cases.end()


main()
