/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a function's log looks like: bytes a program printed become lines, lines become text or JSON.
 *
 * A line of text is `TIME REQUEST_ID VERSION LEVEL MESSAGE`; calls are framed by `TIME Start invoke
 * request ...` and `TIME Finish invoke request ...`. In JSON every line is one object with a `type`:
 * `log`, `start` or `finish`. Whatever a function prints, its log stays a text that a terminal
 * survives: control characters other than tab, and bytes that are not UTF-8, show as `\xNN` (in JSON as
 * JSON has it). A line of more than LOG_LINE_MAX bytes becomes several.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "model/config.h"

#define LOG_LINE_MAX 8192 /* bytes of one message, before escaping */

/* Builds lines. Zeroed it is ready, for text; the format may change at any time. */
struct log_format {
	enum config_log_format kind;
	int64_t time_ms; /* what `time` says, so that a burst formats it once a millisecond */
	char time[CLOCK_TEXT_SIZE];
};

/* What log_format_finish() tells. */
struct log_finish {
	const char *request_id;
	bool failed;
	int64_t duration_us;        /* -1: it never ran */
	int64_t memory_used_bytes;  /* -1 unknown */
	int64_t memory_limit_bytes; /* billed */
};

/* Each appends one or more whole lines. `request_id` and `version` may be NULL: shown as `-`. */
void log_format_start(struct log_format *format, struct buf *out, int64_t wall_us,
        const char *request_id, const char *version);
void log_format_finish(struct log_format *format, struct buf *out, int64_t wall_us,
        const struct log_finish *finish);

/*
 * Lines that go into one `out`, one after the other, for one moment and one call. The texts are borrowed; the rest is
 * zero at first. Nothing may be taken from the front of `out` meanwhile.
 */
struct log_run {
	int64_t wall_us;
	const char *request_id, *version;
	size_t at, length; /* in `out`: what stands before the level, once there is a line */
};

/* Text of several lines becomes several lines, except in JSON. One newline at its end is dropped. */
void log_format_line(struct log_format *format, struct buf *out, struct log_run *run,
        const char *level, const char *text, size_t length);

/* The same for one text by itself. */
void log_format_message(struct log_format *format, struct buf *out, int64_t wall_us,
        const char *request_id, const char *version, const char *level, const char *text,
        size_t length);

/*
 * Cuts a stream of bytes into lines. A line ends at its newline (a carriage return before it is dropped),
 * after LOG_LINE_MAX bytes, or when it is flushed. Zeroed it is ready; it holds at most LOG_LINE_MAX bytes.
 */
struct log_lines {
	struct buf partial;
};

/* Receives a line without its newline: raw bytes, for log_format_message(). */
typedef void (*log_line_fn)(void *userdata, const char *line, size_t length);

void log_lines_feed(
        struct log_lines *lines, const char *data, size_t length, log_line_fn each, void *userdata);
void log_lines_flush(struct log_lines *lines, log_line_fn each, void *userdata); /* a half line */
void log_lines_deinit(struct log_lines *lines);
