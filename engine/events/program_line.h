/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a source's program says (docs/sources.md), read without trust. Pure. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PROGRAM_LINE_MOST = 64 << 10,
	PROGRAM_ID_MOST =
	        1024, /* longer than the contract's: what a broker has is not lost for its name */
	PROGRAM_DATA_MOST = 6 << 20, /* bytes; what is more is not kept */
};
#define PROGRAM_PASSED_OVER_MOST (UINT64_C(1) << 31) /* bytes; what is more is no length */

enum program_says {
	PROGRAM_SAYS_HALF,    /* there is more to come */
	PROGRAM_SAYS_STATE,   /* word, text */
	PROGRAM_SAYS_EVENT,   /* id, text (attributes), data */
	PROGRAM_SAYS_RECORD,  /* id, data */
	PROGRAM_SAYS_REFUSED, /* text */
	PROGRAM_SAYS_NONSENSE /* why: what follows cannot be understood either */
};

struct program_text {
	const char *at; /* borrowed of what was read; no zero behind it, nor in it */
	size_t length;
};

struct program_line {
	enum program_says says;
	struct program_text word, id, text;
	const char *data;
	uint64_t length; /* of data */
	bool too_large; /* data is NULL: as many bytes follow, and a newline, that are passed over */
	size_t used;    /* bytes this was */
	const char *why;
};

/* The first thing said in `length` bytes. */
void program_line_read(struct program_line *out, const char *data, size_t length);
