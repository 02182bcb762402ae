/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the kinds of sources and the table of them share. */
#include "base/list.h"
#include "base/map.h"
#include "events/child.h"
#include "events/event_format.h"
#include "events/sources.h"

#define SECOND_US INT64_C(1000000)

struct schedule;
struct source_program;
struct source_ops;
struct source_watch;

struct source_timer {
	struct schedule *schedule;
	struct alarm alarm;
	int64_t next_us;   /* INT64_MAX = never */
	int64_t firing_us; /* this instant is on its way to the queue; 0 = none */
	int64_t pause_us;  /* before it is tried again */
};

/* One trigger. Outlives it while events of it are on their way. */
struct source_state {
	struct sources *sources;
	struct trigger *trigger; /* NULL once it was removed */
	uint64_t trigger_id;
	uint64_t started;              /* the id of the source that runs; 0 = none */
	const struct source_ops *ops;  /* of that */
	char trouble[256];             /* why it does not; "" */
	int64_t started_us;            /* its start_us */
	const struct version *version; /* what it called then; not to be looked into */
	const struct alias *alias;
	char name[64];              /* and was called */
	enum event_format format;   /* what its events were made in */
	bool off;                   /* it was disabled when we last looked */
	unsigned pending;           /* events on their way */
	struct list held, released; /* struct feed_entry, in feed_hold.c */
	unsigned running;           /* of its calls, those on their way too */
	int64_t paid_us;            /* by its rate, events are paid for until then */
	bool dirty;                 /* counts are not stored yet */
	char error[256];            /* of the last event that could not be queued; "" */
	struct source_timer timer;
	struct source_watch *watch;
	struct source_program *program;
	struct list link;
};

struct sources {
	uv_loop_t *loop;
	struct alarms *alarms;
	const struct clock *clock;

	struct functions *functions;
	struct triggers *triggers;
	struct http_routes *http_routes;
	const struct sources_host *host;
	void *userdata;
	struct child_place place;
	char *program_path;                         /* directories, `:` between them */
	char identity[32];                          /* of the state directory */
	char *watch_path, *mount_path, *state_path; /* NULL: none */
	int state_directory;
	unsigned children; /* processes that are not gone */
	void (*idle)(void *userdata);
	void *idle_userdata;
	bool started, stopping;
	int clock_fd; /* readable when somebody set the clock */
	struct watch *clock_watch;
	struct alarm storing; /* of counts */

	struct list states;
	struct list feeds;
	struct list published; /* struct publishing, in topics.c */
	struct alarm publishing_ends;
	struct uuid_source ids;
};

struct source_ops {
	/* Appends the canonical text, or refuses. *topic: what it names. */
	int (*check)(struct sources *sources, const struct trigger_source *source, const char *text,
	        struct buf *canonical, struct topic **topic, struct buf *why);
	/* 0, or -errno with a sentence: it cannot be now. NULL: nothing to do. */
	int (*start)(struct source_state *state, struct buf *why);
	void (*stop)(struct source_state *state);                  /* NULL */
	void (*show)(struct source_state *state, struct buf *out); /* more lines of status; NULL */
	const char *(*name_state)(const struct source_state *state); /* NULL: active */
	bool follows_target; /* begins anew when the target or the name is another */
	bool follows_format; /* likewise */
};
extern const struct source_ops source_http, source_timer, source_topic, source_watch,
        source_program;

/* NULL: no memory. */
struct source_state *source_state_of(struct sources *sources, struct trigger *trigger);

/* The event `name` of the trigger as of now. */
struct event_about source_about(
        const struct source_state *state, const char *name, int64_t time_us);

/*
 * Sends an event to the queue of the trigger's target; the body is moved out. 0: `done` comes later, with 0,
 * -EEXIST (it was there already) or another -errno; or -errno at once. Both are counted here.
 */
typedef void (*feed_done_fn)(struct source_state *state, void *userdata, int status);
int feed_send(struct source_state *state, const char *name, struct buf *body, feed_done_fn done,
        void *userdata);
/* Likewise, of what came from a queue before: `hops` as in queue.h. */
int feed_hand_on(struct source_state *state, const char *name, struct buf *body, unsigned hops,
        feed_done_fn done, void *userdata);
void feeds_free(struct sources *sources);

/* When the next event of the trigger is due, by its rate. 0 = at once. Pays for it. */
int64_t feed_due_us(struct source_state *state);
bool feed_is_early(const struct source_state *state); /* it would not be at once */

/* feed_hold.c: its concurrency. When an event is due that is about to be made, and whether it is held until its turn. */
int64_t feed_reserve(struct source_state *state, bool *held);
void feed_reserved(struct source_state *state, bool held, uint64_t entry); /* 0: it was not made */
void feed_let_go(struct source_state *state); /* those there is room for */
void feed_forget(struct source_state *state); /* the trigger goes: all are let go */
void feeds_find(struct sources *sources, const struct function *function); /* at start */
void publishings_free(struct sources *sources);

/* For `gone` of its children; `sources` counted it. */
void sources_child_gone(void *sources);

/* Its counts are to be stored soon; those of topics, too. */
void source_dirty(struct source_state *state);
void sources_store_soon(struct sources *sources);

void timer_look(struct source_state *state, bool starting);
