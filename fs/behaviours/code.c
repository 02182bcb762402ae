/* SPDX-License-Identifier: Apache-2.0 */
/* Working trees: names and attributes. What is done with open files is in code_files.c. */
#include "fs/behaviours/code.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "engine/packages.h"
#include "fs/behaviour.h"
#include "fs/fs.h"
#include "fs/removing.h"
#include "fs/handle.h"
#include "fs/request.h"
#include "fs/row.h"
#include "fs/view.h"

/* Nobody else changes a working tree, so what the kernel was told stays true until it changes it. */
#define TIMEOUT_S 3600.0

#define READ_MOST (1 << 20)

int code_new(struct code **out, struct fs *fs)
{
	struct code *code = calloc(1, sizeof(*code));

	if (!code)
		return -ENOMEM;
	code->fs = fs;
	code->last_number = NODE_ROOT;
	code->buffer = malloc(READ_MOST);
	map_init(&code->nodes);
	list_init(&code->cuts);
	*out = code;
	return code->buffer ? 0 : -ENOMEM;
}

struct code *code_free(struct code *code)
{
	struct worktree_node *node;

	if (!code)
		return NULL;
	/* The kernel forgets nothing when it is unmounted. */
	map_each(node, &code->nodes, cursor)
		while (!worktree_forget(node, 1))
			continue;
	map_deinit(&code->nodes);
	free(code->buffer);
	free(code);
	return NULL;
}

/* --- numbers ------------------------------------------------------------------------------------ */

struct worktree *code_worktree(const struct subject *subject)
{
	return subject->package ? engine_package_files(subject->engine, subject->package)
	                        : engine_worktree(subject->engine, subject->function);
}

int code_node(struct request *request, const struct node *node, struct worktree_node **out)
{
	struct worktree *worktree;
	struct subject subject;
	int r;

	if (!node->row->id) {
		*out = map_get(&request->fs->code->nodes, node->object);
		return *out ? 0 : -ESTALE;
	}
	r = node_subject(request->fs, node, &request->caller, &subject);
	if (r < 0)
		return r;
	worktree = code_worktree(&subject);
	if (!worktree)
		return -EIO;
	*out = worktree_root(worktree);
	return 0;
}

int code_entry(struct code *code, struct worktree_entry *found, struct fuse_entry_param *entry)
{
	uint64_t number = worktree_node_number(found->node);

	if (!number) {
		number = ++code->last_number;
		if (map_put(&code->nodes, number, found->node) < 0) {
			worktree_forget(found->node, 1);
			return -ENOMEM;
		}
		worktree_node_set_number(found->node, number);
	}
	*entry = (struct fuse_entry_param){
	        .ino = number,
	        .attr = found->attr,
	        .attr_timeout = TIMEOUT_S,
	        .entry_timeout = TIMEOUT_S,
	};
	return 0;
}

static void forget(struct fs *fs, uint64_t number, uint64_t lookups)
{
	struct worktree_node *node = map_get(&fs->code->nodes, number);

	if (node && worktree_forget(node, lookups))
		map_remove(&fs->code->nodes, number);
}

/* --- attributes --------------------------------------------------------------------------------- */

static struct worktree_file *file_of(const struct handle *handle)
{
	return handle && !handle->directory ? handle->state : NULL;
}

/* The root of a tree is known by its row's number in the directory it stands in. */
static int answer_attr(struct request *request, struct stat *attr)
{
	if (request->node.row->id)
		attr->st_ino = request->node.ino;
	return request_attr(request, attr, TIMEOUT_S);
}

/* What LOOKUP of the root from above shows. */
static int code_refine(struct request *request, const struct subject *subject, struct stat *attr)
{
	struct worktree *worktree = code_worktree(subject);
	ino_t number = attr->st_ino;
	int r = worktree ? worktree_getattr(worktree_root(worktree), NULL, attr) : -EIO;

	attr->st_ino = number;
	return r;
}

static int code_getattr(struct request *request, struct handle *handle)
{
	struct worktree_node *node;
	struct stat attr;
	int r = code_node(request, &request->node, &node);

	if (r == 0)
		r = worktree_getattr(node, file_of(handle), &attr);
	return r < 0 ? r : answer_attr(request, &attr);
}

