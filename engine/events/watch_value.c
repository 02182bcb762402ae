/* SPDX-License-Identifier: Apache-2.0 */
#include "events/watch_value.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "model/why.h"

static int refuse(struct buf *why, const char *sentence)
{
	why_say(why, "%s; as /srv/in *.csv created,changed", sentence);
	return -EINVAL;
}

/* --- words ------------------------------------------------------------------------------------ */

static int read_quoted(const char **text, struct buf *word)
{
	for ((*text)++; **text != '"'; (*text)++) {
		if (**text == '\\')
			(*text)++;
		if (!**text)
			return -EINVAL;
		buf_append(word, *text, 1);
	}
	(*text)++;
	return 0;
}

/* The next word of the text, or none: then it is empty. */
static int read_word(const char **text, struct buf *word)
{
	buf_clear(word);
	buf_puts(word, "");
	*text += strspn(*text, " \t");
	while (**text && !strchr(" \t", **text)) {
		if (**text == '"') {
			if (read_quoted(text, word) < 0)
				return -EINVAL;
		} else {
			buf_append(word, (*text)++, 1);
		}
	}
	return word->failed ? -ENOMEM : 0;
}

/* --- parts ------------------------------------------------------------------------------------ */

/* Lexically: the daemon does not look. */
static char *normalize(const char *path)
{
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;

	while (*path) {
		size_t length = strcspn(path, "/");

		if (length == 2 && strncmp(path, "..", 2) == 0) {
			while (out.length && out.data[out.length - 1] != '/')
				out.length--;
			out.length -= out.length > 0;
		} else if (length && !(length == 1 && *path == '.')) {
			buf_puts(&out, "/");
			buf_append(&out, path, length);
		}
		path += length;
		path += strspn(path, "/");
	}
	if (!out.length)
		buf_puts(&out, "/");
	if (!out.failed)
		out.data[out.length] = 0;
	return buf_take(&out);
}

static bool is_glob(const char *text)
{
	return strpbrk(text, "*?[") != NULL;
}

static int take_directory(struct watch_value *value, char *path, struct buf *why)
{
	char *last = strrchr(path, '/');

	if (*path != '/')
		return refuse(why, "watch begins with an absolute path");
	if (strlen(path) >= PATH_MAX)
		return refuse(why, "a path has at most 4095 bytes");
	if (is_glob(last)) {
		value->glob = strdup(last + 1);
		*last = 0;
		if (!value->glob)
			return -ENOMEM;
	}
	value->directory = normalize(path);
	return value->directory ? 0 : -ENOMEM;
}

/* 1: it says no changes. */
static int take_changes(struct watch_value *value, char *text)
{
	bool wants[WATCH_CHANGES] = {};
	char *word;

	while ((word = strsep(&text, ","))) {
		int change = 0;

		while (change < WATCH_CHANGES &&
		        strcmp(watch_change_name((enum watch_change)change), word) != 0)
			change++;
		if (change == WATCH_CHANGES)
			return 1;
		wants[change] = true;
	}
	memcpy(value->wants, wants, sizeof(wants));
	return 0;
}

static bool looks_like_changes(const char *text)
{
	return strcspn(text, ",") == strlen(text)
	               ? strcmp(text, "created") == 0 || strcmp(text, "changed") == 0 ||
	                         strcmp(text, "removed") == 0
	               : !is_glob(text);
}

static int take_rest(
        struct watch_value *value, const char **text, struct buf *word, struct buf *why)
{
	bool changes = false;
	int r;

	while ((r = read_word(text, word)) == 0 && word->length) {
		if (!changes && looks_like_changes(word->data)) {
			if (take_changes(value, word->data) > 0)
				return refuse(why, "changes are created, changed and removed, with "
				                   "commas between them");
			changes = true;
		} else if (!value->glob && !changes && !strchr(word->data, '/')) {
			value->glob = strdup(word->data);
			if (!value->glob)
				return -ENOMEM;
		} else {
			return refuse(why, "watch is a directory, perhaps a glob, perhaps changes");
		}
	}
	return r == -EINVAL ? refuse(why, "a quotation does not end") : r;
}

static int parse(struct watch_value *value, const char *text, struct buf *why)
{
	CLEANUP(buf_deinit) struct buf word = BUF_INIT;
	int r;

	if (strchr(text, '\n'))
		return refuse(why, "watch is one line");
	r = read_word(&text, &word);
	if (r == -EINVAL)
		return refuse(why, "a quotation does not end");
	if (r == 0)
		r = take_directory(value, word.data, why);
	return r < 0 ? r : take_rest(value, &text, &word, why);
}

int watch_value_parse(struct watch_value *value, const char *text, struct buf *why)
{
	int r;

	*value = (struct watch_value){.wants = {[WATCH_CREATED] = true, [WATCH_CHANGED] = true}};
	r = parse(value, text, why);
	if (r == -ENOMEM)
		why_store(why, fail(r, "reading a watch"));
	if (r < 0)
		watch_value_deinit(value);
	return r;
}

void watch_value_deinit(struct watch_value *value)
{
	free(value->directory);
	free(value->glob);
	value->directory = value->glob = NULL;
}

/* --- showing ---------------------------------------------------------------------------------- */

static void show_word(const char *word, const char *more, struct buf *out)
{
	bool quoted = !*word || strpbrk(word, " \t\"\\");

	if (!quoted) {
		buf_printf(out, "%s%s", word, more);
		return;
	}
	buf_puts(out, "\"");
	for (; *word; word++)
		buf_printf(out, "%s%c", strchr("\"\\", *word) ? "\\" : "", *word);
	buf_printf(out, "%s\"", more);
}

void watch_value_show(const struct watch_value *value, struct buf *out)
{
	const char *comma = " ";

	/* With a slash behind it what looks like a glob is a directory. */
	show_word(value->directory, is_glob(strrchr(value->directory, '/')) ? "/" : "", out);
	if (value->glob) {
		buf_puts(out, " ");
		show_word(value->glob, "", out);
	}
	for (int change = 0; change < WATCH_CHANGES; change++) {
		if (!value->wants[change])
			continue;
		buf_printf(out, "%s%s", comma, watch_change_name((enum watch_change)change));
		comma = ",";
	}
}

bool watch_path_within(const char *path, const char *above)
{
	size_t length = strlen(above);

	while (length && above[length - 1] == '/')
		length--;
	return strncmp(path, above, length) == 0 && (!path[length] || path[length] == '/');
}
