/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/ops.h"

#include <errno.h>
#include <sys/statvfs.h>

#include "fs/fs.h"
#include "fs/init_flags.h"
#include "fs/invalidate.h"
#include "fs/texts.h"

#define MAX_WRITE (1 << 20)

/* --- the session --- */

static unsigned wanted(unsigned capable)
{
	unsigned want = FUSE_CAP_ASYNC_READ | FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_READDIRPLUS |
	                FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_PARALLEL_DIROPS |
	                FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_HANDLE_KILLPRIV;

	return capable & want;
}

/*
 * Asked for only when offered. No splice and no writeback cache: measured, the one gains nothing, the
 * other moves size, mtime and the time of a write into the kernel. No automatic invalidation: nobody
 * but this process changes what stands behind the mount.
 */
static void ops_init(void *userdata, struct fuse_conn_info *connection)
{
	struct fs *fs = userdata;

	connection->want = wanted(connection->capable);
	init_flags_add(fs, connection->want);
	connection->max_write = MAX_WRITE;
	connection->max_background = 64;
	connection->congestion_threshold = 48;
	if (fs->ready)
		fs->ready(fs->userdata);
}

struct request *ops_begin_change(fuse_req_t fuse, uint64_t ino, const char *verb, const char *name)
{
	struct request *request = request_begin(fuse, ino, verb);

	if (request) {
		request->change = request->judged = true;
		request->name = name;
	}
	return request;
}

void ops_forget(struct fs *fs, uint64_t ino, uint64_t lookups)
{
	struct node node;

	if (node_from_ino(fs, ino, &node) == 0 && node.row->behaviour->forget)
		node.row->behaviour->forget(fs, ino, lookups);
}

void ops_answer_entry(
        struct fs *fs, struct request *request, int r, const struct fuse_entry_param *entry)
{
	uint64_t ino = entry->ino;

	if (r != 0)
		request_finish(fs, request, r);
	else if (request_entry(request, entry) < 0)
		ops_forget(fs, ino, 1);
}

static void ops_forget_one(fuse_req_t fuse, fuse_ino_t ino, uint64_t lookups)
{
	ops_forget(fuse_req_userdata(fuse), ino, lookups);
	request_end_none(fuse);
}

static void ops_forget_many(fuse_req_t fuse, size_t count, struct fuse_forget_data *forgets)
{
	struct fs *fs = fuse_req_userdata(fuse);
	size_t i;

	for (i = 0; i < count; i++)
		ops_forget(fs, forgets[i].ino, forgets[i].nlookup);
	request_end_none(fuse);
}

/* --- attributes --- */

static struct handle *handle_of(const struct fuse_file_info *info)
{
	return info ? (struct handle *)(uintptr_t)info->fh : NULL;
}

static int row_getattr(struct request *request)
{
	double timeout = node_attr_timeout(request->fs, &request->node);
	struct stat attr;
	int r = node_attr(request, &request->node, &attr);

	return r < 0 ? r : request_attr(request, &attr, timeout);
}

static void ops_getattr(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = request_begin(fuse, ino, "look at");
	const struct behaviour *behaviour;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	request_finish(fs, request,
	        behaviour->getattr ? behaviour->getattr(request, handle_of(info))
	                           : row_getattr(request));
}

static struct node_attributes changes(const struct fs *fs, const struct stat *attr, int to_set)
{
	struct node_attributes wanted_ones = {
	        .mode = attr->st_mode & 07777,
	        .uid = attr->st_uid,
	        .gid = attr->st_gid,
	        .mtime_us = node_time_us(&attr->st_mtim),
	};

	if (to_set & FUSE_SET_ATTR_MODE)
		wanted_ones.set |= ATTRIBUTE_MODE;
	if (to_set & FUSE_SET_ATTR_UID)
		wanted_ones.set |= ATTRIBUTE_UID;
	if (to_set & FUSE_SET_ATTR_GID)
		wanted_ones.set |= ATTRIBUTE_GID;
	if (to_set & FUSE_SET_ATTR_MTIME)
		wanted_ones.set |= ATTRIBUTE_MTIME;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		wanted_ones.mtime_us = clock_wall_us(fs->clock);
	return wanted_ones;
}

/* chown of an object changes the object, and by default all that stands in it. */
static int own_object(
        struct request *request, const struct subject *subject, struct node_attributes *wanted_ones)
{
	const unsigned both = ATTRIBUTE_UID | ATTRIBUTE_GID;
	const struct each *each = subject->row->each;
	int r;

