/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of rows: fixed children under their names, one entry per object for each item row, and
 * the editors' scratch files last. Generic for the whole tree; what may be made or removed is said by
 * the item row's `each`. A readdir cursor is (row, object), so entries may come and go while a
 * directory is read, and none that stays is listed twice or missed.
 */
#include "fs/behaviours/dir.h"

#include <errno.h>
#include <string.h>

#include "base/fail.h"
#include "fs/fs.h"
#include "fs/removing.h"
#include "fs/row_ids.h"
#include "fs/scratch.h"

#define CURSOR_DOT    1
#define CURSOR_DOTDOT 2

static struct node scratch_node(struct fs *fs, const struct scratch_file *file)
{
	return node_of(fs->tree.rows[ROW_SCRATCH], file->id);
}

static bool is_present(const struct row *row, struct subject subject)
{
	subject.row = row;
	return !row->present || row->present(&subject);
}

int dir_find(struct request *request, const char *name, struct node *child)
{
	struct fs *fs = request->fs;
	const struct node *directory = &request->node;
	const struct row *row;
	struct scratch_file *file;
	struct subject subject;
	uint64_t object;
	int r = node_subject(fs, directory, &request->caller, &subject);

	if (r < 0)
		return r;
	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	for (row = directory->row->children; row->id; row++) {
		if (row->name ? strcmp(row->name, name) == 0 && is_present(row, subject)
		              : row->each->find(&subject, name, &object) == 0) {
			*child = node_of(row, row->name ? directory->object : object);
			return 0;
		}
	}
	file = scratch_find(fs->scratch, directory->ino, name);
	if (!file)
		return -ENOENT;
	*child = scratch_node(fs, file);
	return 0;
}

const struct row *dir_maker(const struct row *directory, mode_t type, const char *name)
{
	const struct row *row;

	for (row = directory->children; row->id; row++)
		if (row->each && (row->each->make || row->each->make_later || row->each->link) &&
		        (row->mode & S_IFMT) == type &&
		        (!row->each->claims || row->each->claims(name)))
			return row;
	return NULL;
}

bool dir_holds_values(const struct row *directory)
{
	const struct row *row;

	for (row = directory->children; row->id; row++)
		if (row->set)
			return true;
	return false;
}

void dir_note_change_of(struct fs *fs, uint64_t ino)
{
	map_put(&fs->changed_us, ino, (void *)(uintptr_t)clock_wall_us(fs->clock));
}

void dir_note_change(struct request *request)
{
	dir_note_change_of(request->fs, request->node.ino);
}

static int dir_refine(struct request *request, const struct subject *subject, struct stat *attr)
{
	int64_t changed =
	        (int64_t)(uintptr_t)map_get(&request->fs->changed_us, (uint64_t)attr->st_ino);

	if (changed) {
		attr->st_mtim = node_timespec(changed);
		attr->st_ctim = attr->st_mtim;
	}
	return 0;
}

static int dir_lookup(struct request *request, const char *name, struct fuse_entry_param *entry)
{
	struct node child;
	int r = dir_find(request, name, &child);

	return r < 0 ? r : node_entry(request, &child, entry);
}

/* --- reading --- */

static bool list(struct listing *listing, const char *name, uint64_t ino, mode_t mode, off_t cursor)
{
	/* ino 0: no attributes. They would be stale at once, so the kernel asks when it needs them. */
	struct fuse_entry_param entry = {.attr = {.st_ino = ino, .st_mode = mode}};

	return listing_add(listing, name, &entry, cursor);
}

struct objects {
	struct listing *listing;
	const struct row *row;
	bool fit;
};

static bool list_object(void *userdata, const struct each_entry *entry)
{
	struct objects *objects = userdata;
	struct node node = node_of(objects->row, entry->object);

	objects->fit =
	        list(objects->listing, entry->name, node.ino, objects->row->mode, (off_t)node.ino);
	return objects->fit;
}

static bool list_objects(struct listing *listing, const struct subject *subject,
        const struct row *row, uint64_t after)
{
	struct objects objects = {listing, row, true};
	struct each_entry entry;

	if (row->each->walk) {
		(*row->each->walk)(subject, after, list_object, &objects);
		return objects.fit;
	}
	for (; row->each->next(subject, after, &entry); after = entry.object)
		if (!list_object(&objects, &entry))
			return false;
	return true;
}

