/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One segment of a logbook, for the logbook's own files only. Its text is, in order: `written` bytes in
 * a file, then `writing` (a worker may be writing these), then `waiting`. A segment lives as long as the
 * logbook lists it or a reader holds it; nothing in it leads back to the logbook, so that readers
 * survive it.
 *
 * On disk a segment is `ID-NAME` in the logbook's directory, plain text or an archive: what it is shows
 * from its first bytes alone, so the change from one to the other is one rename.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "engine/logbook.h"

struct archive;

/* An open file of a segment; shared by the segment and its readers. */
struct segment_file {
	unsigned references;
	int fd;
	struct archive *archive; /* NULL: plain text */
};

struct segment {
	struct list link; /* logbook.segments, ids rise; self-linked once removed */
	unsigned references;
	uint64_t id;
	char name[sizeof(((struct logbook_segment *)0)->name)];
	int64_t started_ms; /* what the name says */
	int64_t modified_us;
	int64_t day; /* since 1970, of its first line */
	int64_t written;
	struct buf writing, waiting;
	struct segment_file *file; /* while it is written to, or read as plain text; else NULL */
	bool closed;               /* a newer one takes the lines */
	bool archived;             /* what the name leads to is an archive */
	bool given_up; /* it could not be compressed; tried again at the next rotation */
};

#define SEGMENT_PATH_SIZE 512

struct segment *segment_new(uint64_t id, int64_t started_ms); /* NULL: no memory */
struct segment *segment_ref(struct segment *segment);
struct segment *segment_unref(struct segment *segment);

/* Reads id and start from a file's name. False: it is no segment's. */
bool segment_parse(const char *file_name, uint64_t *id, int64_t *started_ms);

/* `DIRECTORY/ID-NAME` and `DIRECTORY/ID-NAME.tmp`. */
void segment_path(const struct segment *segment, const char *directory, const char *suffix,
        char path[SEGMENT_PATH_SIZE]);

int64_t segment_size(const struct segment *segment);
static inline size_t segment_unwritten(const struct segment *segment)
{
	return segment->writing.length + segment->waiting.length;
}

/* Opens what is on disk; `flags` O_RDONLY, or O_RDWR | O_CREAT for plain text. 0 or -errno, silent. */
int segment_file_open(struct segment_file **out, const struct segment *segment, int parent_fd,
        const char *directory, int flags);
struct segment_file *segment_file_ref(struct segment_file *file);
struct segment_file *segment_file_unref(struct segment_file *file);

/* Writes at `offset`; sets how much got there. 0 or -errno, silent. Any thread. */
int segment_write(int fd, const char *data, size_t size, int64_t offset, size_t *done);
