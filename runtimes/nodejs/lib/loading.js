// SPDX-License-Identifier: Apache-2.0
/*
 * From "src/index.handler" to a function. The file is looked for by its extensions; what is a module
 * of which kind is Node's own rule: .mjs, .cjs, or "type" in the nearest package.json.
 */
'use strict';

const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');
const { EntryError } = require('./errors');

const EXTENSIONS = ['.js', '.mjs', '.cjs'];

function isFile(name) {
	return fs.statSync(name, { throwIfNoEntry: false })?.isFile() ?? false;
}

function find(code, stem) {
	const names = EXTENSIONS.map((extension) => stem + extension);
	if (EXTENSIONS.includes(path.extname(stem))) {
		names.unshift(stem);
	}
	names.push(`${stem}/index.js`);
	return names.map((name) => path.join(code, name)).find(isFile);
}

// "a/b.c.d" is d of a/b.c, or else c.d of a/b.
function split(code, entry) {
	const base = entry.lastIndexOf('/') + 1;
	const last = entry.lastIndexOf('.');
	if (last <= base || last === entry.length - 1 || entry.split('/').includes('..')) {
		throw new EntryError('FunctionConfigError', `'${entry}' is not of the form file.function`);
	}
	for (const dot of [last, entry.indexOf('.', base + 1)]) {
		const stem = entry.slice(0, dot);
		const file = find(code, stem);
		if (file) {
			return { file, stem, names: entry.slice(dot + 1).split('.') };
		}
	}
	throw new EntryError('FunctionLoadError', `not found module './${entry.slice(0, last)}.js'`);
}

async function loadModule(code, file) {
	if (path.extname(file) !== '.mjs') {
		try {
			return require(file);
		} catch (error) {
			if (!['ERR_REQUIRE_ESM', 'ERR_REQUIRE_ASYNC_MODULE'].includes(error?.code)) {
				throw error;
			}
		}
	}
	return import(pathToFileURL(file));
}

// The function named by `entry`, which may have up to `most` parameters.
async function load(code, entry, most) {
	const { file, stem, names } = split(code, entry);
	const module = await loadModule(code, file);
	const take = (from) => names.reduce((value, name) => value?.[name], from);
	const found = take(module) ?? take(module?.default);
	const shown = `./${stem}.js`;
	if (found === undefined || found === null) {
		throw new EntryError('FunctionConfigError', `handler '${names.join('.')}' not found in module '${shown}'`);
	}
	if (typeof found !== 'function') {
		throw new EntryError('FunctionConfigError', `'${entry}' is a ${typeof found}, not a function`);
	}
	if (found.length > most) {
		throw new EntryError('FunctionConfigError',
			`${entry} expect to have ${most - 1} or ${most} parameters, but received ${found.length}`);
	}
	return found;
}

module.exports = { load };
