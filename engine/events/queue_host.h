/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Birth and death of the queues, and what they need of whoever makes the calls: the limits of a target,
 * and a way to start a call and to give it up. The engine is one host (engine/queue_calls.c), the model
 * that tries all crashes another (tests/events/queue_model_test.c).
 */
#include "base/clock.h"
#include "events/queue.h"
#include "run/alarm.h"
#include "run/invocation.h"
#include "store/entries.h"

/* As the settings of a target are now. */
struct queue_limits {
	int max_retries;
	int64_t max_event_age_ms;
	size_t queue_limit;
	unsigned running_most;          /* calls at once; 0 = disabled: entries wait */
	struct queue_target on_success; /* function 0 = none */
	struct queue_target on_failure;
	/*
	 * It is no function but hands on what comes (a topic, by its id): an entry there is no call, nobody sees it,
	 * and nothing stays of it. Tried until it works.
	 */
	bool hands_on;
	size_t event_most; /* of those, in bytes */
};

struct queue_call {
	const struct queue_target *target;
	const char *request_id, *source, *name;
	unsigned attempt; /* from 1 */
	unsigned hops;    /* of the entry */
};

struct queue_host {
	/* 0; -ENOENT: there is no such target; -ENOMEM, -EIO: nobody can tell now. */
	int (*limits)(void *userdata, const struct queue_target *target, struct queue_limits *out);
	/* Appends the name of a target as a FunctionGraph URN. */
	void (*urn)(void *userdata, const struct queue_target *target, struct buf *out);
	/*
	 * Starts a call; the event is moved out. 0: `ended` of the events comes once, later; or -EAGAIN:
	 * not now (busy, disabled); any other -errno: it cannot be; then nothing comes.
	 */
	int (*start)(void *userdata, const struct queue_call *call, struct buf *event,
	        const struct invocation_events *events, void *run, void **invocation,
	        struct buf *why);
	void (*cancel)(void *invocation);  /* `ended` comes all the same */
	void (*release)(void *invocation); /* after `ended` */
	/*
	 * Hands an event on under its request id, which makes it one event however often it is tried. 0: `done`
	 * comes once, later, with 0 or -errno; or -errno.
	 */
	int (*hand_on)(void *userdata, const struct queue_call *call, const struct buf *event,
	        queue_done_fn done, void *run, struct buf *why);
};

struct queue_options {
	uv_loop_t *loop;
	struct alarms *alarms;
	const struct clock *clock;
	const char *state_dir;
	const struct queue_host *host;
	void *userdata;
	unsigned parallel; /* short calls of one target at once: about the machine's processors */
	uint64_t seed;     /* of the jitter of tries */
};

/* Reads all there is; what ran when the last daemon ended waits again. Nothing runs before queue_start(). */
int queue_new(struct queue **out, const struct queue_options *options);
void queue_start(struct queue *queue);

/* No call is begun any more, and what ends badly from here on is tried again by the next daemon. */
void queue_stop(struct queue *queue, void (*idle)(void *userdata), void *userdata);
bool queue_idle(const struct queue *queue); /* stopped, nothing runs, everything is on the disk */
struct queue *queue_free(struct queue *queue);

/* Settings changed, or new code may mend what failed: looks at the target again now. */
void queue_target_changed(struct queue *queue, const struct queue_target *target);

/* The function goes, and with it all that is in its queues. */
void queue_remove_function(struct queue *queue, uint64_t function);
/* A version or alias goes: what stood there is found in failed/ and results/ of its function; what waited: ESTALE. */
void queue_remove_target(struct queue *queue, const struct queue_target *target);
