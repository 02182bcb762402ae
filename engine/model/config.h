/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The settings of a function: one row of a table per setting, each with its text form, its bounds and
 * its default. A `struct config` is a plain value; it is always whole and within bounds. Environment
 * variables are apart (model/function.h), for each is an object of its own.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum config_key {
	CONFIG_RUNTIME, /* never renumber: stored by name, but indexes tables */
	CONFIG_HANDLER,
	CONFIG_INITIALIZER,
	CONFIG_TIMEOUT,
	CONFIG_INIT_TIMEOUT,
	CONFIG_MEMORY,
	CONFIG_CPU,
	CONFIG_CONCURRENCY,
	CONFIG_MAX_INSTANCES,
	CONFIG_MIN_INSTANCES,
	CONFIG_IDLE_TIMEOUT,
	CONFIG_NETWORK,
	CONFIG_MAX_RETRIES,
	CONFIG_MAX_EVENT_AGE,
	CONFIG_QUEUE_LIMIT,
	CONFIG_ON_SUCCESS,
	CONFIG_ON_FAILURE,
	CONFIG_LOG_FORMAT,
	CONFIG_LOG_RETENTION,
	CONFIG_DESCRIPTION,
	CONFIG_BUILD,
	CONFIG_IMAGE,
	CONFIG_IMAGE_USER, /* no file: who wrote `image` */
	CONFIG_KEYS,
};

/* Where the record of an asynchronous call goes: the queue of a function or of its alias, or a topic. By ids, so it may be gone. */
struct config_destination {
	uint64_t function; /* 0: nowhere, or a topic */
	uint64_t alias;    /* 0: the function itself */
	uint64_t topic;    /* 0: none */
};

enum { CONFIG_IDLE_TIMEOUT_AUTO = -1, CONFIG_IDLE_TIMEOUT_MS = 60 * 1000 };
enum config_network { NETWORK_NONE, NETWORK_HOST, NETWORK_OUTBOUND };
enum config_log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct config {
	char runtime[64];      /* "auto" or a name in runtimes/ */
	char handler[129];     /* "" = the runtime's default */
	char initializer[129]; /* "" = none */
	int64_t timeout_ms;
	int64_t init_timeout_ms;
	int64_t memory_bytes;
	int cpu_millicores; /* 0 = no limit */
	int concurrency;
	int max_instances; /* 0 = the function is disabled */
	int min_instances;
	int64_t idle_timeout_ms; /* CONFIG_IDLE_TIMEOUT_AUTO: nobody set it */
	enum config_network network;
	int max_retries;
	int64_t max_event_age_ms;
	int queue_limit;
	struct config_destination on_success, on_failure;
	enum config_log_format log_format;
	int64_t log_retention_ms;
	int64_t log_retention_bytes;
	char description[512 * 4 + 1]; /* UTF-8, at most 512 characters */
	char build[1024 * 4 + 1]; /* a command of the shell, the same, at most 1024; "" = none */
	char image[320];          /* "docker://NAME:TAG", "docker://NAME@sha256:..."; "" = none */
	char image_user
	        [256]; /* "UID GID GROUP...": with whose rights it is pulled; "" = the owner's */
};

void config_defaults(struct config *config);

/* The canonical text of one value, without newline. */
void config_format(const struct config *config, enum config_key key, struct buf *out);

/* The same as its file shows it: of an idle_timeout that nobody set, the time that holds without a history. */
void config_show_value(const struct config *config, enum config_key key, struct buf *out);

/*
 * Sets one value from its text (no newline at the end; blanks round it are dropped). The empty text
 * empties what may be empty (handler, initializer, build, description), so a user empties one by writing a
 * lone newline; blanks alone are refused like anywhere. 0, -EINVAL or -ERANGE; then the config is
 * unchanged and `why` (may be NULL) holds a sentence with the bounds. Whether the runtime exists is
 * the caller's question, and who may set `network` too.
 */
int config_parse(struct config *config, enum config_key key, const char *text, struct buf *why);

/* The same for a stored text: bounds of this machine (its memory) do not count, nobody asks why. */
int config_load(struct config *config, enum config_key key, const char *text);

bool config_redeploys(enum config_key key);      /* a change concerns instances that run */
bool config_stays_writable(enum config_key key); /* also of a published version */
bool config_may_be_empty(enum config_key key);

const char *config_key_name(enum config_key key); /* "timeout" */
int config_key_find(const char *name);            /* enum config_key or -ENOENT */
