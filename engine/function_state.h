/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Everything the engine holds for one function beside its settings: working tree, deployment, pool, log,
 * metrics, flight recorder. Made when the function is first touched. It outlives the function by the
 * time its instances need to end; then its directory goes. Internal to engine/.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "engine/deploy.h"
#include "engine/log_format.h"
#include "model/last_error.h"
#include "engine/target.h"

struct engine;
struct function;
struct logbook;
struct code_change;
struct metrics;
struct recorder;
struct worktree;

/* What an upload was, while the code is still that. */
struct code_archive {
	char sha256[65]; /* "": there was none */
	int64_t bytes;
	uint64_t generation; /* of the working tree then */
};

struct function_state {
	struct engine *engine;
	struct function *function; /* NULL once it was removed */
	uint64_t id;
	struct list link; /* engine.states */
	int directory;    /* STATE/functions/ID */
	struct worktree *worktree;
	struct deploy deploy;
	struct target latest;
	struct list targets;        /* `latest` and the versions touched so far */
	struct list aliases;        /* struct alias_state, of those touched so far */
	struct list publishes;      /* struct publish, under way */
	struct code_change *change; /* NULL: its code is nobody's but the user's */
	struct code_archive archive;
	struct logbook *logbook;
	struct metrics *metrics;
	uint64_t metrics_saved; /* metrics_changes() as of the last saving */
	struct recorder *recorder;
	struct log_format log_format;
	struct last_error last_error;
	bool closing;     /* its parts are being told: it stays until all were */
	struct buf lines; /* scratch of account.c */
};

/* 0 or -errno. */
int function_state_new(
        struct function_state **out, struct engine *engine, struct function *function);

/* The function is gone: what runs ends, then the state frees itself and its directory. */
void function_state_remove(struct function_state *state);

/* Settings or environment changed. */
void function_state_configured(struct function_state *state);

/* No more calls; what runs is killed, or `gently` allowed to end. Frees the state, now or later. */
void function_state_close(struct function_state *state, bool gently);
void function_state_save_metrics(struct function_state *state); /* if there is anything new */

/* Frees it when nothing of it runs any more; otherwise the pool's last instance does. */
void function_state_settle(struct function_state *state);
