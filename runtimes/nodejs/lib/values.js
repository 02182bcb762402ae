// SPDX-License-Identifier: Apache-2.0
// JSON in, responses out.
'use strict';

const { isUtf8 } = require('buffer');

const RESPONSE_MAX = 6 << 20;

class BadRequest extends Error {
	name = 'BadRequest';
	flags = 1;
}

class InvalidResult extends Error {
	name = 'FunctionResultInvalid';
	flags = 0;

	constructor(why) {
		super(`function result is invalid: ${why}`);
	}
}

class TooLarge extends Error {
	name = 'FunctionResponseTooLarge';
	flags = 2;

	constructor(size) {
		super(`Response body size '${size}' larger than max value '${RESPONSE_MAX}'.`);
	}
}

// The event of a frame, from `start` on; white space only is {}.
function parse(frame, start) {
	const text = frame.text(start);
	try {
		if (isUtf8 && text.includes('\ufffd') && !isUtf8(frame.bytes.subarray(start, frame.end))) {
			throw new SyntaxError('it is not UTF-8');
		}
		return JSON.parse(text);
	} catch (error) {
		if (/^[ \t\r\n]*$/.test(text)) {
			return {};
		}
		throw new BadRequest(error.message);
	}
}

function toJson(value) {
	let text;
	try {
		text = JSON.stringify(value);
	} catch (error) {
		throw new InvalidResult(error.message.split('\n')[0]);
	}
	if (text === undefined) {
		throw new InvalidResult(`a ${typeof value} has no JSON`);
	}
	if (typeof value === 'number' && text === 'null') {
		throw new InvalidResult(`${value} is not JSON`);
	}
	return text;
}

// The string or bytes of a result.
function response(value) {
	if (typeof value === 'string') {
		return bounded(value);
	}
	if (value === undefined || value === null) {
		return '';
	}
	return bounded(isBytes(value) ? asBytes(value) : toJson(value));
}

// The same for what a generator yields or a stream gives: JSON values become lines.
function piece(value) {
	if (typeof value === 'string' || value === undefined || value === null || isBytes(value)) {
		return response(value);
	}
	return bounded(`${toJson(value)}\n`);
}

function size(data) {
	return typeof data === 'string' ? Buffer.byteLength(data) : data.length;
}

function bounded(data) {
	if (data.length * 3 > RESPONSE_MAX && size(data) > RESPONSE_MAX) {
		throw new TooLarge(size(data));
	}
	return data;
}

function isBytes(value) {
	return ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
}

function asBytes(value) {
	return value instanceof ArrayBuffer
		? Buffer.from(value)
		: Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

function isStream(value) {
	return value !== null && typeof value === 'object' && !isBytes(value) &&
		(typeof value[Symbol.asyncIterator] === 'function' ||
			Object.prototype.toString.call(value) === '[object Generator]');
}

module.exports = { RESPONSE_MAX, TooLarge, InvalidResult, parse, response, piece, size, isStream };
