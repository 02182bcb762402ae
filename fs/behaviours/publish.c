/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topics/NAME/publish. Each write is an event; one of several lines is an event per line, unless all of it is one
 * JSON text. A program that hands on a stream writes full buffers, which end anywhere: what such a write leaves of
 * a line goes on in the next one. The flush waits until every subscriber has all events on the disk; so does a write
 * that comes too fast, which bounds what is held in memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json_valid.h"
#include "engine/engine.h"
#include "events/topics.h"
#include "fs/behaviour.h"
#include "fs/fs.h"
#include "fs/peer.h"
#include "model/trigger.h"
#include "model/why.h"

#define BUFFER     4096      /* what buffers are multiples of */
#define PIECE      (1 << 20) /* what the kernel cuts a longer write into, or up to a page less */
#define HELD_BYTES (4 << 20) /* of events on their way, of one open file */

struct publisher {
	struct handle *handle; /* NULL: closed */
	struct buf line;       /* begun by a full buffer, not ended */
	bool too_long;         /* and it was */
	size_t under_way;      /* events, */
	size_t bytes;          /* and theirs */
	int status;            /* of those since the last flush: the first that went wrong */
	struct list waiting;   /* struct waiter: flushes, and writes that came too fast */
};

struct waiter {
	struct list link;
	struct request *request;
	bool flushes; /* else it waits for room */
};

struct event {
	struct publisher *publisher;
	size_t bytes;
};

static int open_publisher(
        struct request *request, struct handle *handle, struct fuse_file_info *info)
{
	struct publisher *publisher;
	struct subject subject;
	int r = node_subject(request->fs, &handle->node, &request->caller, &subject);

	if (r < 0)
		return r;
	publisher = calloc(1, sizeof(*publisher));
	if (!publisher)
		return -ENOMEM;
	publisher->handle = handle;
	list_init(&publisher->waiting);
	handle->state = publisher;
	info->direct_io = 1;
	info->nonseekable = 1;
	return 0;
}

static int read_publisher(struct request *request, struct handle *handle, size_t size, off_t offset)
{
	return request_data(request, "", 0);
}

/* --- waiting ----------------------------------------------------------------------------------- */

static void end_waiter(struct waiter *waiter, int status)
{
	struct request *request = waiter->request;

	list_unlink(&waiter->link);
	free(waiter);
	if (status == -ENOSPC)
		buf_puts(&request->why, "the queue of a subscriber is full, or the disk");
	request_end(request, status);
}

static bool may_end(const struct publisher *publisher, const struct waiter *waiter)
{
	return waiter->flushes ? !publisher->under_way : publisher->bytes < HELD_BYTES;
}

static int take_status(struct publisher *publisher)
{
	int status = publisher->status;

	publisher->status = 0;
	return status;
}

static void wake(struct publisher *publisher)
{
	struct waiter *waiter, *following;

	list_each_safe(waiter, following, &publisher->waiting, link)
		if (may_end(publisher, waiter))
			end_waiter(waiter, waiter->flushes ? take_status(publisher) : 0);
	if (publisher->handle || publisher->under_way)
		return;
	buf_deinit(&publisher->line);
	free(publisher);
}

static void interrupted(struct request *request, void *userdata)
{
	struct waiter *waiter = userdata;

	/* What a write brought is on its way; only who waits for the disk can be told that it is not there. */
	end_waiter(waiter, waiter->flushes ? -EINTR : 0);
}

static int wait_for(struct publisher *publisher, struct request *request, bool flushes)
{
	struct waiter *waiter = malloc(sizeof(*waiter));

	if (!waiter)
		return -ENOMEM;
	*waiter = (struct waiter){.request = request, .flushes = flushes};
	list_append(&publisher->waiting, &waiter->link);
	return request_adopt(request, interrupted, waiter);
}

/* --- events ------------------------------------------------------------------------------------ */

static void published(void *userdata, int status)
{
	struct event *event = userdata;
	struct publisher *publisher = event->publisher;

	publisher->under_way--;
	publisher->bytes -= event->bytes;
	if (status < 0 && !publisher->status)
		publisher->status = status;
	free(event);
	wake(publisher);
}

static bool is_blank(const char *text, size_t length)
{
	while (length && *text && strchr(" \t\r\n", *text))
		text++, length--;
	return !length;
}

static int publish(struct publisher *publisher, const struct subject *subject, const char *text,
        size_t length, struct buf *why)
{
	struct event *event;
	int r;

	if (length && text[length - 1] == '\r')
		length--;
	if (is_blank(text, length))
		return 0;
	event = malloc(sizeof(*event));
	if (!event)
		return -ENOMEM;
	*event = (struct event){publisher, length};
	publisher->under_way++;
	publisher->bytes += length;
	r = topic_publish(engine_sources(subject->engine), subject->topic, text, length, published,
	        event, why);
	if (r == 0)
		return 0;
	publisher->under_way--;
	publisher->bytes -= length;
	free(event);
	return r;
}

/* Several lines that are one JSON text: as one line, for white space in it means nothing. */
static int publish_whole(struct publisher *publisher, const struct subject *subject,
        const char *data, size_t size, struct buf *why)
{
	CLEANUP(buf_deinit) struct buf line = BUF_INIT;

	buf_append(&line, data, size);
	if (line.failed)
		return -ENOMEM;
	for (size_t i = 0; i < line.length; i++)
		if (line.data[i] == '\n' || line.data[i] == '\r')
			line.data[i] = ' '; /* none stands in a string */
	return publish(publisher, subject, line.data, line.length, why);
}

