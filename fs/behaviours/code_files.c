/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open files of working trees. What the disk may take long for is done in the thread pool, with the
 * request adopted meanwhile; everything else is answered at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fs/behaviours/code.h"
#include "fs/fs.h"
#include "fs/handle.h"
#include "fs/request.h"

/* A larger write takes the loop as long as some calls take, and the disk may hold up whoever writes much. */
#define WRITTEN_AT_ONCE (64 << 10)

void code_opened(struct handle *handle, struct worktree_file *file, struct fuse_file_info *info)
{
	handle->state = file;
	/* The first read after a change moves the time of access: it must come to the disk. */
	info->keep_cache = (info->flags & O_ACCMODE) == O_WRONLY || !worktree_access_shows(file);
	/* Only a writer's close means something: it is when its content begins to count. */
	info->noflush = !worktree_file_writes(file);
}

int code_open_now(struct request *request, struct handle *handle, struct worktree_node *node,
        struct fuse_file_info *info)
{
	struct worktree_file *file;
	int r = worktree_open_file(node, info->flags, &request->caller, &file);

	if (r == 0)
		code_opened(handle, file, info);
	return r;
}

int code_open(struct request *request, struct handle *handle, struct fuse_file_info *info)
{
	struct worktree_node *node;
	int r = code_node(request, &request->node, &node);

	if (r < 0)
		return r;
	if (handle->directory)
		return worktree_open_directory(node, (struct worktree_directory **)&handle->state);
	if (info->flags & O_TRUNC && (info->flags & O_ACCMODE) != O_RDONLY)
		return code_open_cutting(request, handle, node, info);
	return code_open_now(request, handle, node, info);
}

void code_release(struct handle *handle)
{
	code_keep_released(handle);
	if (handle->directory)
		worktree_close_directory(handle->state);
	else if (handle->state)
		worktree_release(handle->state);
}

/* --- what takes long ---------------------------------------------------------------------------- */

static void done(void *userdata, ssize_t status)
{
	request_end(userdata, status < 0 ? (int)status : 0);
}

static void done_writing(void *userdata, ssize_t status)
{
	if (status < 0)
		request_end(userdata, (int)status);
	else
		request_written(userdata, (size_t)status);
}

/* Adopts the request unless the work could not even be begun. */
static int later(struct request *request, int r)
{
	return r < 0 ? r : request_adopt(request, NULL, NULL);
}

/* --- reading ------------------------------------------------------------------------------------ */

struct slow_read {
	struct request *request;
	char data[];
};

static void slow_read_done(void *userdata, ssize_t status)
{
	struct slow_read *slow = userdata;

	if (status < 0)
		request_end(slow->request, (int)status);
	else
		request_data(slow->request, slow->data, (size_t)status);
	free(slow);
}

static int read_slowly(
        struct request *request, struct worktree_file *file, size_t size, off_t offset)
{
	struct slow_read *slow = malloc(sizeof(*slow) + size);
	int r;

	if (!slow)
		return -ENOMEM;
	slow->request = request;
	r = worktree_read_later(file, slow->data, size, offset, slow_read_done, slow);
	if (r < 0)
		free(slow);
	return later(request, r);
}

int code_read(struct request *request, struct handle *handle, size_t size, off_t offset)
{
	char *buffer = request->fs->code->buffer;
	ssize_t n;

	if (handle->directory)
		return -EISDIR;
	n = worktree_read(handle->state, buffer, size, offset, false);
	if (n == -EAGAIN)
		return read_slowly(request, handle->state, size, offset);
	return n < 0 ? (int)n : request_data(request, buffer, (size_t)n);
}

/* --- writing ------------------------------------------------------------------------------------ */

struct slow_write {
	struct request *request;
	char data[];
};

static void slow_write_done(void *userdata, ssize_t status)
{
	struct slow_write *slow = userdata;

	done_writing(slow->request, status);
	free(slow);
}

static int write_slowly(struct request *request, struct worktree_file *file, const char *data,
        size_t size, off_t offset)
{
	struct slow_write *slow = malloc(sizeof(*slow) + size);
	int r;

	if (!slow)
		return -ENOMEM;
	slow->request = request;
	memcpy(slow->data, data, size);
	r = worktree_write_later(file, slow->data, size, offset, &request->caller, request->mapped,
	        slow_write_done, slow);
	if (r < 0)
		free(slow);
	return later(request, r);
}

int code_write(
        struct request *request, struct handle *handle, const char *data, size_t size, off_t offset)
{
	ssize_t n;

	/* Pages of a mapping are not a worker's: all workers may wait for them (code_seek.c). */
	if (size > WRITTEN_AT_ONCE && !request->mapped)
		return write_slowly(request, handle->state, data, size, offset);
	n = worktree_write(handle->state, data, size, offset, &request->caller, request->mapped);
	if (n < 0)
		return (int)n;
	return (size_t)n == size ? 0 : request_written(request, (size_t)n);
}

int code_flush(struct request *request, struct handle *handle)
{
	if (handle_is_opener(handle, &request->caller))
		worktree_flush(handle->state);
	return 0;
}

int code_fsync(struct request *request, struct handle *handle, bool data_only)
{
	if (handle->directory)
		return later(request, worktree_fsync_directory(handle->state, done, request));
	return later(request, worktree_fsync(handle->state, data_only, done, request));
}

int code_allocate(
        struct request *request, struct handle *handle, int mode, off_t offset, off_t length)
{
	return later(request, worktree_allocate(handle->state, mode, offset, length,
	                              &request->caller, done, request));
}

int code_copy(struct request *request, struct handle *from, off_t from_offset, struct handle *to,
        off_t to_offset, size_t length, int flags)
{
	return later(request, worktree_copy(from->state, from_offset, to->state, to_offset, length,
	                              &request->caller, done_writing, request));
}
