/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What all pools of one engine share: the loop, the alarms, the launcher, the instances by id, and the
 * right to start one: only a few instances start at the same time, for a start is all processor, and
 * an instance that becomes free meanwhile makes the next start unnecessary. Pools take turns: first those
 * that have no instance at all, so that nobody waits while a crowd at another function gets its hundredth.
 */
#include <stdbool.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/uuid.h"
#include "run/alarm.h"
#include "run/kept.h"

struct launcher;
struct pool;

struct host {
	uv_loop_t *loop;
	const struct clock *clock;
	struct alarms alarms;
	struct launcher *launcher;
	struct uuid_source ids;
	struct map instances; /* id -> struct instance */
	uint64_t last_instance;
	unsigned starting; /* instances that hold the right to start */
	unsigned starting_max, processors;
	int load_fd;                     /* /proc/loadavg; -1: nothing is known */
	struct list start_queue;         /* pools that want to start one more */
	struct list start_first;         /* pools that want to start their first */
	struct kept kept;                /* instances that are idle for long */
	const struct pool *called;       /* sent a call to an instance last; to be compared only */
	int64_t called_us;               /* when; 0: never */
	struct buf scratch;              /* heads of frames */
	void (*emptied)(void *userdata); /* the last instance is gone; may be NULL */
	void *userdata;
};

int host_init(
        struct host *host, uv_loop_t *loop, const struct clock *clock, struct launcher *launcher);
void host_deinit(struct host *host); /* no instance may be left */

/* True: the pool may start one now and gives the right back with host_started(). */
bool host_may_start(struct host *host, struct pool *pool);
void host_started(struct host *host);

/* Whether a processor of the machine stands idle right now, as far as that is known. */
bool host_has_room(const struct host *host);
