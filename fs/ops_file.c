/* SPDX-License-Identifier: Apache-2.0 */
/* The dispatcher's verbs of open files; see ops.h. */
#include <errno.h>
#include <poll.h>

#include "base/fail.h"
#include "fs/fs.h"
#include "fs/ops.h"

static struct handle *handle_of(const struct fuse_file_info *info)
{
	return (struct handle *)(uintptr_t)info->fh;
}

/* A request about an open file; it carries the file's flags as they are now. */
static struct request *begin(
        fuse_req_t fuse, uint64_t ino, const char *verb, const struct fuse_file_info *info)
{
	struct request *request = request_begin(fuse, ino, verb);

	if (request) {
		request->judged = true;
		request->flags = info->flags;
	}
	return request;
}

int ops_new_handle(struct request *request, struct fuse_file_info *info, struct handle **handle)
{
	*handle = handle_new(request->fs, &request->node, &request->caller, info->flags);
	if (!*handle)
		return fail(-ENOMEM, "opening a file");
	info->fh = (uintptr_t)*handle;
	return 0;
}

void ops_drop_handle(struct handle *handle)
{
	const struct behaviour *behaviour = handle->node.row->behaviour;

	if (behaviour->release)
		behaviour->release(handle);
	handle_free(handle);
}

static void open_node(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *info, bool directory)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = begin(fuse, ino, "open", info);
	const struct behaviour *behaviour;
	struct handle *handle;
	int r;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	r = ops_new_handle(request, info, &handle);
	if (r == 0) {
		handle->directory = directory;
		r = behaviour->open ? behaviour->open(request, handle, info) : 0;
		if (r < 0)
			handle_free(handle);
	}
	if (r < 0)
		request_finish(fs, request, r);
	else if (r != FS_LATER && request_open(request, info) < 0)
		ops_drop_handle(handle); /* whoever opened it was killed meanwhile */
}

void ops_open(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *info)
{
	open_node(fuse, ino, info, false);
}

void ops_opendir(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *info)
{
	open_node(fuse, ino, info, true);
}

void ops_read(
        fuse_req_t fuse, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = begin(fuse, ino, "read", info);
	const struct behaviour *behaviour;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	request_finish(fs, request,
	        behaviour->read ? behaviour->read(request, handle_of(info), size, offset)
	                        : -EINVAL);
}

void ops_write(fuse_req_t fuse, fuse_ino_t ino, const char *data, size_t size, off_t offset,
        struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = begin(fuse, ino, "write", info);
	const struct behaviour *behaviour;
	int r;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	request->change = true;
	request->mapped = info->writepage;
	r = behaviour->write ? behaviour->write(request, handle_of(info), data, size, offset)
	                     : -EINVAL;
	if (r == 0)
		request_written(request, size);
	else
		request_finish(fs, request, r);
}

void ops_flush(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = begin(fuse, ino, "close", info);
	const struct behaviour *behaviour;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	request_finish(
	        fs, request, behaviour->flush ? behaviour->flush(request, handle_of(info)) : 0);
}

void ops_fsync(fuse_req_t fuse, fuse_ino_t ino, int data_only, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = begin(fuse, ino, "fsync", info);
	const struct behaviour *behaviour;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	request_finish(fs, request,
	        behaviour->fsync ? behaviour->fsync(request, handle_of(info), data_only) : 0);
}

void ops_release(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = request_begin(fuse, ino, "close");

	if (!request)
		return;
	request_finish(fs, request, 0);
	ops_drop_handle(handle_of(info));
}

void ops_poll(
        fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *info, struct fuse_pollhandle *poll)
{
	struct handle *handle = handle_of(info);
	struct request *request = begin(fuse, ino, "poll", info);
	const struct behaviour *behaviour;

	if (!request) {
		if (poll)
			fuse_pollhandle_destroy(poll);
		return;
	}
	behaviour = request->node.row->behaviour;
	if (poll)
		handle_set_poll(handle, poll);
	request_poll(request, behaviour->poll ? behaviour->poll(handle)
	                                      : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
}

void ops_lseek(
        fuse_req_t fuse, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = request_begin(fuse, ino, "seek");
	const struct behaviour *behaviour;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	request_finish(fs, request,
	        behaviour->seek ? behaviour->seek(request, handle_of(info), offset, whence)
	                        : -EINVAL);
}

void ops_fallocate(fuse_req_t fuse, fuse_ino_t ino, int mode, off_t offset, off_t length,
        struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = begin(fuse, ino, "allocate", info);
	const struct behaviour *behaviour;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	request->change = true;
	request_finish(fs, request,
	        behaviour->allocate
	                ? behaviour->allocate(request, handle_of(info), mode, offset, length)
	                : -EOPNOTSUPP);
}

void ops_copy_file_range(fuse_req_t fuse, fuse_ino_t from, off_t from_offset,
        struct fuse_file_info *from_info, fuse_ino_t to, off_t to_offset,
        struct fuse_file_info *to_info, size_t length, int flags)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = request_begin(fuse, to, "copy");
	struct handle *from_handle = handle_of(from_info), *to_handle = handle_of(to_info);
	const struct behaviour *behaviour;
	int r = -EOPNOTSUPP; /* then the kernel reads and writes */

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	request->change = true;
	if (behaviour->copy && from_handle->node.row->behaviour == behaviour)
		r = behaviour->copy(
		        request, from_handle, from_offset, to_handle, to_offset, length, flags);
	request_finish(fs, request, r);
}
