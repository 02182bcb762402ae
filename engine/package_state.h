/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Everything the engine holds for one package beside what is stored: its working tree, what is published of
 * it now, and what is fetched. Made when the package is first touched, and kept until the end; it outlives
 * its package by the time the work takes to stop, then its directory goes. Internal to engine/.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "run/fetch.h"

struct engine;
struct package;
struct package_fetch;
struct worktree;

/* What came of the last fetch. */
struct package_outcome {
	bool known;
	int error;
	char sentence[FETCH_SENTENCE];
	int64_t files, bytes;
	char sha256[FETCH_SHA256];
};

struct package_state {
	struct engine *engine;
	struct package *package; /* NULL once it was removed */
	uint64_t id;
	struct list link; /* engine.package_states */
	int directory;    /* STATE/dependencies/ID */
	struct worktree *files;
	struct list publishes;       /* struct package_publish, under way */
	struct package_fetch *fetch; /* under way, or waits for its turn */
	struct package_fetch *next;  /* takes its place when it has stopped */
	struct package_outcome outcome;
};

/* Made when needed; NULL is a failure that was logged, or the end of the daemon. */
struct package_state *engine_package_state(struct engine *engine, struct package *package);

/* At the start: removes what a crash left. At the end: stops what is under way; idle; frees. */
void package_states_sweep(struct engine *engine);
void package_states_stop(struct engine *engine);
bool package_states_idle(const struct engine *engine);
void package_states_free(struct engine *engine);

/* Something of it ended: a removed one may go now, and a drain be complete. */
void package_state_settle(struct package_state *state);

extern const struct packages_events package_events;
