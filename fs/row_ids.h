/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The ids of all rows, one block of numbers per directory. They are part of inode numbers and of what
 * chmod and chown left in the store: a number is never changed and never used again. Names in the
 * comments are kept for what later versions bring.
 */

enum row_id {
	/* 0 is the inside of working trees, 1 the kernel's number of the root */
	ROW_ROOT = 1,
	ROW_README = 2,
	ROW_FUNCTIONS = 3,
	ROW_DEPENDENCIES = 4,
	/* 5 topics, 7 gateway */
	ROW_RUNTIMES = 6,
	ROW_ROOT_METRICS = 8,
	ROW_ROOT_STATUS = 9,
	ROW_ROOT_LOG = 10,
	ROW_ROOT_LAST_ERROR = 11,
	ROW_ROOT_CHECK = 12,

	ROW_FUNCTION = 32,
	/* 33 triggers */
	ROW_ALIASES = 34,
	ROW_VERSIONS = 35,
	/* 36 queue, 37 running, 38 results, 39 failed */
	ROW_CALLS = 40,
	ROW_INSTANCES = 41,
	ROW_CONFIG = 42,
	ROW_INVOKE = 43,
	ROW_LOGS = 44,
	ROW_METRICS = 45,
	ROW_STATUS = 46,
	ROW_LAST_ERROR = 47,
	ROW_CODE = 48,
	ROW_CHECK = 49,

	ROW_CONFIG_RUNTIME = 64,
	ROW_CONFIG_HANDLER = 65,
	ROW_CONFIG_INITIALIZER = 66,
	ROW_CONFIG_BUILD = 67,
	ROW_CONFIG_IMAGE = 68,
	ROW_CONFIG_TIMEOUT = 69,
	ROW_CONFIG_INIT_TIMEOUT = 70,
	ROW_CONFIG_MEMORY = 71,
	ROW_CONFIG_CPU = 72,
	ROW_CONFIG_CONCURRENCY = 73,
	ROW_CONFIG_MAX_INSTANCES = 74,
	ROW_CONFIG_MIN_INSTANCES = 75,
	ROW_CONFIG_IDLE_TIMEOUT = 76,
	ROW_CONFIG_NETWORK = 77,
	/* 78 max_retries, 79 max_event_age, 80 queue_limit, 81 on_success, 82 on_failure */
	ROW_CONFIG_LOG_FORMAT = 83,
	ROW_CONFIG_LOG_RETENTION = 84,
	ROW_CONFIG_DESCRIPTION = 85,
	ROW_ENV = 86,
	ROW_CONFIG_DEPENDENCIES = 87,
	ROW_ENV_KEY = 88,

	ROW_INSTANCE = 96,
	ROW_INSTANCE_PID = 97,
	ROW_INSTANCE_STATE = 98,
	ROW_INSTANCE_VERSION = 99,
	ROW_INSTANCE_STARTED = 100,
	ROW_INSTANCE_CALLS = 101,
	ROW_INSTANCE_MEMORY = 102,
	ROW_INSTANCE_CPU = 103,
	ROW_INSTANCE_IDLE = 104,

	ROW_LOG_SEGMENT = 112,
	ROW_LOG_CURRENT = 113,
	ROW_LOG_FOLLOW = 114,
	ROW_LOG_BUILD = 115,

	/* 128 to 159: metrics, in the order of the contract */
	ROW_METRICS_FIRST = 128,
	ROW_METRICS_HISTORY = 148,
	ROW_METRICS_CHART = 149,

	ROW_CALL = 160,
	ROW_CALL_LAST = 161,
	ROW_CALL_REQUEST = 162,
	ROW_CALL_RESPONSE = 163,
	ROW_CALL_ERROR = 164,
	ROW_CALL_LOG = 165,
	ROW_CALL_STATUS = 166,

	ROW_RUNTIME = 176,
	ROW_RUNTIME_ABOUT = 177,
	ROW_RUNTIME_TEMPLATE = 178,
	ROW_RUNTIME_FILE = 179,
	ROW_RUNTIME_SAMPLES = 180,
	ROW_RUNTIME_SAMPLE_FILE = 181,

	ROW_VERSION = 192,
	ROW_VERSION_LATEST = 193,
	ROW_VERSION_INVOKE = 194,
	/* 195 queue, 196 running, 197 results, 198 failed */
	ROW_VERSION_INSTANCES = 199,
	ROW_VERSION_CONFIG = 200,
	ROW_VERSION_METRICS = 201,
	ROW_VERSION_STATUS = 202,
	ROW_VERSION_CODE = 203,
	ROW_VERSION_FILE = 204, /* inside it */
	/* 208 to 239: config of versions, in the order of that of functions (64 to 88) */
	ROW_VERSION_CONFIG_FIRST = 208,
	/* 240 to 248: instances of versions, in the order of those of functions (96 to 104) */
	ROW_VERSION_INSTANCE_FIRST = 240,

	ROW_ALIAS = 256,
	ROW_ALIAS_ROUTES = 257,
	ROW_ALIAS_PREVIOUS = 258,
	ROW_ALIAS_INVOKE = 259,
	/* 260 queue, 261 running, 262 results, 263 failed */
	ROW_ALIAS_METRICS = 264,
	ROW_ALIAS_STATUS = 265,
	ROW_ALIAS_DESCRIPTION = 266,
	ROW_ALIAS_WAY = 267, /* metrics of one version under it */

	/* 512 to 607: metrics of versions, aliases and ways, in the order of those of functions */
	ROW_VERSION_METRICS_FIRST = 512,
	ROW_ALIAS_METRICS_FIRST = 544,
	ROW_WAY_METRICS_FIRST = 576,

	ROW_PACKAGE = 384,
	ROW_PACKAGE_FILES = 385,
	ROW_PACKAGE_VERSIONS = 386,
	ROW_PACKAGE_VERSION = 387,
	ROW_PACKAGE_SOURCE = 388,
	ROW_PACKAGE_STATUS = 389,
	ROW_PACKAGE_USED_BY = 390,
	ROW_PACKAGE_DESCRIPTION = 391,
	ROW_UPLOAD = 392,
	ROW_DEPENDENCY = 393,         /* in config/dependencies/ of a function, */
	ROW_VERSION_DEPENDENCY = 394, /* and of a version */

	/* 320 triggers, 416 topics, 432 gateway,
	 * 448 queue, running, results, failed */

	ROW_SCRATCH = 1000,
};
