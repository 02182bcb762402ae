/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Birth and death of it all, and what the file system sees of it. One engine owns one state directory,
 * one loop and every object below; a process may have several (tests do). Loop thread only.
 */
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/caller.h"
#include "base/clock.h"
#include "engine/door.h"
#include "model/attributes.h"
#include "model/function.h"
#include "model/last_error.h"
#include "run/invocation.h"

struct alias;
struct engine;
struct snapshot_tree;
struct http_routes;
struct sources;
struct triggers;
struct version;
struct worktree;
struct logbook;
struct metrics;
struct packages;
struct queue;
struct recorder;
struct runtimes;
struct tokens;

struct engine_options {
	uv_loop_t *loop;
	const struct clock *clock;
	const char *state_dir;     /* absolute; created when missing, mode 0700 */
	const char *runtimes_path; /* colon-separated directories, the first match wins */
	const char *guardian_path;
	const char *fetch_path;  /* fnfs-fetch; NULL: packages cannot be fetched */
	const char *watch_path;  /* fnfs-watch; NULL: no directory can be watched */
	const char *source_path; /* directories of fnfs-source-KIND, as runtimes_path; NULL: none */
	const char *mount_path;  /* where it is shown; NULL: nowhere */
	bool drain_kills;        /* do not wait for running calls at the end */
};

/* 0; -EBUSY: another daemon owns the state directory. Failures are logged. */
int engine_new(struct engine **out, const struct engine_options *options);

/* Calls come in by HTTP from now on. 0, or -errno with a sentence: an address cannot be had. */
int engine_open_door(struct engine *engine, const struct door_options *options, struct buf *why);

/*
 * The front (the file system) remembers what it has shown. What comes and goes by the gateway it is told of: entries
 * of these names, each with its zero, in a directory of the object's. It says `done`, on the loop, when nobody
 * can see any more what was there before.
 */
enum engine_entries {
	ENTRIES_OF_FUNCTIONS, /* object 0 */
	ENTRIES_OF_ALIASES,   /* of a function */
	ENTRIES_OF_CODE,      /* of a function */
};
struct engine_front {
	void (*changed)(void *userdata, enum engine_entries where, uint64_t object,
	        const struct buf *names, void (*done)(void *userdata), void *done_userdata);
};
void engine_set_front(
        struct engine *engine, const struct engine_front *front, void *userdata); /* NULL: none */

/* Refuses new calls, lets running ones end (at most `timeout_ms`), stops all instances, then `done`. */
void engine_drain(
        struct engine *engine, int64_t timeout_ms, void (*done)(void *userdata), void *userdata);
struct engine *engine_free(struct engine *engine); /* after drain */

struct functions *engine_functions(struct engine *engine);
struct packages *engine_packages(struct engine *engine);
struct triggers *engine_triggers(struct engine *engine); /* and topics: model/trigger.h */
struct sources *engine_sources(struct engine *engine);   /* where their events come from */
struct attributes *engine_attributes(struct engine *engine);
struct http_routes *engine_http_routes(struct engine *engine); /* of triggers, to be kept by them */
struct tokens *engine_tokens(struct engine *engine);           /* of the gateway */
struct runtimes *engine_runtimes(struct engine *engine);
struct last_error *engine_last_error(struct engine *engine); /* of the mount */
const struct clock *engine_clock(const struct engine *engine);
uid_t engine_owner(const struct engine *engine);          /* who runs the daemon */
const char *engine_log_path(const struct engine *engine); /* the daemon's own log, a plain file */

void engine_show_status(struct engine *engine, struct buf *out); /* the root's `status` */
void engine_show_gateway_address(struct engine *engine, struct buf *out);
void engine_show_gateway_status(struct engine *engine, struct buf *out);
void engine_show_openmetrics(
        struct engine *engine, struct buf *out); /* at most once a second anew */

/*
 * Everything that belongs to one function; each is made on first use and lives as long as it. Numbers are shown
 * without that, and borrowed until the next look; of calls and errors there are none (NULL) before it is used.
 */
struct worktree *engine_worktree(struct engine *engine, struct function *function);
struct logbook *engine_logbook(struct engine *engine, struct function *function);
struct metrics *engine_metrics(struct engine *engine, struct function *function);
/* The output of the function's last build: a descriptor, or -ENOENT; and its size and time. */
int engine_open_build_log(struct engine *engine, struct function *function);
int engine_stat_build_log(
        struct engine *engine, struct function *function, int64_t *size, int64_t *modified_us);
struct recorder *engine_recorder(struct engine *engine, struct function *function);
struct last_error *engine_function_last_error(
        struct engine *engine, struct function *function, bool wanted); /* made if there is none */

