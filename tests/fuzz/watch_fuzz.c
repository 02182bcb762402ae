/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a user writes into a watch, and what fnfs-watch says. A value that is taken shows as one that means the same; a
 * line that is taken has a name that can stand in JSON and in the store.
 */
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/json_valid.h"
#include "events/watch_line.h"
#include "events/watch_value.h"
#include "fuzz.h"

static void try_value(const char *text)
{
	struct buf why = BUF_INIT, shown = BUF_INIT, again = BUF_INIT;
	struct watch_value value;

	if (watch_value_parse(&value, text, &why) == 0) {
		watch_value_show(&value, &shown);
		watch_value_deinit(&value);
		if (watch_value_parse(&value, shown.data, &why) < 0)
			abort();
		watch_value_show(&value, &again);
		if (strcmp(shown.data, again.data) != 0 || *value.directory != '/')
			abort();
		watch_value_deinit(&value);
	} else if (!why.length) {
		abort(); /* a refusal says why */
	}
	buf_deinit(&why);
	buf_deinit(&shown);
	buf_deinit(&again);
}

static void try_line(char *text)
{
	struct watch_line line;
	struct buf json = BUF_INIT;

	watch_line_parse(&line, text);
	if (line.word == WATCH_SAYS_FILE || line.word == WATCH_SAYS_GONE) {
		buf_printf(&json, "\"%s\"", line.text);
		escape_decode(line.text);
	}
	buf_deinit(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);

	if (!text)
		return 0;
	json_valid((const char *)data, size);
	try_value(text);
	try_line(text);
	free(text);
	return 0;
}

void fuzz_sample(struct buf *out)
{
	buf_puts(out, "\"/srv/../in x/[a]/\" *.csv created,removed");
}
