/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Saving deploys: what stands between a change under `code/` or `config/` and the instances that run it.
 *
 * A call that starts after a change runs the changed code. So each call passes here: when the pool's
 * deployment is behind the working tree or the settings, it waits until a new checkout was taken in, and
 * what it depends on, and built if it is to be. A save during a build begins it anew, unless calls wait for it: they
 * get what they wait for, and what was saved since is built next.
 * While the entry file that existed before is missing, or a `.git/index.lock` stands, taking in waits
 * too, until 2 s after that began. After 200 ms of quiet the new code is tried ahead of the first call.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/sm.h"
#include "run/alarm.h"

struct checkout_request;
struct checkout;
struct deployment;
struct function_state;
struct invocation;
struct preparing;

enum deploy_state {
	DEPLOY_EMPTY,   /* there is no code */
	DEPLOY_CHANGED, /* not tried yet */
	DEPLOY_LOADING, /* an instance starts */
	DEPLOY_READY,
	DEPLOY_BROKEN, /* does not load; `error` says why */
};

struct deploy {
	struct function_state *owner;
	struct sm state;
	struct list waiting; /* invocations that wait for a checkout */
	struct checkout_request *request;
	struct preparing *preparing; /* what it needs to run, and what its build makes of it */
	uint64_t code_generation;    /* of the tree then */
	uint64_t config_generation;  /* of the settings then */
	bool requesting;             /* one of both is on its way */
	bool trial;                  /* start an instance although nobody calls */
	bool closed;
	struct alarm quiet;
	struct alarm settling;
	int64_t entry_gone_us; /* since when the entry file is missing; 0 = it is not */
	int64_t git_locked_us;
	int64_t looked_us;              /* when it was last looked for these */
	uint64_t git_lock;              /* the one that stands since then */
	uint64_t generation;            /* of the working tree, at the last change told */
	int64_t changed_us, settled_us; /* wall time of the last change, and of READY or BROKEN */
	struct buf error;               /* JSON of a failed start */
};

void deploy_init(struct deploy *deploy, struct function_state *owner);
void deploy_close(struct deploy *deploy); /* refuses what waits; nothing is deployed any more */

/* Code or settings changed. */
void deploy_changed(struct deploy *deploy);

/* Microseconds that an editor or git may still need to finish what it is in the middle of; 0: none. */
int64_t deploy_unsettled_us(struct deploy *deploy);

/* The working tree tells of a change at the end of a turn; whoever looks before that asks here. */
void deploy_catch_up(struct deploy *deploy);

/* Start what is reserved (min_instances) although nothing changed: the daemon came up. */
void deploy_wake(struct deploy *deploy);

/* The way of every call: to the pool now, or once what was saved before it is taken in. */
void deploy_submit(struct deploy *deploy, struct invocation *invocation);

/* An instance of a deployment loaded (error NULL) or did not. */
void deploy_loaded(
        struct deploy *deploy, struct deployment *deployment, const char *error, size_t length);

/* What `status` says: lines of `key value`, and for broken code the traceback below an empty line. */
void deploy_show(const struct deploy *deploy, struct buf *out);
const char *deploy_state_name(const struct deploy *deploy);
