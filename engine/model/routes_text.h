/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The words of a text of routes. A reader stands in one line; what cannot be read is -EINVAL with a sentence that
 * begins with the line's number.
 */
#include <stdbool.h>

#include "base/buf.h"

struct routes_reader {
	const char *at;
	const char *end; /* of the line */
	unsigned line;   /* from 1 */
	struct buf *why;
};

/* What ends a word beside blanks and the end of the line, and whether one may stand in quotes. */
enum routes_word {
	ROUTES_WORD_PLAIN,  /* a version, a weight, a keyword */
	ROUTES_WORD_HEADER, /* ends at `=` */
	ROUTES_WORD_MEMBER, /* one segment of a path: ends at `.` and `=`; quotes */
	ROUTES_WORD_VALUE,  /* ends at `,`; quotes */
};

/* Moves to the next line that holds anything; false at the end of the text. Starts with line 0, end at the text. */
bool routes_next_line(struct routes_reader *reader);
bool routes_at_end(struct routes_reader *reader);            /* of the line, blanks skipped */
bool routes_take(struct routes_reader *reader, char wanted); /* behind blanks, if it stands there */

/* The next word replaces what `word` holds: 0, -EINVAL (there is none, or a quote is open), -ENOMEM. */
int routes_read_word(struct routes_reader *reader, enum routes_word kind, struct buf *word);
bool routes_peek_word(struct routes_reader *reader, const char *wanted); /* a plain one */

/* Says it, after the number of the line; -EINVAL. */
int routes_refuse(struct routes_reader *reader, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
/* The same, and what the user wrote in quotes. */
int routes_refuse_word(struct routes_reader *reader, const char *sentence, const char *word);

/* Puts a word so that it is read as it is. */
void routes_put_word(struct buf *out, enum routes_word kind, const char *word);
