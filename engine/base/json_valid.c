/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_valid.h"

#include <string.h>

#include "base/utf8.h"

enum { DEPTH_MOST = 512 };

struct text {
	const char *at, *end;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void skip_space(struct text *text)
{
	while (text->at < text->end && *text->at && strchr(" \t\r\n", *text->at))
		text->at++;
}

/* Steps over `c`, if it stands here. */
static bool take_char(struct text *text, char c)
{
	if (text->at == text->end || *text->at != c)
		return false;
	text->at++;
	return true;
}

static bool take_word(struct text *text, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(text->end - text->at) < length || memcmp(text->at, word, length) != 0)
		return false;
	text->at += length;
	return true;
}

static bool take_digits(struct text *text)
{
	const char *before = text->at;

	while (text->at < text->end && is_digit(*text->at))
		text->at++;
	return text->at > before;
}

static bool take_number(struct text *text)
{
	take_char(text, '-');
	if (!take_char(text, '0') && !take_digits(text))
		return false;
	if (take_char(text, '.') && !take_digits(text))
		return false;
	if (take_char(text, 'e') || take_char(text, 'E')) {
		if (!take_char(text, '+'))
			take_char(text, '-');
		return take_digits(text);
	}
	return true;
}

/* Four digits: a unit of UTF-16. */
static bool take_unit(struct text *text, unsigned *unit)
{
	*unit = 0;
	for (int i = 0; i < 4; i++) {
		if (text->at == text->end || !is_hex(*text->at))
			return false;
		*unit = *unit << 4 | (unsigned)(is_digit(*text->at) ? *text->at - '0'
		                                                    : (*text->at | 32) - 'a' + 10);
		text->at++;
	}
	return true;
}

/* Half of a pair is none: the other one must follow. */
static bool is_character(struct text *text, unsigned unit)
{
	unsigned low;

	if (unit < 0xd800 || unit > 0xdfff)
		return true;
	return unit < 0xdc00 && take_char(text, '\\') && take_char(text, 'u') &&
	       take_unit(text, &low) && low >= 0xdc00 && low <= 0xdfff;
}

/* Behind the backslash. */
static bool take_escape(struct text *text)
{
	unsigned unit;

	if (text->at == text->end || !*text->at)
		return false;
	if (strchr("\"\\/bfnrt", *text->at)) {
		text->at++;
		return true;
	}
	return take_char(text, 'u') && take_unit(text, &unit) && is_character(text, unit);
}

static bool take_string(struct text *text)
{
	if (!take_char(text, '"'))
		return false;
	while (text->at < text->end && *text->at != '"') {
		unsigned char c = (unsigned char)*text->at;
		size_t width = c < 0x80 ? 1 : utf8_width(text->at, (size_t)(text->end - text->at));

		if (c < 0x20 || !width)
			return false;
		text->at += width;
		if (c == '\\' && !take_escape(text))
			return false;
	}
	return take_char(text, '"');
}

static bool take_scalar(struct text *text)
{
	if (text->at == text->end)
		return false;
	switch (*text->at) {
	case '"':
		return take_string(text);
	case 't':
		return take_word(text, "true");
	case 'f':
		return take_word(text, "false");
	case 'n':
		return take_word(text, "null");
	default:
		return take_number(text);
	}
}

static bool take_key(struct text *text)
{
	skip_space(text);
	if (!take_string(text))
		return false;
	skip_space(text);
	return take_char(text, ':');
}

/* Behind a value: closes what ends here. False: what stands here is wrong; *more: a value must follow. */
static bool take_closings(struct text *text, const char *open, unsigned *depth, bool *more)
{
	*more = false;
	for (;;) {
		skip_space(text);
		if (!*depth)
			return true;
		if (take_char(text, ',')) {
			*more = true;
			return open[*depth - 1] == ']' || take_key(text);
		}
		if (!take_char(text, open[*depth - 1]))
			return false;
		(*depth)--;
	}
}

/* Opens what opens here, down to a scalar. *empty: the innermost was closed at once. */
static bool take_openings(struct text *text, char *open, unsigned *depth, bool *empty)
{
	*empty = false;
	for (;;) {
		bool array;

		skip_space(text);
		array = take_char(text, '[');
		if (!array && !take_char(text, '{'))
			return true;
		skip_space(text);
		*empty = take_char(text, array ? ']' : '}');
		if (*empty)
			return true;
		if (*depth == DEPTH_MOST || (!array && !take_key(text)))
			return false;
		open[(*depth)++] = array ? ']' : '}';
	}
}

bool json_valid(const char *data, size_t length)
{
	struct text text = {data, data + length};
	char open[DEPTH_MOST];
	unsigned depth = 0;
	bool empty, more;

	do {
		if (!take_openings(&text, open, &depth, &empty))
			return false;
		if (!empty && !take_scalar(&text))
			return false;
		if (!take_closings(&text, open, &depth, &more))
			return false;
	} while (more);
	return text.at == text.end;
}