int code_setattr_now(struct request *request, struct handle *handle, struct worktree_node *node,
        const struct stat *wanted, int to_set)
{
	struct stat attr;
	int r = worktree_setattr(
	        node, file_of(handle), (unsigned)to_set, wanted, &request->caller, &attr);

	return r < 0 ? r : answer_attr(request, &attr);
}

static int code_setattr(
        struct request *request, struct handle *handle, const struct stat *wanted, int to_set)
{
	struct worktree_node *node;
	int r = code_node(request, &request->node, &node);

	if (r < 0)
		return r;
	if (to_set & FUSE_SET_ATTR_SIZE && file_of(handle))
		return code_setattr_cutting(request, handle, node, wanted, to_set);
	return code_setattr_now(request, handle, node, wanted, to_set);
}

static int code_statfs(struct request *request)
{
	struct worktree_node *node;
	struct statvfs statfs;
	int r = code_node(request, &request->node, &node);

	if (r == 0)
		r = worktree_statfs(node, &statfs);
	return r < 0 ? r : request_statfs(request, &statfs);
}

static int code_readlink(struct request *request)
{
	struct worktree_node *node;
	char target[PATH_MAX + 1];
	int r = code_node(request, &request->node, &node);

	if (r == 0)
		r = worktree_readlink(node, target, sizeof(target));
	return r < 0 ? r : request_target(request, target);
}

/* --- names -------------------------------------------------------------------------------------- */

static int code_lookup(struct request *request, const char *name, struct fuse_entry_param *entry)
{
	struct worktree_entry found;
	struct worktree_node *node;
	int r = code_node(request, &request->node, &node);

	if (r == 0)
		r = worktree_lookup(node, name, &found);
	if (r == -ENOENT) {
		*entry = (struct fuse_entry_param){.entry_timeout = TIMEOUT_S};
		return 0; /* and the kernel may remember that there is nothing */
	}
	return r < 0 ? r : code_entry(request->fs->code, &found, entry);
}

static int code_mkdir(
        struct request *request, const char *name, mode_t mode, struct fuse_entry_param *entry)
{
	struct worktree_entry found;
	struct worktree_node *node;
	int r = code_node(request, &request->node, &node);

	if (r == 0)
		r = worktree_mkdir(node, name, mode, &request->caller, &found);
	return r < 0 ? r : code_entry(request->fs->code, &found, entry);
}

static int code_mknod(struct request *request, const char *name, mode_t mode, dev_t device,
        struct fuse_entry_param *entry)
{
	struct worktree_entry found;
	struct worktree_node *node;
	int r = code_node(request, &request->node, &node);

	if (r == 0)
		r = worktree_mknod(node, name, mode, &request->caller, &found);
	return r < 0 ? r : code_entry(request->fs->code, &found, entry);
}

static int code_symlink(struct request *request, const char *target, const char *name,
        struct fuse_entry_param *entry)
{
	struct worktree_entry found;
	struct worktree_node *node;
	int r = code_node(request, &request->node, &node);

	if (r == 0)
		r = worktree_symlink(node, name, target, &request->caller, &found);
	return r < 0 ? r : code_entry(request->fs->code, &found, entry);
}

static int code_link(struct request *request, const struct node *linked, const char *name,
        struct fuse_entry_param *entry)
{
	struct worktree_node *directory, *node;
	struct worktree_entry found;
	int r = code_node(request, &request->node, &directory);

	if (r == 0)
		r = code_node(request, linked, &node);
	if (r == 0)
		r = worktree_link(node, directory, name, &found);
	return r < 0 ? r : code_entry(request->fs->code, &found, entry);
}

static int code_unlink(struct request *request, const char *name)
{
	struct worktree_node *node;
	int r = code_node(request, &request->node, &node);

	removing_refresh(request);
	return r < 0 ? r : worktree_unlink(node, name);
}

static int code_rmdir(struct request *request, const char *name)
{
	struct worktree_node *node;
	int r = code_node(request, &request->node, &node);

	removing_refresh(request);
	return r < 0 ? r : worktree_rmdir(node, name);
}

