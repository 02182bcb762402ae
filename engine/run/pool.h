/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The instances of one function and the invocations that wait for them. Invocations go first in, first
 * out to the instance used last (its memory is warm; the others may go idle and be stopped), and fill
 * an instance before a further one is started. The pool owns its instances; only those of the current
 * deployment get work, others finish what they began.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "run/alarm.h"
#include "run/invocation.h"

struct deployment;
struct host;
struct instance;
struct keep_alive;
struct keep_alive_plan;

/* Invocations that may wait for an instance; beyond it -EAGAIN. */
#define POOL_WAITING_MAX 1000

/* ... and how long one may, when all instances stay busy. */
#define POOL_WAITING_US (INT64_C(30) * 1000 * 1000)

/* What the layer above keeps records of. None may be NULL. */
struct pool_events {
	void (*began)(void *userdata, struct invocation *invocation); /* sent to its instance */
	/* After the caller was told; the invocation may be gone when this returns. */
	void (*ended)(
	        void *userdata, struct invocation *invocation, const struct invocation_end *end);
	void (*data)(
	        void *userdata, struct invocation *invocation, const char *data, size_t length);
	/* Raw output of an instance; `invocation` is NULL unless it runs exactly one. */
	void (*output)(void *userdata, struct instance *instance, struct invocation *invocation,
	        const char *data, size_t length);
	/* A log record of the runtime; level is an enum log_level. */
	void (*record)(void *userdata, struct invocation *invocation, int level, const char *text,
	        size_t length);
	/* A start of this deployment ended: error NULL = it loads, else the error's JSON. */
	void (*loaded)(void *userdata, struct deployment *deployment, const char *error,
	        size_t length, int64_t init_us);
	void (*changed)(void *userdata);   /* the number of instances or of running calls */
	bool (*congested)(void *userdata); /* stop reading output for now; then pool_resume() */
	void (*instance_gone)(void *userdata, struct instance *instance);
	void (*emptied)(
	        void *userdata); /* pool_empty() became true after pool_close(); may free it */
};

struct pool {
	struct host *host;
	const struct pool_events *events;
	void *userdata;
	struct deployment *deployment; /* NULL until the first */
	struct list instances;         /* all, by id */
	struct list
	        available;   /* of the current deployment, with room for a call; used last first */
	struct list waiting; /* invocations */
	unsigned waiting_count;
	unsigned live;                 /* instances that are not ending */
	unsigned starting;             /* of the current deployment */
	unsigned running;              /* calls */
	unsigned open;                 /* invocations that have not ended, wherever they wait */
	unsigned needed;               /* instances, for what runs and waits */
	struct keep_alive *keep_alive; /* what calls were like; NULL: no instance was ready yet */
	struct alarm ahead;            /* starts one before the call that is expected */
	int64_t expected_until_us;     /* so long the one that starts next will wait; 0: as any */
	struct list start_link;        /* host.start_queue or .start_first */
	struct alarm refill;           /* min_instances, after a failed start */
	struct alarm growth;           /* who waits may need one more instance after all */
	int64_t call_us, start_us;     /* how long calls and starts take lately; 0: not known */
	int64_t ready_us;              /* when the newest instance was ready */
	bool grows;                    /* one more shall start although calls are quick */
	unsigned idle_seen;            /* processors, while some waited; times in a row */
	unsigned failed_starts;        /* in a row */
	bool warm_wanted;              /* one instance shall start although nobody waits */
	bool closed;                   /* no instance may start any more */
};

void pool_init(
        struct pool *pool, struct host *host, const struct pool_events *events, void *userdata);
void pool_deinit(struct pool *pool); /* after pool_close(), with no instance left */

/* Takes a reference. Idle instances of the old deployment end, busy ones when their calls have. */
void pool_set_deployment(struct pool *pool, struct deployment *deployment);

/* As before the first deployment: what is idle or starts ends. Without effect while a call waits or runs. */
void pool_rest(struct pool *pool);

/* The invocation waits for an instance of the current deployment, at least. */
void pool_submit(struct pool *pool, struct invocation *invocation);
void pool_warm(struct pool *pool);     /* start one unless one is there: tries the code ahead */
void pool_dispatch(struct pool *pool); /* gives waiting invocations to free instances */
void pool_resume(struct pool *pool);   /* read output again */

/* Ends an invocation wherever it is. Never calls `ended` inside; it follows on a later turn. */
void pool_end_later(struct invocation *invocation, enum outcome outcome, int error,
        struct buf *body); /* body is moved out */

/* Refuses what waits, kills what runs (or, `gently`, lets it end) and starts no more. */
void pool_close(struct pool *pool, bool gently);
bool pool_empty(const struct pool *pool); /* no instance left, no invocation open */

/* --- for instance.c --- */

void pool_instance_ready(struct pool *pool, struct instance *instance, int64_t init_us);
void pool_instance_failed(struct pool *pool, struct instance *instance, enum outcome outcome,
        int error, const char *body, size_t length);       /* before it was ready */
void pool_count_needed(struct pool *pool, int64_t now_us); /* what runs or waits has changed */
void pool_expect(struct pool *pool, const struct keep_alive_plan *plan); /* its last one ended */
bool pool_start_would_help(struct pool *pool);      /* for calls that wait: pool_growth.c */
void pool_call_took(struct pool *pool, int64_t us); /* one that ended by itself */
void pool_settle(struct pool *pool); /* tells when it became empty; it may be gone then */
void pool_data(struct invocation *invocation, const char *data, size_t length);
void pool_end(
        struct invocation *invocation, const struct invocation_end *end); /* tells and frees */
