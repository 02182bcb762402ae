// SPDX-License-Identifier: Apache-2.0
/*
 * Frames over descriptors 3 and 4: a header of 16 bytes, little-endian, and a payload.
 *
 * Reading is left to the event loop, so that what earlier calls left behind goes on between calls;
 * a reader that blocks in read() answers 1 to 2 us sooner and stops every timer. Writing is one
 * synchronous write a frame: what was sent is out before anything else happens.
 *
 * The descriptors are opened anew where /proc lets us, and 3 and 4 closed, so that a handler which
 * closes what it does not know does not meet them.
 */
'use strict';

const fs = require('fs');
const net = require('net');

const types = {
	INIT: 1, CALL: 2, CANCEL: 3, STOP: 4,
	READY: 16, FAILED: 17, DATA: 18, END: 19, ERROR: 20, LOG: 21,
};
const LAST = 3; // flag of ERROR: the process ends with it
const HEADER = 16;
const PAYLOAD_MAX = 8 << 20;
const LOG_MAX = 90 << 10;
const SCRATCH = 64 << 10;

class Frame {
	constructor(bytes, type, call, start, end) {
		this.bytes = bytes;
		this.type = type;
		this.call = call;
		this.start = start;
		this.end = end;
	}

	text(start = this.start, end = this.end) {
		return this.bytes.toString('utf8', start, end);
	}
}

// The two descriptors under other numbers; /dev/null takes their places.
function own() {
	try {
		const again = [fs.openSync('/proc/self/fd/3', 'r'), fs.openSync('/proc/self/fd/4', 'w')];
		for (const fd of [3, 4]) {
			fs.closeSync(fd);
			fs.openSync('/dev/null', 'r');
		}
		return again;
	} catch {
		return [3, 4];
	}
}

class Channel {
	constructor(receive, end) {
		this.receive = receive;
		this.held = null; // the beginning of a frame
		this.scratch = Buffer.allocUnsafeSlow(SCRATCH);
		const [input, output] = own();
		this.output = output;
		this.socket = new net.Socket({
			fd: input,
			readable: true,
			writable: false,
			onread: {
				buffer: Buffer.allocUnsafeSlow(SCRATCH),
				callback: (length, buffer) => this.take(buffer, length),
			},
		});
		this.socket.on('end', end);
		this.socket.on('error', (error) => this.refuse(error.message));
		this.socket.resume();
	}

	complain(text) {
		try {
			fs.writeSync(2, `${text}\n`);
		} catch {
			// nobody listens
		}
	}

	// The instance cannot go on: what came is not what the contract says.
	refuse(why) {
		this.complain(`fnfs: ${why}`);
		process.reallyExit(70);
	}

	take(buffer, length) {
		let bytes = buffer;
		if (this.held) {
			bytes = this.join(buffer, length);
			if (!bytes) {
				return true;
			}
			length = bytes.length;
		}
		let at = 0;
		while (length - at >= HEADER) {
			const whole = this.judge(bytes, at);
			if (length - at < whole) {
				break;
			}
			const call = bytes.readUInt32LE(at + 8) + bytes.readUInt32LE(at + 12) * 0x100000000;
			this.receive(new Frame(bytes, bytes[at + 4], call, at + HEADER, at + whole));
			at += whole;
		}
		if (at < length) {
			this.hold(bytes, at, length);
		}
		return true;
	}

	// The size of the frame whose header is here.
	judge(bytes, at) {
		const length = bytes.readUInt32LE(at);
		const type = bytes[at + 4];
		if (type < types.INIT || type > types.STOP || bytes[at + 5] || bytes[at + 6] ||
				bytes[at + 7] || length > PAYLOAD_MAX) {
			this.refuse(`a frame of type ${type} and length ${length}`);
		}
		return HEADER + length;
	}

	// Keeps the beginning of a frame, with room for all of it once its size is known.
	hold(bytes, at, length) {
		const have = length - at;
		const size = have < HEADER ? HEADER : this.judge(bytes, at);
		const room = Buffer.allocUnsafeSlow(size);
		bytes.copy(room, 0, at, length);
		this.held = { room, have };
	}

	// Adds to what is held; the bytes to go on with, or null when all were put away.
	join(buffer, length) {
		const { room, have } = this.held;
		const missing = room.length - have;
		if (length < missing) {
			buffer.copy(room, have, 0, length);
			this.held.have += length;
			return null;
		}
		this.held = null;
		return Buffer.concat([room.subarray(0, have), buffer.subarray(0, length)]);
	}

	// `payload` is a string or bytes.
	send(type, call, payload, flags = 0) {
		if (typeof payload === 'string' && payload.length * 3 <= SCRATCH - HEADER) {
			const length = this.scratch.write(payload, HEADER);
			this.write(this.scratch, type, flags, call, length);
			return;
		}
		const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
		const frame = Buffer.allocUnsafe(HEADER + bytes.length);
		frame.set(bytes, HEADER);
		this.write(frame, type, flags, call, bytes.length);
	}

	write(frame, type, flags, call, length) {
		frame.writeUInt32LE(length, 0);
		frame.writeUInt32LE(type | flags << 8, 4);
		frame.writeUInt32LE(call % 0x100000000, 8);
		frame.writeUInt32LE(Math.floor(call / 0x100000000), 12);
		let at = 0;
		try {
			while (at < HEADER + length) {
				at += fs.writeSync(this.output, frame, at, HEADER + length - at);
			}
		} catch {
			// The daemon is gone, or the handler closed it: nobody can be told.
			process.reallyExit(1);
		}
	}

	log(call, level, text) {
		const bytes = Buffer.from(` ${text}`);
		for (let at = 1; at === 1 || at < bytes.length; at += LOG_MAX) {
			const piece = bytes.subarray(at - 1, at + LOG_MAX);
			piece[0] = level;
			this.send(types.LOG, call, piece);
		}
	}
}

module.exports = { Channel, LAST, ...types };
