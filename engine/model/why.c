/* SPDX-License-Identifier: Apache-2.0 */
#include "model/why.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"

void why_say(struct buf *why, const char *format, ...)
{
	va_list arguments;

	if (!why)
		return;
	buf_clear(why);
	va_start(arguments, format);
	buf_vprintf(why, format, arguments);
	va_end(arguments);
}

void why_quote(struct buf *why, const char *text)
{
	enum { LONGEST = 60 }; /* bytes */
	size_t left = strlen(text), used = 0, width;

	if (!why)
		return;
	buf_puts(why, "'");
	for (; left && used < LONGEST; text += width, left -= width, used += width) {
		width = utf8_width(text, left);
		if (!width || (unsigned char)*text < ' ' || *text == 0x7f) {
			width = 1;
			buf_puts(why, "?");
		} else {
			buf_append(why, text, width);
		}
	}
	buf_puts(why, left ? "...'" : "'");
}

int why_store(struct buf *why, int error)
{
	switch (error) {
	case -ENOSPC:
		why_say(why, "the disk of the state directory is full; nothing was changed");
		break;
	case -EROFS:
		why_say(why, "the state directory cannot be written; nothing was changed");
		break;
	case -ENOMEM:
		why_say(why, "the daemon is out of memory; nothing was changed");
		break;
	default:
		why_say(why, "the store failed, nothing was changed; the daemon's log says why");
	}
	return error;
}
