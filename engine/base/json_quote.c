/* SPDX-License-Identifier: Apache-2.0 */
/* Apart from json.c because it needs no library: a static program takes it too. */
#include "base/json.h"

#include "base/ascii.h"
#include "base/utf8.h"

/* Bytes of the character at `p` that stands for itself in a JSON string, or 0. */
static size_t plain_width(const unsigned char *p, size_t length)
{
	size_t width = utf8_width((const char *)p, length);

	if (width == 1 && (*p < 0x20 || *p == '"' || *p == '\\' || *p == 0x7f))
		return 0;
	return width;
}

/* Eight characters of which each stands for itself. */
static bool plain_word(uint64_t word)
{
	return ascii_printable(word) && !ascii_has(word, '"') && !ascii_has(word, '\\');
}

static void quote_special(struct buf *buf, const unsigned char *p, size_t length)
{
	if (!utf8_width((const char *)p, length))
		buf_puts(buf, "\\ufffd");
	else if (*p == '"' || *p == '\\')
		buf_printf(buf, "\\%c", *p);
	else if (*p == '\n')
		buf_puts(buf, "\\n");
	else
		buf_printf(buf, "\\u%04x", *p);
}

/* In runs of plain characters: everything a function prints may pass here. */
void json_quote(struct buf *buf, const char *text, size_t length)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + length, *run = p;

	buf_append(buf, "\"", 1);
	while (p < end) {
		size_t width;

		while (end - p >= 8 && plain_word(ascii_load((const char *)p)))
			p += 8;
		if (p == end)
			break;
		width = plain_width(p, (size_t)(end - p));
		if (width) {
			p += width;
			continue;
		}
		buf_append(buf, run, (size_t)(p - run));
		quote_special(buf, p, (size_t)(end - p));
		run = ++p;
	}
	buf_append(buf, run, (size_t)(end - run));
	buf_append(buf, "\"", 1);
}
