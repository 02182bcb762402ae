/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This runs once or more for every line that any function prints. What stands before the level is the same for all
 * lines that were read together: it is made once and copied from line to line (struct log_run). The time is formatted once a
 * millisecond, and plain bytes are told apart eight at a time and appended as a whole.
 */
#include "engine/log_format.h"

#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/json.h"
#include "base/utf8.h"

static const char *format_time(struct log_format *format, int64_t wall_us)
{
	int64_t now_ms = wall_us / 1000;

	if (!format->time[0] || format->time_ms != now_ms) {
		clock_format(format->time, wall_us);
		format->time_ms = now_ms;
	}
	return format->time;
}

static const char *or_dash(const char *text)
{
	return text && *text ? text : "-";
}

static bool is_plain(unsigned char byte)
{
	return (byte >= 0x20 && byte < 0x7f) || byte == '\t';
}

/* Bytes of the harmless character at `text`; 0 for a control character or what is not UTF-8. */
static size_t harmless_width(const char *text, size_t length)
{
	size_t width = utf8_width(text, length);

	if (width < 2)
		return width && is_plain((unsigned char)*text);
	if ((unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0)
		return 0; /* U+0080 to U+009F: to some terminals these are commands */
	return width;
}

static void append_escaped(struct buf *out, const char *text, size_t length)
{
	size_t start = 0, i = 0, width;

	while (i < length) {
		i += ascii_run(text + i, length - i);
		if (i == length)
			break;
		if (text[i] == '\t') {
			i++;
			continue;
		}
		width = harmless_width(text + i, length - i);
		if (width) {
			i += width;
			continue;
		}
		buf_append(out, text + start, i - start);
		buf_printf(out, "\\x%02x", (unsigned char)text[i]);
		start = ++i;
	}
	buf_append(out, text + start, length - start);
}

/* Where to cut a text of more than LOG_LINE_MAX bytes: not inside a character. */
static size_t piece_length(const char *text, size_t length)
{
	size_t cut = LOG_LINE_MAX, back;

	if (length <= LOG_LINE_MAX)
		return length;
	for (back = 0; back < 4; back++)
		if (((unsigned char)text[cut - back] & 0xc0) != 0x80)
			return cut - back;
	return cut;
}

static void member(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, ",\"%s\":", name);
	json_quote(out, value, strlen(value));
}

static void begin_json(struct buf *out, const char *time, const char *type, const char *request_id)
{
	buf_printf(out, "{\"time\":\"%s\",\"type\":\"%s\"", time, type);
	member(out, "requestId", request_id);
}

/* What stands before the level. */
static void append_head(struct log_format *format, struct buf *out, int64_t wall_us,
        const char *request_id, const char *version)
{
	const char *time = format_time(format, wall_us);

	if (format->kind == LOG_FORMAT_JSON) {
		begin_json(out, time, "log", or_dash(request_id));
		member(out, "version", or_dash(version));
		buf_puts(out, ",\"level\":\"");
		return;
	}
	buf_puts(out, time);
	buf_append(out, " ", 1);
	buf_puts(out, or_dash(request_id));
	buf_append(out, " ", 1);
	buf_puts(out, or_dash(version));
	buf_append(out, " ", 1);
}

/* The first line of the run has the head made, the others copy it from there. */
static void begin_line(struct log_format *format, struct buf *out, struct log_run *run)
{
	char *place;

	if (!run->length) {
		run->at = out->length;
		append_head(format, out, run->wall_us, run->request_id, run->version);
		run->length = out->length - run->at;
		return;
	}
	place = buf_reserve(out, run->length);
	if (!place)
		return;
	memcpy(place, out->data + run->at, run->length);
	buf_added(out, run->length);
}

static char *put(char *place, const char *text, size_t length)
{
	memcpy(place, text, length);
	return place + length;
}

static void line_text(struct log_format *format, struct buf *out, struct log_run *run,
        const char *level, const char *text, size_t length)
{
	size_t width = strlen(level), whole = run->length + width + 1 + length + 1;
	char *place, *end;

	if (!run->length || ascii_run(text, length) < length) {
		begin_line(format, out, run);
		buf_puts(out, level);
		buf_append(out, " ", 1);
		append_escaped(out, text, length);
		buf_append(out, "\n", 1);
		return;
	}
	/* Nearly all lines. */
	place = buf_reserve(out, whole);
	if (!place)
		return;
	end = put(place, out->data + run->at, run->length);
	end = put(end, level, width);
	*end++ = ' ';
	end = put(end, text, length);
	*end = '\n';
	buf_added(out, whole);
}

static void line_json(struct log_format *format, struct buf *out, struct log_run *run,
        const char *level, const char *text, size_t length)
{
	begin_line(format, out, run);
	buf_puts(out, level);
	buf_puts(out, "\",\"message\":");
	json_quote(out, text, length);
	buf_puts(out, "}\n");
}

/* The first line of a text of several (all of it where lines stay together), as far as it matters. */
static size_t line_length(const struct log_format *format, const char *text, size_t length)
{
	const char *newline;

	if (format->kind == LOG_FORMAT_JSON)
		return length;
	if (length > LOG_LINE_MAX + 1)
		length = LOG_LINE_MAX +
		         1; /* it will be cut anyway; do not look on, each time anew */
	newline = memchr(text, '\n', length);
	return newline ? (size_t)(newline - text) : length;
}

