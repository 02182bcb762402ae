/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the files of the logbook share: logbook.c (the segments and what is done to them),
 * logbook_flush.c (what waits becomes written), logbook_compress.c, logbook_reader.c.
 *
 * Always true: there is at least one segment; the last one takes the lines; segments with unwritten
 * text are the last ones of the list; `unwritten` is the sum over the listed segments.
 */
#include <uv.h>

#include "engine/log_format.h"
#include "engine/logbook.h"
#include "engine/logbook_segment.h"

struct archivist;
struct flusher;
struct write_job;
struct compress_job;

struct logbook {
	uv_loop_t *loop;
	struct archivist *archivist; /* borrowed */
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

int flusher_new(struct logbook *logbook);
void flusher_wake(
        struct logbook *logbook); /* something was appended: told within a turn, written soon */
void flusher_close(struct logbook *logbook); /* writes what is there */
void flusher_tell(struct logbook *logbook);  /* followers get what is fresh */
bool flusher_refuses(struct logbook *logbook, const char *text, size_t length);

void compressor_look(struct logbook *logbook); /* begins with the oldest that waits */
/* Nothing happens to the files of this segment (NULL: of any) after this. */
void compressor_stop(struct logbook *logbook, const struct segment *segment);
