/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "engine/engine.h"

struct checking {
	struct check *check; /* NULL once it has ended */
	struct stream *stream;
};

static void said(void *userdata, const char *text, size_t length)
{
	struct checking *checking = userdata;

	stream_feed(checking->stream, text, length);
}

static void ended(void *userdata)
{
	struct checking *checking = userdata;

	checking->check = NULL;
	stream_end(checking->stream);
}

static int open_check(const struct subject *subject, struct stream *stream, void **source)
{
	struct checking *checking = calloc(1, sizeof(*checking));
	int r;

	if (!checking)
		return -ENOMEM;
	checking->stream = stream;
	r = engine_check(
	        subject->engine, subject->function, said, ended, checking, &checking->check);
	if (r < 0)
		free(checking);
	else
		*source = checking;
	return r;
}

static void close_check(void *source)
{
	struct checking *checking = source;

	if (checking->check)
		engine_check_leave(checking->check);
	free(checking);
}

static void show_lost(void *source, uint64_t lines, struct buf *out)
{
	buf_printf(out, "%" PRIu64 " lines were lost: read too slowly\n", lines);
}

const struct follow check_follow = {
        .open = open_check,
        .close = close_check,
        .show_lost = show_lost,
};
