/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the files of the queue share. Memory has everything but the bodies: an entry per call, a line per
 * target. Memory follows the disk where something is acknowledged (an entry is taken, has a result, has
 * failed, is redriven: only after the commit), and leads it where a crash may take it back (an
 * entry begins to run, waits for its next try, is cancelled).
 */
#include "base/map.h"
#include "events/queue.h"
#include "events/queue_heap.h"
#include "events/queue_host.h"

#define QUEUE_REMOVED_TEXT "The version or alias was removed meanwhile"

#define SECOND_US        (INT64_C(1000) * 1000)
#define HOUR_US          (3600 * SECOND_US)
#define RESULT_KEPT_US   (24 * HOUR_US)
#define NAME_KEPT_US     HOUR_US
#define DOT_KEPT_US      HOUR_US      /* a dot-name that nobody renames */
#define SHORT_US         SECOND_US    /* a call that takes longer makes room for another */
#define ENDED_MOST       500000       /* results and kept names, of all targets */
#define BODIES_MOST      (64u << 20)  /* of requests kept in memory beside the disk */
#define BODY_MOST        4096         /* larger ones are read when they are due */
#define DRAFTS_MOST      (256u << 20) /* bytes written and not on the disk yet */
#define INTERRUPTED_MOST 16           /* daemons that ended while it ran */
#define SHORT_CALLS_MOST 256          /* begun lately, of all targets */

struct queue_run;

/* An entry that somebody has open for writing, or that has a dot-name. */
struct queue_draft {
	struct queue_entry *entry;
	struct buf data;
	unsigned opens;
	unsigned commits; /* under way */
	unsigned empty_flushes;
	bool dirty;  /* holds more than was handed to the disk */
	bool stored; /* some of it is on the disk */
	bool dot;
	bool moved; /* its time or permissions changed since it was stored */
	bool dropped; /* what was written last does not count: its writer was killed, or was told so */
	int refused;      /* a write did not fit: what was written is no call. -errno; 0 */
	int64_t until_us; /* nobody has it open: it goes then; 0 = never */
	struct list link; /* queue.drafts */
};

struct queue_entry {
	uint64_t id;
	struct queue_line *line;
	char *name;
	char request_id[UUID_TEXT_SIZE];
	char *source;
	enum queue_place place;
	bool hidden;   /* not on the disk yet, and never seen */
	bool settling; /* what follows its place is being written */
	bool stale;    /* its version or alias went while it ran */
	bool rewrite;  /* its row changed while it is settling */
	bool unwanted; /* removed while it is settling */
	int64_t accepted_us, due_us, ended_us;
	uint16_t begun, tries;
	int16_t max_retries;
	uint16_t hops;
	int64_t max_age_ms;
	uid_t uid;
	gid_t gid;
	mode_t mode;
	uint32_t request_bytes, answer_bytes;
	char *body; /* of the request, when it is small and there is room; else NULL */
	struct queue_draft *draft;
	struct queue_run *run;
	struct queue_heap *heap;
	size_t heap_place;
	struct list ended_link; /* queue.results or queue.gone, or of nothing */
};

/* All entries of one target, by id; those that went leave holes until there are too many. */
struct queue_slot {
	uint64_t id;
	struct queue_entry *entry; /* NULL: a hole */
};

struct queue_line {
	struct queue *queue;
	struct queue_target target;
	struct names by_name;
	struct queue_slot *slots;
	size_t slot_count, slot_capacity, holes;
	size_t counts[QUEUE_PLACES];
	size_t dots;             /* of those that wait: dot-names, nobody's call yet */
	struct queue_heap ready; /* due, by id: the oldest first */
	unsigned running;        /* calls */
	unsigned short_running;  /* of those, begun less than a second ago */
	unsigned refusals;       /* in a row */
	int64_t blocked_us;      /* nothing is begun before; 0 = it is not */
	int64_t expires_us;      /* the first of those ready grows too old */
	struct list link;        /* queue.lines */
	struct list turn_link;   /* queue.turns: has something ready */
};

/* One try of one entry. */
struct queue_run {
	struct queue *queue;
	struct queue_entry *entry; /* NULL: it was cancelled, and nobody waits for the end */
	struct queue_line *line;   /* where it counts */
	void *invocation;          /* NULL before the call, and after */
	struct buf answer;
	struct buf request;     /* read again for a destination */
	enum queue_place place; /* where the entry goes: RESULT or FAILED */
	const char *condition;  /* of a destination's record */
	int error;
	struct entry_commit *commit;
	uint64_t destination;   /* the entry being made there; 0 = none */
	int64_t retry_us;       /* settle again then; 0 = never */
	int64_t begun_us;       /* monotonic */
	bool is_short;          /* counted as such */
	bool counted;           /* in line->running */
	bool reading;           /* from the disk, or it is being handed on */
	bool hands_on;          /* as its target does */
	struct list link;       /* queue.runs */
	struct list short_link; /* queue.shorts */
};

