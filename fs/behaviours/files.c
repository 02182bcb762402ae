/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/behaviours/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "engine/engine.h"
#include "fs/behaviour.h"
#include "fs/behaviours/text.h"
#include "fs/fs.h"
#include "fs/row_ids.h"
#include "run/runtime.h"

#define FILES_MOST 4096
#define DEPTH_MOST 16
#define READ_MOST  (1 << 20) /* the kernel's: a short answer would be taken for the end */

struct file {
	size_t parent; /* index; the root, 0, is its own */
	char *path;    /* from the root of the tree; "." for that */
	char *name;    /* the last part of the path */
	struct stat stat;
};

struct file_tree {
	int fd; /* -1: there is none */
	struct file *files;
	size_t count;
};

struct files {
	struct fs *fs;
	struct map trees; /* by tree_key() */
};

struct files *files_new(struct fs *fs)
{
	struct files *files = calloc(1, sizeof(*files));

	if (files)
		files->fs = fs;
	return files;
}

static void tree_free(struct file_tree *tree)
{
	size_t i;

	for (i = 0; i < tree->count; i++)
		free(tree->files[i].path);
	free(tree->files);
	close_fd(tree->fd);
	free(tree);
}

struct files *files_free(struct files *files)
{
	struct file_tree *tree;

	if (!files)
		return NULL;
	map_each(tree, &files->trees, cursor)
		tree_free(tree);
	map_deinit(&files->trees);
	free(files);
	return NULL;
}

/* --- listing a tree --- */

static int add(struct file_tree *tree, size_t parent, const char *name)
{
	const char *above = tree->count ? tree->files[parent].path : NULL;
	CLEANUP(buf_deinit) struct buf path = BUF_INIT;
	struct file *files;
	struct stat st;

	if (tree->count == FILES_MOST)
		return -E2BIG;
	buf_printf(&path, "%s%s%s", above && parent ? above : "", above && parent ? "/" : "", name);
	if (path.failed)
		return -ENOMEM;
	if (fstatat(tree->fd, path.data, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode))
		return 0;
	files = reallocarray(tree->files, tree->count + 1, sizeof(*files));
	if (!files)
		return -ENOMEM;
	tree->files = files;
	files += tree->count++;
	*files = (struct file){.parent = parent, .stat = st, .path = buf_take(&path)};
	files->name = strrchr(files->path, '/');
	files->name = files->name ? files->name + 1 : files->path;
	return 0;
}

