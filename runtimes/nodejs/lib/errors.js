// SPDX-License-Identifier: Apache-2.0
/*
 * From whatever was thrown to {"errorMessage", "errorType", "stackTrace"}. Of the stack only the user's
 * part is shown: frames of this runtime and of Node itself tell nobody anything.
 */
'use strict';

const path = require('path');

const HERE = path.dirname(__dirname) + path.sep;
const MESSAGE_CHARACTERS = 64 << 10;
const LINE_CHARACTERS = 4 << 10;
const STACK_LINES = 200;

// What the settings name is not in the code.
class EntryError extends Error {
	constructor(name, message) {
		super(`function entry exception, error: ${message}`);
		this.name = name;
		this.stack = '';
	}
}

class InitializationError extends Error {
	constructor(cause) {
		super('', { cause });
	}
}

// Never throws, whatever the thing does when asked about itself.
function describe(error, prefix = '') {
	try {
		return encode(prefix + message(error), kind(error), stack(error));
	} catch {
		return encode(`${prefix}an error that cannot be described`, 'Error', []);
	}
}

// The same for what kept an instance from starting.
function describeStart(error, settings) {
	if (error instanceof InitializationError) {
		return describe(error.cause, 'function initialization exception, error: ');
	}
	if (error instanceof EntryError) {
		return describe(error);
	}
	if (error instanceof SyntaxError) {
		return describe(error, `Syntax error in module '${settings.handler.replace(/\.[^./]*$/, '')}': `);
	}
	return describe(error, 'function entry exception, error: ');
}

function encode(errorMessage, errorType, lines) {
	const half = STACK_LINES / 2;
	const kept = lines.length > STACK_LINES
		? [...lines.slice(0, half), '    ...', ...lines.slice(-half)]
		: lines;
	return JSON.stringify({
		errorMessage: errorMessage.slice(0, MESSAGE_CHARACTERS),
		errorType,
		stackTrace: kept.map((line) => line.slice(0, LINE_CHARACTERS)),
	});
}

function isError(value) {
	return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
}

function message(error) {
	if (!isError(error)) {
		return typeof error === 'object' && error !== null ? JSON.stringify(error) : String(error);
	}
	const text = String(error.message);
	return error.code === 'MODULE_NOT_FOUND' ? text.split('\n')[0] : text;
}

function kind(error) {
	return isError(error) ? String(error.name || error.constructor.name) : typeof error;
}

function isOurs(line) {
	return line.includes(HERE) || /^\s+at (.*\()?node:/.test(line);
}

function stack(error) {
	if (!isError(error) || typeof error.stack !== 'string' || error.flags !== undefined) {
		return [];
	}
	const lines = error.stack.split('\n');
	const first = lines.findIndex((line) => /^\s+at /.test(line));
	const frames = first < 0 ? [] : lines.slice(first).filter((line) => line.trim() && !isOurs(line));
	const shown = error instanceof SyntaxError ? [...place(lines, error), ...frames] : frames;
	if (isError(error.cause)) {
		shown.push(`Caused by: ${kind(error.cause)}: ${message(error.cause)}`, ...stack(error.cause));
	}
	return shown;
}

// The file, line and mark that Node puts before the message of a syntax error.
function place(lines, error) {
	const end = lines.findIndex((line) => line.startsWith(`${error.name}: `));
	return lines.slice(0, Math.max(end, 0)).filter((line) => line.trim());
}

module.exports = { EntryError, InitializationError, describe, describeStart };
