/* SPDX-License-Identifier: Apache-2.0 */
/* The dispatcher's verbs of directories; see ops.h. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "fs/fs.h"
#include "fs/ops.h"

#define LISTING_MOST (1 << 20)

void ops_lookup(fuse_req_t fuse, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = request_begin(fuse, parent, "look up");
	struct fuse_entry_param entry = {};
	const struct behaviour *behaviour;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	ops_answer_entry(fs, request,
	        behaviour->lookup ? behaviour->lookup(request, name, &entry) : -ENOTDIR, &entry);
}

bool listing_add(
        struct listing *listing, const char *name, const struct fuse_entry_param *entry, off_t next)
{
	char *place = listing->data + listing->used;
	size_t left = listing->size - listing->used;
	fuse_req_t fuse = listing->request->fuse;
	size_t need = listing->plus
	                      ? fuse_add_direntry_plus(fuse, place, left, name, entry, next)
	                      : fuse_add_direntry(fuse, place, left, name, &entry->attr, next);

	if (need > left)
		return false;
	listing->used += need;
	return true;
}

static void read_directory(fuse_req_t fuse, fuse_ino_t ino, size_t size, off_t offset,
        struct fuse_file_info *info, bool plus)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = request_begin(fuse, ino, "list");
	size_t most = size < LISTING_MOST ? size : LISTING_MOST;
	CLEANUP(free_p) char *data = malloc(most);
	struct listing listing = {.request = request, .plus = plus, .data = data, .size = most};
	struct handle *handle = (struct handle *)(uintptr_t)info->fh;
	const struct behaviour *behaviour;
	int r;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	if (!data)
		r = fail(-ENOMEM, "listing a directory");
	else
		r = behaviour->readdir ? behaviour->readdir(handle, &listing, offset) : -ENOTDIR;
	if (r < 0)
		request_finish(fs, request, r);
	else
		request_data(request, listing.data, listing.used);
}

void ops_readdir(
        fuse_req_t fuse, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *info)
{
	read_directory(fuse, ino, size, offset, info, false);
}

void ops_readdirplus(
        fuse_req_t fuse, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *info)
{
	read_directory(fuse, ino, size, offset, info, true);
}

void ops_mkdir(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = ops_begin_change(fuse, parent, "make", name);
	struct fuse_entry_param entry = {};
	const struct behaviour *behaviour;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	ops_answer_entry(fs, request,
	        behaviour->mkdir ? behaviour->mkdir(request, name, mode, &entry) : -EPERM, &entry);
}

void ops_mknod(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = ops_begin_change(fuse, parent, "make", name);
	struct fuse_entry_param entry = {};
	const struct behaviour *behaviour;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	ops_answer_entry(fs, request,
	        behaviour->mknod ? behaviour->mknod(request, name, mode, device, &entry) : -EPERM,
	        &entry);
}

void ops_symlink(fuse_req_t fuse, const char *target, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = ops_begin_change(fuse, parent, "link", name);
	struct fuse_entry_param entry = {};
	const struct behaviour *behaviour;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	ops_answer_entry(fs, request,
	        behaviour->symlink ? behaviour->symlink(request, target, name, &entry) : -EPERM,
	        &entry);
}

void ops_link(fuse_req_t fuse, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = ops_begin_change(fuse, parent, "link", name);
	struct fuse_entry_param entry = {};
	const struct behaviour *behaviour;
	struct node node;
	int r;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	r = node_from_ino(fs, ino, &node);
	if (r == 0 && node.row->behaviour != behaviour)
		r = -EXDEV;
	if (r == 0)
		r = behaviour->link ? behaviour->link(request, &node, name, &entry) : -EPERM;
	ops_answer_entry(fs, request, r, &entry);
}

void ops_unlink(fuse_req_t fuse, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = ops_begin_change(fuse, parent, "remove", name);
	const struct behaviour *behaviour;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	request_finish(fs, request, behaviour->unlink ? behaviour->unlink(request, name) : -EROFS);
}

void ops_rmdir(fuse_req_t fuse, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = ops_begin_change(fuse, parent, "remove", name);
	const struct behaviour *behaviour;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	request_finish(fs, request, behaviour->rmdir ? behaviour->rmdir(request, name) : -EROFS);
}

void ops_rename(fuse_req_t fuse, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
        const char *to_name, unsigned flags)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = ops_begin_change(fuse, parent, "rename", name);
	const struct behaviour *behaviour;
	struct node to;
	int r;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	r = node_from_ino(fs, to_parent, &to);
	if (r == 0 && to.row->behaviour != behaviour)
		r = -EXDEV;
	if (r == 0)
		r = behaviour->rename ? behaviour->rename(request, name, &to, to_name, flags)
		                      : -EROFS;
	request_finish(fs, request, r);
}

/* Answers a create; when nobody hears the answer, everything is taken back but the file itself. */
static void answer_create(struct fs *fs, struct request *request, int r, struct handle *handle,
        const struct fuse_entry_param *entry, const struct fuse_file_info *info)
{
	if (r < 0) {
		handle_free(handle);
		request_finish(fs, request, r);
	} else if (request_create(request, entry, info) < 0) {
		ops_drop_handle(handle);
		ops_forget(fs, entry->ino, 1);
	}
}

void ops_create(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode,
        struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = ops_begin_change(fuse, parent, "make", name);
	struct fuse_entry_param entry = {};
	const struct behaviour *behaviour;
	struct handle *handle;
	int r;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	request->flags = info->flags;
	r = ops_new_handle(request, info, &handle);
	if (r == 0)
		r = behaviour->create ? behaviour->create(request, name, mode, handle, &entry, info)
		                      : -EPERM;
	answer_create(fs, request, r, handle, &entry, info);
}

void ops_tmpfile(fuse_req_t fuse, fuse_ino_t parent, mode_t mode, struct fuse_file_info *info)
{
	struct fs *fs = fuse_req_userdata(fuse);
	struct request *request = ops_begin_change(fuse, parent, "make", "");
	struct fuse_entry_param entry = {};
	const struct behaviour *behaviour;
	struct handle *handle;
	int r;

	if (!request)
		return;
	behaviour = request->node.row->behaviour;
	request->flags = info->flags;
	r = ops_new_handle(request, info, &handle);
	if (r == 0)
		r = behaviour->tmpfile ? behaviour->tmpfile(request, mode, handle, &entry, info)
		                       : -EOPNOTSUPP;
	answer_create(fs, request, r, handle, &entry, info);
}
