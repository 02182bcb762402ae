/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An asynchronous call as a file: written once, by whoever made it, and read in whatever directory it is. A flush
 * waits for the disk together with all others that wait at the moment. What a reader sees was read from
 * the disk at its first read, unless memory has it. Everything goes past the kernel's cache: the file is in
 * one directory now and in another one then, and its size is that of what it is there.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "events/queue.h"
#include "fs/behaviour.h"
#include "fs/behaviours/text.h"
#include "fs/fs.h"
#include "fs/peer.h"
#include "fs/row_ids.h"

struct open_entry {
	bool writes;
	bool loading, loaded;
	int status;
	struct buf data;
	struct list readers; /* struct reader, parked */
	bool closed;
};

struct reader {
	struct list link;
	struct request *request;
	size_t size;
	off_t offset;
};

static struct queue *queue_of(const struct fs *fs)
{
	return engine_queue(fs->engine);
}

static bool shows_answer(const struct node *node)
{
	return node->row->id == ROW_ENTRY_ERROR || node->row->id == ROW_ENTRY_RESULT;
}

/* --- attributes ------------------------------------------------------------------------------- */

static int refine(struct request *request, const struct subject *subject, struct stat *attr)
{
	bool answer = subject->row->id != ROW_ENTRY;
	struct queue_info info;
	int r = queue_get(queue_of(request->fs), subject->object, &info);

	if (r < 0)
		return r;
	attr->st_mode = S_IFREG | (answer ? info.mode & 0444 : info.mode);
	attr->st_size = (off_t)(answer ? info.answer_bytes : info.request_bytes);
	return 0;
}

static int get_attributes(struct request *request, struct handle *handle)
{
	struct stat attr;
	int r = node_attr(request, &request->node, &attr);

	return r < 0 ? r : request_attr(request, &attr, 0);
}

static void set_access(
        struct queue *queue, const struct queue_info *info, const struct stat *attr, int to_set)
{
	if (to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		queue_set_access(queue, info->entry,
		        to_set & FUSE_SET_ATTR_UID ? attr->st_uid : info->uid,
		        to_set & FUSE_SET_ATTR_GID ? attr->st_gid : info->gid,
		        to_set & FUSE_SET_ATTR_MODE ? attr->st_mode & 07777 : info->mode);
}

/* A time postpones what waits. Elsewhere it says when something happened, and stays. */
static int set_attributes(
        struct request *request, struct handle *handle, const struct stat *attr, int to_set)
{
	struct queue *queue = queue_of(request->fs);
	struct queue_info info;
	int r = queue_get(queue, request->node.object, &info);

	if (r == 0 && to_set & FUSE_SET_ATTR_SIZE && !shows_answer(&request->node))
		r = queue_draft_resize(queue, info.entry, attr->st_size, &request->why);
	if (r < 0)
		return r;
	set_access(queue, &info, attr, to_set);
	if (to_set & FUSE_SET_ATTR_MTIME && !(to_set & FUSE_SET_ATTR_MTIME_NOW) &&
	        info.place == QUEUE_WAITING)
		queue_postpone(queue, info.entry, node_time_us(&attr->st_mtim));
	return get_attributes(request, handle);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void free_open(struct open_entry *open)
{
	assert(list_empty(&open->readers));
	buf_deinit(&open->data);
	free(open);
}

static int answer(
        struct request *request, const char *data, size_t length, size_t size, off_t offset)
{
	size_t left = offset < (off_t)length ? length - (size_t)offset : 0;