struct queue {
	const struct queue_host *host;
	void *userdata;
	const struct clock *clock;
	struct alarms *alarms;
	struct alarm alarm;
	struct entries *entries;
	struct uuid_source ids;
	uint64_t random;
	unsigned parallel;
	uint64_t last_id;
	struct map by_id;
	struct names by_request;
	struct map lines_by_target;
	struct list lines, turns;
	struct queue_heap later; /* not due yet, by due_us */
	struct list runs, shorts;
	unsigned short_running;
	struct list results, gone; /* by the time they ended */
	size_t ended_count;
	struct list drafts; /* that nobody has open */
	size_t draft_bytes, body_bytes;
	struct map watches; /* entry -> struct queue_watchers */
	size_t open;        /* commits and reads of ours under way */
	bool started, stopping;
	void (*idle)(void *userdata);
	void *idle_userdata;
};

/* --- queue_entry.c: entries, lines, and the way to the disk --- */

struct queue_line *queue_line_of(struct queue *queue, const struct queue_target *target); /* made */
struct queue_line *queue_line_find(const struct queue *queue, const struct queue_target *target);
struct queue_entry *queue_entry_of(const struct queue *queue, uint64_t id);

/* A new entry with a name nobody has (else -EEXIST, or -ENOMEM), hidden, waiting, in no heap. */
int queue_entry_new(struct queue_line *line, const char *name, const char *request_id,
        const char *source, struct queue_entry **out);
/* Out of memory, the index, heaps, lists and counts. */
void queue_entry_free(struct queue_entry *entry);
void queue_entry_move(struct queue_entry *entry, enum queue_place place); /* counts follow */
int queue_entry_rename(struct queue_entry *entry, struct queue_line *line, const char *name);
void queue_entry_keep_body(struct queue_entry *entry, const struct buf *body);
void queue_entry_drop_body(struct queue_entry *entry);
struct entry_row queue_entry_row(const struct queue_entry *entry);
bool queue_entry_visible(const struct queue_entry *entry);
/* Whoever has the name; what only keeps it is let go when its time is over. */
struct queue_entry *queue_name_taken(struct queue_line *line, const char *name);

/* A commit that counts as open work until everybody was told. NULL: no memory. */
struct entry_commit *queue_commit_new(
        struct queue *queue, void (*done)(void *userdata, int status), void *userdata);
void queue_commit(struct queue *queue, struct entry_commit *commit);
void queue_store(struct queue_entry *entry);         /* its row, behind everybody's back */
void queue_commit_drop(struct entry_commit *commit); /* one that was not handed in */
int queue_read_bytes(struct queue *queue, uint64_t id, bool answer, queue_read_fn done,
        void *userdata); /* 0: `done` comes; -ENOMEM */

/* --- queue_turn.c: time --- */

/* It waits: in line when it is due, else until then. */
void queue_arm(struct queue_entry *entry);
void queue_wake(struct queue *queue); /* a turn comes soon */
int64_t queue_now(const struct queue *queue);
void queue_ended(struct queue_entry *entry);  /* RESULT or GONE: kept for its time */
void queue_forget(struct queue_entry *entry); /* the row goes, and it is freed */
void queue_settle_idle(struct queue *queue);

/* --- queue_run.c: tries --- */

struct queue_run *queue_run_new(struct queue_entry *entry); /* NULL: no memory */
void queue_run_over(struct queue_run *run);                 /* it makes no call any more */
int queue_begin(struct queue_entry *entry, const struct queue_limits *limits); /* -ENOMEM */

/* --- queue_settle.c: their ends --- */

void queue_settle(struct queue_run *run, enum queue_place place, const char *condition);
void queue_run_retry(struct queue_run *run);   /* what could not be written is written now */
void queue_run_is_long(struct queue_run *run); /* counts as a short one no more */
void queue_run_leave(struct queue_run *run); /* its end is written, or is left to the next daemon */
void queue_run_abandon(struct queue_run *run); /* the entry goes elsewhere */
/* Ends an entry that does not run, in failed/. */
void queue_fail(struct queue_entry *entry, const char *condition, const char *type, int error,
        const char *sentence);

/* --- queue_record.c --- */

/* FunctionGraph's record of an end, as event of a destination, of at most `most` bytes. */
void queue_record(
        const struct queue_run *run, const struct buf *request, size_t most, struct buf *out);

void queue_show(struct queue_entry *entry); /* it is on the disk: in line, or where it belongs */
void queue_end_loop(struct queue_entry *entry, struct entry_row *row, struct buf *answer);

/* --- queue_remove.c --- */
void queue_line_free(struct queue_line *line); /* with no entry left */
void queue_remove_line(struct queue_line *line);

/* --- queue_draft.c --- */
void queue_draft_expire(struct queue_entry *entry);
void queue_draft_drop(
        struct queue_entry *entry); /* the entry goes, now or when nobody has it open */
void queue_draft_free(struct queue_entry *entry);

/* --- queue_watch.c --- */
void queue_tell(struct queue_entry *entry, enum queue_place place);
