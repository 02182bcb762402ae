/* SPDX-License-Identifier: Apache-2.0 */
/* How a scratch file acts: as a small regular file in memory. What it is for: fs/scratch.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "fs/behaviours/text.h"
#include "fs/fs.h"
#include "fs/scratch.h"

static struct scratch_file *file_of(struct fs *fs, const struct node *node)
{
	return scratch_get(fs->scratch, node->object);
}

static int scratch_refine(struct request *request, const struct subject *subject, struct stat *attr)
{
	struct scratch_file *file = scratch_get(request->fs->scratch, subject->object);

	if (!file)
		return -ENOENT;
	attr->st_mode = file->mode;
	attr->st_nlink = file->name ? 1 : 0;
	attr->st_uid = file->uid;
	attr->st_gid = file->gid;
	attr->st_size = (off_t)file->data.length;
	attr->st_mtim = node_timespec(file->mtime_us);
	attr->st_atim = attr->st_ctim = attr->st_mtim;
	return 0;
}

static int scratch_getattr(struct request *request, struct handle *handle)
{
	struct stat attr;
	int r = node_attr(request, &request->node, &attr);

	return r < 0 ? r : request_attr(request, &attr, 0);
}

static int resize(struct scratch_file *file, off_t size)
{
	size_t old = file->data.length;
	char *place;

	if (size < 0 || size > SCRATCH_BYTES_MOST)
		return -EFBIG;
	if ((size_t)size <= old) {
		file->data.length = (size_t)size;
		return 0;
	}
	place = buf_reserve(&file->data, (size_t)size - old);
	if (!place)
		return fail(-ENOMEM, "growing a scratch file");
	memset(place, 0, (size_t)size - old);
	buf_added(&file->data, (size_t)size - old);
	return 0;
}

static int scratch_setattr(
        struct request *request, struct handle *handle, const struct stat *attr, int to_set)
{
	struct scratch_file *file = file_of(request->fs, &request->node);
	int r = file ? 0 : -ENOENT;

	if (r == 0 && to_set & FUSE_SET_ATTR_SIZE)
		r = resize(file, attr->st_size);
	if (r < 0)
		return r;
	if (to_set & FUSE_SET_ATTR_MODE)
		file->mode = (file->mode & S_IFMT) | (attr->st_mode & 07777);
	if (to_set & FUSE_SET_ATTR_UID)
		file->uid = attr->st_uid;
	if (to_set & FUSE_SET_ATTR_GID)
		file->gid = attr->st_gid;
	if (to_set & FUSE_SET_ATTR_MTIME)
		file->mtime_us = node_time_us(&attr->st_mtim);
	if (to_set & (FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_SIZE))
		file->mtime_us = clock_wall_us(request->fs->clock);
	return scratch_getattr(request, handle);
}

static int open_file(struct request *request, struct handle *handle, struct fuse_file_info *info)
{
	struct scratch_file *file = file_of(request->fs, &handle->node);

	if (!file)
		return -ENOENT;
	if (handle->flags & O_TRUNC)
		file->data.length = 0;
	scratch_open(file);
	handle->state = file;
	return 0;
}

static int read_file(struct request *request, struct handle *handle, size_t size, off_t offset)
{
	const struct scratch_file *file = handle->state;
	size_t length = file->data.length;

	if (offset < 0 || (size_t)offset >= length)
		return request_data(request, NULL, 0);
	length -= (size_t)offset;
	return request_data(request, file->data.data + offset, length < size ? length : size);
}

static int write_file(
        struct request *request, struct handle *handle, const char *data, size_t size, off_t offset)
{
	struct scratch_file *file = handle->state;
	int r;

	if (offset < 0 || offset > SCRATCH_BYTES_MOST ||
	        size > (size_t)(SCRATCH_BYTES_MOST - offset))
		return -EFBIG;
	r = (size_t)offset + size > file->data.length ? resize(file, offset + (off_t)size) : 0;
	if (r < 0)
		return r;
	memcpy(file->data.data + offset, data, size);
	request->change = false; /* of the platform nothing changed */
	file->mtime_us = clock_wall_us(request->fs->clock);
	return 0;
}

static int seek(struct request *request, struct handle *handle, off_t offset, int whence)
{
	const struct scratch_file *file = handle->state;

	return text_seek(request, (off_t)file->data.length, offset, whence);
}

static void release(struct handle *handle)
{
	scratch_close(handle->fs->scratch, handle->state);
}

static int read_link(struct request *request)
{
	const struct scratch_file *file = file_of(request->fs, &request->node);

	if (!file || !S_ISLNK(file->mode))
		return file ? -EINVAL : -ENOENT;
	return request_target(request, file->data.data);
}

const struct behaviour scratch_behaviour = {
        .name = "scratch",
        .refine = scratch_refine,
        .getattr = scratch_getattr,
        .setattr = scratch_setattr,
        .open = open_file,
        .read = read_file,
        .write = write_file,
        .seek = seek,
        .release = release,
        .readlink = read_link,
};
