/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One event carried once through one instance. The caller owns the invocation from
 * invocation_start() until invocation_release(); the pool and the instance hold it in between. `ended`
 * runs exactly once, also after a cancel, and never inside invocation_start() or invocation_cancel().
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "run/outcome.h"

struct invocation;
struct pool;

struct invocation_end {
	enum outcome outcome;
	int error;              /* 0, or the negative errno a reader of `invoke` gets */
	const char *error_body; /* JSON, "" on success; borrowed for the call */
	size_t error_length;
};

struct invocation_events {
	/* Response bytes, in order. The receiver copies what it keeps. */
	void (*data)(void *userdata, const char *data, size_t length);
	void (*ended)(void *userdata, const struct invocation_end *end);
};

#define INVOCATION_REQUEST_MAX  (6u << 20)
#define INVOCATION_RESPONSE_MAX (6u << 20)

struct invocation_options {
	const char *source; /* "sync" ... */
	const char *alias;  /* "" */
	uint64_t routes_generation;
	const char *name; /* of a queue entry, "" */
};
