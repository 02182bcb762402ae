/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A text that is large or grows, read piece by piece. Its size is always true: `tail -F` sees it grow,
 * and tar, rsync and git read exactly what stat said. It is read past the page cache, for an open file
 * must go on when its name is gone, and a cached read asks for the size by name first.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "fs/behaviour.h"
#include "fs/behaviours/text.h"
#include "fs/view.h"

static int refine(struct request *request, const struct subject *subject, struct stat *attr)
{
	const struct tail *tail = subject->row->tail;
	int64_t time_us = tail->modified_us ? tail->modified_us(subject) : subject->time_us;

	attr->st_size = tail->size(subject);
	attr->st_mtim = node_timespec(time_us);
	attr->st_ctim = attr->st_mtim;
	return 0;
}

static int open_tail(struct request *request, struct handle *handle, struct fuse_file_info *info)
{
	struct subject subject;
	int r;

	if ((handle->flags & O_ACCMODE) != O_RDONLY) {
		buf_puts(&request->why, "a log, it can only be read and removed");
		return -EACCES;
	}
	r = node_subject(request->fs, &handle->node, &request->caller, &subject);
	if (r == 0)
		r = subject.row->tail->open(&subject, &handle->state);
	if (r < 0)
		return r;
	info->direct_io = 1;
	info->noflush = 1;
	return 0;
}

static int read_tail(struct request *request, struct handle *handle, size_t size, off_t offset)
{
	CLEANUP(free_p) char *data = malloc(size);
	ssize_t done;

	if (!data)
		return -ENOMEM;
	done = handle->node.row->tail->read(handle->state, data, size, offset);
	return done < 0 ? (int)done : request_data(request, data, (size_t)done);
}

static int seek(struct request *request, struct handle *handle, off_t offset, int whence)
{
	struct subject subject;
	int r = node_subject(request->fs, &handle->node, &request->caller, &subject);

	return r < 0 ? r : text_seek(request, subject.row->tail->size(&subject), offset, whence);
}

static void release(struct handle *handle)
{
	handle->node.row->tail->close(handle->state);
}

const struct behaviour tail_behaviour = {
        .name = "tail",
        .refine = refine,
        .open = open_tail,
        .read = read_tail,
        .seek = seek,
        .release = release,
};
