/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/sniff.h"

#include <string.h>

#include "base/utf8.h"

enum { LOOK_AT = 512 };

const char *sniff_type(const char *data, size_t length)
{
	size_t blank = 0, width, at;

	while (blank < length && data[blank] && strchr(" \t\r\n", data[blank]))
		blank++;
	if (blank < length && data[blank] && strchr("{[\"", data[blank]))
		return "application/json";
	for (at = 0; at < length && at < LOOK_AT; at += width) {
		width = utf8_width(data + at, length - at);
		if (!data[at] || (!width && length - at > 4))
			return "application/octet-stream";
		if (!width)
			break; /* a character that was cut */
	}
	return "text/plain; charset=utf-8";
}
