// SPDX-License-Identifier: Apache-2.0
/*
 * What a function prints. Each record of the console is sent as a log frame with its level, under the
 * call that is current. process.stdout and process.stderr go plainly to 1 and 2 while there is one call
 * at a time; with several, their lines become records too.
 */
'use strict';

const { Console } = require('console');

const DEBUG = 0, INFO = 1, WARNING = 2, ERROR = 3;
const LEVELS = { debug: DEBUG, warn: WARNING, trace: WARNING, error: ERROR, assert: ERROR };

// Sends the console's records to `write(level, text)`.
function hookConsole(write) {
	let level = INFO;
	const sink = {
		write(text) {
			write(level, text.endsWith('\n') ? text.slice(0, -1) : text);
			return true;
		},
	};
	const made = new Console({ stdout: sink, stderr: sink, ignoreErrors: false, colorMode: false });
	for (const name of Object.keys(made)) {
		const plain = made[name];
		if (typeof plain !== 'function' || !(name in console)) {
			continue;
		}
		console[name] = name in LEVELS ? (...parts) => {
			level = LEVELS[name];
			try {
				plain(...parts);
			} finally {
				level = INFO;
			}
		} : plain;
	}
}

// Lines of a stream as records of the call that is current; `current()` gives the call or undefined.
function hookStream(stream, current, write) {
	const partial = new Map();
	const finish = (call) => {
		const rest = partial.get(call);
		if (rest) {
			partial.delete(call);
			write(call, INFO, rest);
		}
	};
	stream.write = (data, encoding, done) => {
		const text = typeof data === 'string' ? data : Buffer.from(data).toString('utf8');
		const call = current();
		const lines = ((partial.get(call) ?? '') + text).split('\n');
		partial.set(call, lines.pop());
		lines.forEach((line) => write(call, INFO, line));
		if (partial.get(call).length > 64 << 10) {
			finish(call);
		}
		const callback = typeof encoding === 'function' ? encoding : done;
		if (callback) {
			process.nextTick(callback);
		}
		return true;
	};
	return finish;
}

module.exports = { hookConsole, hookStream };