void log_format_line(struct log_format *format, struct buf *out, struct log_run *run,
        const char *level, const char *text, size_t length)
{
	size_t line, piece, at = 0;

	if (length && text[length - 1] == '\n')
		length--;
	do {
		line = line_length(format, text + at, length - at);
		piece = piece_length(text + at, line);
		(format->kind == LOG_FORMAT_JSON ? line_json : line_text)(
		        format, out, run, level, text + at, piece);
		at += piece;
		if (piece == line && at < length)
			at++; /* the newline between two lines */
		else if (piece == line)
			break;
	} while (true);
}

void log_format_message(struct log_format *format, struct buf *out, int64_t wall_us,
        const char *request_id, const char *version, const char *level, const char *text,
        size_t length)
{
	struct log_run run = {.wall_us = wall_us, .request_id = request_id, .version = version};

	log_format_line(format, out, &run, level, text, length);
}

void log_format_start(struct log_format *format, struct buf *out, int64_t wall_us,
        const char *request_id, const char *version)
{
	const char *time = format_time(format, wall_us);

	if (format->kind == LOG_FORMAT_TEXT) {
		buf_puts(out, time);
		buf_puts(out, " Start invoke request '");
		buf_puts(out, or_dash(request_id));
		buf_puts(out, "', version: ");
		buf_puts(out, or_dash(version));
		buf_append(out, "\n", 1);
		return;
	}
	begin_json(out, time, "start", or_dash(request_id));
	member(out, "version", or_dash(version));
	buf_puts(out, "}\n");
}

/* In thousandths, rounded. */
static int64_t mebibytes_by_1000(int64_t bytes)
{
	return bytes > 0 ? (bytes * 1000 + (1 << 19)) >> 20 : 0;
}

static void append_thousandths(struct buf *out, const char *before, int64_t value)
{
	buf_puts(out, before);
	buf_number(out, value / 1000, 1);
	buf_append(out, ".", 1);
	buf_number(out, value % 1000, 3);
}

static void append_whole(struct buf *out, const char *before, int64_t value)
{
	buf_puts(out, before);
	buf_number(out, value, 1);
}

void log_format_finish(struct log_format *format, struct buf *out, int64_t wall_us,
        const struct log_finish *finish)
{
	const char *time = format_time(format, wall_us);
	int64_t duration_us = finish->duration_us > 0 ? finish->duration_us : 0;
	int64_t billed_ms = (duration_us + 999) / 1000; /* rounded up to a whole millisecond */
	int64_t memory = mebibytes_by_1000(finish->memory_used_bytes);
	int64_t billed_mb = (finish->memory_limit_bytes + (1 << 20) - 1) >> 20;

	if (format->kind == LOG_FORMAT_TEXT) {
		buf_puts(out, time);
		buf_puts(out, " Finish invoke request '");
		buf_puts(out, or_dash(finish->request_id));
		buf_puts(out, finish->failed ? "' (invoke Failed)" : "'");
		append_thousandths(out, ", duration: ", duration_us);
		append_whole(out, "ms, billing duration: ", billed_ms);
		append_thousandths(out, "ms, memory used: ", memory);
		append_whole(out, "MB, billing memory: ", billed_mb);
		buf_puts(out, "MB\n");
		return;
	}
	begin_json(out, time, "finish", or_dash(finish->request_id));
	member(out, "status", finish->failed ? "failed" : "success");
	append_thousandths(out, ",\"durationMs\":", duration_us);
	append_whole(out, ",\"billingDurationMs\":", billed_ms);
	append_thousandths(out, ",\"memoryUsedMB\":", memory);
	append_whole(out, ",\"billingMemoryMB\":", billed_mb);
	buf_puts(out, "}\n");
}

static void end_line(const char *line, size_t length, log_line_fn each, void *userdata)
{
	if (length && line[length - 1] == '\r')
		length--;
	each(userdata, line, length);
}

/* Keeps a half line, giving out pieces of it where it is too long already. */
static void keep_half(
        struct log_lines *lines, const char *half, size_t length, log_line_fn each, void *userdata)
{
	size_t piece;

	buf_append(&lines->partial, half, length);
	while (lines->partial.length > LOG_LINE_MAX) {
		piece = piece_length(lines->partial.data, lines->partial.length);
		each(userdata, lines->partial.data, piece);
		buf_consume(&lines->partial, piece);
	}
}

/* Takes what stands before a newline: the rest of a line whose beginning may have come before. */
static void take_rest(
        struct log_lines *lines, const char *rest, size_t length, log_line_fn each, void *userdata)
{
	if (!lines->partial.length) {
		end_line(rest, length, each, userdata);
		return;
	}
	keep_half(lines, rest, length, each, userdata);
	end_line(lines->partial.data, lines->partial.length, each, userdata);
	buf_clear(&lines->partial);
}

void log_lines_feed(
        struct log_lines *lines, const char *data, size_t length, log_line_fn each, void *userdata)
{
	const char *end = data + length, *newline;
	size_t step;

	while (data < end) {
		/* Never more than a line at once, so that an endless one costs no memory. */
		step = (size_t)(end - data) > LOG_LINE_MAX ? LOG_LINE_MAX : (size_t)(end - data);
		newline = memchr(data, '\n', step);
		if (newline) {
			take_rest(lines, data, (size_t)(newline - data), each, userdata);
			data = newline + 1;
		} else {
			keep_half(lines, data, step, each, userdata);
			data += step;
		}
	}
	if (lines->partial.failed)
		buf_clear(&lines->partial); /* no memory: these bytes are lost, later ones not */
}

void log_lines_flush(struct log_lines *lines, log_line_fn each, void *userdata)
{
	if (lines->partial.length)
		end_line(lines->partial.data, lines->partial.length, each, userdata);
	buf_clear(&lines->partial);
}

void log_lines_deinit(struct log_lines *lines)
{
	buf_deinit(&lines->partial);
}
