/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Calls that wait: the queues of all functions, versions and aliases of one engine. An entry is one event
 * with one name and one id for ever, in exactly one of four places: it waits, runs, has a result, or has failed.
 * What was acknowledged is on the disk (store/entries.h) and survives a power cut: it runs at least
 * once, never again once its result is there, and does not vanish. docs/queue.md has the invariants.
 *
 * Oldest first within a target; targets take turns. What fails is tried again later and stands in nobody's
 * way meanwhile. Everything that acknowledges is told on the loop, after the commit, never inside the call
 * that asked. Loop thread only.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/uuid.h"

struct queue;

#define QUEUE_NAME_LONGEST 200
#define QUEUE_EVENT_MOST   (6u << 20) /* bytes; as of a synchronous call */
#define QUEUE_HOPS_MOST    16         /* from queue to queue by destinations */

/* Whose queue: `latest` of a function, or one of its versions, or one of its aliases; by ids. */
struct queue_target {
	uint64_t function;
	uint64_t version; /* 0: not one */
	uint64_t alias;   /* 0: not one */
};

/* One call to be made. Texts are copied. */
struct queue_event {
	struct queue_target target;
	const char *name;   /* the idempotency key, 1 to 200 bytes; NULL: the request id */
	const char *source; /* as calls/ID/status shows it, at most 63 bytes: "trigger nightly" */
	struct buf body;    /* moved out when the call is taken; blank or empty = {} */
	int64_t due_us;     /* wall time; 0 or past = at once */
	int max_retries;    /* of this entry; -1 = as config/max_retries of the target says then */
	int64_t max_event_age_ms; /* likewise, -1 */
	uid_t uid;                /* owner, group and permissions of the file that shows it */
	gid_t gid;
	mode_t mode;   /* 0 = 0644 */
	unsigned hops; /* 0, or one more than those of the entry whose destination this is */
};

struct queue_accepted {
	uint64_t entry; /* its id */
	char name[QUEUE_NAME_LONGEST + 1];
	char request_id[UUID_TEXT_SIZE];
};

/*
 * `status` 0: all `count` entries are on the disk, `accepted` is an array of as many, borrowed for the
 * call. -EEXIST: the name of one is taken, and whatever has it is on the disk, so that whoever hands
 * on events from elsewhere may acknowledge them there. -ENOSPC, -EIO: the disk. Then none was taken.
 */
typedef void (*queue_accepted_fn)(
        void *userdata, int status, const struct queue_accepted *accepted, size_t count);

/*
 * Takes `count` calls, all of one target, all or none, in one commit (which others share). 0: `done` (may be NULL)
 * comes once. At once, with a sentence in `why` (may be NULL) and nothing taken: -EINVAL (name),
 * -EFBIG, -ENOSPC (queue_limit), -ENOENT (no such target), -ESHUTDOWN, -ENOMEM.
 */
int queue_enqueue(struct queue *queue, struct queue_event *events, size_t count,
        queue_accepted_fn done, void *userdata, struct buf *why);

/* Whether `more` calls may be made there: 0, -ENOSPC, -ENOENT, -ESHUTDOWN; with a sentence. */
int queue_check_room(
        struct queue *queue, const struct queue_target *target, size_t more, struct buf *why);

/* 0 or -EINVAL with a sentence: printable UTF-8 of 1 to 200 bytes, no dot first, no `/`, not ending in `.error`. */
int queue_name_check(const char *name, struct buf *why);

/* --- what became of an entry ------------------------------------------------------------------ */

enum queue_place {
	QUEUE_WAITING, /* in queue/: due, or due later */
	QUEUE_RUNNING,
	QUEUE_RESULT,
	QUEUE_FAILED,
	QUEUE_GONE, /* cancelled, or removed from results/ or failed/; its name may still be taken */
	QUEUE_PLACES,
};

struct queue_info {
	uint64_t entry;
	struct queue_target target;
	const char *name; /* borrowed until the loop turns */
	const char *request_id;
	enum queue_place place;
	int64_t accepted_us;
	int64_t due_us;
	int64_t ended_us; /* 0 = not yet */
	unsigned tries;   /* begun so far */
	uid_t uid;
	gid_t gid;
	mode_t mode;
	size_t request_bytes;
	size_t answer_bytes; /* of the result, or of the error's body */
};