	return request_data(request, data + (left ? offset : 0), left < size ? left : size);
}

static int answer_loaded(
        struct request *request, const struct open_entry *open, size_t size, off_t offset)
{
	if (open->status < 0)
		return open->status;
	return answer(
	        request, open->data.data ? open->data.data : "", open->data.length, size, offset);
}

static void loaded(void *userdata, int status, const char *data, size_t length)
{
	struct open_entry *open = userdata;
	struct reader *reader;

	open->loading = false;
	if (open->closed) {
		free_open(open);
		return;
	}
	open->loaded = true;
	open->status = status == -ENOENT ? -ESTALE : status;
	buf_append(&open->data, data, length);
	if (open->data.failed)
		open->status = -ENOMEM;
	while ((reader = list_first(&open->readers, struct reader, link))) {
		struct request *request = reader->request;
		int r;

		list_unlink(&reader->link);
		r = answer_loaded(request, open, reader->size, reader->offset);
		if (r < 0)
			request_end(request, r);
		free(reader);
	}
}

static void interrupted(struct request *request, void *userdata)
{
	struct reader *reader = userdata;

	list_unlink(&reader->link);
	free(reader);
	request_end(request, -EINTR);
}

static int park(struct open_entry *open, struct request *request, size_t size, off_t offset)
{
	struct reader *reader = malloc(sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	*reader = (struct reader){.request = request, .size = size, .offset = offset};
	list_append(&open->readers, &reader->link);
	return request_adopt(request, interrupted, reader);
}

static int read_entry(struct request *request, struct handle *handle, size_t size, off_t offset)
{
	struct queue *queue = queue_of(request->fs);
	struct open_entry *open = handle->state;
	bool of_answer = shows_answer(&handle->node);
	const char *data;
	size_t length;
	int r = 0;

	if (open->loaded)
		return answer_loaded(request, open, size, offset);
	data = of_answer ? NULL : queue_peek(queue, handle->node.object, &length);
	if (data)
		return answer(request, data, length, size, offset);
	if (!open->loading)
		r = queue_read(queue, handle->node.object, of_answer ? QUEUE_ANSWER : QUEUE_REQUEST,
		        loaded, open);
	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	open->loading = true;
	return park(open, request, size, offset);
}

static int seek_entry(struct request *request, struct handle *handle, off_t offset, int whence)
{
	struct queue_info info;
	int r = queue_get(queue_of(request->fs), handle->node.object, &info);
	size_t length = shows_answer(&handle->node) ? info.answer_bytes : info.request_bytes;

	return r < 0 ? r : text_seek(request, (off_t)length, offset, whence);
}

/* --- writing ---------------------------------------------------------------------------------- */

static int open_entry(struct request *request, struct handle *handle, struct fuse_file_info *info)
{
	bool writes = (handle->flags & O_ACCMODE) != O_RDONLY;
	struct open_entry *open;
	struct subject subject;
	int r = node_subject(request->fs, &handle->node, &request->caller, &subject);

	if (r < 0)
		return r;
	if (writes && shows_answer(&handle->node))
		return -EACCES;
	open = calloc(1, sizeof(*open));
	if (!open)
		return -ENOMEM;
	if (writes)
		r = queue_draft_open(queue_of(request->fs), handle->node.object);
	if (r < 0) {
		buf_puts(&request->why, "a call of this name was made already, and stays as it is");
		free(open);
		return r;
	}
	if (writes && handle->flags & O_TRUNC)
		queue_draft_resize(queue_of(request->fs), handle->node.object, 0, NULL);
	open->writes = writes;
	list_init(&open->readers);
	handle->state = open;
	info->direct_io = 1;
	info->noflush = !writes;
	return 0;
}

static int write_entry(
        struct request *request, struct handle *handle, const char *data, size_t size, off_t offset)
{
	struct queue *queue = queue_of(request->fs);
	struct queue_info info;

	if (handle->flags & O_APPEND && queue_get(queue, handle->node.object, &info) == 0)
		offset = (off_t)info.request_bytes;
	return queue_draft_write(queue, handle->node.object, data, size, offset, &request->why);
}

static void stored(void *userdata, int status)
{
	request_end(userdata, status);
}

static int store(struct request *request, struct handle *handle, bool killed)
{
	int r = queue_draft_flush(
	        queue_of(request->fs), handle->node.object, killed, stored, request);

	return r > 0 ? request_adopt(request, NULL, NULL) : r;
}

static int flush_entry(struct request *request, struct handle *handle)
{
	const struct open_entry *open = handle->state;
	struct peer peer;

	if (!open->writes)
		return 0;
	return store(request, handle, peer_look(request->caller.pid, &peer) == 0 && peer.killed);
}

static int fsync_entry(struct request *request, struct handle *handle, bool data_only)
{
	const struct open_entry *open = handle->state;

	return open->writes ? store(request, handle, false) : 0;
}

static void release_entry(struct handle *handle)
{
	struct open_entry *open = handle->state;
	struct reader *reader;

	while ((reader = list_first(&open->readers, struct reader, link)))
		interrupted(reader->request, reader);
	if (open->writes)
		queue_draft_close(queue_of(handle->fs), handle->node.object);
	open->closed = true;
	if (!open->loading)
		free_open(open);
}

const struct behaviour entry_behaviour = {
        .name = "entry",
        .refine = refine,
        .getattr = get_attributes,
        .setattr = set_attributes,
        .open = open_entry,
        .read = read_entry,
        .write = write_entry,
        .flush = flush_entry,
        .fsync = fsync_entry,
        .seek = seek_entry,
        .release = release_entry,
};
