/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/behaviours/snapshot.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <uv.h>

#include "engine/packages.h"
#include "fs/behaviour.h"
#include "fs/behaviours/dir.h"
#include "fs/fs.h"
#include "fs/removing.h"
#include "fs/row_ids.h"
#include "model/version.h"
#include "store/snapshot_tree.h"

/* It never changes; the root goes with the version, and the kernel hears of that. */
#define TIMEOUT_S 3600.0

#define READ_MOST (1 << 20)

struct seen {
	struct snapshot_node *node;
	uint64_t version; /* of a function, or of a package */
};

int snapshots_new(struct snapshots **out)
{
	struct snapshots *snapshots = calloc(1, sizeof(*snapshots));

	if (!snapshots)
		return -ENOMEM;
	map_init(&snapshots->nodes);
	snapshots->buffer = malloc(READ_MOST);
	*out = snapshots;
	return snapshots->buffer ? 0 : -ENOMEM;
}

struct snapshots *snapshots_free(struct snapshots *snapshots)
{
	struct seen *seen;

	if (!snapshots)
		return NULL;
	/* The kernel forgets nothing when it is unmounted. */
	map_each(seen, &snapshots->nodes, cursor) {
		while (!snapshot_forget(seen->node, 1))
			continue;
		free(seen);
	}
	map_deinit(&snapshots->nodes);
	free(snapshots->buffer);
	free(snapshots);
	return NULL;
}

/* --- numbers ---------------------------------------------------------------------------------- */

/* What a node of this behaviour stands for. -ESTALE; -ENOENT when its version is gone. */
static int find_node(struct request *request, const struct node *node, struct seen *out)
{
	struct snapshot_tree *tree;
	struct subject subject;
	struct seen *seen;
	int r;

	if (node->row->id == ROW_VERSION_FILE) {
		seen = map_get(&request->fs->snapshots->nodes, node->object);
		if (seen)
			*out = *seen;
		return seen ? 0 : -ESTALE;
	}
	r = node_subject(request->fs, node, &request->caller, &subject);
	if (r < 0)
		return r;
	tree = subject.package_version
	               ? engine_package_version_tree(subject.engine, subject.package_version)
	               : engine_version_tree(subject.engine, subject.version);
	*out = (struct seen){tree ? snapshot_tree_root(tree) : NULL, node->object};
	return tree ? 0 : -EIO;
}

static uint64_t give_number(
        struct snapshots *snapshots, struct snapshot_node *node, uint64_t version)
{
	uint64_t number = snapshot_node_number(node);
	struct seen *seen;

	if (number)
		return number;
	seen = malloc(sizeof(*seen));
	number = snapshots->last_number + 1;
	if (!seen || map_put(&snapshots->nodes, number, seen) < 0) {
		free(seen);
		return 0;
	}
	*seen = (struct seen){node, version};
	snapshots->last_number = number;
	snapshot_node_set_number(node, number);
	return number;
}

/* Tells the kernel of a node that was looked up; on failure the lookup is given back. */
static int tell(struct fs *fs, uint64_t version, struct snapshot_entry *found,
        struct fuse_entry_param *entry)
{
	uint64_t number = give_number(fs->snapshots, found->node, version);
	uint64_t ino = node_of(fs->tree.rows[ROW_VERSION_FILE], number).ino;

	if (!number) {
		snapshot_forget(found->node, 1);
		return -ENOMEM;
	}
	*entry = (struct fuse_entry_param){
	        .ino = ino,
	        .generation = (uintptr_t)map_get(&fs->generations, ino),
	        .attr = found->attr,
	        .attr_timeout = TIMEOUT_S,
	        .entry_timeout = TIMEOUT_S,
	};
	return 0;
}

static void forget(struct fs *fs, uint64_t ino, uint64_t lookups)
{
	uint64_t number = ino & NODE_OBJECT_MASK;
	struct seen *seen = map_get(&fs->snapshots->nodes, number);

	/* The root of a tree is a row, and counted by nobody. */
	if (ino >> NODE_OBJECT_BITS != ROW_VERSION_FILE || !seen ||
	        !snapshot_forget(seen->node, lookups))
		return;
	map_remove(&fs->snapshots->nodes, number);
	map_remove(&fs->generations, ino);
	free(seen);
}

static uint64_t function_of(const struct fs *fs, const struct node *node)
{
	struct seen *seen = map_get(&fs->snapshots->nodes, node->object);
	struct version *version =
	        seen ? versions_get(engine_functions(fs->engine), seen->version) : NULL;

	return version ? version->function->id : 0;
}

/* --- attributes ------------------------------------------------------------------------------- */

static int attributes_of(struct request *request, const struct node *node, struct stat *attr)
{
	struct seen seen;
	int r = find_node(request, node, &seen);

	if (r < 0)
		return r;
	snapshot_getattr(seen.node, attr);
	/* The root of a tree is known by its row's number in the directory it stands in. */
	if (node->row->id != ROW_VERSION_FILE)
		attr->st_ino = node->ino;
	return 0;
}

