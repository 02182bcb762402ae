/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Everything the engine holds for one published version beside what the model says of it: where its calls
 * go, the code on disk they run from, and the tree that is read. Made when the version is first touched.
 * A version never changes, so there is little to deploy: its code and its dependencies are brought to disk
 * once, when a call or a reserved instance wants them. Internal to engine/.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/sm.h"
#include "engine/target.h"

struct checkout;
struct invocation;
struct preparing;
struct snapshot_cache_request;
struct snapshot_tree;
struct version;

enum version_stage {
	VERSION_PUBLISHED, /* nobody has started it yet */
	VERSION_LOADING,   /* its code comes to disk, or an instance starts */
	VERSION_READY,
	VERSION_BROKEN, /* does not load; `error` says why */
};

struct version_state {
	struct target target;
	struct version *version; /* NULL once it was removed */
	uint64_t id;
	struct sm stage;
	struct list waiting; /* invocations that wait for the code to be on disk */
	struct snapshot_cache_request *request;
	struct preparing *preparing; /* what its code needs to run, and its build */
	bool made;                   /* what comes to disk is what was built, not the code */
	bool requesting;             /* one of both is on its way */
	bool trial;                  /* start an instance although nobody calls */
	struct snapshot_tree *tree;  /* NULL until somebody looks */
	struct buf error;            /* JSON of a failed start */
	struct alarm resting;        /* stops what is idle, outside of all callbacks */
	bool routed;                 /* an alias sent calls here */
	bool rests;                  /* nothing routes to it */
	int64_t settled_us;          /* wall time of READY or BROKEN */
	uint64_t metrics_saved;
};

/* The version's state, made when needed. NULL: a failure that was logged. */
struct version_state *version_state_of(struct function_state *owner, struct version *version);

void version_submit(struct version_state *state, struct invocation *invocation);

/* One of the settings that stay writable was set. */
void version_state_configured(struct version_state *state);

/* Nothing routes to it any more: what is idle stops, unless instances are reserved. */
void version_state_rest(struct version_state *state);
void version_state_wake(struct version_state *state); /* builds it, and starts what is reserved */

/* No more calls; what waits is refused, what runs is killed, or `gently` ends. */
void version_state_close(struct version_state *state, bool gently);
/* The version is gone: what waits hears ESTALE, what runs ends on its own. */
void version_state_remove(struct version_state *state);
void version_state_save_metrics(struct version_state *state);

/* Lines of `key value`: how it is; and what came of trying it, for broken code with the traceback. */
void version_state_show_head(const struct version_state *state, struct buf *out);
void version_state_show_error(const struct version_state *state, struct buf *out);
const char *version_state_name(const struct version_state *state);