static int code_rename(struct request *request, const char *name, const struct node *to_directory,
        const char *to_name, unsigned flags)
{
	struct worktree_node *from, *to;
	int r = code_node(request, &request->node, &from);

	if (r == 0)
		r = code_node(request, to_directory, &to);
	return r < 0 ? r : worktree_rename(from, name, to, to_name, flags);
}

static int code_create(struct request *request, const char *name, mode_t mode,
        struct handle *handle, struct fuse_entry_param *entry, struct fuse_file_info *info)
{
	struct worktree_entry found;
	struct worktree_file *file;
	struct worktree_node *node;
	int r = code_node(request, &request->node, &node);

	if (r == 0)
		r = worktree_create(node, name, mode, info->flags, &request->caller, &found, &file);
	if (r < 0)
		return r;
	r = code_entry(request->fs->code, &found, entry);
	if (r < 0)
		worktree_release(file);
	else
		code_opened(handle, file, info);
	return r;
}

static int code_tmpfile(struct request *request, mode_t mode, struct handle *handle,
        struct fuse_entry_param *entry, struct fuse_file_info *info)
{
	struct worktree_entry found;
	struct worktree_file *file;
	struct worktree_node *node;
	int r = code_node(request, &request->node, &node);

	if (r == 0)
		r = worktree_tmpfile(node, mode, info->flags, &request->caller, &found, &file);
	if (r < 0)
		return r;
	r = code_entry(request->fs->code, &found, entry);
	if (r < 0)
		worktree_release(file);
	else
		code_opened(handle, file, info);
	return r;
}

/* --- listing ------------------------------------------------------------------------------------ */

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/*
 * Looks the entry up for a listing with attributes; without success it is listed plainly, and so is what the kernel
 * knows already, for it asks for those each time it begins with a directory.
 */
static void look_up_item(struct request *request, struct worktree_node *directory,
        const struct worktree_item *item, struct fuse_entry_param *entry)
{
	struct worktree_entry found;

	if (is_dots(item->name) || worktree_is_known(directory, item))
		return;
	if (worktree_lookup(directory, item->name, &found) == 0)
		code_entry(request->fs->code, &found, entry);
}

static int code_readdir(struct handle *handle, struct listing *listing, off_t after)
{
	struct worktree_directory *directory = handle->state;
	struct worktree_node *node = worktree_directory_node(directory);
	struct worktree_item item;
	int r;

	while ((r = worktree_next(directory, after, &item)) > 0) {
		struct fuse_entry_param entry = {
		        .attr = {.st_ino = item.ino, .st_mode = item.type}};

		if (listing->plus)
			look_up_item(listing->request, node, &item, &entry);
		if (!listing_add(listing, item.name, &entry, item.next)) {
			if (entry.ino)
				forget(handle->fs, entry.ino, 1);
			return 0;
		}
		after = item.next;
	}
	return r;
}

/* rmdir of `code` itself succeeds without effect, unless that would hide what users put there. */
static int code_may_rmdir(struct request *request, const struct node *child)
{
	struct subject subject;
	int r = node_subject(request->fs, child, &request->caller, &subject);
	struct worktree *worktree;

	if (r < 0)
		return r;
	worktree = code_worktree(&subject);
	return worktree && !worktree_empty(worktree) ? -ENOTEMPTY : 0;
}

const struct behaviour code_behaviour = {
        .name = "code",
        .entry_timeout = TIMEOUT_S,
        .attr_timeout = TIMEOUT_S,
        .refine = code_refine,
        .getattr = code_getattr,
        .setattr = code_setattr,
        .forget = forget,
        .statfs = code_statfs,
        .open = code_open,
        .read = code_read,
        .write = code_write,
        .flush = code_flush,
        .fsync = code_fsync,
        .release = code_release,
        .seek = code_seek,
        .allocate = code_allocate,
        .copy = code_copy,
        .readlink = code_readlink,
        .lookup = code_lookup,
        .readdir = code_readdir,
        .create = code_create,
        .tmpfile = code_tmpfile,
        .mknod = code_mknod,
        .mkdir = code_mkdir,
        .symlink = code_symlink,
        .link = code_link,
        .unlink = code_unlink,
        .rmdir = code_rmdir,
        .rename = code_rename,
        .may_rmdir = code_may_rmdir,
};
