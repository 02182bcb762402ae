// SPDX-License-Identifier: Apache-2.0
/*
 * Calls, from their frame to their last frame. Whatever a handler does, exactly one END or ERROR goes
 * out for its call.
 *
 * While calls run the channel does not keep the event loop alive: a loop that runs empty (beforeExit)
 * means that nothing is left which could answer them. A handler of the callback form has then said
 * nothing, which is an empty response; a promise that can no longer be settled is an error, unless
 * `concurrency` lets another call come and settle it.
 */
'use strict';

const { AsyncLocalStorage } = require('async_hooks');
const { DATA, END, ERROR, LAST } = require('./channel');
const { Context } = require('./context');
const { describe, InitializationError } = require('./errors');
const { load } = require('./loading');
const { hookConsole, hookStream } = require('./output');
const values = require('./values');

class Cancelled extends Error {
	name = 'Cancelled';
}

class NeverSettled extends Error {
	name = 'NeverSettled';
}

/*
 * A call is open, then decided (its result is known, a stream may still be running), then over.
 * `waiting` is what happens when the event loop is empty before that.
 */
class Call {
	constructor(serving, frame) {
		const { bytes, start, end } = frame;
		const length = end - start < 2 ? Infinity : bytes.readUInt16LE(start);
		const lines = length > end - start - 2
			? []
			: frame.text(start + 2, start + 2 + length).split('\n');
		if (lines.length < 6) {
			serving.channel.refuse('a call without a whole head');
		}
		this.serving = serving;
		this.id = frame.call;
		this.requestId = lines[0];
		this.deadline = Number(lines[1]);
		this.alias = lines[3];
		this.key = lines[4];
		this.eventStart = start + 2 + length;
		this.decided = false;
		this.over = false;
		this.waiting = null;
	}

	run(frame) {
		const { serving } = this;
		const { handler } = serving;
		let result;
		try {
			const event = values.parse(frame, this.eventStart);
			this.context = serving.contextOf(this);
			result = handler(event, this.context, handler.length > 2 ? this.context.done : undefined);
		} catch (error) {
			this.reject(error);
			return;
		}
		if (!this.decided) {
			this.settle(result);
		}
	}

	settle(result) {
		const { length } = this.serving.handler;
		if (typeof result?.then === 'function') {
			this.waiting ??= () => this.neverSettles();
			result.then((value) => this.resolve(value), (error) => this.reject(error));
		} else if (length < 2 || (length < 3 && result !== undefined)) {
			this.resolve(result);
		} else {
			this.waiting ??= () => this.resolve(undefined);
		}
	}

	neverSettles() {
		if (this.serving.settings.concurrency === 1) {
			this.fail(new NeverSettled('the promise of the handler is never settled: ' +
				'nothing is left that could settle it'));
		}
	}

	// callback(), context.done(), succeed() and fail(); only the first counts.
	callback(error, data) {
		const failed = error !== null && error !== undefined;
		const end = () => (failed ? this.reject(error) : this.resolve(data));
		if (this.called) {
			return;
		}
		this.called = true;
		if (this.context.callbackWaitsForEmptyEventLoop) {
			this.waiting = end;
		} else {
			end();
		}
	}

	resolve(value) {
		if (this.decided) {
			return;
		}
		this.decided = true;
		try {
			if (values.isStream(value)) {
				this.waiting = () => this.neverSettles();
				this.stream(value).catch((error) => this.fail(error));
			} else {
				this.end(END, values.response(value));
			}
		} catch (error) {
			this.fail(error);
		}
	}

	reject(error) {
		if (!this.decided) {
			this.decided = true;
			this.fail(error);
		}
	}

	async stream(pieces) {
		let total = 0;
		for await (const value of pieces) {
			if (this.over) {
				return;
			}
			const data = values.piece(value);
			total += values.size(data);
			if (total > values.RESPONSE_MAX) {
				throw new values.TooLarge(total);
			}
			if (data.length) {
				this.serving.channel.send(DATA, this.id, data);
			}
		}
		this.end(END, '');
	}

	fail(error, flags = error?.flags ?? 0) {
		this.end(ERROR, describe(error), flags);
	}

	end(type, data, flags = 0) {
		if (!this.over) {
			this.over = this.decided = true;
			this.serving.ended(this, type, data, flags);
		}
	}
}

class Serving {
	// Loads the code and runs the initializer.
	static async load(settings, channel) {
		const serving = new Serving(settings, channel);
		serving.handler = await load(settings.code, settings.handler, 3);
		if (settings.initializer) {
			await serving.initialize();
		}
		process.on('beforeExit', () => serving.drained());
		return serving;
	}

	constructor(settings, channel) {
		this.settings = settings;
		this.channel = channel;
		this.calls = new Map();
		this.stopping = false;
		this.hookOutput();
	}

	hookOutput() {
		const { channel } = this;
		if (this.settings.concurrency === 1) {
			this.only = 0;
			this.finishOutput = () => {};
			hookConsole((level, text) => channel.log(this.only, level, text));
			return;
		}
		this.storage = new AsyncLocalStorage();
		const current = () => this.storage.getStore() ?? 0;
		const write = (call, level, text) => channel.log(call, level, text);
		hookConsole((level, text) => write(current(), level, text));
		const finish = [process.stdout, process.stderr].map((s) => hookStream(s, current, write));
		this.finishOutput = (call) => finish.forEach((f) => f(call));
	}

	contextOf(call) {
		const write = (level, text) => this.channel.log(call.id, level, text);
		return new Context(this.settings, call.requestId, call.deadline, call.alias, call.key, write,
			(error, data) => call.callback(error, data));
	}

	async initialize() {
		const { settings, channel } = this;
		const initializer = await load(settings.code, settings.initializer, 2);
		try {
			await new Promise((resolve, reject) => {
				const end = (error) => (error === null || error === undefined ? resolve() : reject(error));
				const context = new Context(settings, '', Date.now() + settings.init_timeout_ms, '', '',
					(level, text) => channel.log(0, level, text), end);
				const result = initializer(context, end);
				if (typeof result?.then === 'function') {
					result.then(resolve, reject);
				} else if (initializer.length < 2) {
					resolve();
				}
			});
		} catch (error) {
			throw new InitializationError(error);
		}
	}

	begin(frame) {
		const call = new Call(this, frame);
		this.calls.set(call.id, call);
		this.channel.socket.unref();
		if (this.storage) {
			this.storage.run(call.id, () => call.run(frame));
		} else {
			this.only = call.id;
			call.run(frame);
		}
	}

	cancel(id) {
		this.calls.get(id)?.fail(new Cancelled('function invocation canceled'));
	}

	ended(call, type, data, flags) {
		this.calls.delete(call.id);
		this.finishOutput(call.id);
		this.channel.send(type, call.id, data, flags);
		this.only = 0;
		if (!this.calls.size) {
			this.channel.socket.ref();
			if (this.stopping) {
				process.exit(0);
			}
		}
	}

	stop() {
		this.stopping = true;
		if (!this.calls.size) {
			process.exit(0);
		}
	}

	drained() {
		for (const call of [...this.calls.values()]) {
			call.waiting?.();
		}
		this.channel.socket.ref();
	}

	// The process ends: every call that runs fails. Whether there was one.
	abandon(error) {
		const calls = [...this.calls.values()];
		this.stopping = false;
		calls.forEach((call) => call.fail(error, LAST));
		return calls.length > 0;
	}
}

module.exports = { Serving };
