/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An open file that delivers what comes, as it comes: `logs/follow`. A read at the end waits; a reader
 * that is too slow is not waited for, it gets a line that says how many it missed. Each open is a
 * stream of its own, from the moment it was opened. Never listed, for whoever copies a tree must not wait.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "fs/view.h"

/* One open file. */
struct stream;

/* Where the text of a stream comes from: one for each kind of row. */
struct follow {
	/* Begins to feed the stream. `source` is handed to the others. 0 or -errno. */
	int (*open)(const struct subject *subject, struct stream *stream, void **source);
	void (*close)(void *source); /* the stream is no more; also after stream_end() */
	void (*show_lost)(void *source, uint64_t lines, struct buf *out); /* a whole line */
};

/* Whole lines. Loop thread; neither calls back into the source. */
void stream_feed(struct stream *stream, const char *text, size_t length);
void stream_end(struct stream *stream); /* there will be no more: readers get the end of the file */
