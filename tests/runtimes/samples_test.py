#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A user's first function would not run: what `fnfs new` makes of every template and every sample of every
runtime is called as it is, published, and called again.
"""

import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from mounted import BUILD, Mounted

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'runtimes')
EVENT = {'name': 'world', 'long': 'x' * 20000}
# What must be on the machine; how one installs it is in the sample's first lines.
NEEDS = {'python': 'python3', 'nodejs': 'node', 'bootstrap': 'python3', 'http': 'python3',
	'bootstrap/shell': 'curl', 'bootstrap/c': 'cc make', 'http/nodejs': 'node', 'http/php': 'php',
	'http/nginx': 'nginx', 'image': 'umoci skopeo busybox'}
# What speaks HTTP answers a gateway's request, too: its body, or a part of it.
PAGES = {'bootstrap': 'Hello from /a/path', 'http': 'Hello from /a/path', 'bootstrap/c': '"from":"c"',
	'http/nodejs': '"from":"nodejs"', 'http/php': '"from":"php"', 'http/nginx': 'served by nginx'}


def runtime_samples():
	for runtime in sorted(os.listdir(SOURCE)):
		if os.path.isdir(os.path.join(SOURCE, runtime, 'template')):
			yield runtime
			samples = os.path.join(SOURCE, runtime, 'samples')
			if os.path.isdir(samples):
				yield from ('%s/%s' % (runtime, name) for name in sorted(os.listdir(samples)))


def request(path):
	return json.dumps({'httpMethod': 'GET', 'path': path, 'headers': {}, 'queryStringParameters': {},
		'body': '', 'isBase64Encoded': False}).encode()


def body_of(answer):
	answer = json.loads(answer)
	assert answer['statusCode'] == 200, answer
	if not answer['isBase64Encoded']:
		return answer['body']
	return subprocess.run(['base64', '-d'], input=answer['body'].encode(), check=True,
		stdout=subprocess.PIPE).stdout.decode()


def check_answer(what, answer):
	"""Of a sample it says by whom it is, and most hand the event back."""
	assert answer, what
	if '/' not in what:
		return
	answer = json.loads(answer)
	assert answer['from'] == what.split('/')[1], answer
	assert what == 'http/nginx' or answer['event'] == EVENT, answer


def try_sample(fn, what):
	name = 'sample-' + what.replace('/', '-')
	command = os.path.join(BUILD, 'tools', 'fnfs')
	environment = dict(os.environ, FNFS=fn.directory)
	made = subprocess.run([command, 'new', name, what], env=environment, check=True,
		stdout=subprocess.PIPE, universal_newlines=True).stdout.strip()
	assert made == fn.path('functions', name, 'code')
	if os.path.exists(os.path.join(made, 'pack')):  # what runs is made of it first
		subprocess.run(['sh', os.path.join(made, 'pack')], check=True, stdout=subprocess.DEVNULL,
			stderr=subprocess.DEVNULL)
	waited = subprocess.run([command, 'wait', name, '--timeout', '60s'], env=environment,
		stdout=subprocess.PIPE, universal_newlines=True)
	assert waited.returncode == 0, (what, waited.stdout)
	event = json.dumps(EVENT).encode()
	for _ in range(3):
		check_answer(what, fn.call(name, event))
	if what in PAGES:
		page = body_of(fn.call(name, request('/' if what == 'http/nginx' else '/a/path')))
		assert PAGES[what] in page, page
	os.mkdir(fn.path('functions', name, 'versions', '1'))
	check_answer(what, fn.call(os.path.join(name, 'versions', '1'), event))
	# By hand it is the same, for what has settings, too.
	if '/' in what:
		runtime, sample = what.split('/')
		os.mkdir(fn.path('functions', name + '-2'))
		subprocess.run(['cp', '-r', fn.path('runtimes', runtime, 'samples', sample) + '/.',
			fn.path('functions', name + '-2')], check=True)
		check_answer(what, fn.call(name + '-2', event))


def main():
	left_out = []
	with Mounted() as fn:
		listed = {'%s/%s' % (runtime, name) for runtime in os.listdir(fn.path('runtimes'))
			for name in os.listdir(fn.path('runtimes', runtime, 'samples'))}
		assert listed == {what for what in runtime_samples() if '/' in what}, listed
		for what in runtime_samples():
			missing = [need for need in NEEDS.get(what, '').split() if not shutil.which(need)]
			if missing:
				left_out.append('%s needs %s' % (what, ', '.join(missing)))
				continue
			fn.step()
			try_sample(fn, what)
			print('ok', what, flush=True)
	for line in left_out:
		print('left out:', line)


main()
