/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue/.batch: one call per line, taken together in one commit, or not at all. Each open has its own lines.
 * The flush by the process that opened it takes what is there and waits for the disk; a process that a signal
 * ended has made no call. The names are an id of the batch and the number of the line.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "events/queue.h"
#include "fs/access.h"
#include "fs/behaviour.h"
#include "fs/fs.h"
#include "fs/peer.h"
#include "fs/row_ids.h"
#include "fs/views/queue.h"

#define BATCH_MOST (64u << 20)

struct batch {
	struct buf data;
	size_t lines;  /* whole ones that are not blank */
	size_t length; /* of the last line so far */
	bool blank;    /* it is, so far */
	struct uuid_source ids;
	char id[UUID_TEXT_SIZE];
	size_t taken; /* lines before */
};

static int check_access(const struct subject *subject)
{
	return access_row(subject,
	        &(struct access_place){.row = subject->alias     ? ROW_ALIAS_QUEUE
	                                      : subject->version ? ROW_VERSION_QUEUE
	                                                         : ROW_QUEUE,
	                .object = subject->object,
	                .mode = 0755,
	                .uid = subject->uid,
	                .gid = subject->gid},
	        ACCESS_WRITE | ACCESS_SEARCH);
}

static int open_batch(struct request *request, struct handle *handle, struct fuse_file_info *info)
{
	struct batch *batch;
	struct subject subject;
	int r = node_subject(request->fs, &handle->node, &request->caller, &subject);

	if (r == 0 && (handle->flags & O_ACCMODE) != O_RDONLY)
		r = check_access(&subject);
	if (r < 0)
		return r;
	batch = calloc(1, sizeof(*batch));
	if (!batch)
		return -ENOMEM;
	batch->blank = true;
	uuid_make(&batch->ids, batch->id);
	handle->state = batch;
	info->direct_io = 1;
	info->nonseekable = 1;
	return 0;
}

static int read_batch(struct request *request, struct handle *handle, size_t size, off_t offset)
{
	return request_data(request, "", 0);
}

/* --- lines ------------------------------------------------------------------------------------ */

struct count {
	size_t lines, length;
	bool blank, too_long;
};

static void count_lines(struct count *count, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n') {
			count->lines += !count->blank;
			count->length = 0;
			count->blank = true;
			continue;
		}
		count->blank &= data[i] == ' ' || data[i] == '\t' || data[i] == '\r';
		count->too_long |= ++count->length > QUEUE_EVENT_MOST;
	}
}

static int check(struct request *request, const struct handle *handle, const struct batch *batch,
        const struct count *count, size_t size)
{
	struct queue_target target;
	struct subject subject;
	int r = node_subject(request->fs, &handle->node, &request->caller, &subject);

	if (r < 0)
		return r;
	if (count->too_long) {
		buf_puts(&request->why, "an event, a line of the batch, has at most 6M");
		return -EFBIG;
	}
	if (batch->data.length + size > BATCH_MOST) {
		buf_puts(&request->why, "a batch has at most 64M: close it and begin another one");
		return -EFBIG;
	}
	target = queue_target_of(&subject);
	return queue_check_room(engine_queue(request->fs->engine), &target,
	        count->lines + !count->blank, &request->why);
}

static int write_batch(
        struct request *request, struct handle *handle, const char *data, size_t size, off_t offset)
{
	struct batch *batch = handle->state;
	struct count count = {batch->lines, batch->length, batch->blank, false};
	int r;

	count_lines(&count, data, size);
	r = check(request, handle, batch, &count, size);
	if (r == 0)
		buf_append(&batch->data, data, size);
	if (r < 0 || batch->data.failed) {
		/* All or none: what came before it is no call either. */
		buf_deinit(&batch->data);
		batch->lines = batch->length = 0;
		batch->blank = true;
		return r < 0 ? r : -ENOMEM;
	}
	batch->lines = count.lines;
	batch->length = count.length;
	batch->blank = count.blank;
	return 0;
}

static bool is_blank(const char *line, size_t length)
{
	while (length && strchr(" \t\r", *line) && *line)
		line++, length--;
	return !length;
}

struct made {
	struct queue_event *events;
	char (*names)[64];
	size_t count;
};

static void made_deinit(struct made *made)
{
	for (size_t i = 0; i < made->count; i++)
		buf_deinit(&made->events[i].body);
	free(made->events);
	free(made->names);
}

static int make_events(const struct batch *batch, const struct queue_target *target,
        const struct caller *caller, size_t most, struct made *made)
{
	const char *line = batch->data.data, *end = line + batch->data.length;

	made->events = calloc(most, sizeof(*made->events));
	made->names = calloc(most, sizeof(*made->names));
	if (!made->events || !made->names)
		return -ENOMEM;
	while (line < end && made->count < most) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		size_t length = (size_t)((stop ? stop : end) - line);

		if (!is_blank(line, length)) {
			struct queue_event *event = &made->events[made->count];
			char *name = made->names[made->count++];

			snprintf(name, sizeof(made->names[0]), "%s-%06zu", batch->id + 24,
			        batch->taken + made->count);
			*event = (struct queue_event){.target = *target,
			        .name = name,
			        .source = "queue",
			        .max_retries = -1,
			        .max_event_age_ms = -1,
			        .uid = caller->uid,
			        .gid = caller->gid};
			buf_append(&event->body, line, length);
			if (event->body.failed)
				return -ENOMEM;
		}
		line += length + 1;
	}
	return 0;
}

static void taken(void *userdata, int status, const struct queue_accepted *accepted, size_t count)
{
	if (userdata)
		request_end(userdata, status);
}

/* 1: `taken` comes; 0: there was nothing. `request` NULL: nobody waits. */
static int take_lines(struct handle *handle, struct request *request, struct buf *why)
{
	struct batch *batch = handle->state;
	size_t most = batch->lines + !batch->blank;
	CLEANUP(made_deinit) struct made made = {};
	struct queue_target target;
	struct subject subject;
	int r = node_subject(handle->fs, &handle->node, &handle->opener, &subject);

	if (r < 0 || !most)
		return r;
	target = queue_target_of(&subject);
	r = make_events(batch, &target, &handle->opener, most, &made);
	if (r == 0)
		r = queue_enqueue(engine_queue(handle->fs->engine), made.events, made.count, taken,
		        request, why);
	batch->taken += made.count;
	buf_deinit(&batch->data);
	batch->lines = batch->length = 0;
	batch->blank = true;
	return r < 0 ? r : 1;
}

static int flush_batch(struct request *request, struct handle *handle)
{
	struct batch *batch = handle->state;
	struct peer peer;
	int r;

	if (!batch->data.length || !handle_is_opener(handle, &request->caller))
		return 0;
	if (peer_look(request->caller.pid, &peer) == 0 && peer.killed) {
		buf_deinit(&batch->data);
		batch->lines = 0;
		batch->blank = true;
		return 0;
	}
	r = take_lines(handle, request, &request->why);
	return r > 0 ? request_adopt(request, NULL, NULL) : r;
}

static void release_batch(struct handle *handle)
{
	struct batch *batch = handle->state;

	take_lines(handle, NULL, NULL);
	buf_deinit(&batch->data);
	free(batch);
}

const struct behaviour batch_behaviour = {
        .name = "batch",
        .open = open_batch,
        .read = read_batch,
        .write = write_batch,
        .flush = flush_batch,
        .release = release_batch,
};
