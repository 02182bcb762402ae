/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/behaviours/follow.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fs/behaviour.h"

#define WAITING_MOST (1u << 20) /* bytes kept for a reader that does not come */

struct stream {
	struct handle *handle;
	const struct follow *follow;
	void *source;
	struct buf waiting; /* not read yet */
	uint64_t lost;      /* lines dropped in front of what waits */
	bool mid_line;      /* the last byte that was read ended no line */
	bool ended;
	struct list readers; /* struct reader, parked */
};

struct reader {
	struct list link;
	struct request *request;
	size_t size;
};

static void reader_free(struct reader *reader)
{
	list_unlink(&reader->link);
	free(reader);
}

/* Puts the line that tells of the gap in front of what waits. */
static void tell_lost(struct stream *stream)
{
	struct buf text = BUF_INIT;

	if (!stream->lost)
		return;
	if (stream->mid_line)
		buf_puts(&text, "\n");
	stream->follow->show_lost(stream->source, stream->lost, &text);
	buf_append(&text, stream->waiting.data, stream->waiting.length);
	if (text.failed) {
		buf_deinit(&text);
		return; /* later, then */
	}
	buf_deinit(&stream->waiting);
	stream->waiting = text;
	stream->lost = 0;
}

/* Answers a read, or says false when it must wait. */
static bool answer(struct stream *stream, struct request *request, size_t size, int *result)
{
	size_t length;

	tell_lost(stream);
	length = stream->waiting.length < size ? stream->waiting.length : size;
	if (!length && !stream->ended)
		return false;
	if (length)
		stream->mid_line = stream->waiting.data[length - 1] != '\n';
	*result = request_data(request, stream->waiting.data, length);
	buf_consume(&stream->waiting, length);
	return true;
}

static void answer_readers(struct stream *stream)
{
	struct reader *reader;
	int result;

	while ((reader = list_first(&stream->readers, struct reader, link))) {
		if (!answer(stream, reader->request, reader->size, &result))
			break;
		reader_free(reader);
	}
	handle_wake(stream->handle);
}

/* All that waits is dropped: what is newest is worth most to somebody who is late. */
static void drop_waiting(struct stream *stream)
{
	const char *p = stream->waiting.data, *end = p + stream->waiting.length;

	for (; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
		stream->lost++;
	buf_deinit(&stream->waiting);
}

void stream_feed(struct stream *stream, const char *text, size_t length)
{
	if (stream->waiting.length + length > WAITING_MOST)
		drop_waiting(stream);
	buf_append(&stream->waiting, text, length);
	if (length > WAITING_MOST)
		drop_waiting(stream); /* far too much in one turn even for who is in time */
	answer_readers(stream);
}

void stream_end(struct stream *stream)
{
	stream->ended = true;
	answer_readers(stream);
}

static int open_stream(struct request *request, struct handle *handle, struct fuse_file_info *info)
{
	struct stream *stream;
	struct subject subject;
	int r;

	if ((handle->flags & O_ACCMODE) != O_RDONLY)
		return -EACCES;
	r = node_subject(request->fs, &handle->node, &request->caller, &subject);
	if (r < 0)
		return r;
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return -ENOMEM;
	stream->handle = handle;
	stream->follow = subject.row->follow;
	list_init(&stream->readers);
	r = stream->follow->open(&subject, stream, &stream->source);
	if (r < 0) {
		free(stream);
		return r;
	}
	handle->state = stream;
	info->direct_io = 1;
	info->nonseekable = 1;
	info->noflush = 1;
	return 0;
}

static void interrupted(struct request *request, void *userdata)
{
	reader_free(userdata);
	request_end(request, -EINTR);
}

static int park(struct stream *stream, struct request *request, size_t size)
{
	struct reader *reader = malloc(sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	reader->request = request;
	reader->size = size;
	list_append(&stream->readers, &reader->link);
	return request_adopt(request, interrupted, reader);
}

static int read_stream(struct request *request, struct handle *handle, size_t size, off_t offset)
{
	struct stream *stream = handle->state;
	int result;

	if (answer(stream, request, size, &result))
		return result;
	return request_nonblocking(request) ? -EAGAIN : park(stream, request, size);
}

static unsigned poll_stream(struct handle *handle)
{
	const struct stream *stream = handle->state;

	return stream->waiting.length || stream->lost || stream->ended ? POLLIN | POLLRDNORM : 0;
}

static void release(struct handle *handle)
{
	struct stream *stream = handle->state;

	assert(list_empty(&stream->readers));
	stream->follow->close(stream->source);
	buf_deinit(&stream->waiting);
	free(stream);
}

const struct behaviour follow_behaviour = {
        .name = "follow",
        .open = open_stream,
        .read = read_stream,
        .poll = poll_stream,
        .release = release,
};
