/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A look at a function that nobody has touched since the daemon began: what it left on the disk says how it is,
 * and its state (function_state.h), with its descriptors, is not made for that. Whoever lists a hundred thousand
 * functions leaves no trace of them. Internal to engine/.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct engine;
struct function;
struct metrics;

struct glance { /* the numbers looked at last, for they are many files of one function */
	struct metrics *metrics;
	uint64_t function; /* 0: of none */
};

/*
 * How `latest` is, as deploy_state_name() would say, and of a broken one why; NULL: only its state can tell, for its
 * code was not tried yet, or a change of it is to be finished.
 */
const char *glance_state(struct engine *engine, const struct function *function, struct buf *error);

/* Borrowed until the next one is asked for. NULL: no memory. */
struct metrics *glance_metrics(struct engine *engine, const struct function *function);

/* Its state was made, or it is gone. */
void glance_forget(struct glance *glance, uint64_t function);
void glance_deinit(struct glance *glance);
