#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Functions, versions and aliases managed by Lambda's API: boto3 and the AWS command line as Debian has them, and by hand.

Without this a user would lose: tools that deploy to Lambda, and an upload that is whole or was not.
"""

import base64
import io
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from gatewayed import Gatewayed  # noqa: E402
from mounted import Cases, write_file  # noqa: E402

AWS = '/usr/bin/aws'
TOKEN = 'abcdefghijklmnop'
ENVIRONMENT = {'PATH': '/usr/bin:/bin', 'HOME': '/nonexistent', 'AWS_ACCESS_KEY_ID': 'any',
	'AWS_SECRET_ACCESS_KEY': 'any', 'AWS_DEFAULT_REGION': 'local', 'AWS_EC2_METADATA_DISABLED': 'true',
	'AWS_MAX_ATTEMPTS': '1'}

PROGRAM = r'''
import io, json, sys, zipfile
import boto3
client = boto3.client('lambda', endpoint_url=sys.argv[1])
def zipped(text, **more):
	out = io.BytesIO()
	with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as archive:
		archive.writestr('app.py', text)
		for name, content in more.items():
			archive.writestr(name, content)
	return out.getvalue()
def code(number):
	return zipped('import os\ndef run(event, context):\n\treturn [%d, os.environ.get("COLOUR")]\n' % number)
def call(qualifier='$LATEST'):
	return json.loads(client.invoke(FunctionName='shop', Qualifier=qualifier)['Payload'].read())
def refused(kind, function, **arguments):
	try:
		function(**arguments)
	except client.exceptions.ClientError as error:
		assert error.response['Error']['Code'] == kind, error.response
		return error.response
	raise AssertionError('it was not refused: %s' % arguments)

made = client.create_function(FunctionName='shop', Runtime='python3.11', Role='arn:aws:iam::1:role/r',
	Handler='app.run', Code={'ZipFile': code(1)}, Timeout=5, MemorySize=256, Description='a shop',
	Environment={'Variables': {'COLOUR': 'red'}})
assert made['FunctionName'] == 'shop' and made['Timeout'] == 5 and made['MemorySize'] == 256, made
assert made['Handler'] == 'app.run' and made['Description'] == 'a shop' and made['State'] == 'Active', made
assert made['Version'] == '$LATEST' and made['Environment']['Variables'] == {'COLOUR': 'red'}, made
assert call() == [1, 'red'], call()
client.get_waiter('function_active_v2').wait(FunctionName='shop')
client.get_waiter('function_updated_v2').wait(FunctionName='shop')
refused('ResourceConflictException', client.create_function, FunctionName='shop', Runtime='python3.11',
	Role='arn:aws:iam::1:role/r', Handler='app.run', Code={'ZipFile': code(1)})
first = client.publish_version(FunctionName='shop', Description='the first', CodeSha256=made['CodeSha256'])
assert first['Version'] == '1' and first['Description'] == 'the first', first
for number in (2, 3, 4):
	changed = client.update_function_code(FunctionName='shop', ZipFile=code(number))
	assert call() == [number, 'red'], (number, call())
assert changed['CodeSha256'] != made['CodeSha256'], changed
refused('PreconditionFailedException', client.update_function_code, FunctionName='shop', ZipFile=code(9),
	RevisionId=made['RevisionId'])
client.update_function_code(FunctionName='shop', ZipFile=code(9), DryRun=True)
assert call() == [4, 'red']
second = client.update_function_code(FunctionName='shop', ZipFile=code(5), Publish=True)
assert second['Version'] == '2', second
assert call('1') == [1, 'red'] and call('2') == [5, 'red'] and call() == [5, 'red']
changed = client.update_function_configuration(FunctionName='shop', Timeout=7, Environment={'Variables': {'COLOUR': 'blue'}})
assert changed['Timeout'] == 7 and changed['MemorySize'] == 256, changed
assert call() == [5, 'blue'] and call('2') == [5, 'red']
refused('InvalidParameterValueException', client.update_function_configuration, FunctionName='shop', Timeout=9,
	Environment={'Variables': {'LAMBDA_X': 'no'}})
refused('InvalidParameterValueException', client.update_function_configuration, FunctionName='shop', Timeout=8,
	Layers=['arn:aws:lambda:r:1:layer:l:1'])
refused('InvalidParameterValueException', client.update_function_configuration, FunctionName='shop', Runtime='java21')
assert client.get_function_configuration(FunctionName='shop')['Timeout'] == 7
whole = client.get_function(FunctionName='shop', Qualifier='1')
assert whole['Configuration']['Version'] == '1' and whole['Code']['Location'].startswith('file://'), whole
with open(whole['Code']['Location'][7:] + '/app.py') as file:
	assert 'return [1' in file.read()

live = client.create_alias(FunctionName='shop', Name='live', FunctionVersion='1', Description='what is sold')
assert live['FunctionVersion'] == '1' and live['Description'] == 'what is sold', live
assert 'RoutingConfig' not in live, live
live = client.update_alias(FunctionName='shop', Name='live', RoutingConfig={'AdditionalVersionWeights': {'2': 0.25}})
assert live['FunctionVersion'] == '1' and live['RoutingConfig'] == {'AdditionalVersionWeights': {'2': 0.25}}, live
assert sorted(call('live')[0] for _ in range(8)) == [1] * 6 + [5] * 2
old = live['RevisionId']
live = client.update_alias(FunctionName='shop', Name='live', FunctionVersion='2', RoutingConfig={'AdditionalVersionWeights': {}})
assert live['FunctionVersion'] == '2' and 'RoutingConfig' not in live and call('live')[0] == 5, live
refused('PreconditionFailedException', client.update_alias, FunctionName='shop', Name='live', FunctionVersion='1', RevisionId=old)
assert client.get_alias(FunctionName='shop', Name='live')['FunctionVersion'] == '2'
assert client.get_function(FunctionName='shop', Qualifier='live')['Configuration']['Version'] == '2'
client.create_alias(FunctionName='shop', Name='old', FunctionVersion='1')
assert [one['Name'] for one in client.list_aliases(FunctionName='shop')['Aliases']] == ['live', 'old']
assert [one['Name'] for one in client.list_aliases(FunctionName='shop', FunctionVersion='1')['Aliases']] == ['old']
for kind, function, arguments in (
		('ResourceConflictException', client.create_alias, {'Name': 'live', 'FunctionVersion': '1'}),
		('InvalidParameterValueException', client.create_alias, {'Name': 'bad', 'FunctionVersion': '77'}),
		('ResourceNotFoundException', client.get_alias, {'Name': 'none'}),
		('ResourceNotFoundException', client.update_alias, {'Name': 'none', 'FunctionVersion': '1'}),
		('ResourceNotFoundException', client.delete_alias, {'Name': 'none'}),
		('InvalidParameterValueException', client.update_alias, {'Name': 'live', 'RoutingConfig':
			{'AdditionalVersionWeights': {'1': 0.75, '2': 0.5}}}),
		('ResourceConflictException', client.delete_function, {'Qualifier': '1'})):
	refused(kind, function, FunctionName='shop', **arguments)
assert [one['Name'] for one in client.list_aliases(FunctionName='shop')['Aliases']] == ['live', 'old']
client.delete_alias(FunctionName='shop', Name='old')
client.delete_function(FunctionName='shop', Qualifier='1')
versions = client.list_versions_by_function(FunctionName='shop')['Versions']
assert [one['Version'] for one in versions] == ['$LATEST', '2'], versions
assert client.publish_version(FunctionName='shop')['Version'] == '3'
pages = client.get_paginator('list_versions_by_function').paginate(FunctionName='shop', PaginationConfig={'PageSize': 1})
assert [one['Version'] for page in pages for one in page['Versions']] == ['$LATEST', '2', '3']

for number in range(5):
	client.create_function(FunctionName='page%d' % number, Runtime='python3.11', Role='arn:aws:iam::1:role/r',
		Handler='app.run', Code={'ZipFile': code(number)})
pages = list(client.get_paginator('list_functions').paginate(PaginationConfig={'PageSize': 2}))
names = [one['FunctionName'] for page in pages for one in page['Functions']]
assert len(pages) >= 3 and [one for one in names if one[:4] == 'page'] == ['page%d' % n for n in range(5)], names
for number in range(5):
	client.delete_function(FunctionName='page%d' % number)
client.delete_function(FunctionName='shop')
for function, arguments in ((client.get_function, {}), (client.update_function_code, {'ZipFile': code(1)}),
		(client.get_function_configuration, {}), (client.delete_function, {}), (client.publish_version, {}),
		(client.list_versions_by_function, {}), (client.list_aliases, {}),
		(client.update_function_configuration, {'Timeout': 1})):
	refused('ResourceNotFoundException', function, FunctionName='shop', **arguments)
refused('InvalidParameterValueException', client.create_function, FunctionName='other', Runtime='java21',
	Role='arn:aws:iam::1:role/r', Handler='app.run', Code={'ZipFile': code(1)})
refused('InvalidParameterValueException', client.create_function, FunctionName='other', Runtime='python3.11',
	Role='arn:aws:iam::1:role/r', Handler='app.run', Code={'S3Bucket': 'bucket', 'S3Key': 'k'})
'''


def zipped(files, method=zipfile.ZIP_DEFLATED):
	"""An archive of texts and bytes by their names; a name with `->` is a symbolic link."""
	out = io.BytesIO()
	with zipfile.ZipFile(out, 'w', method) as archive:
		for name, content in files.items():
			if '->' in name:
				name, target = name.split('->')
				info = zipfile.ZipInfo(name)
				info.create_system = 3
				info.external_attr = (stat.S_IFLNK | 0o777) << 16
				archive.writestr(info, target)
			else:
				archive.writestr(name, content)
	return out.getvalue()


def api(fn, method, path, body=None, **named):
	status, headers, text = fn.ask(method, '/2015-03-31/functions' + path,
		json.dumps(body).encode() if body is not None else None, **named)
	return status, headers.get('x-amzn-errortype'), json.loads(text) if text else None


def upload(fn, name, files, **more):
	archive = files if isinstance(files, bytes) else zipped(files)
	return api(fn, 'PUT', '/%s/code' % name, {'ZipFile': base64.b64encode(archive).decode(), **more})


def code(number):
	return {'index.py': 'import part\ndef handler(event, context):\n\treturn [%d, part.number]\n' % number,
		'part.py': 'number = %d\n' % number}


def by_boto3(fn):
	"""The life of a function, from its making to its removal, by boto3."""
	done = subprocess.run(['/usr/bin/python3', '-c', PROGRAM, 'http://127.0.0.1:%d' % fn.port],
		env=ENVIRONMENT, capture_output=True, text=True)
	assert done.returncode == 0, done.stderr
	assert 'shop' not in os.listdir(fn.path('functions'))


def by_command_line(fn):
	"""The same words of the AWS command line."""
	archive = os.path.join(fn.base, 'code.zip')

	def aws(*arguments):
		done = subprocess.run([AWS, 'lambda', *arguments, '--endpoint-url', 'http://127.0.0.1:%d' % fn.port],
			env=ENVIRONMENT, capture_output=True, text=True)
		fn.step()
		assert done.returncode == 0, (arguments, done.stderr)
		return json.loads(done.stdout) if done.stdout.strip() else None

	with open(archive, 'wb') as file:
		file.write(zipped(code(1)))
	made = aws('create-function', '--function-name', 'cli', '--runtime', 'python3.11', '--role',
		'arn:aws:iam::123456789012:role/r', '--handler', 'index.handler', '--zip-file', 'fileb://' + archive)
	assert made['FunctionArn'].endswith(':function:cli'), made
	assert fn.call('cli', b'{}') == b'[1,1]'
	with open(archive, 'wb') as file:
		file.write(zipped(code(2)))
	assert aws('update-function-code', '--function-name', 'cli', '--zip-file', 'fileb://' + archive, '--publish')['Version'] == '1'
	assert fn.call('cli', b'{}') == b'[2,2]'
	assert aws('publish-version', '--function-name', 'cli')['Version'] == '2'
	aws('create-alias', '--function-name', 'cli', '--name', 'prod', '--function-version', '1')
	alias = aws('update-alias', '--function-name', 'cli', '--name', 'prod', '--routing-config', 'AdditionalVersionWeights={2=0.1}')
	assert alias['RoutingConfig']['AdditionalVersionWeights'] == {'2': 0.1}, alias
	assert fn.read('functions', 'cli', 'aliases', 'prod', 'routes') == '1 90\n2 10\n'
	assert 'cli' in [one['FunctionName'] for one in aws('list-functions')['Functions']]
	assert aws('get-function', '--function-name', 'cli')['Configuration']['Runtime']
	aws('delete-function', '--function-name', 'cli')
	assert not os.path.exists(fn.path('functions', 'cli'))


def replaces(fn):
	"""New code replaces the old as a whole, for calls and for whoever looks at the files: by what they knew before, too."""
	root = fn.path('functions', 'plain', 'code')
	deep = 'a/' * 60 + 'deep.txt'
	assert upload(fn, 'plain', {**code(1), 'gone/old.txt': 'old', deep: 'x', 'same/new.txt': '1'})[0] == 200
	os.mkdir(root + '/.git')
	write_file(root + '/.git/HEAD', 'ref')
	os.chmod(root + '/gone', 0o500)
	before = {path: files for path, _, files in os.walk(root)}
	assert os.path.exists(root + '/' + deep) and root + '/gone' in before
	with open(root + '/index.py') as kept:
		assert upload(fn, 'plain', {**code(2), 'same': 'a file now'})[0] == 200
		assert kept.read().startswith('import part'), 'an open file goes on'
	assert sorted(os.listdir(root)) == ['.git', 'index.py', 'part.py', 'same'], os.listdir(root)
	assert fn.read(root, 'same') == 'a file now' and not os.path.exists(root + '/gone')
	assert 'return [2' in fn.read(root, 'index.py') and fn.read(root, '.git/HEAD').strip() == 'ref'
	assert fn.call('plain', b'{}') == b'[2,2]'
	write_file(root + '/part.py', 'number = 7\n')
	assert fn.call('plain', b'{}') == b'[2,7]'
	assert upload(fn, 'plain', code(3))[0] == 200 and fn.call('plain', b'{}') == b'[3,3]'


def no_mixture(fn):
	"""While code is replaced again and again, a call sees one archive and never parts of two."""
	filler = {'d%d/f%d.txt' % (n % 20, n): str(n) for n in range(600)}
	assert upload(fn, 'plain', {**code(0), **filler})[0] == 200
	over, seen, trouble = threading.Event(), set(), []

	def caller():
		while not over.is_set():
			answer = json.loads(fn.call('plain', b'{}'))
			seen.add(answer[0])
			if answer[0] != answer[1]:
				trouble.append(answer)

	callers = [threading.Thread(target=caller) for _ in range(3)]
	for one in callers:
		one.start()
	for number in range(1, 8):
		assert upload(fn, 'plain', {**code(number), **filler})[0] == 200
		assert json.loads(fn.call('plain', b'{}'))[0] == number
	over.set()
	for one in callers:
		one.join()
	assert not trouble and len(seen) > 1, (trouble, seen)


def refuses_archives(fn):
	"""What is no code for anybody is refused with a sentence, and changes nothing."""
	assert upload(fn, 'plain', code(5))[0] == 200
	bomb = zipped({'bomb': b'\0' * (300 << 20)})
	good = zipped(code(6))
	for what, archive, word in (('no archive', b'just text', 'zip'), ('nothing', b'', ''),
			('an empty one', zipped({}), 'archive'), ('cut', good[:len(good) // 2], ''),
			('junk', b'PK\x03\x04' + os.urandom(5000), ''), ('a path out', zipped({'../out.py': 'x'}), '..'),
			('an absolute path', zipped({'/etc/out.py': 'x'}), '/etc'),
			('a link out', zipped({'out->/etc/passwd': ''}), 'out'),
			('through a link', zipped({'l->..': '', 'l/out.py': 'x'}), ''), ('a bomb', bomb, '')):
		status, kind, body = upload(fn, 'plain', archive)
		assert status == 400 and kind == 'InvalidParameterValueException', (what, status, kind, body)
		assert body['message'] and word in body['message'], (what, body)
		status, kind, body = api(fn, 'POST', '', {'FunctionName': 'never', 'Runtime': 'python3.11', 'Role': 'r',
			'Handler': 'index.handler', 'Code': {'ZipFile': base64.b64encode(archive).decode()}})
		assert status == 400, (what, status, body)
	assert fn.call('plain', b'{}') == b'[5,5]' and not os.path.exists(fn.path('functions', 'never'))
	for method, path, body, status in (('PUT', '/plain/code', 'x', 400), ('PUT', '/plain/code', {}, 400),
			('PUT', '/plain/code', {'ZipFile': '%%%'}, 400), ('PUT', '/plain/code', {'ZipFile': 7}, 400),
			('POST', '', {'FunctionName': 'bad name', 'Code': {'ZipFile': base64.b64encode(good).decode()}}, 400),
			('POST', '', {'Code': {'ZipFile': base64.b64encode(good).decode()}}, 400),
			('PUT', '/plain/configuration', {'Timeout': 'x'}, 400), ('PUT', '/plain/configuration', {'Timeout': 10 ** 8}, 400),
			('PUT', '/plain/configuration', {'Description': 'x' * 60000}, 413),
			('GET', '/plain/nothing', None, 501), ('PATCH', '/plain', None, 405)):
		assert api(fn, method, path, body)[0] == status, (method, path, body)
	archive = base64.b64encode(os.urandom(53 << 20)).decode()
	assert api(fn, 'PUT', '/plain/code', {'ZipFile': archive})[0] == 413
	assert fn.call('plain', b'{}') == b'[5,5]'


def large(fn):
	"""An archive near the bound arrives, and so does one of many files."""
	data = os.urandom(30 << 20)
	assert upload(fn, 'plain', zipped({**code(8), 'data.bin': data}, zipfile.ZIP_STORED))[0] == 200
	with open(fn.path('functions', 'plain', 'code', 'data.bin'), 'rb') as file:
		assert file.read() == data
	assert upload(fn, 'plain', {**code(9), **{'many/%d/f.txt' % n: '' for n in range(3000)}})[0] == 200
	assert len(os.listdir(fn.path('functions', 'plain', 'code', 'many'))) == 3000
	assert fn.call('plain', b'{}') == b'[9,9]'


def by_tokens(fn):
	"""`read` looks, `write` changes, each what it says; others do not learn what there is."""
	tokens = fn.path('gateway', 'tokens')
	for name, scope in (('reader', 'read:plain'), ('writer', 'write,read:plain'), ('ship', 'write:plain@prod'), ('caller', 'invoke')):
		write_file(os.path.join(tokens, name), '%s%s %s' % (TOKEN, name, scope))

	def with_token(name, method, path, body=None):
		return api(fn, method, path, body, headers={'Authorization': 'Bearer ' + TOKEN + name}, connection=fn.loopback())

	assert api(fn, 'GET', '', connection=fn.loopback())[0] == 403
	assert [one['FunctionName'] for one in with_token('reader', 'GET', '')[2]['Functions']] == ['plain']
	assert with_token('caller', 'GET', '')[2]['Functions'] == []
	archive = {'ZipFile': base64.b64encode(zipped(code(1))).decode()}
	for name, method, path, body, status in (('reader', 'GET', '/plain', None, 200), ('reader', 'GET', '/other', None, 403),
			('reader', 'GET', '/none', None, 403), ('reader', 'PUT', '/plain/code', archive, 403),
			('reader', 'DELETE', '/plain', None, 403), ('caller', 'GET', '/plain', None, 403),
			('writer', 'PUT', '/plain/code', archive, 200), ('writer', 'PUT', '/other/code', archive, 403),
			('writer', 'POST', '', {'FunctionName': 'third', 'Role': 'r', 'Code': archive}, 403),
			('writer', 'POST', '/plain/versions', {}, 201),
			('ship', 'POST', '/plain/versions', {}, 403), ('ship', 'DELETE', '/plain', None, 403),
			('ship', 'POST', '/plain/aliases', {'Name': 'test', 'FunctionVersion': '1'}, 403),
			('ship', 'POST', '/plain/aliases', {'Name': 'prod', 'FunctionVersion': '1'}, 201),
			('ship', 'PUT', '/plain/aliases/prod', {'FunctionVersion': '$LATEST'}, 200),
			('ship', 'DELETE', '/plain/aliases/prod', None, 204)):
		assert with_token(name, method, path, body)[0] == status, (name, method, path)


def removes(fn):
	"""A function goes with all that is in it, but not when something else would be lost; its name is free at once."""
	fn.function('goes', code(1))
	os.mkdir(fn.path('functions', 'goes', 'triggers', 't'))
	status, kind, body = api(fn, 'DELETE', '/goes')
	assert status == 409 and kind == 'ResourceConflictException' and 'trigger' in body['message'], body
	os.rmdir(fn.path('functions', 'goes', 'triggers', 't'))
	os.mkdir(fn.path('functions', 'goes', 'versions', '1.0.0'))
	os.mkdir(fn.path('functions', 'goes', 'aliases', 'prod'))
	assert api(fn, 'DELETE', '/goes/aliases/prod')[0] == 204
	os.mkdir(fn.path('functions', 'goes', 'aliases', 'prod'))
	assert api(fn, 'DELETE', '/goes')[0] == 204 and 'goes' not in os.listdir(fn.path('functions'))
	os.mkdir(fn.path('functions', 'goes'))
	assert os.listdir(fn.path('functions', 'goes', 'code')) == []
	os.rmdir(fn.path('functions', 'goes'))


def survives_kills():
	"""The daemon killed while code is replaced: afterwards it is the old or the new one, never a part."""
	filler = {'d%d/f%d.txt' % (n % 50, n): '' for n in range(2000)}
	with Gatewayed() as fn:
		fn.function('plain', code(0))
		for number in range(1, 7):
			archive = base64.b64encode(zipped({**code(number), **filler})).decode()
			uploading = threading.Thread(target=lambda: attempt(fn, archive))
			uploading.start()
			place = os.path.join(fn.state, 'functions', '1')
			fn.until(lambda: 'incoming' in os.listdir(place) or 'arriving' in os.listdir(place) or not uploading.is_alive())
			fn.process.send_signal(signal.SIGKILL)
			fn.process.wait()
			uploading.join()
			subprocess.run(['fusermount3', '-uz', fn.directory], capture_output=True)
			fn.start()
			answer = json.loads(fn.call('plain', b'{}'))
			assert answer[0] == answer[1] == number, (answer, number)
			code_directory = fn.path('functions', 'plain', 'code')
			assert sorted(os.listdir(code_directory)) == sorted(['index.py', 'part.py'] + ['d%d' % n for n in range(50)])


def attempt(fn, archive):
	try:
		api(fn, 'PUT', '/plain/code', {'ZipFile': archive})
	except OSError:
		pass  # it was killed


def main():
	cases = Cases()
	with Gatewayed() as fn:
		fn.function('plain', code(0))
		fn.function('other', code(0))
		for case in (replaces, no_mixture, refuses_archives, large, by_tokens, removes):
			cases.run(case, fn)
	cases.run(survives_kills)
	if os.access(AWS, os.X_OK) and os.path.isdir('/usr/lib/python3/dist-packages/boto3'):
		with Gatewayed(open=True) as fn:
			cases.run(by_boto3, fn)
			cases.run(by_command_line, fn)
	else:
		print('awscli and python3-boto3 are not installed: their part was left out')
	cases.end()


main()
