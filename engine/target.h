/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a call can go to: `latest` of a function, or one of its published versions. Each has instances of
 * its own; log, flight recorder and the function's metrics are shared. Embedded in function_state and
 * version_state. Internal to engine/.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "run/pool.h"

struct buf;
struct config;
struct deployment;
struct function_state;
struct metrics;
struct target;

struct target_events {
	/* A start of this deployment ended: error NULL = it loads, else the error's JSON. */
	void (*loaded)(struct target *target, struct deployment *deployment, const char *error,
	        size_t length);
	void (*changed)(struct target *target); /* instances or running calls; NULL: never mind */
	void (*emptied)(struct target *target); /* closed, and nothing of it runs; may free it */
};

struct target {
	struct function_state *state;
	const struct target_events *events;
	char name[43]; /* "latest", or the version's */
	struct pool pool;
	uint64_t keep_alive_saved; /* pool.keep_alive->changes as of the last saving */
	struct metrics *metrics;   /* of these calls alone; NULL for `latest` */
	struct list link;          /* state->targets; `latest` stands first */
};

void target_init(struct target *target, struct function_state *state, const char *name,
        const struct target_events *events);
void target_deinit(struct target *target); /* after pool_close(), with nothing left */

/* A line of `status`: how long an idle instance is kept, and why. */
void target_show_idle_timeout(
        const struct target *target, const struct config *config, struct buf *out);

/* Sums over all targets of a function. */
struct target_counts {
	unsigned instances; /* that are not ending */
	unsigned running;   /* calls */
	unsigned waiting;
};
void targets_count(const struct function_state *state, struct target_counts *out);
