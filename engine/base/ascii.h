/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Plain bytes are most of what is printed: they are told apart eight at a time. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ASCII_ONES  UINT64_C(0x0101010101010101)
#define ASCII_HIGHS UINT64_C(0x8080808080808080)

static inline uint64_t ascii_load(const char *text)
{
	uint64_t word;

	memcpy(&word, text, sizeof(word));
	return word;
}

/* Whether one of the eight bytes is this one. */
static inline bool ascii_has(uint64_t word, char byte)
{
	uint64_t zero = word ^ (ASCII_ONES * (unsigned char)byte);

	return ((zero - ASCII_ONES) & ~zero & ASCII_HIGHS) != 0;
}

/* Whether all eight are printable: space to tilde. */
static inline bool ascii_printable(uint64_t word)
{
	return !((word | (word + ASCII_ONES) | (word - ASCII_ONES * 0x20)) & ASCII_HIGHS);
}

/* Printable bytes at the front. */
static inline size_t ascii_run(const char *text, size_t length)
{
	size_t run = 0;

	while (length - run >= sizeof(uint64_t) && ascii_printable(ascii_load(text + run)))
		run += sizeof(uint64_t);
	while (run < length && text[run] >= 0x20 && text[run] < 0x7f)
		run++;
	return run;
}
