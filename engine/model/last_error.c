/* SPDX-License-Identifier: Apache-2.0 */
#include "model/last_error.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

enum { USERS_MOST = 64 };

struct sentence { /* the one set last stands first */
	struct list link;
	uid_t uid;
	char text[];
};

static struct sentence *find(const struct last_error *last_error, uid_t uid)
{
	struct sentence *sentence;

	list_each(sentence, &last_error->sentences, link) {
		if (sentence->uid == uid)
			return sentence;
	}
	return NULL;
}

static void drop(struct last_error *last_error, struct sentence *sentence)
{
	if (!sentence)
		return;
	list_unlink(&sentence->link);
	free(sentence);
	last_error->count--;
}

void last_error_init(struct last_error *last_error)
{
	list_init(&last_error->sentences);
	last_error->count = 0;
}

void last_error_deinit(struct last_error *last_error)
{
	while (!list_empty(&last_error->sentences))
		drop(last_error, list_first(&last_error->sentences, struct sentence, link));
}

/* One line of UTF-8, whatever somebody chose as a name: it goes to a terminal. */
static void copy_clean(char *to, const char *text, size_t length)
{
	size_t width;

	for (; length; text += width, length -= width, to += width) {
		width = utf8_width(text, length);
		if (!width || (unsigned char)*text < ' ' || *text == 0x7f) {
			width = 1;
			*to = '?';
		} else {
			memcpy(to, text, width);
		}
	}
	*to = 0;
}

/* Without memory the user has no sentence: better than the one of an older mistake. */
void last_error_set(struct last_error *last_error, uid_t uid, const char *text)
{
	size_t size = strlen(text) + 1;
	struct sentence *sentence = malloc(sizeof(*sentence) + size);

	if (sentence) {
		sentence->uid = uid;
		copy_clean(sentence->text, text, size - 1); /* `text` may be the old sentence */
	}
	drop(last_error, find(last_error, uid));
	if (!sentence)
		return;
	list_prepend(&last_error->sentences, &sentence->link);
	if (++last_error->count > USERS_MOST)
		drop(last_error, list_last(&last_error->sentences, struct sentence, link));
}

void last_error_clear(struct last_error *last_error, uid_t uid)
{
	drop(last_error, find(last_error, uid));
}

const char *last_error_get(const struct last_error *last_error, uid_t uid)
{
	const struct sentence *sentence = find(last_error, uid);

	return sentence ? sentence->text : "";
}
