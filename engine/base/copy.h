/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A text into an array, cut where that ends. snprintf() does it too, in ten times as long. */
#include <stddef.h>
#include <string.h>

static inline void copy_text(char *to, size_t size, const char *from)
{
	size_t length = strnlen(from, size - 1);

	memcpy(to, from, length);
	to[length] = 0;
}
