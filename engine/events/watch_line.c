/* SPDX-License-Identifier: Apache-2.0 */
#include "events/watch_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static const struct {
	const char *word;
	enum watch_word says;
	enum { NOTHING, NAME, FILE_LINE, SENTENCE } rest;
} words[] = {
        {"watching", WATCH_SAYS_WATCHING, NOTHING},
        {"begin", WATCH_SAYS_BEGIN, NOTHING},
        {"end", WATCH_SAYS_END, NOTHING},
        {"file", WATCH_SAYS_FILE, FILE_LINE},
        {"busy", WATCH_SAYS_BUSY, NAME},
        {"gone", WATCH_SAYS_GONE, NAME},
        {"overflow", WATCH_SAYS_OVERFLOW, NOTHING},
        {"missing", WATCH_SAYS_MISSING, SENTENCE},
        {"refused", WATCH_SAYS_REFUSED, SENTENCE},
        {NULL},
};

static int is_name(const char *text)
{
	size_t length = strlen(text);

	return length && length <= 3 * 255 && !strpbrk(text, " \"\\/") && utf8_valid(text, length);
}

static int read_file(struct watch_line *out, char *rest)
{
	char *numbers = strchr(rest, ' ');

	if (!numbers)
		return 0;
	*numbers++ = 0;
	out->text = rest;
	return is_name(rest) &&
	       sscanf(numbers, "%" SCNu64 " %" SCNd64 " %" SCNd64 " %" SCNd64, &out->inode,
	               &out->bytes, &out->mtime_ns, &out->ctime_ns) == 4;
}

void watch_line_parse(struct watch_line *out, char *line)
{
	char *rest = strchr(line, ' ');
	int i, good = 0;

	*out = (struct watch_line){};
	if (rest)
		*rest++ = 0;
	else
		rest = line + strlen(line);
	for (i = 0; words[i].word && strcmp(words[i].word, line) != 0; i++)
		; /* the row */
	if (!words[i].word)
		return;
	out->text = rest;
	switch (words[i].rest) {
	case NOTHING:
		good = !*rest;
		break;
	case NAME:
		good = is_name(rest);
		break;
	case FILE_LINE:
		good = read_file(out, rest);
		break;
	case SENTENCE:
		good = utf8_valid(rest, strlen(rest));
		break;
	}
	out->word = good ? words[i].says : WATCH_SAYS_NOTHING;
}