/* 0 or -ENOENT. */
int queue_get(struct queue *queue, uint64_t entry, struct queue_info *out);
int queue_find(struct queue *queue, const struct queue_target *target, const char *name,
        struct queue_info *out);
/* The next one of a place, by id; 0 = from the start. */
bool queue_next(struct queue *queue, const struct queue_target *target, enum queue_place place,
        uint64_t after, struct queue_info *out);
int queue_find_request(struct queue *queue, const char *request_id, struct queue_info *out);

/* Embedded in whoever wants to know. `ended` comes once, when it has a result, has failed, or is gone. */
struct queue_watch {
	struct list link;
	void (*ended)(struct queue_watch *watch, enum queue_place place);
};
/* 0; 1: it has ended already, nothing will come; -ENOENT. */
int queue_watch(struct queue *queue, uint64_t entry, struct queue_watch *watch);
void queue_unwatch(struct queue_watch *watch); /* harmless when it has ended */

/* Reads what belongs to an entry; `done` comes once, with the bytes or -ENOENT, -EIO, -ENOMEM. */
enum queue_part { QUEUE_REQUEST, QUEUE_ANSWER };
typedef void (*queue_read_fn)(void *userdata, int status, const char *data, size_t length);
int queue_read(struct queue *queue, uint64_t entry, enum queue_part part, queue_read_fn done,
        void *userdata);

/* 0; -ENOENT. What waits goes, what runs is cancelled, a result or a failed call is removed: at once here. */
int queue_remove(struct queue *queue, uint64_t entry);
/* The body of the error of a failed call alone. */
int queue_remove_error(struct queue *queue, uint64_t entry);

/* The same call again, from failed/: tries and age begin anew. `done` when that is on the disk. 0, -ENOENT, -ENOMEM. */
typedef void (*queue_done_fn)(void *userdata, int status);
int queue_redrive(struct queue *queue, uint64_t entry, queue_done_fn done, void *userdata);

/* When what waits is due; a past time changes nothing. -ENOENT, also of what waits no more. */
int queue_postpone(struct queue *queue, uint64_t entry, int64_t due_us);
int queue_set_access(struct queue *queue, uint64_t entry, uid_t uid, gid_t gid, mode_t mode);

/* Of one target now. */
struct queue_counts {
	size_t waiting, running, results, failed;
	size_t dots;       /* files in queue/ that are no calls yet */
	int64_t oldest_us; /* when the oldest one that waits was accepted; 0 = none */
};
void queue_count(struct queue *queue, const struct queue_target *target, struct queue_counts *out);
void queue_count_all(const struct queue *queue, struct queue_counts *out); /* but `oldest_us` */

/* --- entries that are written as files -------------------------------------------------------- */

/*
 * A draft is an entry that somebody writes. It stands in queue/ from the first moment, but is due only when
 * nobody has it open any more, and never under a name with a dot in front, which is in memory alone. What a flush
 * acknowledged is on the disk; what was not flushed by the time its writer is killed never was.
 */
int queue_draft_new(struct queue *queue, const struct queue_target *target, const char *name,
        uid_t uid, gid_t gid, mode_t mode, uint64_t *entry, struct buf *why);
bool queue_draft_is(struct queue *queue, uint64_t entry);  /* it is being written */
int queue_draft_open(struct queue *queue, uint64_t entry); /* for its maker; -EEXIST for others */
/* All of these accept an entry that was removed meanwhile, without effect. -EFBIG, -ENOSPC (memory). */
int queue_draft_write(struct queue *queue, uint64_t entry, const void *data, size_t length,
        off_t offset, struct buf *why);
int queue_draft_resize(struct queue *queue, uint64_t entry, off_t size, struct buf *why);
/* 1: `done` comes; 0: there is nothing to wait for; -errno. `killed`: whoever flushes was ended by a signal. */
int queue_draft_flush(
        struct queue *queue, uint64_t entry, bool killed, queue_done_fn done, void *userdata);
void queue_draft_close(struct queue *queue, uint64_t entry);
/* A dot-name gets another name; `done` when it is on the disk. 0 (and `done` came not: it is a dot-name still), 1, -errno. */
int queue_draft_rename(struct queue *queue, uint64_t entry, const char *name, queue_done_fn done,
        void *userdata, struct buf *why);
/* Its bytes as they are now, or those of any entry that memory holds; else NULL: queue_read(). */
const char *queue_peek(struct queue *queue, uint64_t entry, size_t *length);
