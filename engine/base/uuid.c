/* SPDX-License-Identifier: Apache-2.0 */
#include "base/uuid.h"

#include <stddef.h>
#include <sys/random.h>

static void refill(struct uuid_source *source)
{
	size_t got = 0;

	while (got < sizeof(source->pool)) {
		ssize_t n = getrandom(source->pool + got, sizeof(source->pool) - got, 0);

		if (n > 0)
			got += (size_t)n;
	}
	source->left = sizeof(source->pool);
}

void uuid_make(struct uuid_source *source, char text[UUID_TEXT_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char bytes[16];
	char *out = text;
	int i;

	if (source->left < sizeof(bytes))
		refill(source);
	source->left -= sizeof(bytes);
	for (i = 0; i < 16; i++)
		bytes[i] = source->pool[source->left + (unsigned)i];
	bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = hex[bytes[i] >> 4];
		*out++ = hex[bytes[i] & 15];
	}
	*out = 0;
}
