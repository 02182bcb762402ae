/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an archive acts that is copied into dependencies/: as a regular file that goes when it is complete. The close
 * by the process that opened it returns when its bytes are on the disk and its package is there; a process that
 * is killed half-way leaves nothing. See engine/uploads.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/uploads.h"
#include "fs/behaviour.h"
#include "fs/behaviours/text.h"
#include "fs/fs.h"
#include "fs/peer.h"
#include "fs/sentence.h"

static struct upload *upload_of(const struct fs *fs, uint64_t object)
{
	return upload_get(fs->engine, object);
}

static bool writes(const struct handle *handle)
{
	return (handle->flags & O_ACCMODE) != O_RDONLY;
}

/* --- attributes ------------------------------------------------------------------------------- */

static int refine(struct request *request, const struct subject *subject, struct stat *attr)
{
	const struct upload *upload = subject->item;

	attr->st_mode = S_IFREG | upload->mode;
	attr->st_nlink = upload->name ? 1 : 0;
	attr->st_size = upload->bytes;
	return 0;
}

static int get_attributes(struct request *request, struct handle *handle)
{
	struct stat attr;
	int r = node_attr(request, &request->node, &attr);

	return r < 0 ? r : request_attr(request, &attr, 0);
}

static int set_attributes(
        struct request *request, struct handle *handle, const struct stat *attr, int to_set)
{
	struct upload *upload = upload_of(request->fs, request->node.object);
	int r = upload ? 0 : -ENOENT;

	if (r == 0 && to_set & FUSE_SET_ATTR_SIZE)
		r = upload_resize(upload, attr->st_size);
	if (r < 0)
		return r;
	if (to_set & FUSE_SET_ATTR_MODE)
		upload->mode = attr->st_mode & 07777;
	if (to_set & FUSE_SET_ATTR_UID)
		upload->uid = attr->st_uid;
	if (to_set & FUSE_SET_ATTR_GID)
		upload->gid = attr->st_gid;
	if (to_set & FUSE_SET_ATTR_MTIME)
		upload->mtime_us = node_time_us(&attr->st_mtim);
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		upload->mtime_us = clock_wall_us(request->fs->clock);
	return get_attributes(request, handle);
}

/* --- open files ------------------------------------------------------------------------------- */

static int open_upload(struct request *request, struct handle *handle, struct fuse_file_info *info)
{
	struct upload *upload = upload_of(request->fs, handle->node.object);

	if (!upload)
		return -ENOENT;
	info->noflush = !writes(handle);
	return upload_open(upload, writes(handle), handle->flags & O_TRUNC, &request->why);
}

static int read_upload(struct request *request, struct handle *handle, size_t size, off_t offset)
{
	struct upload *upload = upload_of(request->fs, handle->node.object);
	CLEANUP(free_p) char *data = malloc(size);
	ssize_t n;

	if (!data)
		return -ENOMEM;
	n = pread(upload->fd, data, size, offset);
	return n < 0 ? -errno : request_data(request, data, (size_t)n);
}

static int write_upload(
        struct request *request, struct handle *handle, const char *data, size_t size, off_t offset)
{
	struct upload *upload = upload_of(request->fs, handle->node.object);
	int r = upload_write(upload, data, size, offset);

	if (r == -EFBIG)
		buf_puts(&request->why, "an archive has at most 4G");
	else if (r == -ENOSPC)
		buf_puts(&request->why, "the disk of the state directory is full");
	return r;
}

static int seek_upload(struct request *request, struct handle *handle, off_t offset, int whence)
{
	return text_seek(
	        request, upload_of(request->fs, handle->node.object)->bytes, offset, whence);
}

/* --- to the disk ------------------------------------------------------------------------------ */

struct keeping {
	uv_work_t work;
	struct request *request;
	uint64_t upload;
	bool keep; /* else it is only synced */
	int fd;
	int status;
};

static void sync_file(uv_work_t *work)
{
	struct keeping *keeping = container_of(work, struct keeping, work);

	keeping->status = fsync(keeping->fd) < 0 ? -errno : 0;
}

static void synced(uv_work_t *work, int status)
{
	struct keeping *keeping = container_of(work, struct keeping, work);
	struct request *request = keeping->request;
	struct upload *upload = upload_of(request->fs, keeping->upload);
	int r = keeping->status;

	if (r == 0 && keeping->keep && upload)
		r = upload_keep(upload, &request->caller, &request->why);
	close_fd(keeping->fd);
	free(keeping);
	request_end(request, r);
}

static int sync_later(struct request *request, struct handle *handle, bool keep)
{
	struct upload *upload = upload_of(request->fs, handle->node.object);
	struct keeping *keeping = calloc(1, sizeof(*keeping));
	int r = keeping ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	keeping->request = request;
	keeping->upload = upload->id;
	keeping->keep = keep;
	keeping->fd = fcntl(upload->fd, F_DUPFD_CLOEXEC, 3);
	r = keeping->fd < 0 ? -errno
	                    : uv_queue_work(request->fs->loop, &keeping->work, sync_file, synced);
	if (r == 0)
		return request_adopt(request, NULL, NULL);
	close_fd(keeping->fd);
	free(keeping);
	return r;
}

static int flush_upload(struct request *request, struct handle *handle)
{
	struct upload *upload = upload_of(request->fs, handle->node.object);
	struct peer peer;

	if (!writes(handle) || !upload->written || !handle_is_opener(handle, &request->caller))
		return 0;
	if (peer_look(request->caller.pid, &peer) == 0 && peer.killed) {
		upload->written = false;
		return 0;
	}
	return sync_later(request, handle, true);
}

static int fsync_upload(struct request *request, struct handle *handle, bool data_only)
{
	return sync_later(request, handle, false);
}

static void release_upload(struct handle *handle)
{
	upload_close(upload_of(handle->fs, handle->node.object), writes(handle), &handle->opener);
}

const struct behaviour upload_behaviour = {
        .name = "upload",
        .refine = refine,
        .getattr = get_attributes,
        .setattr = set_attributes,
        .open = open_upload,
        .read = read_upload,
        .write = write_upload,
        .flush = flush_upload,
        .fsync = fsync_upload,
        .seek = seek_upload,
        .release = release_upload,
};
