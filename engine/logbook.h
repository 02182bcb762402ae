/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The log of one function: segments in a directory. The newest grows by whole lines and has a true
 * size; older ones are compressed on disk (zstd, seekable) and read as plain text at any offset.
 * Segments rotate by size and by day, and go by age and total size (retention). Appending never
 * blocks: lines are buffered and written behind, at most 5 ms later; readers see buffered lines too. Segment ids rise and are never reused.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "model/config.h"

struct archivist;
struct logbook;

struct logbook_limits {
	int64_t segment_bytes; /* rotate beyond */
	int64_t retention_ms;
	int64_t retention_bytes;       /* of plain text, all segments together */
	enum config_log_format format; /* of what the logbook itself has to say */
};

struct logbook_segment {
	uint64_t id;
	char name[32]; /* when it began: 2026-11-23T22-54-57.123.log; unique, sorts by age */
	int64_t size;  /* bytes of plain text */
	int64_t modified_us;
	bool newest;
};

/*
 * `parent_fd` is borrowed until logbook_close(), the archivist, which has a thread on the same loop, for longer.
 * Failures are logged.
 */
int logbook_open(struct logbook **out, uv_loop_t *loop, struct archivist *archivist,
        const struct clock *clock, int parent_fd, const char *directory,
        const struct logbook_limits *limits);

/* Writes what is buffered. The loop must run once more, for its handles to close. */
struct logbook *logbook_close(struct logbook *logbook);
void logbook_set_limits(struct logbook *logbook, const struct logbook_limits *limits);

/*
 * Appends lines: bytes that end in a newline. Never fails: on a full disk, and when far more comes than is
 * written, lines are dropped and counted, and a line says how many once there is room again.
 */
void logbook_append(struct logbook *logbook, const char *text, size_t length);

/*
 * True while too much waits to be written: whoever feeds it should pause reading its source, until
 * `drained` is called (on the loop; there is one such callback per logbook, the last one set).
 */
bool logbook_congested(const struct logbook *logbook);
void logbook_on_drained(struct logbook *logbook, void (*drained)(void *userdata), void *userdata);

void logbook_newest_segment(const struct logbook *logbook, struct logbook_segment *out);

/* Segments by id; `after` 0 is the first. Returns false at the end. */
bool logbook_next(const struct logbook *logbook, uint64_t after, struct logbook_segment *out);
bool logbook_find(const struct logbook *logbook, const char *name, struct logbook_segment *out);
bool logbook_get(const struct logbook *logbook, uint64_t id, struct logbook_segment *out);

/* Of the newest: begins a fresh one, unless it is empty (then it stays, and all is well). */
int logbook_remove(struct logbook *logbook, uint64_t id);

/*
 * A reader of one segment; it keeps working when the segment is compressed, rotated or removed
 * meanwhile, and when the logbook is closed. Reads at any offset of the plain text, short only at the
 * end; 0 = end, -EIO where a closed segment is damaged. May run inline: bounded work.
 */
struct logbook_reader;
int logbook_reader_new(struct logbook_reader **out, struct logbook *logbook, uint64_t id);
struct logbook_reader *logbook_reader_free(struct logbook_reader *reader);
ssize_t logbook_read(struct logbook_reader *reader, void *data, size_t size, int64_t offset);

/*
 * A follower gets every line appended after it was made, whole lines, at most one loop turn later:
 * logs/follow. It may unfollow itself, and nothing else of the logbook, in its callbacks.
 */
struct logbook_follower {
	struct list link;
	void (*lines)(struct logbook_follower *follower, const char *text, size_t length);
	void (*ended)(struct logbook_follower *follower); /* the logbook closes; NULL: unheard */
};
void logbook_follow(struct logbook *logbook, struct logbook_follower *follower);
void logbook_unfollow(struct logbook_follower *follower);
