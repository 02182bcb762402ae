/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A closed segment as it lies on disk: the zstd "seekable format". The text is cut into pieces of
 * ARCHIVE_PIECE bytes, each an independent zstd frame with its content size and a checksum; a skippable
 * frame at the end has the sizes of all of them, so that any offset is read by decoding one piece, and
 * `zstdcat` reads the whole. What is damaged is -EIO for the pieces it concerns, never wrong bytes; when
 * the index is damaged or cut off, it is made anew from the frames that are there. Nothing in a file
 * is believed: sizes are bounded before memory is taken for them.
 *
 * Functions here may run in a worker thread; an archive is used by one thread at a time.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ARCHIVE_PIECE (128 * 1024) /* bytes of text; only the last piece is shorter */

/* Compresses `size` bytes of `from` to the end of `to`. 0, -ECANCELED, or a failure. */
int archive_write(int from, int64_t size, int to, const atomic_bool *canceled);

/* The index of one file, and the piece decoded last. The descriptor is borrowed. */
struct archive;

/* 0, -EBADMSG when the file is no archive (then it is plain text), or a failure. */
int archive_open(struct archive **out, int fd);
struct archive *archive_free(struct archive *archive);
int64_t archive_size(const struct archive *archive); /* of the text */

/* As pread: short only at the end, or before a damaged piece, which is -EIO when read first. */
ssize_t archive_read(struct archive *archive, void *data, size_t size, int64_t offset);
