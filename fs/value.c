/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/value.h"

#include <errno.h>
#include <string.h>

static int refuse(struct buf *why, const char *sentence)
{
	buf_puts(why, sentence);
	return -EINVAL;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int finish(struct buf *value, const char *data, size_t length)
{
	buf_clear(value);
	buf_append(value, data, length);
	return value->failed ? -ENOMEM : 0;
}

int value_from_line(const char *data, size_t length, struct buf *value, struct buf *why)
{
	if (memchr(data, 0, length))
		return refuse(why, "a value holds no zero bytes");
	if (length == 1 && *data == '\n')
		return finish(value, "", 0);
	while (length && is_space(data[length - 1]))
		length--;
	while (length && is_space(*data)) {
		data++;
		length--;
	}
	if (!length)
		return refuse(why, "white space is no value");
	if (memchr(data, '\n', length))
		return refuse(why, "a value is one line");
	return finish(value, data, length);
}

int value_from_lines(const char *data, size_t length, struct buf *value, struct buf *why)
{
	if (memchr(data, 0, length))
		return refuse(why, "a value holds no zero bytes");
	if (length && data[length - 1] == '\n')
		length--;
	return finish(value, data, length);
}
