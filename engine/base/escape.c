/* SPDX-License-Identifier: Apache-2.0 */
#include "base/escape.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"

static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("/-._~+,=@", c));
}

void escape_name(struct buf *out, const char *name)
{
	while (*name) {
		size_t width = utf8_width(name, strlen(name));

		if (width > 1 || is_plain((unsigned char)*name)) {
			buf_append(out, name, width);
			name += width;
		} else {
			buf_printf(out, "%%%02X", (unsigned char)*name++);
		}
	}
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int escape_decode(char *word)
{
	char *out = word;

	while (*word) {
		if (*word != '%') {
			*out++ = *word++;
			continue;
		}
		if (digit(word[1]) < 0 || digit(word[2]) < 0)
			return -EINVAL;
		*out = (char)(digit(word[1]) << 4 | digit(word[2]));
		if (!*out++)
			return -EINVAL;
		word += 3;
	}
	*out = 0;
	return 0;
}