int engine_create_function(struct engine *engine, const char *name, const struct caller *caller,
        struct function **out, struct buf *why);
/* -ENOTEMPTY while `code/` holds anything, or there are versions, aliases or triggers. Ends what runs, then removes every trace. */
int engine_remove_function(struct engine *engine, struct function *function, struct buf *why);

/* --- versions and aliases --- */

/*
 * `latest` as it is now becomes a version. 0: `done` comes once, on the loop (or came already: then the wait is
 * NULL), with -errno and a sentence or the version's id; -EINVAL, -EEXIST ... at once, with a sentence in `why`.
 * Who leaves does not hear of it; asking for the same name again gets what came of it.
 */
struct publish_wait;
typedef void (*publish_done_fn)(void *userdata, int status, uint64_t version, const char *why);
int engine_publish(struct engine *engine, struct function *function, const char *name,
        publish_done_fn done, void *userdata, struct publish_wait **out, struct buf *why);
void publish_wait_leave(struct publish_wait *wait);

/* Finished while nobody waited any more: for a minute it is not to be seen, so that mkdir again can make it. */
bool engine_version_unclaimed(const struct version *version);

/* What was published, to be read; NULL: it cannot be, which was logged. Valid as long as the version. */
struct snapshot_tree *engine_version_tree(struct engine *engine, struct version *version);
struct metrics *engine_version_metrics(struct engine *engine, struct version *version);
struct metrics *engine_alias_metrics(struct engine *engine, struct alias *alias);
void engine_show_version_status(struct engine *engine, struct version *version, struct buf *out);
void engine_show_alias_status(struct engine *engine, struct alias *alias, struct buf *out);

/* The versions that calls of an alias went to: their numbers count up within the alias. */
bool engine_alias_way_next(struct engine *engine, struct alias *alias, uint64_t after,
        uint64_t *number, const char **version);
struct metrics *engine_alias_way_metrics(struct engine *engine, struct alias *alias,
        uint64_t number, const char **version); /* NULL: no such */

/* Lines of `key value`: state (changed, loading, ready, broken, disabled, empty), why, traceback. */
void engine_show_function_status(struct engine *engine, struct function *function, struct buf *out);
const char *engine_function_state(struct engine *engine, struct function *function);

/* Instances of a function, by id. */
struct instance_info {
	uint64_t id;
	pid_t pid;
	const char *state;    /* starting, idle, busy, draining, ending */
	const char *version;  /* "latest" */
	int64_t started_us;   /* wall time */
	uint64_t calls;       /* begun so far */
	int64_t memory_bytes; /* -1 unknown */
	int64_t cpu_us;       /* -1 unknown */
	int64_t idle_ms;      /* 0 while busy */
};
bool engine_instance_next(struct engine *engine, struct function *function,
        const struct version *version, uint64_t after,
        struct instance_info *out); /* of one version, or (NULL) of all */
bool engine_instance_get(
        struct engine *engine, uint64_t id, struct instance_info *out, struct function **function);
int engine_instance_stop(struct engine *engine, uint64_t id); /* 0 or -ENOENT; calls in it fail */

/* --- checking what was published --- */

/*
 * Reads all there is, or all of one function, on a worker thread, and says what is wrong: whole
 * lines, on the loop, the last of them `N blobs, M versions, K problems`; then `ended`, unless
 * somebody left before. Never from inside this.
 */
struct check;
typedef void (*check_said_fn)(void *userdata, const char *text, size_t length);
typedef void (*check_ended_fn)(void *userdata);
int engine_check(struct engine *engine, const struct function *function, check_said_fn said,
        check_ended_fn ended, void *userdata, struct check **out);
void engine_check_leave(struct check *check); /* before `ended` came */

/* The same of a state directory that no daemon has, at once. 1: something is wrong; 0; -errno. */
int engine_check_state(const char *state_dir, check_said_fn said, void *userdata);

/* Asynchronous calls: events/queue.h. */
struct queue *engine_queue(struct engine *engine);

/*
 * A call. `request` is moved out of the buf. 0, or a negative errno with a sentence in `why`
 * (-EAGAIN: disabled, or the engine drains); then nothing was begun.
 */
int invocation_start(struct engine *engine, struct function *function, struct buf *request,
        const struct invocation_options *options, const struct invocation_events *events,
        void *userdata, struct invocation **out, struct buf *why);
const char *invocation_request_id(const struct invocation *invocation);
const char *invocation_version(const struct invocation *invocation); /* that it went to */
/* Counts a call that was refused before it was made: the version (NULL: the function) is disabled. */
void engine_call_rejected(
        struct engine *engine, struct function *function, struct version *version);
int engine_cancel_call(struct engine *engine, struct function *function, const char *request_id);