static bool list_scratch(
        struct fs *fs, struct listing *listing, const struct node *directory, uint64_t after)
{
	struct scratch_file *file;

	while ((file = scratch_next(fs->scratch, directory->ino, after))) {
		struct node node = scratch_node(fs, file);

		if (!list(listing, file->name, node.ino, file->mode, (off_t)node.ino))
			return false;
		after = file->id;
	}
	return true;
}

static bool list_dots(struct listing *listing, const struct node *directory, off_t after)
{
	if (after < CURSOR_DOT && !list(listing, ".", directory->ino, S_IFDIR, CURSOR_DOT))
		return false;
	return after >= CURSOR_DOTDOT || list(listing, "..", NODE_ROOT, S_IFDIR, CURSOR_DOTDOT);
}

static int dir_readdir(struct handle *handle, struct listing *listing, off_t after)
{
	struct fs *fs = handle->fs;
	const struct node *directory = &handle->node;
	unsigned from = (unsigned)(after >> NODE_OBJECT_BITS); /* row of the last entry */
	uint64_t object = (uint64_t)after & NODE_OBJECT_MASK;
	const struct row *row = directory->row->children;
	struct subject subject;
	int r = node_subject(fs, directory, &listing->request->caller, &subject);

	if (r < 0)
		return r;
	if (!from && !list_dots(listing, directory, after))
		return 0;
	while (from && row->id && row->id != from)
		row++;
	for (; row->id; row++) {
		bool begun = row->id == from;

		if (row->each) {
			if (!list_objects(listing, &subject, row, begun ? object : 0))
				return 0;
		} else if (!begun && !(row->flags & ROW_HIDDEN) && is_present(row, subject)) {
			struct node node = node_of(row, directory->object);

			if (!list(listing, row->name, node.ino, row->mode,
			            (off_t)row->id << NODE_OBJECT_BITS))
				return 0;
		}
	}
	list_scratch(fs, listing, directory, from == ROW_SCRATCH ? object : 0);
	return 0;
}

/* --- making --- */

int dir_make(struct request *request, const struct row *maker, const char *name, mode_t mode,
        struct node *child)
{
	struct fs *fs = request->fs;
	struct node_attributes changed = {.set = ATTRIBUTE_MODE};
	struct subject subject;
	uint64_t object;
	int r = node_subject(fs, &request->node, &request->caller, &subject);

	if (r < 0)
		return r;
	subject.row = maker;
	subject.mode = mode;
	r = maker->each->make(&subject, name, &object, &request->why);
	if (r < 0)
		return r;
	*child = node_of(maker, object);
	dir_note_change(request);
	removing_stop(request, subject.function ? subject.function->id : 0);
	if (maker->flags & ROW_SECRET)
		mode &= ~(mode_t)077;
	changed.mode = mode & 07777;
	if ((mode & 07777) != (maker->mode & 07777) && !(maker->flags & ROW_FLEETING))
		r = attributes_set(engine_attributes(fs->engine), child->ino, &changed);
	return r;
}

/* 0 when nothing has the name and the directory is still there. */
static int check_free(struct request *request, const char *name)
{
	struct subject subject;
	struct node child;
	int r = node_subject(request->fs, &request->node, &request->caller, &subject);

	if (r < 0)
		return r;
	r = dir_find(request, name, &child);
	return r == -ENOENT ? 0 : r < 0 ? r : -EEXIST;
}

static int dir_mkdir(
        struct request *request, const char *name, mode_t mode, struct fuse_entry_param *entry)
{
	const struct row *maker = dir_maker(request->node.row, S_IFDIR, name);
	struct node child;
	int r = check_free(request, name);

	if (r < 0)
		return r;
	if (!maker) {
		buf_puts(&request->why, "no directory can be made here");
		return -EPERM;
	}
	if (maker->each->make_later)
		return dir_make_later(request, maker, name, mode, entry);
	r = dir_make(request, maker, name, mode, &child);
	return r < 0 ? r : node_entry(request, &child, entry);
}

