/* SPDX-License-Identifier: Apache-2.0 */
/* What a function prints. Whatever it is, the log stays lines of text, and JSON is JSON. */
#include "engine/log_format.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"

struct output {
	struct log_format format;
	struct log_run run;
	struct buf text, together;
};

static void check_text(const char *line, size_t length)
{
	if (!utf8_valid(line, length) || memchr(line, 0x1b, length) || memchr(line, 0, length) ||
	        length > 4 * LOG_LINE_MAX + 200)
		abort();
}

static void check_json(const char *line, size_t length)
{
	CLEANUP(json_delete_p) cJSON *object = cJSON_ParseWithLength(line, length);

	if (!object || !json_string(object, "message", NULL))
		abort();
}

static void take_line(void *userdata, const char *line, size_t length)
{
	struct output *output = userdata;
	char *start, *newline;
	size_t before;

	if (length > LOG_LINE_MAX)
		abort();
	buf_clear(&output->text);
	log_format_message(&output->format, &output->text, 1773742402123456, "id", "latest", "INFO",
	        line, length);
	for (start = output->text.data; (newline = strchr(start, '\n')); start = newline + 1)
		(output->format.kind == LOG_FORMAT_JSON ? check_json : check_text)(
		        start, (size_t)(newline - start));
	if (start != output->text.data + output->text.length || start == output->text.data)
		abort(); /* not whole lines */
	/* One of many comes out the same. */
	before = output->together.length;
	log_format_line(&output->format, &output->together, &output->run, "INFO", line, length);
	if (output->together.length - before != output->text.length ||
	        memcmp(output->together.data + before, output->text.data, output->text.length) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct output output = {.format.kind = size % 2 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
	        .run = {1773742402123456, "id", "latest", 0, 0}};
	struct log_lines lines = {0};
	size_t half = size / 2;

	log_lines_feed(&lines, (const char *)data, half, take_line, &output);
	log_lines_feed(&lines, (const char *)data + half, size - half, take_line, &output);
	log_lines_flush(&lines, take_line, &output);
	log_lines_deinit(&lines);
	buf_deinit(&output.text);
	buf_deinit(&output.together);
	return 0;
}

void fuzz_sample(struct buf *out)
{
	int i;

	buf_puts(
	        out, "plain\ncolour \x1b[31mred\x1b[0m\r\ngr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x99\n\n");
	buf_append(out, "nul\0nul\xff\xfe", 9);
	for (i = 0; i < 3000; i++)
		buf_puts(out, "\xe2\x82\xac long ");
}
