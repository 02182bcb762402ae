/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where an image comes from: an archive (tar, also compressed) or a directory. What is in it is read by
 * name, one at a time, as a stream; nothing of it is spooled.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "fetch/report.h"

struct archive;

struct image_source {
	int fd; /* borrowed */
	bool is_directory;
	struct report *report;
};

struct image_stream {
	struct image_source *source;
	int64_t size;
	struct archive *archive; /* of an archive, at the file's data */
	int fd;                  /* of a directory */
};

int image_source_init(struct image_source *source, int fd, struct report *report);

/* 0; -ENOENT, silently: there is no such file; or refused. */
int image_stream_open(struct image_stream *stream, struct image_source *source, const char *name);
void image_stream_close(struct image_stream *stream); /* harmless twice */

/* Bytes, 0 at the end, or refused. */
ssize_t image_stream_read(struct image_stream *stream, void *data, size_t room);

/* A file as a whole, which must not be larger. As image_stream_open(). */
int image_source_read(struct image_source *source, const char *name, size_t most, struct buf *out);
