/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The output of one build, as it comes, in a file that only grows: `logs/build` of the function. The file is
 * bounded: of what a build says beyond BUILD_LOG_HEAD bytes only the end is kept, and put behind it when the
 * build is over. The last lines are in memory, too. Internal to engine/.
 */
#include <stdint.h>

#include "base/buf.h"

#define BUILD_LOG      "build.log"
#define BUILD_LOG_HEAD (1 << 20)
#define BUILD_LOG_TAIL (64 << 10)

struct build_log {
	int fd; /* -1: it could not be made; then there is only the end, in memory */
	uint64_t total;
	struct buf last;
};

/* A new file under the name of the last one, in the function's directory. */
void build_log_open(struct build_log *log, int directory);
void build_log_deinit(struct build_log *log);

void build_log_write(struct build_log *log, const char *data, size_t length);
void build_log_end(struct build_log *log); /* nothing more will come but remarks */
/* A line of ours, in brackets; not among the last lines. */
void build_log_remark(struct build_log *log, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* The last line that is not blank, cut; nothing when there is none. Without a newline. */
void build_log_last_line(const struct build_log *log, struct buf *out);
/* The last lines as elements of a JSON array, with commas between them. */
void build_log_last_lines(const struct build_log *log, struct buf *out);
