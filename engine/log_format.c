/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This runs once or more for every line that any function prints, so it works in runs: a run of plain
 * bytes is found and appended as a whole, and the time is formatted once a millisecond.
 */
#include "engine/log_format.h"

#include <stdio.h>
#include <string.h>

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
		if (is_plain((unsigned char)text[i])) {
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

static void append_word(struct buf *out, const char *word)
{
	buf_puts(out, word);
	buf_append(out, " ", 1);
}

static void message_text(struct buf *out, const char *time, const char *request_id,
        const char *version, const char *level, const char *text, size_t length)
{
	append_word(out, time);
	append_word(out, request_id);
	append_word(out, version);
	append_word(out, level);
	append_escaped(out, text, length);
	buf_append(out, "\n", 1);
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

static void message_json(struct buf *out, const char *time, const char *request_id,
        const char *version, const char *level, const char *text, size_t length)
{
	begin_json(out, time, "log", request_id);
	member(out, "version", version);
	member(out, "level", level);
	buf_puts(out, ",\"message\":");
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

void log_format_message(struct log_format *format, struct buf *out, int64_t wall_us,
        const char *request_id, const char *version, const char *level, const char *text,
        size_t length)
{
	const char *time = format_time(format, wall_us);
	size_t line, piece, at = 0;

	if (length && text[length - 1] == '\n')
		length--;
	do {
		line = line_length(format, text + at, length - at);
		piece = piece_length(text + at, line);
		(format->kind == LOG_FORMAT_JSON ? message_json : message_text)(
		        out, time, or_dash(request_id), or_dash(version), level, text + at, piece);
		at += piece;
		if (piece == line && at < length)
			at++; /* the newline between two lines */
		else if (piece == line)
			break;
	} while (true);
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
