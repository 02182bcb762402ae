/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

size_t utf8_width(const char *text, size_t length)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned char least = 0x80, most = 0xbf; /* bounds of the second byte */
	size_t width, i;

	if (!length)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		width = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		width = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		width = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		least = 0xa0;
	else if (p[0] == 0xed)
		most = 0x9f;
	else if (p[0] == 0xf0)
		least = 0x90;
	else if (p[0] == 0xf4)
		most = 0x8f;
	if (length < width || p[1] < least || p[1] > most)
		return 0;
	for (i = 2; i < width; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return width;
}

bool utf8_valid(const char *text, size_t length)
{
	while (length) {
		size_t width = utf8_width(text, length);

		if (!width)
			return false;
		text += width;
		length -= width;
	}
	return true;
}
