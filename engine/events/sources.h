/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where events come from: the living side of all triggers (model/trigger.h). What a source sees becomes an entry
 * of the queue of the trigger's target: it counts as seen when the entry is on the disk, not before. Each kind is
 * one file source_KIND.c and one row of a table. Loop thread only.
 *
 * The name of an entry says which event it is (which instant of a timer, which state of a file): what is
 * found a second time after a crash finds its name taken, and is not made twice.
 */
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/caller.h"
#include "base/clock.h"
#include "events/queue.h"
#include "model/trigger.h"
#include "run/alarm.h"

struct functions;
struct http_routes;
struct launcher;
struct sources;

struct sources_host {
	/* As queue_enqueue(). */
	int (*enqueue)(void *userdata, struct queue_event *events, size_t count,
	        queue_accepted_fn done, void *done_userdata, struct buf *why);
	/* As queue_watch(), queue_next() and queue_postpone(). */
	int (*watch)(void *userdata, uint64_t entry, struct queue_watch *watch);
	bool (*next)(void *userdata, const struct queue_target *target, enum queue_place place,
	        uint64_t after, struct queue_info *out);
	int (*postpone)(void *userdata, uint64_t entry, int64_t due_us);
	bool (*listening)(void *userdata); /* a gateway does, for routes; NULL: none */
};

struct sources_options {
	uv_loop_t *loop;
	struct alarms *alarms;
	const struct clock *clock;
	struct functions *functions;
	struct triggers *triggers;
	struct http_routes *http_routes; /* kept up to date here */
	struct launcher *launcher;       /* NULL: nothing is watched, and no program runs */
	const char *watch_path;          /* fnfs-watch; NULL: likewise */
	const char *program_path; /* directories of fnfs-source-KIND, `:` between them; NULL */
	const char *identity;     /* of the state directory (store_identity()); NULL */
	const char *mount_path;   /* may not be watched, nor what is in it; NULL: none */
	const char *state_path;   /* likewise */
	int state_directory;
	const struct sources_host *host;
	void *userdata;
};

int sources_new(struct sources **out, const struct sources_options *options); /* 0, -ENOMEM, -EIO */
/* All that is enabled begins; what was missed meanwhile is made up for. */
void sources_start(struct sources *sources);
/* Nothing new is seen; counts are stored. `idle` when what was started is gone. */
void sources_stop(struct sources *sources, void (*idle)(void *userdata), void *userdata);
bool sources_idle(const struct sources *sources);
/* After the queue has told all it will. */
struct sources *sources_free(struct sources *sources);

/* For struct triggers_events. */
void sources_changed(struct sources *sources, struct trigger *trigger);
void sources_removed(struct sources *sources, struct trigger *trigger);

/* Somebody set the clock: all timers look at it anew. */
void sources_clock_was_set(struct sources *sources);

/* Sets a source, when its value makes sense: else -EINVAL, or what its kind says, with a sentence. */
int sources_set(struct sources *sources, struct trigger_source *source, const char *text,
        const struct caller *caller, struct buf *why);

/*
 * Whether a program for this kind is there: 0, or -EOPNOTSUPP with a sentence that says where it was looked for. What of `path`
 * fits is where it is.
 */
int sources_find_program(
        const struct sources *sources, const char *kind, char path[], size_t size, struct buf *why);

/*
 * A request that the route of a trigger takes (http_routes.h): its APIG event, which is replaced by one in the trigger's
 * format. 0: it counts as an event, and sources_http_end() is told when its call has ended; -EAGAIN: beyond its rate or its
 * concurrency, with a sentence; -ENOENT: there is no such trigger; -EBADMSG, -ENOMEM.
 */
int sources_http_begin(struct sources *sources, uint64_t trigger, const char *request_id,
        struct buf *event, struct buf *why);
void sources_http_end(struct sources *sources, uint64_t trigger);

/* Lines of `key value`: state, why. */
void sources_show_status(struct sources *sources, struct trigger *trigger, struct buf *out);
/* When it fires next; INT64_MAX: nobody knows. */
int64_t sources_next_us(struct sources *sources, struct trigger *trigger);