	if (!each || !each->own || !(wanted_ones->set & both))
		return 0;
	r = each->own(subject, wanted_ones->set & ATTRIBUTE_UID ? wanted_ones->uid : subject->uid,
	        wanted_ones->set & ATTRIBUTE_GID ? wanted_ones->gid : subject->gid);
	wanted_ones->set &= ~both;
	if (r == 0)
		invalidate_object(request->fs, &request->node);
	return r;
}

static int store_attributes(struct request *request, const struct stat *attr, int to_set)
{
	struct fs *fs = request->fs;
	const struct row *scope = fs->tree.scopes[request->node.row->id];
	struct node_attributes wanted_ones = changes(fs, attr, to_set);
	struct subject subject;
	int r = node_subject(fs, &request->node, &request->caller, &subject);

	if (r < 0)
		return r;
	if (scope && scope->flags & ROW_FLEETING) {
		if (!(wanted_ones.set & ~(unsigned)ATTRIBUTE_MTIME))
			return 0;
		buf_puts(&request->why,
		        "this goes when the daemon ends, and its permissions are fixed");
		return -EPERM;
	}
	r = own_object(request, &subject, &wanted_ones);
	if (r < 0 || !wanted_ones.set)
		return r;
	if (wanted_ones.set & ATTRIBUTE_MTIME)
		texts_forget_time(fs->texts, request->node.ino);
	return attributes_set(engine_attributes(fs->engine), request->node.ino, &wanted_ones);
}

static int row_setattr(
        struct request *request, struct handle *handle, const struct stat *attr, int to_set)
{
	const struct behaviour *behaviour = request->node.row->behaviour;
	int r = 0;

	if (to_set & FUSE_SET_ATTR_SIZE && behaviour->truncate)
		r = behaviour->truncate(request, handle, attr->st_size);
	if (r == 0)
		r = store_attributes(request, attr, to_set);
	return r < 0 ? r : row_getattr(request);
}

static void ops_setattr(
        fuse_req_t fuse, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = request_begin(fuse, ino, "change the attributes");
	const struct behaviour *behaviour;

	if (!request)
		return;
	request->judged = true;
	behaviour = request->node.row->behaviour;
	request_finish(fs, request,
	        behaviour->setattr ? behaviour->setattr(request, handle_of(info), attr, to_set)
	                           : row_setattr(request, handle_of(info), attr, to_set));
}

static void ops_readlink(fuse_req_t fuse, fuse_ino_t ino)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = request_begin(fuse, ino, "read");
	const struct behaviour *behaviour;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	request_finish(fs, request, behaviour->readlink ? behaviour->readlink(request) : -EINVAL);
}

static int state_statfs(struct request *request)
{
	struct statvfs statfs;

	if (fstatvfs(request->fs->state_fd, &statfs) < 0)
		return -errno;
	return request_statfs(request, &statfs);
}

static void ops_statfs(fuse_req_t fuse, fuse_ino_t ino)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = request_begin(fuse, ino ? ino : NODE_ROOT, "look at the disk of");
	const struct behaviour *behaviour;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	request_finish(fs, request,
	        behaviour->statfs ? behaviour->statfs(request) : state_statfs(request));
}

/* Extended attributes, locks and ioctl are left out: the kernel asks once, or does them itself. */
const struct fuse_lowlevel_ops fs_ops = {
        .init = ops_init,
        .lookup = ops_lookup,
        .forget = ops_forget_one,
        .forget_multi = ops_forget_many,
        .getattr = ops_getattr,
        .setattr = ops_setattr,
        .readlink = ops_readlink,
        .mknod = ops_mknod,
        .mkdir = ops_mkdir,
        .unlink = ops_unlink,
        .rmdir = ops_rmdir,
        .symlink = ops_symlink,
        .rename = ops_rename,
        .link = ops_link,
        .open = ops_open,
        .read = ops_read,
        .write = ops_write,
        .flush = ops_flush,
        .release = ops_release,
        .fsync = ops_fsync,
        .opendir = ops_opendir,
        .readdir = ops_readdir,
        .readdirplus = ops_readdirplus,
        .releasedir = ops_release,
        .fsyncdir = ops_fsync,
        .statfs = ops_statfs,
        .create = ops_create,
        .poll = ops_poll,
        .fallocate = ops_fallocate,
        .copy_file_range = ops_copy_file_range,
        .lseek = ops_lseek,
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
        .tmpfile = ops_tmpfile,
#endif
};
