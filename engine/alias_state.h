/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the engine counts for one alias: all its calls, and those of each version that took some (a *way*), so
 * that a canary can be judged. Made when the alias is first touched. Internal to engine/.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct alias;
struct function_state;
struct metrics;
struct metrics_sample;

struct alias_way {
	uint64_t number; /* counts up within the alias */
	char name[43];   /* of the version, or "latest" */
	struct metrics *metrics;
	uint64_t saved;
	int running; /* calls */
	struct list link;
};

struct alias_state {
	struct function_state *owner;
	struct alias *alias; /* NULL once it was removed */
	uint64_t id;
	struct metrics *metrics;
	uint64_t saved;
	int running;
	struct list ways; /* by number */
	uint64_t last_way;
	struct list link; /* owner->aliases */
};

/* NULL: no memory. */
struct alias_state *alias_state_of(struct function_state *owner, struct alias *alias);
struct alias_way *alias_state_way(struct alias_state *state, const char *version);

/* The version was removed: another of its name begins with noughts. */
void alias_state_leave_way(struct alias_state *state, const char *version);

/* A call begins (+1) or ends (-1) on the way of that version. */
void alias_state_running(struct alias_state *state, const char *version, int change);
void alias_state_count(
        struct alias_state *state, const char *version, const struct metrics_sample *sample);
void alias_state_save_metrics(struct alias_state *state);
void alias_state_free(struct alias_state *state); /* saved before, unless it was removed */
