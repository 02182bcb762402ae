/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The lines that fnfs-watch says (watcher/main.c), read without trust. Pure. */
#include <stdint.h>

enum watch_word {
	WATCH_SAYS_NOTHING, /* no line of ours: it is passed over */
	WATCH_SAYS_WATCHING,
	WATCH_SAYS_BEGIN,
	WATCH_SAYS_END,
	WATCH_SAYS_FILE,
	WATCH_SAYS_BUSY,
	WATCH_SAYS_GONE,
	WATCH_SAYS_OVERFLOW,
	WATCH_SAYS_MISSING,
	WATCH_SAYS_REFUSED,
};

struct watch_line {
	enum watch_word word;
	char *text; /* the name, as it was escaped, or the sentence; in the line */
	uint64_t inode;
	int64_t bytes, mtime_ns, ctime_ns; /* of a file */
};

/* Without its newline; it is cut into pieces. */
void watch_line_parse(struct watch_line *out, char *line);
