/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader holds the segment, whose unwritten text is in memory, and the file it found when it was made:
 * an archive, or plain text that may still grow. It needs neither the name nor the logbook again. A
 * segment without a file as yet is read from memory; its file is picked up when there is one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "engine/logbook_archive.h"
#include "engine/logbook_private.h"

struct logbook_reader {
	struct segment *segment;
	struct segment_file *file; /* NULL: nothing was written yet */
};

static void reader_free_p(struct logbook_reader **reader)
{
	logbook_reader_free(*reader);
}

static int find_file(struct logbook_reader *reader, const struct logbook *logbook)
{
	struct segment *segment = reader->segment;

	if (segment->file) {
		reader->file = segment_file_ref(segment->file);
		return 0;
	}
	if (!segment->written)
		return 0;
	return segment_file_open(
	        &reader->file, segment, logbook->parent_fd, logbook->directory, O_RDONLY);
}

int logbook_reader_new(struct logbook_reader **out, struct logbook *logbook, uint64_t id)
{
	struct segment *segment = logbook_segment_by_id(logbook, id);
	CLEANUP(reader_free_p) struct logbook_reader *reader = NULL;
	int r;

	if (!segment)
		return -ENOENT;
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return fail(-ENOMEM, "reading log segment %s", segment->name);
	reader->segment = segment_ref(segment);
	r = find_file(reader, logbook);
	if (r < 0)
		return fail(r, "reading log segment %s", segment->name);
	*out = take(reader);
	return 0;
}

struct logbook_reader *logbook_reader_free(struct logbook_reader *reader)
{
	struct segment *segment;

	if (!reader)
		return NULL;
	segment = reader->segment;
	segment_file_unref(reader->file);
	if (segment->references == 2 && segment->closed && !segment_unwritten(segment))
		segment->file = segment_file_unref(segment->file); /* the last one who read it */
	segment_unref(segment);
	free(reader);
	return NULL;
}

static ssize_t read_file(int fd, char *data, size_t size, int64_t offset)
{
	size_t done = 0;
	ssize_t step;

	while (done < size) {
		step = pread(fd, data + done, size - done, offset + (int64_t)done);
		if (step < 0 && errno == EINTR)
			continue;
		if (step < 0)
			return fail(-errno, "reading a log segment");
		if (!step)
			break;
		done += (size_t)step;
	}
	return (ssize_t)done;
}

static size_t least(int64_t a, size_t b)
{
	return a < (int64_t)b ? (size_t)a : b;
}

/* Plain text: what is in the file, then what is in memory. */
static ssize_t read_plain(struct logbook_reader *reader, char *data, size_t size, int64_t offset)
{
	const struct segment *segment = reader->segment;
	const struct buf *pieces[] = {&segment->writing, &segment->waiting};
	int64_t start = segment->written;
	ssize_t done = 0;
	size_t i;

	if (offset < start) {
		size_t wanted = least(start - offset, size);
		done = read_file(reader->file->fd, data, wanted, offset);
		if (done < (ssize_t)wanted)
			return done; /* it was cut behind our back, or cannot be read */
	}
	for (i = 0; i < ARRAY_SIZE(pieces); i++) {
		int64_t within = offset + done - start, left = (int64_t)pieces[i]->length - within;
		if (within >= 0 && left > 0) {
			size_t step = least(left, size - (size_t)done);
			memcpy(data + done, pieces[i]->data + within, step);
			done += (ssize_t)step;
		}
		start += (int64_t)pieces[i]->length;
	}
	return done;
}

ssize_t logbook_read(struct logbook_reader *reader, void *data, size_t size, int64_t offset)
{
	struct segment *segment = reader->segment;

	if (offset < 0)
		return -EINVAL;
	if (!reader->file && segment->file)
		reader->file = segment_file_ref(segment->file);
	if (reader->file && reader->file->archive)
		return archive_read(reader->file->archive, data, size, offset);
	return read_plain(reader, data, size, offset);
}
