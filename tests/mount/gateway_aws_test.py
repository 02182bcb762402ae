#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The AWS command line and boto3, as Debian has them, against the gateway.

Without this a user would lose: scripts and programs that call Lambda, and work here with another endpoint.
"""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from gatewayed import Gatewayed  # noqa: E402
from mounted import Cases, skip  # noqa: E402

AWS = '/usr/bin/aws'
ECHO = r'''
def handler(event, context):
	print('an event came')
	if event.get('raise'):
		raise ValueError(event['raise'])
	return {'event': event, 'version': context.getVersion()}
'''
ENVIRONMENT = {'PATH': '/usr/bin:/bin', 'HOME': '/nonexistent', 'AWS_ACCESS_KEY_ID': 'any',
	'AWS_SECRET_ACCESS_KEY': 'any', 'AWS_DEFAULT_REGION': 'local', 'AWS_EC2_METADATA_DISABLED': 'true',
	'AWS_MAX_ATTEMPTS': '1'}

PROGRAM = r'''
import json, sys
import boto3
client = boto3.client('lambda', endpoint_url=sys.argv[1])
def call(**arguments):
	answer = client.invoke(**arguments)
	return answer, answer['Payload'].read()
answer, body = call(FunctionName='echo', Payload=json.dumps({'n': 2}), LogType='Tail')
assert answer['StatusCode'] == 200 and json.loads(body)['event'] == {'n': 2}, answer
assert answer['ExecutedVersion'] == '$LATEST' and answer['LogResult'], answer
answer, body = call(FunctionName='echo', Qualifier='prod', Payload='{}')
assert answer['ExecutedVersion'] == '1.0.0', answer
answer, body = call(FunctionName='arn:aws:lambda:local:123456789012:function:echo:prod', Payload='{}')
assert answer['ExecutedVersion'] == '1.0.0', answer
answer, body = call(FunctionName='echo', Payload='{"raise":"no"}')
assert answer['FunctionError'] == 'Unhandled' and json.loads(body)['errorType'] == 'ValueError', answer
assert call(FunctionName='echo', InvocationType='DryRun')[0]['StatusCode'] == 204
for arguments, kind in (({'FunctionName': 'none'}, 'ResourceNotFoundException'),
		({'FunctionName': 'echo', 'Payload': 'no json'}, 'InvalidRequestContentException'),
		({'FunctionName': 'off'}, 'TooManyRequestsException'),
		({'FunctionName': 'echo', 'Payload': b' ' * (6 * 1024 * 1024 + 1)}, 'RequestTooLargeException')):
	try:
		call(**arguments)
		raise AssertionError('it was not refused: %s' % kind)
	except client.exceptions.ClientError as error:
		assert error.response['Error']['Code'] == kind, error.response
'''


def aws(fn, *arguments):
	out = os.path.join(fn.base, 'out.json')
	done = subprocess.run([AWS, 'lambda', 'invoke', '--endpoint-url', 'http://127.0.0.1:%d' % fn.port,
		'--cli-binary-format', 'raw-in-base64-out', *arguments, out], env=ENVIRONMENT,
		capture_output=True, text=True)
	fn.step()
	if done.returncode:
		return done.stderr, None
	with open(out) as file:
		return json.loads(done.stdout), json.load(file)


def command_line(fn):
	"""aws lambda invoke: a call, an alias, a failure, a function that is not there."""
	answer, body = aws(fn, '--function-name', 'echo', '--payload', '{"n":1}', '--log-type', 'Tail')
	assert answer['StatusCode'] == 200 and answer['LogResult'] and body['event'] == {'n': 1}, answer
	answer, body = aws(fn, '--function-name', 'echo', '--qualifier', 'prod', '--payload', '{}')
	assert answer['ExecutedVersion'] == '1.0.0', answer
	answer, body = aws(fn, '--function-name', 'echo:prod', '--payload', '{"raise":"no"}')
	assert answer['FunctionError'] == 'Unhandled' and body['errorMessage'] == 'no', (answer, body)
	answer, body = aws(fn, '--function-name', 'none')
	assert 'ResourceNotFoundException' in answer, answer


def boto3(fn):
	"""boto3: calls, log, errors by their classes."""
	done = subprocess.run(['/usr/bin/python3', '-c', PROGRAM, 'http://127.0.0.1:%d' % fn.port],
		env=ENVIRONMENT, capture_output=True, text=True)
	assert done.returncode == 0, done.stderr


def main():
	if not os.access(AWS, os.X_OK) or not os.path.isdir('/usr/lib/python3/dist-packages/boto3'):
		skip('awscli and python3-boto3 are not installed')
	cases = Cases()
	with Gatewayed(open=True) as fn:
		fn.function('echo', {'index.py': ECHO})
		fn.function('off', {'index.py': ECHO}, max_instances=0)
		os.mkdir(fn.path('functions', 'echo', 'versions', '1.0.0'))
		os.mkdir(fn.path('functions', 'echo', 'aliases', 'prod'))
		cases.run(command_line, fn)
		cases.run(boto3, fn)
	cases.end()


main()
