/* SPDX-License-Identifier: Apache-2.0 */
#include "model/routes_text.h"

#include <errno.h>
#include <string.h>

#include "base/fail.h"
#include "model/why.h"

static const char *const ends[] = {
        [ROUTES_WORD_PLAIN] = "",
        [ROUTES_WORD_HEADER] = "=",
        [ROUTES_WORD_MEMBER] = ".=",
        [ROUTES_WORD_VALUE] = ",",
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct routes_reader *reader)
{
	while (reader->at < reader->end && is_blank(*reader->at))
		reader->at++;
}

bool routes_at_end(struct routes_reader *reader)
{
	skip_blanks(reader);
	return reader->at == reader->end;
}

bool routes_next_line(struct routes_reader *reader)
{
	do {
		if (reader->line && !*reader->end)
			return false;
		reader->at = reader->end + (reader->line > 0); /* behind the newline */
		reader->end = strchrnul(reader->at, '\n');
		reader->line++;
	} while (routes_at_end(reader));
	return true;
}

bool routes_take(struct routes_reader *reader, char wanted)
{
	if (routes_at_end(reader) || *reader->at != wanted)
		return false;
	reader->at++;
	return true;
}

int routes_refuse(struct routes_reader *reader, const char *format, ...)
{
	va_list arguments;

	if (!reader->why)
		return -EINVAL;
	why_say(reader->why, "line %u: ", reader->line);
	va_start(arguments, format);
	buf_vprintf(reader->why, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

int routes_refuse_word(struct routes_reader *reader, const char *sentence, const char *word)
{
	routes_refuse(reader, "%s", sentence);
	why_quote(reader->why, word);
	return -EINVAL;
}

static int read_quoted(struct routes_reader *reader, struct buf *word)
{
	for (reader->at++; reader->at < reader->end && *reader->at != '"'; reader->at++) {
		if (*reader->at == '\\' && reader->at + 1 < reader->end)
			reader->at++;
		buf_append(word, reader->at, 1);
	}
	if (reader->at == reader->end)
		return routes_refuse(reader, "a \" is not closed");
	reader->at++;
	return 0;
}

static bool ends_word(enum routes_word kind, char c)
{
	return is_blank(c) || (c && strchr(ends[kind], c));
}

int routes_read_word(struct routes_reader *reader, enum routes_word kind, struct buf *word)
{
	bool may_quote = kind == ROUTES_WORD_VALUE || kind == ROUTES_WORD_MEMBER, quoted;
	const char *start;
	int r = 0;

	buf_clear(word);
	if (routes_at_end(reader))
		return routes_refuse(reader, "it ends where something has to follow");
	start = reader->at;
	quoted = may_quote && *start == '"';
	if (quoted)
		r = read_quoted(reader, word);
	else
		while (reader->at < reader->end && !ends_word(kind, *reader->at))
			reader->at++;
	if (!quoted)
		buf_append(word, start, (size_t)(reader->at - start));
	buf_puts(word, "");
	if (r == 0 && word->failed)
		return fail(-ENOMEM, "reading routes");
	if (r == 0 && !quoted && !word->length)
		return routes_refuse(reader, "nothing stands before the '%c'", *reader->at);
	return r;
}

bool routes_peek_word(struct routes_reader *reader, const char *wanted)
{
	size_t length = strlen(wanted);

	if (routes_at_end(reader) || (size_t)(reader->end - reader->at) < length ||
	        memcmp(reader->at, wanted, length) != 0)
		return false;
	return reader->at + length == reader->end || is_blank(reader->at[length]);
}

void routes_put_word(struct buf *out, enum routes_word kind, const char *word)
{
	const char *c;
	bool plain = *word && *word != '"';

	for (c = word; *c; c++)
		plain = plain && !ends_word(kind, *c);
	if (plain) {
		buf_puts(out, word);
		return;
	}
	buf_puts(out, "\"");
	for (c = word; *c; c++) {
		if (*c == '"' || *c == '\\')
			buf_puts(out, "\\");
		buf_append(out, c, 1);
	}
	buf_puts(out, "\"");
}