static int make_scratch(struct request *request, const char *name, mode_t mode, struct node *child)
{
	struct scratch_file *file;
	int r;

	if (!dir_holds_values(request->node.row)) {
		buf_puts(&request->why, "no file can be made here");
		return -EPERM;
	}
	r = scratch_make(
	        request->fs->scratch, request->node.ino, name, mode, &request->caller, &file);
	if (r == 0)
		*child = scratch_node(request->fs, file);
	request->change = false; /* an editor's files come and go without a word in last_error */
	return r;
}

static int make_file(struct request *request, const char *name, mode_t mode, struct node *child)
{
	const struct row *maker = dir_maker(request->node.row, S_IFREG, name);

	if (maker)
		return dir_make(request, maker, name, mode, child);
	return make_scratch(request, name, S_IFREG | (mode & 07777), child);
}

static int dir_create(struct request *request, const char *name, mode_t mode, struct handle *handle,
        struct fuse_entry_param *entry, struct fuse_file_info *info)
{
	const struct behaviour *behaviour;
	struct node child;
	int r = dir_find(request, name, &child);

	if (r == 0 && handle->flags & O_EXCL)
		return -EEXIST;
	if (r == -ENOENT)
		r = make_file(request, name, mode, &child);
	if (r < 0)
		return r;
	if (!S_ISREG(child.row->mode))
		return -EISDIR;
	handle->node = child;
	behaviour = child.row->behaviour;
	r = behaviour->open ? behaviour->open(request, handle, info) : 0;
	return r < 0 ? r : node_entry(request, &child, entry);
}

static int dir_mknod(struct request *request, const char *name, mode_t mode, dev_t device,
        struct fuse_entry_param *entry)
{
	struct node child;
	int r = check_free(request, name);

	if (r == 0)
		r = S_ISREG(mode) ? make_file(request, name, mode, &child) : -EPERM;
	return r < 0 ? r : node_entry(request, &child, entry);
}

int dir_make_link(struct request *request, const struct row *maker, const char *name,
        const char *target, struct node *child)
{
	struct subject subject;
	uint64_t object;
	int r = node_subject(request->fs, &request->node, &request->caller, &subject);

	subject.row = maker;
	if (r == 0)
		r = maker->each->link(&subject, name, target, &object, &request->why);
	if (r < 0)
		return r;
	dir_note_change(request);
	*child = node_of(maker, object);
	return 0;
}

/* `ln -sf` makes a link of another name and renames it over; which link that will be is seen then. */
static bool holds_links(const struct row *directory)
{
	const struct row *row;

	for (row = directory->children; row->id; row++)
		if (row->each && row->each->link)
			return true;
	return false;
}

/* Where no links are kept: Emacs locks a file by a symbolic link that leads nowhere. */
static int dir_symlink(struct request *request, const char *target, const char *name,
        struct fuse_entry_param *entry)
{
	const struct row *maker = dir_maker(request->node.row, S_IFLNK, name);
	struct scratch_file *file;
	struct node child;
	int r = check_free(request, name);

	if (r == 0 && maker) {
		r = dir_make_link(request, maker, name, target, &child);
		return r < 0 ? r : node_entry(request, &child, entry);
	}
	if (r == 0 && strncmp(name, ".#", 2) != 0 && !holds_links(request->node.row)) {
		buf_puts(&request->why,
		        "no link can be made here (ln follows one that leads to a directory: "
		        "replace it with ln -sfn)");
		return -EPERM;
	}
	if (r == 0)
		r = make_scratch(request, name, S_IFLNK | 0777, &child);
	if (r < 0)
		return r;
	file = scratch_get(request->fs->scratch, child.object);
	buf_puts(&file->data, target);
	return node_entry(request, &child, entry);
}

const struct behaviour dir_behaviour = {
        .name = "directory",
        .entry_timeout = 3600,
        .attr_timeout = 3600,
        .refine = dir_refine,
        .lookup = dir_lookup,
        .readdir = dir_readdir,
        .create = dir_create,
        .mknod = dir_mknod,
        .mkdir = dir_mkdir,
        .symlink = dir_symlink,
        .unlink = dir_unlink,
        .rmdir = dir_rmdir,
        .rename = dir_rename,
};
