/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A value. One line: each write is a whole value, judged by that write; one that goes on where the last
 * one of the same open ended is judged together with it, for Emacs writes a buffer in two pieces.
 * Several lines (ROW_LINES): the
 * writes are collected and take effect at the flush by the process that opened the file, or at its
 * last close; a process that is killed half-way leaves the old value. Opening with O_TRUNC, truncate
 * and touch change no value.
 */
#include "fs/behaviours/knob.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "fs/behaviours/text.h"
#include "fs/fs.h"
#include "fs/removing.h"
#include "fs/peer.h"
#include "fs/sentence.h"
#include "fs/value.h"

#define LINES_MOST (128 << 10)

struct knob {
	struct text *text;  /* of those who may read; else NULL */
	struct buf pending; /* what was written; ROW_LINES: since the last flush */
	bool dirty;
};

int knob_set(struct request *request, const struct node *knob, const char *data, size_t length)
{
	CLEANUP(buf_deinit) struct buf value = BUF_INIT;
	struct subject subject;
	int r = node_subject(request->fs, knob, &request->caller, &subject);

	if (r < 0)
		return r;
	if (knob->row->flags & ROW_LINES)
		r = value_from_lines(data, length, &value, &request->why);
	else
		r = value_from_line(data, length, &value, &request->why);
	if (r < 0)
		return r;
	removing_stop(request, subject.function ? subject.function->id : 0);
	r = knob->row->set(&subject, value.data, &request->why);
	texts_forget(request->fs->texts, knob->ino);
	return r;
}

int knob_get(struct request *request, const struct node *knob, struct buf *out)
{
	struct subject subject;
	int r = node_subject(request->fs, knob, &request->caller, &subject);

	if (r == 0)
		r = knob->row->show(&subject, out);
	return r == 0 && out->failed ? -ENOMEM : r;
}

static int knob_open(struct request *request, struct handle *handle, struct fuse_file_info *info)
{
	struct fs *fs = request->fs;
	struct knob *knob;
	struct subject subject;
	int r = node_subject(fs, &handle->node, &request->caller, &subject);

	if (r < 0)
		return r;
	knob = calloc(1, sizeof(*knob));
	if (!knob)
		return fail(-ENOMEM, "opening a value");
	if ((handle->flags & O_ACCMODE) != O_WRONLY)
		r = texts_open(fs->texts, handle->node.ino, &subject, &knob->text);
	if (r < 0) {
		free(knob);
		return r;
	}
	handle->state = knob;
	info->direct_io = 1;
	info->noflush = (handle->flags & O_ACCMODE) == O_RDONLY;
	return 0;
}

static int knob_read(struct request *request, struct handle *handle, size_t size, off_t offset)
{
	struct knob *knob = handle->state;

	return knob->text ? text_answer(request, knob->text, size, offset) : -EBADF;
}

/* What a reader of this very file sees from now on. The value is set; trouble here is no refusal. */
static void renew(struct request *request, struct handle *handle)
{
	struct knob *knob = handle->state;
	struct subject subject;

	if (knob->text && node_subject(request->fs, &handle->node, &request->caller, &subject) == 0)
		texts_renew(request->fs->texts, knob->text, &subject);
}

static int write_line(
        struct request *request, struct handle *handle, const char *data, size_t size, off_t offset)
{
	struct knob *knob = handle->state;
	size_t before = offset ? knob->pending.length : 0;
	int r;

	if ((size_t)offset != before || request->flags & O_APPEND) {
		buf_puts(&request->why, "a value is written whole, by one write at its beginning");
		return -EINVAL;
	}
	knob->pending.length = before;
	buf_append(&knob->pending, data, size);
	if (knob->pending.failed)
		return fail(-ENOMEM, "writing a value");
	r = knob_set(request, &handle->node, knob->pending.data, knob->pending.length);
	if (r == 0)
		renew(request, handle);
	else
		knob->pending.length = before;
	return r;
}

