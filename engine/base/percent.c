/* SPDX-License-Identifier: Apache-2.0 */
#include "base/percent.h"

#include <errno.h>

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int percent_decode(char *text, bool plus_is_blank)
{
	char *out = text;
	int high, low;

	for (; *text; text++, out++) {
		*out = plus_is_blank && *text == '+' ? ' ' : *text;
		if (*text != '%')
			continue;
		high = digit(text[1]);
		low = high < 0 ? -1 : digit(text[2]);
		if (low < 0)
			return -EINVAL;
		*out = (char)(high << 4 | low);
		if (!*out || *out == '\n' || *out == '\r')
			return -EINVAL;
		text += 2;
	}
	*out = 0;
	return 0;
}