static bool is_whole(const struct publisher *publisher, const char *data, size_t size)
{
	const char *end = memchr(data, '\n', size);

	return !publisher->line.length && end && !is_blank(end, (size_t)(data + size - end)) &&
	       json_valid(data, size);
}

/* Whether what stands behind the last line may go on in the next write. */
static bool is_cut(size_t size)
{
	return size % BUFFER == 0 || size > PIECE - BUFFER;
}

/* What follows is a part of it, up to the flush. */
static int refuse_long(struct publisher *publisher, struct buf *why)
{
	buf_deinit(&publisher->line);
	why_say(why, "an event of a topic has at most 1M");
	return -EFBIG;
}

static int end_line(struct publisher *publisher, const struct subject *subject, const char *data,
        size_t size, struct buf *why)
{
	int r;

	publisher->too_long |= publisher->line.length + size > TOPIC_EVENT_MOST;
	if (publisher->too_long)
		return refuse_long(publisher, why);
	if (!publisher->line.length)
		return publish(publisher, subject, data, size, why);
	buf_append(&publisher->line, data, size);
	r = publisher->line.failed ? -ENOMEM
	                           : publish(publisher, subject, publisher->line.data,
	                                     publisher->line.length, why);
	buf_deinit(&publisher->line);
	return r;
}

/* A full buffer is cut anywhere. */
static int keep_rest(struct publisher *publisher, const char *data, size_t size, struct buf *why)
{
	publisher->too_long |= publisher->line.length + size > TOPIC_EVENT_MOST;
	if (publisher->too_long)
		return refuse_long(publisher, why);
	buf_append(&publisher->line, data, size);
	return publisher->line.failed ? -ENOMEM : 0;
}

static int publish_lines(struct publisher *publisher, const struct subject *subject,
        const char *data, size_t size, struct buf *why)
{
	const char *at = data, *end = data + size, *stop;
	int r = 0;

	for (; r == 0 && (stop = memchr(at, '\n', (size_t)(end - at))); at = stop + 1)
		r = end_line(publisher, subject, at, (size_t)(stop - at), why);
	if (r == 0 && at < end)
		r = is_cut(size) ? keep_rest(publisher, at, (size_t)(end - at), why)
		                 : end_line(publisher, subject, at, (size_t)(end - at), why);
	return r;
}

static int write_publisher(
        struct request *request, struct handle *handle, const char *data, size_t size, off_t offset)
{
	struct publisher *publisher = handle->state;
	struct subject subject;
	int r = node_subject(request->fs, &handle->node, &request->caller, &subject);

	if (r < 0)
		return r;
	if (publisher->too_long)
		return refuse_long(publisher, &request->why);
	r = is_whole(publisher, data, size)
	            ? publish_whole(publisher, &subject, data, size, &request->why)
	            : publish_lines(publisher, &subject, data, size, &request->why);
	if (r < 0 || publisher->bytes < HELD_BYTES)
		return r;
	return wait_for(publisher, request, false);
}

/* --- the end ----------------------------------------------------------------------------------- */

static int finish(struct publisher *publisher, struct request *request, struct handle *handle)
{
	struct subject subject;
	int r = 0;

	if (publisher->too_long) {
		publisher->too_long = false;
		return refuse_long(publisher, &request->why);
	}
	if (publisher->line.length) {
		r = node_subject(handle->fs, &handle->node, &request->caller, &subject);
		if (r == 0)
			r = end_line(publisher, &subject, "", 0, &request->why);
	}
	if (r < 0)
		return r;
	return publisher->under_way ? wait_for(publisher, request, true) : take_status(publisher);
}

static int flush_publisher(struct request *request, struct handle *handle)
{
	struct publisher *publisher = handle->state;
	struct peer peer;

	if (!handle_is_opener(handle, &request->caller))
		return 0;
	/* A line that was not ended by a writer that was killed is none. */
	if (publisher->line.length && peer_look(request->caller.pid, &peer) == 0 && peer.killed)
		buf_deinit(&publisher->line);
	return finish(publisher, request, handle);
}

static int fsync_publisher(struct request *request, struct handle *handle, bool data_only)
{
	return finish(handle->state, request, handle);
}

static void release_publisher(struct handle *handle)
{
	struct publisher *publisher = handle->state;
	struct waiter *waiter, *following;
	struct subject subject;

	/* Left by a process that was not the opener: nobody waits. */
	if (publisher->line.length &&
	        node_subject(handle->fs, &handle->node, &handle->opener, &subject) == 0)
		end_line(publisher, &subject, "", 0, NULL);
	publisher->handle = NULL;
	list_each_safe(waiter, following, &publisher->waiting, link)
		end_waiter(waiter, -EINTR);
	wake(publisher);
}

const struct behaviour publish_behaviour = {
        .name = "publish",
        .open = open_publisher,
        .read = read_publisher,
        .write = write_publisher,
        .flush = flush_publisher,
        .fsync = fsync_publisher,
        .release = release_publisher,
};