static int list_directory(struct file_tree *tree, size_t index)
{
	struct dirent **names = NULL;
	int r = 0, i, count;
	int fd = openat(tree->fd, tree->files[index].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	count = fd < 0 ? -1 : scandirat(fd, ".", &names, NULL, alphasort);
	if (count < 0)
		r = -errno;
	for (i = 0; i < count; i++) {
		if (r == 0 && strcmp(names[i]->d_name, ".") && strcmp(names[i]->d_name, ".."))
			r = add(tree, index, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	close_fd(fd);
	return r;
}

static unsigned depth(const struct file_tree *tree, size_t index)
{
	unsigned levels = 0;

	for (; index; index = tree->files[index].parent)
		levels++;
	return levels;
}

static int list_tree(struct file_tree *tree)
{
	size_t i;
	int r = add(tree, 0, ".");

	for (i = 0; r == 0 && i < tree->count; i++)
		if (S_ISDIR(tree->files[i].stat.st_mode) && depth(tree, i) < DEPTH_MOST)
			r = list_directory(tree, i);
	return r;
}

/* A runtime has two trees: its template, and its samples. */
static bool is_of_samples(const struct row *row)
{
	return row->id == ROW_RUNTIME_SAMPLES || row->id == ROW_RUNTIME_SAMPLE_FILE;
}

static uint64_t tree_key(uint64_t runtime, bool samples)
{
	return runtime << 1 | samples;
}

static struct file_tree *tree_of(struct fs *fs, uint64_t runtime, bool samples)
{
	struct files *files = fs->files;
	struct file_tree *tree = map_get(&files->trees, tree_key(runtime, samples));
	const struct runtime *of = runtimes_at(engine_runtimes(fs->engine), (size_t)runtime - 1);
	CLEANUP(buf_deinit) struct buf path = BUF_INIT;
	int r;

	if (tree || !of)
		return tree;
	tree = calloc(1, sizeof(*tree));
	buf_printf(&path, "%s/%s", of->path, samples ? "samples" : "template");
	if (!tree || path.failed || map_put(&files->trees, tree_key(runtime, samples), tree) < 0) {
		free(tree);
		return NULL;
	}
	tree->fd = open(path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = tree->fd < 0 ? 0 : list_tree(tree);
	if (r < 0)
		fail(r, "listing %s", path.data);
	return tree;
}

static bool is_root(const struct node *node)
{
	return node->row->id == ROW_RUNTIME_TEMPLATE || node->row->id == ROW_RUNTIME_SAMPLES;
}

static uint64_t runtime_of(const struct node *node)
{
	return is_root(node) ? node->object : node_child_function(node->object);
}

/* In the tree that `directory` is in. */
static struct node node_at(struct fs *fs, const struct node *directory, size_t index)
{
	bool samples = is_of_samples(directory->row);
	uint64_t runtime = runtime_of(directory);

	if (!index)
		return node_of(fs->tree.rows[samples ? ROW_RUNTIME_SAMPLES : ROW_RUNTIME_TEMPLATE],
		        runtime);
	return node_of(fs->tree.rows[samples ? ROW_RUNTIME_SAMPLE_FILE : ROW_RUNTIME_FILE],
	        node_child(runtime, index));
}

static const struct file *find_file(
        struct fs *fs, const struct node *node, struct file_tree **tree, size_t *index)
{
	*tree = tree_of(fs, runtime_of(node), is_of_samples(node->row));
	*index = is_root(node) ? 0 : node->object & NODE_CHILD_MASK;
	return *tree && *index < (*tree)->count ? &(*tree)->files[*index] : NULL;
}

/* --- the verbs --- */

static int get(struct subject *subject)
{
	return 0; /* files_refine() looks */
}

const struct each files_each = {.get = get};

static int files_refine(struct request *request, const struct subject *subject, struct stat *attr)
{
	struct node node = node_of(subject->row, subject->object);
	struct file_tree *tree;
	size_t index;
	const struct file *file = find_file(request->fs, &node, &tree, &index);

	if (!file) /* a runtime without a template has an empty one */
		return index ? -ENOENT : 0;
	attr->st_mode = file->stat.st_mode; /* a copy of it shall be writable */
	attr->st_nlink = S_ISDIR(attr->st_mode) ? 2 : 1;
	attr->st_size = file->stat.st_size;
	attr->st_mtim = attr->st_ctim = attr->st_atim = file->stat.st_mtim;
	return 0;
}

static int files_lookup(struct request *request, const char *name, struct fuse_entry_param *entry)
{
	struct fs *fs = request->fs;
	struct file_tree *tree;
	size_t index, i;

	if (!find_file(fs, &request->node, &tree, &index))
		return -ENOENT;
	for (i = 1; i < tree->count; i++)
		if (tree->files[i].parent == index && strcmp(tree->files[i].name, name) == 0) {
			struct node node = node_at(fs, &request->node, i);

			return node_entry(request, &node, entry);
		}
	return -ENOENT;
}

static bool list_file(struct listing *listing, struct fs *fs, const struct node *directory,
        const struct file_tree *tree, size_t i)
{
	const char *name = i == 0 ? "." : i == 1 ? ".." : tree->files[i - 1].name;
	struct node node = node_at(fs, directory, i < 2 ? 0 : i - 1);
	struct fuse_entry_param entry = {
	        .attr = {.st_ino = node.ino,
	                .st_mode = i < 2 ? S_IFDIR : tree->files[i - 1].stat.st_mode},
	};

	return listing_add(listing, name, &entry, (off_t)i + 1);
}

/* Cursors: 0 ".", 1 "..", then one more than the index. */
static int files_readdir(struct handle *handle, struct listing *listing, off_t after)
{
	struct file_tree *tree;
	size_t index, i;
	const struct file *file = find_file(handle->fs, &handle->node, &tree, &index);
	size_t count = file ? tree->count + 1 : 2;

	for (i = (size_t)after; i < count; i++) {
		if (i >= 2 && tree->files[i - 1].parent != index)
			continue;
		if (!list_file(listing, handle->fs, &handle->node, tree, i))
			break;
	}
	return 0;
}

static int files_open(struct request *request, struct handle *handle, struct fuse_file_info *info)
{
	struct file_tree *tree;
	size_t index;
	const struct file *file = find_file(request->fs, &handle->node, &tree, &index);
	int fd;

	if (!file)
		return index ? -ENOENT : 0;
	if (S_ISDIR(file->stat.st_mode))
		return 0;
	if ((handle->flags & O_ACCMODE) != O_RDONLY)
		return -EROFS;
	fd = openat(tree->fd, file->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	handle->state = (void *)(intptr_t)fd;
	info->keep_cache = 1;
	info->noflush = 1;
	return 0;
}

static int files_read(struct request *request, struct handle *handle, size_t size, off_t offset)
{
	size_t most = size < READ_MOST ? size : READ_MOST;
	CLEANUP(free_p) char *data = malloc(most + 1);
	size_t length = 0;

	if (!data)
		return fail(-ENOMEM, "reading a file of a template");
	while (length < most) {
		ssize_t n = pread((int)(intptr_t)handle->state, data + length, most - length,
		        offset + (off_t)length);

		if (n < 0)
			return fail(-errno, "reading a file of a template");
		if (!n)
			break;
		length += (size_t)n;
	}
	return request_data(request, data, length);
}

static int files_seek(struct request *request, struct handle *handle, off_t offset, int whence)
{
	struct stat st;

	if (fstat((int)(intptr_t)handle->state, &st) < 0)
		return fail(-errno, "looking at a file of a template");
	return text_seek(request, st.st_size, offset, whence);
}

static void files_release(struct handle *handle)
{
	if (handle->state)
		close((int)(intptr_t)handle->state);
}

static int files_readlink(struct request *request)
{
	struct file_tree *tree;
	size_t index;
	const struct file *file = find_file(request->fs, &request->node, &tree, &index);
	char target[PATH_MAX];
	ssize_t n = file ? readlinkat(tree->fd, file->path, target, sizeof(target) - 1) : -1;

	if (n < 0)
		return file ? -errno : -ENOENT;
	target[n] = 0;
	return request_target(request, target);
}

const struct behaviour files_behaviour = {
        .name = "files",
        .entry_timeout = 3600,
        .attr_timeout = 3600,
        .refine = files_refine,
        .lookup = files_lookup,
        .readdir = files_readdir,
        .open = files_open,
        .read = files_read,
        .seek = files_seek,
        .release = files_release,
        .readlink = files_readlink,
};
