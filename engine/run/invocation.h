/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One event carried once through one instance. The caller owns an invocation from the start until
 * invocation_release(); the deploy layer, the pool and the instance hold it in between, in exactly one
 * list each. `ended` runs exactly once, also after a cancel, and never inside the call that starts or
 * cancels. It is freed when it has ended and was released, in either order.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/uuid.h"
#include "run/alarm.h"
#include "run/outcome.h"

struct alias;
struct call_record;
struct instance;
struct pool;
struct version;

#define INVOCATION_REQUEST_MAX  (6u << 20)
#define INVOCATION_RESPONSE_MAX (6u << 20)

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

struct invocation_options {
	const char *source;      /* "sync" ... */
	struct version *version; /* NULL: `latest` */
	struct alias *alias;     /* chooses the version; else NULL */
	const char *name;        /* of a queue entry, "" */
	const char *request_id;  /* NULL: a fresh one */
	unsigned attempt;        /* from 1; 0 = 1 */
	/* NULL, or an APIG event without its body: what a program that speaks HTTP gets beside it. */
	const char *http_head;
};

struct invocation {
	struct list link; /* deploy's or the pool's waiting, or the instance's running ones */
	struct pool *pool;
	struct instance
	        *instance;    /* NULL while it waits; may be gone while a deferred end is awaited */
	uint64_t instance_id; /* 0: none yet */
	uint64_t call;        /* its number on the instance's channel */
	char request_id[UUID_TEXT_SIZE];
	char source[64];
	char alias[64];           /* "" */
	uint64_t alias_id;        /* 0: none */
	struct buf request;       /* freed when it is sent */
	char *http_head;          /* NULL */
	char *name;               /* of a queue entry, else NULL */
	uint64_t code_generation; /* the least it may run: read your writes */
	uint64_t config_generation;
	struct alarm alarm; /* the end of waiting, the time limit, or a deferred end */
	const struct invocation_events *events; /* NULL once released */
	void *userdata;
	struct call_record *record;  /* the flight recorder's, NULL without memory */
	int64_t created_us, sent_us; /* alarm_now_us() */
	int64_t init_us;             /* of the start it waited for, -1 none */
	size_t response_bytes;
	bool cold;
	bool speaks_http; /* a request was made of it: the response is the text of http_event.h */
	bool in_pool;     /* counted in pool.waiting_count */
	bool ending;      /* its end is being told */
	bool ended;
	bool released;
	struct {
		enum outcome outcome;
		int error;
		struct buf body;
	} deferred; /* an end decided where `ended` must not run */
};

/* `request` is moved out of the buf. NULL: no memory. */
struct invocation *invocation_new(struct pool *pool, struct uuid_source *ids, struct buf *request,
        const struct invocation_options *options, const struct invocation_events *events,
        void *userdata);

void invocation_cancel(struct invocation *invocation); /* asks; `ended` comes, with -ECANCELED */

/* The caller lets go: events will not run any more. A call still running goes on, unattended. */
void invocation_release(struct invocation *invocation);

/* Appends {"errorMessage":...,"errorType":...,"stackTrace":[]}. */
void error_body(struct buf *out, const char *type, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
