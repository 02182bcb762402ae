/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The entries of all queues on disk: `STATE/queue.db`, a database of its own with a thread of its own, so
 * that waiting for the disk holds up nothing else. Whoever changes something hands in a *commit*, a few
 * writes that count as a whole. The thread takes all commits that have come meanwhile, writes them in
 * one transaction and waits for the disk once (synchronous=FULL): hence many writers share one wait, and
 * what `done` acknowledged survives a power cut. Commits are carried out in the order they were handed in.
 *
 * Loop thread only, `done` too; never inside the call that handed in.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "base/buf.h"
#include "base/list.h"

struct entries;

enum entry_place { /* numbers are stored */
	ENTRY_WAITING = 0,
	ENTRY_RUNNING = 1,
	ENTRY_RESULT = 2,
	ENTRY_FAILED = 3,
	ENTRY_GONE = 4, /* only its name is still kept */
};

struct entry_row {
	uint64_t id;
	uint64_t function, version, alias; /* the target; 0 = not one */
	const char *name, *request_id, *source;
	enum entry_place place;
	int64_t accepted_us, due_us, ended_us; /* wall time; ended 0 = not yet */
	unsigned begun;                        /* how often it was given to an instance, */
	unsigned tries;                        /* and how often that ended badly */
	int max_retries;                       /* -1: as the settings say */
	int64_t max_age_ms;                    /* likewise */
	uid_t uid;
	gid_t gid;
	mode_t mode;
	unsigned hops;
	uint32_t request_bytes, answer_bytes;
};

enum entry_verb { ENTRY_PUT /* new, or all of it anew */, ENTRY_DROP };
enum entry_body { ENTRY_KEEP, ENTRY_SET, ENTRY_REMOVE };

struct entry_write {
	enum entry_verb verb;
	struct entry_row row; /* its texts belong to the commit */
	enum entry_body request_is, answer_is;
	struct buf request, answer;
};

struct entry_commit {
	struct list link;
	struct entry_write *writes;
	size_t count, capacity;
	size_t bytes;
	bool failed; /* no memory for one of the writes */
	int status;
	void (*done)(void *userdata, int status); /* may be NULL */
	void *userdata;
};

struct entry_read {
	struct list link;
	uint64_t id;
	bool answer; /* else the request */
	int status;
	struct buf data;
	void (*done)(struct entry_read *read); /* frees it */
	void *userdata;
};

/* 0; -errno as store_open(). */
int entries_open(struct entries **out, uv_loop_t *loop, const char *state_dir);
/* What was handed in is carried out; nobody is told any more. The loop must turn once for its handle. */
struct entries *entries_close(struct entries *entries);
bool entries_idle(const struct entries *entries); /* everybody has been told */

/* All rows, in the order of ids, before anything was handed in; `last`: the highest id ever stored. */
int entries_each(struct entries *entries, int (*each)(void *userdata, const struct entry_row *row),
        void *userdata, uint64_t *last);

struct entry_commit *entry_commit_new(void (*done)(void *userdata, int status), void *userdata);
struct entry_commit *entry_commit_free(struct entry_commit *commit); /* one not handed in */
/* Copies the row; moves the bodies out (NULL = keep what is stored). A failure shows in `failed`. */
void entry_commit_put(struct entry_commit *commit, const struct entry_row *row, struct buf *request,
        struct buf *answer);
void entry_commit_drop(struct entry_commit *commit, uint64_t id);
/* Of the write added last: a body that is stored goes. */
void entry_commit_remove_request(struct entry_commit *commit);
void entry_commit_remove_answer(struct entry_commit *commit);

/* Takes the commit. `done` gets 0, or -ENOSPC, -EIO, -ENOMEM ...: then none of its writes was made. */
void entries_commit(struct entries *entries, struct entry_commit *commit);
void entries_read(struct entries *entries, struct entry_read *read);
