/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What outlives the daemon, as text: words and whole numbers, none negative.
 *
 *	fnfs-keep-alive 1
 *	start US                 what a start takes
 *	depth N MS ...           the last idle times of N instances and of those after them, oldest first
 *	end
 *
 * An idle time is saved as where its bin begins, so bins may change.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "run/keep_alive_private.h"

#include "base/cleanup.h"

#define HEADER "fnfs-keep-alive 1\n"
#define FOOTER "end\n"

static const unsigned depths[KEEP_ALIVE_LEVELS] = {1, 2, 3, 5};

static void save_times(const struct idle_times *times, unsigned depth, struct buf *out)
{
	unsigned at = (unsigned)(times->next + KEEP_ALIVE_LAST - times->count);

	if (!times->count)
		return;
	buf_printf(out, "depth %u", depth);
	for (unsigned i = 0; i < times->count; i++, at++)
		buf_printf(out, " %lld",
		        (long long)keep_alive_bin_begin_us(times->bins[at % KEEP_ALIVE_LAST]) /
		                1000);
	buf_puts(out, "\n");
}

void keep_alive_save(const struct keep_alive *keep_alive, struct buf *out)
{
	buf_printf(out, HEADER "start %lld\n", (long long)keep_alive->start_us);
	for (unsigned level = 0; level < KEEP_ALIVE_LEVELS; level++)
		save_times(&keep_alive->levels[level], depths[level], out);
	buf_puts(out, FOOTER);
}

/* The next number of the line, after a blank; -EBADMSG: there is none. */
static int64_t load_number(const char **text)
{
	char *end;
	int64_t number;

	if (**text != ' ' || (*text)[1] < '0' || (*text)[1] > '9')
		return -EBADMSG;
	errno = 0;
	number = strtoll(*text + 1, &end, 10);
	*text = end;
	return errno || number > INT64_MAX / 1000000 ? -EBADMSG : number;
}

static int load_times(struct keep_alive *keep_alive, const char **text)
{
	int64_t depth = load_number(text);

	if (depth < 1 || depth > KEEP_ALIVE_DEPTHS)
		return -EBADMSG;
	while (**text == ' ') {
		int64_t idle_ms = load_number(text);

		if (idle_ms < 0)
			return -EBADMSG;
		keep_alive_count(keep_alive, (unsigned)depth, idle_ms * 1000);
	}
	return 0;
}

static int load_start(struct keep_alive *keep_alive, const char **text)
{
	int64_t start_us = load_number(text);

	if (start_us < 0)
		return -EBADMSG;
	keep_alive->start_us = start_us;
	return 0;
}

static int load_line(struct keep_alive *keep_alive, const char **text)
{
	static const struct {
		const char *word;
		int (*load)(struct keep_alive *keep_alive, const char **text);
	} lines[] = {{"start", load_start}, {"depth", load_times}};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		size_t length = strlen(lines[i].word);

		if (strncmp(*text, lines[i].word, length) != 0)
			continue;
		*text += length;
		if (lines[i].load(keep_alive, text) < 0 || *(*text)++ != '\n')
			return -EBADMSG;
		return 0;
	}
	return -EBADMSG;
}

int keep_alive_load(struct keep_alive *keep_alive, const char *text)
{
	struct keep_alive loaded = {};

	if (strncmp(text, HEADER, strlen(HEADER)) != 0)
		return -EBADMSG;
	text += strlen(HEADER);
	while (strcmp(text, FOOTER) != 0)
		if (load_line(&loaded, &text) < 0)
			return -EBADMSG;
	memcpy(loaded.since_us, keep_alive->since_us, sizeof(loaded.since_us));
	loaded.changes = keep_alive->changes;
	*keep_alive = loaded;
	return 0;
}