static int snapshot_refine(
        struct request *request, const struct subject *subject, struct stat *attr)
{
	struct node node = node_of(subject->row, subject->object);

	return attributes_of(request, &node, attr);
}

static int snapshot_attr(struct request *request, struct handle *handle)
{
	struct stat attr;
	int r = attributes_of(request, &request->node, &attr);

	return r < 0 ? r : request_attr(request, &attr, TIMEOUT_S);
}

static int read_only(struct request *request)
{
	buf_puts(&request->why, "what was published never changes");
	return -EROFS;
}

static int snapshot_setattr(
        struct request *request, struct handle *handle, const struct stat *attr, int to_set)
{
	return read_only(request);
}

static int snapshot_target(struct request *request)
{
	char target[PATH_MAX + 1];
	struct seen seen;
	int r = find_node(request, &request->node, &seen);

	if (r == 0)
		r = snapshot_readlink(seen.node, target, sizeof(target));
	return r < 0 ? r : request_target(request, target);
}

/* --- open files ------------------------------------------------------------------------------- */

static int snapshot_open(
        struct request *request, struct handle *handle, struct fuse_file_info *info)
{
	struct snapshot_directory *directory;
	struct seen seen;
	int r = find_node(request, &handle->node, &seen);

	if (r < 0)
		return r;
	if (handle->directory) {
		r = snapshot_open_directory(seen.node, &directory);
		handle->state = r == 0 ? directory : NULL;
		info->cache_readdir = info->keep_cache = 1;
		return r;
	}
	if ((handle->flags & O_ACCMODE) != O_RDONLY || handle->flags & O_TRUNC)
		return read_only(request);
	handle->state = seen.node;
	snapshot_node_look_up(seen.node); /* forgotten while it is open, it stays */
	info->keep_cache = 1;
	info->noflush = 1;
	return 0;
}

static void let_go(struct fs *fs, struct snapshot_node *node)
{
	forget(fs, node_of(fs->tree.rows[ROW_VERSION_FILE], snapshot_node_number(node)).ino, 1);
}

static void snapshot_release(struct handle *handle)
{
	if (handle->directory)
		snapshot_close_directory(handle->state);
	else
		let_go(handle->fs, handle->state);
}

struct slow_read {
	uv_work_t work;
	struct request *request;
	struct snapshot_node *node;
	size_t size;
	off_t offset;
	ssize_t result;
	char data[];
};

static void read_from_disk(uv_work_t *work)
{
	struct slow_read *slow = container_of(work, struct slow_read, work);

	slow->result = snapshot_read(slow->node, slow->data, slow->size, slow->offset, true);
}

static void answer_read(uv_work_t *work, int status)
{
	struct slow_read *slow = container_of(work, struct slow_read, work);

	let_go(slow->request->fs, slow->node);
	if (slow->result < 0)
		request_end(slow->request, (int)slow->result);
	else
		request_data(slow->request, slow->data, (size_t)slow->result);
	free(slow);
}

static int read_slowly(
        struct request *request, struct snapshot_node *node, size_t size, off_t offset)
{
	struct slow_read *slow = malloc(sizeof(*slow) + size);
	int r;

	if (!slow)
		return -ENOMEM;
	slow->request = request;
	slow->node = node;
	slow->size = size;
	slow->offset = offset;
	snapshot_node_look_up(node); /* at the end of all, files are closed before this is done */
	r = uv_queue_work(request->fs->loop, &slow->work, read_from_disk, answer_read);
	if (r == 0)
		return request_adopt(request, NULL, NULL);
	let_go(request->fs, node);
	free(slow);
	return r;
}

static int snapshot_read_file(
        struct request *request, struct handle *handle, size_t size, off_t offset)
{
	char *buffer = request->fs->snapshots->buffer;
	ssize_t n;

	if (handle->directory)
		return -EISDIR;
	if (size > READ_MOST)
		size = READ_MOST;
	n = snapshot_read(handle->state, buffer, size, offset, false);
	if (n == -EAGAIN)
		return read_slowly(request, handle->state, size, offset);
	return n < 0 ? (int)n : request_data(request, buffer, (size_t)n);
}

/* --- names ------------------------------------------------------------------------------------ */

static int snapshot_look_up(
        struct request *request, const char *name, struct fuse_entry_param *entry)
{
	struct snapshot_entry found;
	struct seen seen;
	int r = find_node(request, &request->node, &seen);

	if (r == 0)
		r = snapshot_lookup(seen.node, name, &found);
	if (r == -ENOENT) {
		*entry = (struct fuse_entry_param){.entry_timeout = TIMEOUT_S};
		return 0; /* and the kernel may remember that there is nothing */
	}
	return r < 0 ? r : tell(request->fs, seen.version, &found, entry);
}

/* Cursors of what is in it stand behind those of the two that every directory has. */
#define CURSOR_DOTS 2

