// SPDX-License-Identifier: Apache-2.0
/*
 * The Node.js runtime of fnfs; the contract is runtimes/README.md. The life of an instance: FRAME_INIT,
 * load, initializer, FRAME_READY, calls, the end.
 *
 * lib/channel    frames over the two inherited descriptors
 * lib/values     JSON in, responses out
 * lib/context    what a handler gets beside its event
 * lib/loading    from "index.handler" to a function
 * lib/errors     from whatever was thrown to the error JSON
 * lib/output     console, process.stdout and process.stderr
 * lib/serving    calls, from their frame to their last frame
 *
 * Exit statuses: 0 after FRAME_STOP or the end of the stream, 1 after FRAME_FAILED or an exception that
 * nobody took, 70 when the daemon said something the contract does not allow.
 */
'use strict';

const { Channel, INIT, CALL, CANCEL, STOP, READY, FAILED } = require('./lib/channel');
const { Serving } = require('./lib/serving');

const DEFAULTS = {
	function: '',
	version: 'latest',
	handler: 'index.handler',
	initializer: '',
	timeout_ms: 3000,
	init_timeout_ms: 10000,
	memory_mb: 128,
	cpu_millicores: 0,
	concurrency: 1,
	package: 'default',
	project: 'local',
	region: 'local',
	environment: {},
	code: '/opt/function/code',
};

class ProcessExit extends Error {
	name = 'ProcessExit';
}

// Started before there is a function for it: what handlers load first, and the rest of this runtime, is loaded meanwhile.
const parked = 'RUNTIME_PARKED' in process.env;
if (parked) {
	for (const name of ['http', 'https', 'crypto', './lib/errors', './lib/output']) {
		require(name);
	}
}
const channel = new Channel(receive, stop);
let settings = null; // what FRAME_INIT said
let serving = null; // once the code is loaded
let leaving = false; // all has been said

function receive(frame) {
	if (frame.type === STOP) {
		stop();
	} else if (frame.type === INIT && !settings) {
		start(frame.text());
	} else if (frame.type === CALL && serving) {
		serving.begin(frame);
	} else if (frame.type === CANCEL && serving) {
		serving.cancel(frame.call);
	} else {
		channel.refuse(`a frame of type ${frame.type} out of its turn`);
	}
}

async function start(init) {
	try {
		settings = { ...DEFAULTS, ...JSON.parse(init) };
	} catch {
		channel.refuse('FRAME_INIT is not JSON');
	}
	if (parked) {
		delete process.env.RUNTIME_PARKED;
		Object.assign(process.env, settings.variables);
	}
	for (const [key, value] of Object.entries(settings.environment)) {
		process.env[key] ??= value;
	}
	try {
		const made = await Serving.load(settings, channel);
		channel.send(READY, 0, '');
		serving = made;
	} catch (error) {
		fail(error);
	}
}

function stop() {
	if (serving) {
		serving.stop();
	} else {
		leave(0);
	}
}

function leave(status) {
	leaving = true;
	process.exit(status);
}

function fail(error) {
	if (!leaving) {
		channel.send(FAILED, 0, require('./lib/errors').describeStart(error, settings));
		leave(1);
	}
}

// An exception or rejection that nobody took: what was going on fails, and the process ends.
function die(error) {
	if (!serving) {
		fail(error);
	} else if (!serving.abandon(error)) {
		channel.complain(error?.stack ?? error);
	}
	leave(1);
}

process.on('uncaughtException', die);
process.on('unhandledRejection', die);
process.on('exit', (status) => {
	const error = new ProcessExit(`the function called process.exit(${status})`);
	if (serving) {
		serving.abandon(error);
	} else if (settings) {
		fail(error);
	}
});
