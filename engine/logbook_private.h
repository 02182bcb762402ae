/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the files of the logbook share: logbook.c (the segments and what is done to them),
 * logbook_flush.c (what waits becomes written), logbook_compress.c, logbook_reader.c.
 *
 * Always true: there is at least one segment; the last one takes the lines; segments with unwritten
 * text are the last ones of the list; `unwritten` is the sum over the listed segments.
 */
#include <stdatomic.h>
#include <uv.h>

#include "engine/log_format.h"
#include "engine/logbook.h"
#include "engine/logbook_segment.h"

struct flusher;
struct write_job;
struct compress_job;

struct logbook {
	uv_loop_t *loop;
	const struct clock *clock;
	int parent_fd; /* borrowed */
	char *directory;
	struct logbook_limits limits;
	struct log_format format; /* of its own lines */
	struct list segments;

	size_t unwritten;
	struct flusher *flusher;   /* the loop's handles; outlives the logbook by their closing */
	struct write_job *writing; /* at most one */
	int trouble;               /* what the last write failed with; lines go when much waits */
	uint64_t lost;             /* lines dropped and not yet told */
	bool congested;
	void (*drained)(void *userdata);
	void *drained_userdata;

	struct compress_job *compressing; /* at most one */

	struct list followers;
	struct buf fresh; /* appended and not yet told to the followers */
};

static inline struct segment *logbook_newest(const struct logbook *logbook)
{
	return list_last(&logbook->segments, struct segment, link);
}

struct segment *logbook_segment_by_id(const struct logbook *logbook, uint64_t id); /* or NULL */

/* A job in a worker thread, which the logbook may have to wait for. */
struct worker {
	uv_work_t work;
	uv_sem_t ended;
	atomic_bool canceled;
	bool ran;                /* settled by worker_stop() or the loop */
	struct logbook *logbook; /* NULL once nobody waits for the result */
};

void worker_start(
        struct worker *worker, struct logbook *logbook, uv_work_cb run, uv_after_work_cb after);
void worker_finished(struct worker *worker); /* the last thing `run` does */
void worker_stop(
        struct worker *worker); /* ends it or waits for it; `after` comes with logbook NULL */

int flusher_new(struct logbook *logbook);
void flusher_wake(
        struct logbook *logbook); /* something was appended: told within a turn, written soon */
void flusher_close(struct logbook *logbook); /* writes what is there */
void flusher_tell(struct logbook *logbook);  /* followers get what is fresh */
bool flusher_refuses(struct logbook *logbook, const char *text, size_t length);

void compressor_look(struct logbook *logbook); /* begins with the oldest that waits */
/* Nothing happens to the files of this segment (NULL: of any) after this. */
void compressor_stop(struct logbook *logbook, const struct segment *segment);
