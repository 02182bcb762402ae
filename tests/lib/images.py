# SPDX-License-Identifier: Apache-2.0
"""Container images for tests: packed by umoci as a user would, or written by hand when they are to be bad;
and a registry on loopback that images can be pulled from.
"""

import gzip
import hashlib
import http.server
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import threading

ARCHITECTURE = {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(platform.machine(), platform.machine())
LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip'
MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
CONFIG = 'application/vnd.oci.image.config.v1+json'

# Serves one connection: /init is not known, what is posted to /invoke is run by the shell, all else is said back.
ANSWER = r'''#!/bin/sh
IFS=' ' read -r method path rest
length=0
while IFS=' ' read -r name value; do
	value=${value%?}
	case $name in
	'' | ?) break ;;
	[Cc]ontent-[Ll]ength:) length=$value ;;
	[Xx]-[Cc][Ff][Ff]-[Rr]equest-[Ii]d:) REQUEST_ID=$value ;;
	esac
done
body=$(head -c "$length")
case $path in
/init) status=${INIT_STATUS:-404} out=$INIT_WORDS; echo "init $PPID" >>/tmp/inits ;;
/invoke) status=200; out=$(eval "$body" 2>&1) ;;
*) status=200; out="$method $path $body" ;;
esac
printf 'HTTP/1.1 %s Words\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' "$status" "${#out}" "$out"
'''
SERVE = ['nc', '-ll', '-p', '8000', '-e', '/bin/answer']
APPLETS = ['sh', 'ls', 'cat', 'nc', 'head', 'id', 'env', 'pwd', 'touch', 'rm', 'sleep', 'stat', 'wc', 'readlink',
	'mkdir', 'dd', 'grep', 'hostname', 'test', 'true']
TOOLS = ['umoci', 'skopeo', '/bin/busybox']


def tools_missing():
	return [tool for tool in TOOLS if not shutil.which(tool)]


def run(*words, **more):
	done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
	if done.returncode:
		raise RuntimeError('%s: %s' % (' '.join(words), done.stdout.decode(errors='replace')))
	return done.stdout.decode()


class Packed:
	"""A layout of a busybox image in `directory`/layout, packed by umoci in two layers."""

	def __init__(self, directory):
		self.directory = directory
		self.layout = os.path.join(directory, 'layout')
		self.tag = self.layout + ':web'
		run('umoci', 'init', '--layout', self.layout)
		run('umoci', 'new', '--image', self.tag)
		self.layer(self.fill)
		self.layer(self.change)
		self.config(entrypoint=SERVE[:1], cmd=SERVE[1:], env=['PATH=/bin', 'GREETING=hello', 'KIND=image'],
			workingdir='/srv/www/deep')

	def layer(self, change):
		bundle = os.path.join(self.directory, 'bundle')
		rootless = ['--rootless'] if os.getuid() else []
		run('umoci', 'unpack', *rootless, '--image', self.tag, bundle)
		change(os.path.join(bundle, 'rootfs'))
		run('umoci', 'repack', '--image', self.tag, bundle)
		shutil.rmtree(bundle)

	def fill(self, root):
		os.makedirs(root + '/bin')
		os.makedirs(root + '/etc')
		os.makedirs(root + '/d/away')
		os.makedirs(root + '/d/replaced/deep')
		shutil.copy('/bin/busybox', root + '/bin/busybox')
		for name in APPLETS:
			os.symlink('busybox', root + '/bin/' + name)
		for name, text in {'bin/answer': ANSWER, 'd/stays': 'below', 'd/goes': 'below', 'd/changes': 'below',
				'd/away/file': 'below', 'd/replaced/deep/old': 'below',
				'etc/passwd': 'app:x:1234:1235::/home/app:/bin/sh\n', 'etc/group': 'team:x:77:\n'}.items():
			with open(os.path.join(root, name), 'w') as file:
				file.write(text)
		os.chmod(root + '/bin/answer', 0o755)

	def change(self, root):
		os.unlink(root + '/d/goes')
		shutil.rmtree(root + '/d/away')
		shutil.rmtree(root + '/d/replaced')
		os.mkdir(root + '/d/replaced')
		for name in ('d/replaced/new', 'd/changes'):
			with open(os.path.join(root, name), 'w') as file:
				file.write('above')

	def config(self, **settings):
		words = []
		for key, value in settings.items():
			for each in value if isinstance(value, list) else [value]:
				words += ['--config.' + key, each]
		run('umoci', 'config', '--image', self.tag, *words)

	def archive(self, kind):
		"""kind: oci-archive or docker-archive. The path of the file."""
		path = os.path.join(self.directory, kind + '.tar')
		if os.path.exists(path):
			os.unlink(path)
		run('skopeo', '--insecure-policy', 'copy', 'oci:' + self.tag, '%s:%s' % (kind, path),
			env=dict(os.environ, HOME=self.directory, TMPDIR=self.directory))
		return path


# --- by hand ---

def member(name, kind=tarfile.REGTYPE, data=b'', mode=0o644, link='', **more):
	info = tarfile.TarInfo(name)
	info.type, info.mode, info.linkname, info.size = kind, mode, link, len(data)
	for key, value in more.items():
		setattr(info, key, value)
	return info, data


def layer(*members):
	"""A tar archive of (TarInfo, bytes)."""
	out = io.BytesIO()
	with tarfile.open(fileobj=out, mode='w') as tar:
		for info, data in members:
			tar.addfile(info, io.BytesIO(data))
	return out.getvalue()


def digest(data):
	return 'sha256:' + hashlib.sha256(data).hexdigest()


def serving_members():
	"""What an image needs to answer: the lowest layer of those by hand."""
	with open('/bin/busybox', 'rb') as file:
		busybox = file.read()
	return [member('bin/busybox', data=busybox, mode=0o755)] + [
		member('bin/' + name, tarfile.SYMTYPE, link='busybox') for name in APPLETS] + [
		member('bin/answer', data=ANSWER.encode(), mode=0o755)]


def python_members(*modules):
	"""A root that a program which imports these can run in: the Python that runs this, and what it loads for them."""
	report = 'import sys; print(*{file for file in (getattr(module, "__file__", None) for module in sys.modules.values()) if file}, sep="\\n")'
	loaded = run(sys.executable, '-c', 'import %s\n%s' % (', '.join(modules), report)).split()
	python = os.path.realpath(sys.executable)
	binaries = [python] + [path for path in loaded if path.endswith('.so')]
	libraries = re.findall(r'(?:=> |^\s*)(/\S+) \(0x', run('ldd', *binaries), re.MULTILINE)
	members = []
	for path in sorted({*binaries, *loaded, *libraries}):
		with open(path, 'rb') as file:
			members.append(member(path.lstrip('/'), data=file.read(), mode=os.stat(path).st_mode & 0o755))
	if python != '/usr/bin/python3':
		members.append(member('usr/bin/python3', tarfile.SYMTYPE, link=python))
	return members


class Image:
	"""Blobs and manifest of an image; what is given may be anything."""

	def __init__(self, layers, config=None, architecture=ARCHITECTURE, compress=True, **broken):
		config = dict({'Entrypoint': SERVE, 'Env': ['PATH=/bin']}, **(config or {}))
		self.blobs = {}
		packed = [gzip.compress(each, 1, mtime=0) if compress else each for each in layers]
		self.config = json.dumps({'architecture': architecture, 'os': 'linux', 'config': config,
			'rootfs': {'type': 'layers', 'diff_ids': broken.get('diff_ids') or [digest(each) for each in layers]}}
			).encode()
		self.config = broken.get('config_bytes', self.config)
		self.layers = [self.add(each) for each in packed]
		self.manifest = json.dumps({'schemaVersion': 2, 'mediaType': MANIFEST,
			'config': self.descriptor(self.add(self.config), CONFIG),
			'layers': [self.descriptor(each, LAYER) for each in self.layers]}).encode()
		self.digest = self.add(self.manifest)

	def add(self, data):
		name = digest(data)
		self.blobs[name] = data
		return name

	def descriptor(self, name, kind):
		return {'mediaType': kind, 'digest': name, 'size': len(self.blobs[name])}

	def files(self):
		index = {'schemaVersion': 2, 'manifests': [self.descriptor(self.digest, MANIFEST)]}
		files = {'oci-layout': b'{"imageLayoutVersion": "1.0.0"}', 'index.json': json.dumps(index).encode()}
		for name, data in self.blobs.items():
			files['blobs/sha256/' + name[7:]] = data
		return files

	def archive(self, path, files=None):
		with open(path, 'wb') as file:
			file.write(layer(*[member(name, data=data) for name, data in (files or self.files()).items()]))
		return path

	def layout(self, path):
		for name, data in self.files().items():
			place = os.path.join(path, name)
			os.makedirs(os.path.dirname(place), exist_ok=True)
			with open(place, 'wb') as file:
				file.write(data)
		return path


# --- a registry ---

class Registry(http.server.ThreadingHTTPServer):
	"""What is pulled from it: tags['team/web:1'] is an Image. `gate` holds back blobs while it is closed."""

	daemon_threads = True

	def __init__(self):
		super().__init__(('127.0.0.1', 0), Answering)
		self.tags, self.gate, self.asked = {}, threading.Event(), []
		self.waiting = threading.Event()
		self.gate.set()
		self.thread = threading.Thread(target=self.serve_forever, daemon=True)
		self.thread.start()

	def name(self, tag):
		return 'docker://127.0.0.1:%d/%s' % (self.server_address[1], tag)

	def handle_error(self, request, address):
		pass  # who pulls may have gone

	def end(self):
		self.gate.set()
		self.shutdown()
		self.server_close()
		self.thread.join()


class Answering(http.server.BaseHTTPRequestHandler):
	protocol_version = 'HTTP/1.1'

	def log_message(self, *arguments):
		pass

	def answer(self, status, data=b'', kind='application/json', digest_of=None):
		self.send_response(status)
		self.send_header('Content-Type', kind)
		self.send_header('Content-Length', str(len(data)))
		if digest_of:
			self.send_header('Docker-Content-Digest', digest_of)
		self.end_headers()
		if self.command != 'HEAD':
			self.wfile.write(data)

	def do_GET(self):
		self.server.asked.append(self.path)
		found = re.fullmatch(r'/v2/(.+)/(manifests|blobs)/([^/]+)', self.path)
		if not found:
			return self.answer(200 if self.path == '/v2/' else 404, b'{}')
		name, kind, which = found.groups()
		images = {tag: image for tag, image in self.server.tags.items() if tag.split(':')[0] == name}
		if kind == 'manifests' and name + ':' + which in images:
			which = images[name + ':' + which].digest
		for image in images.values():
			if which not in image.blobs:
				continue
			if kind == 'manifests':
				return self.answer(200, image.blobs[which], MANIFEST, which)
			self.server.waiting.set()
			self.server.gate.wait(60)
			return self.answer(200, image.blobs[which], 'application/octet-stream', which)
		return self.answer(404, b'{"errors":[{"code":"NAME_UNKNOWN","message":"there is none"}]}')

	do_HEAD = do_GET
