// SPDX-License-Identifier: Apache-2.0
// What a handler gets beside its event: FunctionGraph's methods, and the names Lambda handlers use.
'use strict';

const { format } = require('util');

const LEVELS = { DEBUG: 0, INFO: 1, WARN: 2, WARNING: 2, ERROR: 3 };
let least = LEVELS.INFO; // of the instance

class Logger {
	#write;

	constructor(write) {
		this.#write = write;
	}

	#log(level, parts) {
		if (level >= least) {
			this.#write(level, format(...parts));
		}
	}

	debug(...parts) {
		this.#log(LEVELS.DEBUG, parts);
	}

	info(...parts) {
		this.#log(LEVELS.INFO, parts);
	}

	log(...parts) {
		this.#log(LEVELS.INFO, parts);
	}

	warn(...parts) {
		this.#log(LEVELS.WARN, parts);
	}

	error(...parts) {
		this.#log(LEVELS.ERROR, parts);
	}

	setLevel(level) {
		least = LEVELS[String(level).toUpperCase()] ?? least;
	}
}

class Context {
	#settings;
	#deadline;
	#alias;
	#write;

	// `settings` is what FRAME_INIT said.
	constructor(settings, requestId, deadlineMs, alias, key, write, end) {
		this.#settings = settings;
		this.#deadline = deadlineMs;
		this.#alias = alias;
		this.#write = write;
		this.awsRequestId = requestId;
		this.idempotencyKey = key;
		this.functionName = settings.function;
		this.functionVersion = settings.version === 'latest' ? '$LATEST' : settings.version;
		this.memoryLimitInMB = String(settings.memory_mb);
		this.invokedFunctionArn = arn(settings, alias);
		this.logGroupName = process.env.AWS_LAMBDA_LOG_GROUP_NAME ?? `/aws/lambda/${settings.function}`;
		this.logStreamName = process.env.AWS_LAMBDA_LOG_STREAM_NAME ?? settings.version;
		this.identity = undefined;
		this.clientContext = undefined;
		this.callbackWaitsForEmptyEventLoop = false;
		this.done = end;
		this.succeed = (data) => end(null, data);
		this.fail = (error) => end(error ?? new Error('handled'));
		this.getRemainingTimeInMillis = () => Math.max(0, deadlineMs - Date.now());
	}

	getRequestID() {
		return this.awsRequestId;
	}

	getIdempotencyKey() {
		return this.idempotencyKey;
	}

	getRemainingTimeInMilliSeconds() {
		return Math.max(0, this.#deadline - Date.now());
	}

	getUserData(key) {
		const user = this.#settings.environment;
		return Object.hasOwn(user, key) ? user[key] : undefined;
	}

	getFunctionName() {
		return this.#settings.function;
	}

	getRunningTimeInSeconds() {
		return this.#settings.timeout_ms / 1000;
	}

	getVersion() {
		return this.#settings.version;
	}

	getMemorySize() {
		return this.#settings.memory_mb;
	}

	getCPUNumber() {
		return this.#settings.cpu_millicores || require('os').cpus().length * 1000;
	}

	getPackage() {
		return this.#settings.package;
	}

	getProjectID() {
		return this.#settings.project;
	}

	getAlias() {
		return this.#alias;
	}

	getLogger() {
		return new Logger(this.#write);
	}

	getToken() {
		return process.env.RUNTIME_TOKEN ?? '';
	}

	getSecurityToken() {
		return process.env.RUNTIME_SECURITY_TOKEN ?? '';
	}

	getSecurityAccessKey() {
		return process.env.RUNTIME_SECURITY_ACCESS_KEY ?? '';
	}

	getSecuritySecretKey() {
		return process.env.RUNTIME_SECURITY_SECRET_KEY ?? '';
	}

	getAccessKey() {
		return this.getSecurityAccessKey();
	}

	getSecretKey() {
		return this.getSecuritySecretKey();
	}
}

function arn(settings, alias) {
	const qualifier = alias || settings.version;
	const plain = `arn:aws:lambda:${settings.region}:${settings.project}:function:${settings.function}`;
	return qualifier === 'latest' ? plain : `${plain}:${qualifier}`;
}

module.exports = { Context };
