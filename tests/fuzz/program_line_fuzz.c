/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a source's program says, in whole and in pieces: it is the same, stays within what was said, and an event made of
 * it is JSON whatever its attributes are. A value that is taken hides its passwords.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json_valid.h"
#include "events/event_program.h"
#include "events/program_line.h"
#include "events/program_value.h"
#include "fuzz.h"

static void within(struct program_text text, const char *data, size_t length)
{
	if (text.length && (text.at < data || text.at + text.length > data + length))
		abort();
}

static void make_events(const struct program_line *line)
{
	char *attributes = strndup(line->text.at, line->text.length);

	for (int format = FORMAT_DEFAULT + 1; attributes && format < EVENT_FORMATS; format++) {
		const struct event_about about = {.format = (enum event_format)format,
		        .id = "id",
		        .function = "f",
		        .trigger = "t",
		        .payload = ""};
		const struct program_event event = {.kind = "k",
		        .attributes = attributes,
		        .data = line->data,
		        .length = (size_t)line->length,
		        .hide = "k://u:pw@h"};
		struct buf out = BUF_INIT;

		if (event_program(&out, &about, &event) == 0 && format != FORMAT_RAW &&
		        !json_valid(out.data, out.length))
			abort();
		buf_deinit(&out);
	}
	free(attributes);
}

static size_t read_one(const char *data, size_t length)
{
	struct program_line line;

	program_line_read(&line, data, length);
	if (line.used > length || (line.says == PROGRAM_SAYS_NONSENSE && !line.why))
		abort();
	within(line.word, data, length);
	within(line.id, data, length);
	within(line.text, data, length);
	if (line.data && (line.data < data || line.data + line.length >= data + length))
		abort();
	if (line.says == PROGRAM_SAYS_EVENT && line.data)
		make_events(&line);
	/* Of anything less it is a half. */
	if (line.used && line.says != PROGRAM_SAYS_NONSENSE) {
		char *copy = malloc(line.used);
		struct program_line half;

		memcpy(copy, data, line.used - 1);
		program_line_read(&half, copy, line.used - 1);
		if (half.says != PROGRAM_SAYS_HALF)
			abort();
		free(copy);
	}
	return line.used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct buf shown = BUF_INIT, why = BUF_INIT;
	size_t at = 0, step;

	while ((step = read_one((const char *)data + at, size - at)))
		at += step;
	if (text && program_value_check("nats", text, &why) < 0 && !why.length)
		abort(); /* a refusal says why */
	if (text)
		program_value_hide(text, text, &shown);
	buf_deinit(&shown);
	buf_deinit(&why);
	free(text);
	return 0;
}

void fuzz_sample(struct buf *out)
{
	buf_puts(out,
	        "state connected nats://u:pw@h?token=x\n"
	        "event 12 2 {\"type\":\"a\",\"source\":\"b\",\"time\":\"2023-06-01T00:30:00Z\","
	        "\"datacontenttype\":\"application/json\",\"x\":1}\n{}\n"
	        "event - 0\n\nrecord 7/8 3\na\nb\nrefused no\n");
}