/* Appending begins with the lines that stand there. */
static int begin_append(struct request *request, struct handle *handle, off_t offset)
{
	struct knob *knob = handle->state;
	int r = knob_get(request, &handle->node, &knob->pending);

	if (r == 0 && (off_t)knob->pending.length != offset && !(request->flags & O_APPEND))
		r = -EINVAL;
	if (r < 0)
		buf_clear(&knob->pending);
	return r;
}

static int write_lines(
        struct request *request, struct handle *handle, const char *data, size_t size, off_t offset)
{
	struct knob *knob = handle->state;
	bool append = request->flags & O_APPEND;
	int r;

	if (offset == 0 && !append)
		buf_clear(&knob->pending);
	else if (!knob->dirty && (r = begin_append(request, handle, offset)) < 0)
		return r;
	if (!append && (size_t)offset != knob->pending.length) {
		buf_puts(&request->why, "a value is written from its beginning, without gaps");
		return -EINVAL;
	}
	if (memchr(data, 0, size)) {
		buf_puts(&request->why, "a value holds no zero bytes");
		return -EINVAL;
	}
	if (knob->pending.length + size > LINES_MOST) {
		buf_puts(&request->why, "a value has at most 128K");
		return -ERANGE;
	}
	buf_append(&knob->pending, data, size);
	if (knob->pending.failed)
		return fail(-ENOMEM, "collecting a value");
	knob->dirty = true;
	return 0;
}

static int knob_write(
        struct request *request, struct handle *handle, const char *data, size_t size, off_t offset)
{
	if (handle->node.row->flags & ROW_LINES)
		return write_lines(request, handle, data, size, offset);
	return write_line(request, handle, data, size, offset);
}

static int commit(struct request *request, struct handle *handle)
{
	struct knob *knob = handle->state;
	int r;

	if (!knob->dirty)
		return 0;
	knob->dirty = false;
	r = knob_set(request, &handle->node, knob->pending.data, knob->pending.length);
	if (r == 0)
		renew(request, handle);
	return r;
}

static int knob_flush(struct request *request, struct handle *handle)
{
	struct knob *knob = handle->state;
	struct peer peer;

	if (!knob->dirty || !handle_is_opener(handle, &request->caller))
		return 0;
	if (peer_look(request->caller.pid, &peer) == 0 && peer.killed) {
		knob->dirty = false;
		return 0;
	}
	return commit(request, handle);
}

static int knob_fsync(struct request *request, struct handle *handle, bool data_only)
{
	return commit(request, handle);
}

/* Nobody waits for a close that was not the opener's: what was refused is told in last_error only. */
static void commit_at_release(struct handle *handle)
{
	struct request request = {
	        .fs = handle->fs,
	        .caller = handle->opener,
	        .node = handle->node,
	        .verb = "write",
	        .name = "",
	};
	int r = commit(&request, handle);

	if (r < 0)
		sentence_file(&request, r);
	buf_deinit(&request.why);
}

static void knob_release(struct handle *handle)
{
	struct knob *knob = handle->state;

	commit_at_release(handle);
	if (knob->text)
		texts_close(handle->fs->texts, knob->text);
	buf_deinit(&knob->pending);
	free(knob);
}

static int knob_truncate(struct request *request, struct handle *handle, off_t size)
{
	struct knob *knob = handle ? handle->state : NULL;

	if (knob && size == 0) {
		buf_clear(&knob->pending);
		knob->dirty = false;
	}
	return 0;
}

static int knob_seek(struct request *request, struct handle *handle, off_t offset, int whence)
{
	struct knob *knob = handle->state;

	return knob->text ? text_seek(request, (off_t)knob->text->data.length, offset, whence)
	                  : -ENXIO;
}

const struct behaviour knob_behaviour = {
        .name = "value",
        .refine = text_refine,
        .truncate = knob_truncate,
        .open = knob_open,
        .read = knob_read,
        .write = knob_write,
        .flush = knob_flush,
        .fsync = knob_fsync,
        .seek = knob_seek,
        .release = knob_release,
};
