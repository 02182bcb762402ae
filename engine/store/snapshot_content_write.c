/* SPDX-License-Identifier: Apache-2.0 */
/* Files as chunks and lists: writing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "store/snapshot_content.h"

#define LEVELS 4 /* of 32 768 each, over chunks of 1 MiB: more than 63 bits of size need */

struct source {
	struct content_writer *writer;
	int fd;
	uint64_t size;
	bool sparse;
	uint64_t data; /* there is none before this place; to be asked again when it is reached */
	const struct content_before *before; /* or NULL */
};

void content_writer_deinit(struct content_writer *writer)
{
	free(writer->chunk);
	writer->chunk = NULL;
}

static bool is_zero(const char *bytes, size_t length)
{
	return length == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0);
}

static int read_whole(int fd, char *bytes, size_t length, uint64_t offset)
{
	size_t done = 0;
	ssize_t got;

	while (done < length) {
		got = pread(fd, bytes + done, length - done, (off_t)(offset + done));
		if (got < 0)
			return fail(-errno, "reading a file to publish");
		if (got == 0)
			return fail(-EIO, "reading a file to publish: it became shorter");
		done += (size_t)got;
	}
	return 0;
}

/* Whether the file has a hole from `start` on that goes to `end` at least. */
static bool in_hole(struct source *source, uint64_t start, uint64_t end)
{
	off_t data;

	if (!source->sparse)
		return false;
	if (source->data <= start) {
		data = lseek(source->fd, (off_t)start, SEEK_DATA);
		source->data = data >= 0 ? (uint64_t)data : errno == ENXIO ? UINT64_MAX : start;
	}
	return source->data >= end;
}

/*
 * The chunk as it was before, where nothing in it changed: 1, its blob pinned. 0: it has to be
 * read.
 */
static int find_before(struct source *source, uint64_t number, uint64_t end, struct blob_id *id)
{
	const struct content_before *before = source->before;
	uint64_t start = number * BLOB_MAX, limit = start + BLOB_MAX;
	uint64_t end_before = before && before->size < limit ? before->size : limit;
	bool inside = true;
	int r;

	if (!before || end_before != end ||
	        (uint64_t)ranges_piece(before->changed, (off_t)start, (off_t)end, &inside) != end ||
	        inside)
		return 0;
	r = content_find_chunk(before->recent, &before->id, before->size, number, true, id);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (content_is_hole(id))
		return 1;
	r = blob_batch_pin(source->writer->batch, id);
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

static int read_chunk(struct source *source, uint64_t start, uint64_t end, struct blob_id *id)
{
	struct content_writer *writer = source->writer;
	int r;

	memset(id, 0, sizeof(*id));
	if (in_hole(source, start, end))
		return 0;
	r = read_whole(source->fd, writer->chunk, end - start, start);
	if (r < 0 || is_zero(writer->chunk, end - start))
		return r;
	return blob_batch_put(writer->batch, writer->chunk, end - start, id);
}

static int write_chunk(struct source *source, uint64_t number, struct blob_id *id)
{
	struct content_writer *writer = source->writer;
	uint64_t start = number * BLOB_MAX;
	uint64_t end = source->size - start < BLOB_MAX ? source->size : start + BLOB_MAX;
	int r;

	if (writer->canceled && atomic_load_explicit(writer->canceled, memory_order_relaxed))
		return -ECANCELED;
	r = find_before(source, number, end, id);
	if (r == 0)
		r = read_chunk(source, start, end, id);
	if (r >= 0 && writer->bytes_done)
		atomic_fetch_add_explicit(writer->bytes_done, end - start, memory_order_relaxed);
	return r < 0 ? r : 0;
}

/* --- lists --- */

static int list_end(struct content_writer *writer, struct buf *list, struct blob_id *id)
{
	int r = list->failed ? -ENOMEM : 0;

	memset(id, 0, sizeof(*id));
	if (r == 0 && !is_zero(list->data, list->length))
		r = blob_batch_put(writer->batch, list->data, list->length, id);
	buf_clear(list);
	return r;
}

static int list_add(
        struct content_writer *writer, struct buf *lists, unsigned level, const struct blob_id *id)
{
	struct blob_id ended;
	int r;

	/* Only when more is to come is a full list ended: the last one ends with the file. */
	if (lists[level].length == BLOB_MAX) {
		r = list_end(writer, &lists[level], &ended);
		if (r == 0)
			r = list_add(writer, lists, level + 1, &ended);
		if (r < 0)
			return r;
	}
	buf_append(&lists[level], id->bytes, sizeof(id->bytes));
	return lists[level].failed ? -ENOMEM : 0;
}

static int lists_finish(
        struct content_writer *writer, struct buf *lists, unsigned depth, struct blob_id *id)
{
	unsigned level;
	int r = 0;

	for (level = 0; r == 0 && level < depth; level++) {
		r = list_end(writer, &lists[level], id);
		if (r == 0 && level + 1 < depth)
			r = list_add(writer, lists, level + 1, id);
	}
	return r;
}

static int write_chunks(struct source *source, struct blob_id *id)
{
	uint64_t chunks = source->size / BLOB_MAX + (source->size % BLOB_MAX != 0), number;
	struct buf lists[LEVELS] = {0};
	unsigned level;
	int r = 0;

	for (number = 0; r == 0 && number < chunks; number++) {
		r = write_chunk(source, number, id);
		if (r == 0 && chunks > 1)
			r = list_add(source->writer, lists, 0, id);
	}
	if (r == 0)
		r = lists_finish(source->writer, lists, content_depth(source->size), id);
	for (level = 0; level < LEVELS; level++)
		buf_deinit(&lists[level]);
	return r;
}

int content_write_changed(struct content_writer *writer, int fd, uint64_t size,
        const struct content_before *before, struct blob_id *id)
{
	struct source source = {.writer = writer, .fd = fd, .size = size, .before = before};
	struct stat attr;

	memset(id, 0, sizeof(*id));
	if (!writer->chunk)
		writer->chunk = malloc(BLOB_MAX);
	if (!writer->chunk)
		return -ENOMEM;
	source.sparse =
	        size > BLOB_MAX && fstat(fd, &attr) == 0 && (uint64_t)attr.st_blocks * 512 < size;
	return write_chunks(&source, id);
}

int content_write(struct content_writer *writer, int fd, uint64_t size, struct blob_id *id)
{
	return content_write_changed(writer, fd, size, NULL, id);
}
