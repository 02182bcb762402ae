/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One live process with code loaded, of one deployment. It belongs to its pool and is freed when its
 * process was reported as ended: whoever wants it gone asks with instance_retire() or instance_kill().
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/sm.h"
#include "run/alarm.h"
#include "run/channel.h"
#include "run/launcher.h"
#include "run/outcome.h"

struct deployment;
struct instance_http;
struct instance_protocol;
struct invocation;
struct pool;
struct watch;

enum instance_state {
	INSTANCE_STARTING,
	INSTANCE_IDLE,
	INSTANCE_BUSY,
	INSTANCE_DRAINING, /* finishes its calls, gets no more */
	INSTANCE_ENDING,   /* asked or forced to end; the process is still to be reported */
	INSTANCE_ENDED,
};

struct instance {
	uint64_t id;
	struct pool *pool;
	struct deployment *deployment;
	struct sm state;
	struct list link;      /* pool.instances */
	struct list available; /* pool.available */
	struct list kept;      /* host.kept, while its history keeps it for long */
	const struct instance_protocol *protocol;
	struct channel channel;     /* of the protocol of frames */
	struct instance_http *http; /* of the other */
	struct process *process;
	int output; /* read end of what it writes to 1 and 2 */
	struct watch *output_watch;
	struct alarm output_pause; /* set: the next turn waits for it */
	size_t output_turn;        /* bytes taken in one turn of the loop; 0: not known yet */
	void *output_state;        /* the layer above's: an unfinished line */
	struct list running;       /* invocations, oldest first */
	unsigned running_count;
	unsigned capacity; /* calls it can take at once */
	uint64_t last_call;
	struct alarm alarm; /* the limit of the start, the idle limit, or of a gentle end */
	int64_t begun_us, started_us; /* alarm_now_us(); wall time */
	int64_t idle_since_us;
	int64_t init_us;
	int64_t expected_until_us; /* its first call was expected, until then; 0: it was not */
	bool holds_start_right;
	bool for_warmth;            /* nobody waited when it was started */
	struct process_usage usage; /* as of usage_us */
	int64_t usage_us;
};

/* Starts one of the pool's current deployment. 0 or -errno; `body` then has the error's JSON. */
int instance_start(struct pool *pool, bool for_warmth, struct buf *body);

/* Sends the invocation; the instance must have room. */
void instance_invoke(struct instance *instance, struct invocation *invocation);
bool instance_has_room(const struct instance *instance);

/* No more calls: ends at once when idle, else when its calls have ended. */
void instance_retire(struct instance *instance);

/* Ends now; what runs in it fails with this (body may be NULL: from how the process ended). */
void instance_kill(struct instance *instance, enum outcome outcome, int error, struct buf *body);

/* A running invocation is given up (time limit, cancel): its work ends, that of others goes on. */
void instance_abandon(struct instance *instance, struct invocation *invocation);

void instance_read_output(
        struct instance *instance); /* what is there now, before a call's last line */
void instance_resume_output(struct instance *instance);
const struct process_usage *instance_usage(struct instance *instance); /* at most 100 ms old */
