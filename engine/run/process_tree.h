/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Memory and processor time of process trees, from /proc, where no control group counts them. One look
 * over /proc serves all trees that are asked for.
 */
#include <stddef.h>

#include "run/instance_limits.h"

struct process_tree {
	pid_t root;
	struct limits_usage usage; /* memory_bytes and cpu_us are filled in */
};

void process_tree_sample(struct process_tree *trees, size_t count);

/* Whether a process with that name lives; one that is dead and only not yet waited for does not. */
bool process_lives(pid_t pid, const char *name);

/* Whether it is on its way out, dead and not yet waited for, or gone. */
bool process_ends(pid_t pid);
