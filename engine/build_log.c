/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/build_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/json.h"
#include "engine/engine_state.h"

#define NEW_LOG    BUILD_LOG ".new"
#define LINES_MOST 20
#define LINE_MOST  400

void build_log_open(struct build_log *log, int directory)
{
	*log = (struct build_log){
	        .fd = openat(directory, NEW_LOG,
	                O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600)};
	buf_init(&log->last);
	if (log->fd >= 0 && renameat(directory, NEW_LOG, directory, BUILD_LOG) == 0)
		return;
	fail(-errno, "making a build's log");
	log->fd = close_fd(log->fd);
}

void build_log_deinit(struct build_log *log)
{
	log->fd = close_fd(log->fd);
	buf_deinit(&log->last);
}

/* On a full disk the log has a gap: no reason for the build to end. */
static void put(struct build_log *log, const char *data, size_t length)
{
	if (log->fd >= 0 && length && write(log->fd, data, length) < 0)
		return;
}

void build_log_write(struct build_log *log, const char *data, size_t length)
{
	uint64_t room = log->total < BUILD_LOG_HEAD ? BUILD_LOG_HEAD - log->total : 0;

	put(log, data, length < room ? length : (size_t)room);
	log->total += length;
	buf_append(&log->last, data, length);
	if (log->last.length > 2 * BUILD_LOG_TAIL)
		buf_consume(&log->last, log->last.length - BUILD_LOG_TAIL);
}

void build_log_end(struct build_log *log)
{
	uint64_t behind = log->total > BUILD_LOG_HEAD ? log->total - BUILD_LOG_HEAD : 0;
	size_t kept = behind < BUILD_LOG_TAIL ? (size_t)behind : BUILD_LOG_TAIL;

	if (kept > log->last.length)
		kept = log->last.length;
	if (behind > kept)
		build_log_remark(log, "%" PRIu64 " bytes are left out here", behind - kept);
	if (kept)
		put(log, log->last.data + log->last.length - kept, kept);
	if (log->last.length && log->last.data[log->last.length - 1] != '\n')
		put(log, "\n", 1);
}

void build_log_remark(struct build_log *log, const char *format, ...)
{
	CLEANUP(buf_deinit) struct buf line = BUF_INIT;
	va_list arguments;

	buf_puts(&line, "[");
	va_start(arguments, format);
	buf_vprintf(&line, format, arguments);
	va_end(arguments);
	buf_puts(&line, "]\n");
	put(log, line.data, line.length);
}

/* --- the last lines --------------------------------------------------------------------------- */

/* Where the line begins that ends at `end`. */
static size_t line_begin(const char *data, size_t end)
{
	while (end > 0 && data[end - 1] != '\n')
		end--;
	return end;
}

static bool is_blank(const char *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)data[i] > ' ')
			return false;
	return true;
}

/* What overwrites itself on a terminal is shown as it would look at the end. */
static void trim(const char **line, size_t *length)
{
	const char *back;

	while (*length && ((*line)[*length - 1] == '\r' || (*line)[*length - 1] == ' '))
		--*length;
	back = memrchr(*line, '\r', *length);
	if (back) {
		*length -= (size_t)(back + 1 - *line);
		*line = back + 1;
	}
	if (*length > LINE_MOST)
		*length = LINE_MOST;
}

/* In one line, whatever is in it. */
static void add_clean(struct buf *out, const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		char byte = (unsigned char)line[i] < ' ' || line[i] == 0x7f ? ' ' : line[i];

		buf_append(out, &byte, 1);
	}
}

void build_log_last_line(const struct build_log *log, struct buf *out)
{
	size_t end = log->last.length;

	while (end > 0) {
		size_t begin = line_begin(log->last.data, end), length = end - begin;
		const char *line = log->last.data + begin;

		if (!is_blank(line, length)) {
			trim(&line, &length);
			add_clean(out, line, length);
			return;
		}
		end = begin ? begin - 1 : 0;
	}
}

void build_log_last_lines(const struct build_log *log, struct buf *out)
{
	size_t end = log->last.length, begin, from, count = 0;

	if (end && log->last.data[end - 1] == '\n')
		end--;
	for (from = end; end && count < LINES_MOST; count++) {
		from = line_begin(log->last.data, from);
		if (!from)
			break;
		from--;
	}
	begin = count < LINES_MOST || !end ? 0 : from + 1;
	while (begin < end) {
		const char *line = log->last.data + begin;
		size_t length = strcspn(line, "\n");

		if (length > end - begin)
			length = end - begin;
		begin += length + 1;
		trim(&line, &length);
		json_quote(out, line, length);
		if (begin < end)
			buf_puts(out, ",");
	}
}

/* --- as the layer above sees it --------------------------------------------------------------- */

int engine_open_build_log(struct engine *engine, struct function *function)
{
	struct function_state *state = engine_state(engine, function);
	int fd = state ? openat(state->directory, BUILD_LOG, O_RDONLY | O_CLOEXEC) : -1;

	return fd < 0 ? -ENOENT : fd;
}

int engine_stat_build_log(
        struct engine *engine, struct function *function, int64_t *size, int64_t *modified_us)
{
	struct function_state *state = engine_state(engine, function);
	struct stat attr;

	if (!state || fstatat(state->directory, BUILD_LOG, &attr, 0) < 0)
		return -ENOENT;
	*size = attr.st_size;
	*modified_us = (int64_t)attr.st_mtim.tv_sec * 1000000 + attr.st_mtim.tv_nsec / 1000;
	return 0;
}