static bool list_dots(struct listing *listing, const struct node *directory, off_t after)
{
	struct fuse_entry_param entry = {.attr = {.st_ino = directory->ino, .st_mode = S_IFDIR}};

	if (after < 1 && !listing_add(listing, ".", &entry, 1))
		return false;
	entry.attr.st_ino = NODE_ROOT;
	return after >= CURSOR_DOTS || listing_add(listing, "..", &entry, CURSOR_DOTS);
}

/* False: it does not fit any more. */
static bool list_item(struct handle *handle, struct listing *listing, const struct seen *seen,
        const struct snapshot_item *item)
{
	struct fuse_entry_param entry = {.attr = {.st_ino = item->ino, .st_mode = item->type}};
	struct snapshot_entry found;

	if (listing->plus && snapshot_lookup(seen->node, item->name, &found) == 0)
		tell(handle->fs, seen->version, &found, &entry);
	if (listing_add(listing, item->name, &entry, item->next + CURSOR_DOTS))
		return true;
	if (entry.ino)
		forget(handle->fs, entry.ino, 1);
	return false;
}

static int snapshot_list(struct handle *handle, struct listing *listing, off_t after)
{
	struct snapshot_item item;
	struct seen seen;
	int r = find_node(listing->request, &handle->node, &seen);

	if (r < 0)
		return r;
	if (!list_dots(listing, &handle->node, after))
		return 0;
	after = after < CURSOR_DOTS ? 0 : after - CURSOR_DOTS;
	while ((r = snapshot_next(handle->state, after, &item)) > 0) {
		if (!list_item(handle, listing, &seen, &item))
			return 0;
		after = item.next;
	}
	return r;
}

static int snapshot_create(struct request *request, const char *name, mode_t mode,
        struct handle *handle, struct fuse_entry_param *entry, struct fuse_file_info *info)
{
	return read_only(request);
}

static int snapshot_mknod(struct request *request, const char *name, mode_t mode, dev_t device,
        struct fuse_entry_param *entry)
{
	return read_only(request);
}

static int snapshot_mkdir(
        struct request *request, const char *name, mode_t mode, struct fuse_entry_param *entry)
{
	return read_only(request);
}

static int snapshot_symlink(struct request *request, const char *target, const char *name,
        struct fuse_entry_param *entry)
{
	return read_only(request);
}

static int snapshot_link(struct request *request, const struct node *node, const char *name,
        struct fuse_entry_param *entry)
{
	return read_only(request);
}

static int snapshot_rename(struct request *request, const char *name,
        const struct node *to_directory, const char *to_name, unsigned flags)
{
	return read_only(request);
}

/* --- removing: it goes with the version -------------------------------------------------------- */

static int check_unused(struct request *request, uint64_t id)
{
	struct engine *engine = request->fs->engine;
	struct version *version = versions_get(engine_functions(engine), id);
	struct package_version *of_package = packages_version(engine_packages(engine), id);

	if (version && removing_is(request, version->function->id))
		return 0;
	if (version)
		return version_check_unused(version, &request->why);
	return of_package ? package_check_unused(of_package->package, of_package, &request->why)
	                  : 0;
}

static int may_remove(struct request *request, const char *name, struct snapshot_entry *found)
{
	struct seen seen;
	int r = find_node(request, &request->node, &seen);

	if (r == 0)
		r = snapshot_lookup(seen.node, name, found);
	if (r < 0)
		return r;
	r = check_unused(request, seen.version);
	if (r < 0)
		snapshot_forget(found->node, 1);
	return r;
}

static int snapshot_unlink(struct request *request, const char *name)
{
	struct snapshot_entry found;
	int r = may_remove(request, name, &found);

	if (r < 0)
		return r;
	snapshot_forget(found.node, 1);
	return S_ISDIR(found.attr.st_mode) ? -EISDIR : 0;
}

static int snapshot_rmdir(struct request *request, const char *name)
{
	struct fs *fs = request->fs;
	struct snapshot_entry found;
	uint64_t number;
	int r = may_remove(request, name, &found);

	if (r < 0)
		return r;
	number = snapshot_node_number(found.node);
	snapshot_forget(found.node, 1);
	if (!S_ISDIR(found.attr.st_mode))
		return -ENOTDIR;
	return number ? dir_raise_generation(
	                        fs, node_of(fs->tree.rows[ROW_VERSION_FILE], number).ino)
	              : 0;
}

const struct behaviour snapshot_behaviour = {
        .name = "snapshot",
        .entry_timeout = TIMEOUT_S,
        .attr_timeout = TIMEOUT_S,
        .refine = snapshot_refine,
        .getattr = snapshot_attr,
        .setattr = snapshot_setattr,
        .function_of = function_of,
        .forget = forget,
        .open = snapshot_open,
        .read = snapshot_read_file,
        .release = snapshot_release,
        .readlink = snapshot_target,
        .lookup = snapshot_look_up,
        .readdir = snapshot_list,
        .create = snapshot_create,
        .mknod = snapshot_mknod,
        .mkdir = snapshot_mkdir,
        .symlink = snapshot_symlink,
        .link = snapshot_link,
        .rename = snapshot_rename,
        .unlink = snapshot_unlink,
        .rmdir = snapshot_rmdir,
};
