/* SPDX-License-Identifier: Apache-2.0 */
#include "store/snapshot_tree.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "store/manifest_reader.h"
#include "store/snapshot_content.h"

struct snapshot_tree {
	unsigned references; /* of the owner, and of nodes other than the root */
	struct snapshot_recent *recent;
	struct map nodes; /* by inode number */
	struct snapshot_node *root;
};

struct snapshot_node {
	struct snapshot_tree *tree; /* counted, but for the root */
	uint64_t ino;
	uint64_t number; /* the front's */
	uint64_t lookups;
	unsigned directories;        /* open */
	struct manifest_entry entry; /* without name */
	char *target;
};

struct snapshot_directory {
	struct snapshot_node *node;
	struct manifest_reader reader;
	struct manifest_entry entry;
};

/* --- numbers --- */

static uint64_t mix(uint64_t hash, const void *data, size_t length)
{
	const unsigned char *bytes = data;

	for (; length; length--)
		hash = (hash ^ *bytes++) * UINT64_C(0x100000001b3);
	hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (hash ^ (hash >> 31)) | UINT64_C(1) << 63;
}

static uint64_t number_of(const struct snapshot_node *directory, const struct manifest_entry *entry)
{
	uint64_t root = directory->tree->root->ino;

	if (entry->group)
		return mix(~root, &entry->group, sizeof(entry->group));
	return mix(directory->ino, entry->name, strlen(entry->name));
}

/* --- life --- */

static void tree_unref(struct snapshot_tree *tree)
{
	if (--tree->references > 0)
		return;
	map_deinit(&tree->nodes);
	free(tree->root);
	free(tree);
}

static void node_free_if_unused(struct snapshot_node *node)
{
	struct snapshot_tree *tree = node->tree;

	if (node->lookups || node->directories || node == tree->root)
		return;
	map_remove(&tree->nodes, node->ino);
	free(node->target);
	free(node);
	tree_unref(tree);
}

static struct snapshot_node *node_new(
        struct snapshot_tree *tree, uint64_t ino, const struct manifest_entry *entry)
{
	struct snapshot_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->ino = ino;
	node->tree = tree;
	node->entry = *entry;
	node->entry.name = NULL;
	if (entry->kind == MANIFEST_SYMLINK)
		node->entry.target = node->target = strndup(entry->target, entry->size);
	if ((entry->kind == MANIFEST_SYMLINK && !node->target) ||
	        map_put(&tree->nodes, ino, node) < 0) {
		free(node->target);
		free(node);
		return NULL;
	}
	return node;
}

int snapshot_tree_open(struct snapshot_tree **out, struct snapshot_recent *recent,
        const struct blob_id *root, uint64_t seed)
{
	CLEANUP(free_p) struct snapshot_tree *tree = calloc(1, sizeof(*tree));
	struct manifest_entry entry;
	int r = tree ? manifest_load_root(recent, root, &entry) : -ENOMEM;

	if (r < 0)
		return r;
	tree->references = 1;
	tree->recent = recent;
	map_init(&tree->nodes);
	tree->root = node_new(tree, mix(seed, &seed, sizeof(seed)), &entry);
	if (!tree->root)
		return -ENOMEM;
	*out = take(tree);
	return 0;
}

struct snapshot_tree *snapshot_tree_close(struct snapshot_tree *tree)
{
	if (tree)
		tree_unref(tree);
	return NULL;
}

struct snapshot_node *snapshot_tree_root(struct snapshot_tree *tree)
{
	return tree->root;
}

void snapshot_node_look_up(struct snapshot_node *node)
{
	node->lookups++;
}

bool snapshot_forget(struct snapshot_node *node, uint64_t lookups)
{
	bool last;

	node->lookups -= lookups < node->lookups ? lookups : node->lookups;
	last = node->lookups == 0;
	if (last)
		node->number = 0;
	node_free_if_unused(node);
	return last;
}

uint64_t snapshot_node_number(const struct snapshot_node *node)
{
	return node->number;
}

void snapshot_node_set_number(struct snapshot_node *node, uint64_t number)
{
	node->number = number;
}

/* --- looking --- */

void snapshot_getattr(const struct snapshot_node *node, struct stat *attr)
{
	const struct manifest_entry *entry = &node->entry;

	*attr = (struct stat){.st_ino = node->ino,
	        .st_mode = manifest_mode(entry),
	        .st_nlink = entry->group ? 2 : 1, /* 1 of a directory: nobody counts */
	        .st_uid = entry->uid,
	        .st_gid = entry->gid,
	        .st_size = (off_t)entry->size,
	        .st_blksize = 4096,
	        .st_blocks = (blkcnt_t)(entry->size / 512 + (entry->size % 512 != 0)),
	        .st_atim = entry->mtime,
	        .st_mtim = entry->mtime,
	        .st_ctim = entry->mtime};
	if (entry->kind == MANIFEST_DIRECTORY)
		attr->st_size = 4096;
}

static bool same(const struct snapshot_node *node, const struct manifest_entry *entry)
{
	const struct manifest_entry *other = &node->entry;

	return other->kind == entry->kind && other->size == entry->size &&
	       other->group == entry->group && other->mode == entry->mode &&
	       other->mtime.tv_sec == entry->mtime.tv_sec &&
	       other->mtime.tv_nsec == entry->mtime.tv_nsec &&
	       blob_id_equal(&other->id, &entry->id);
}

/*
 * The node that is there, or a new one. A number that another file has by chance is not used
 * twice.
 */
static int node_get(struct snapshot_node *directory, const struct manifest_entry *entry,
        struct snapshot_node **out)
{
	struct snapshot_tree *tree = directory->tree;
	uint64_t ino = number_of(directory, entry);
	struct snapshot_node *node;

	while ((node = map_get(&tree->nodes, ino)) && !same(node, entry))
		ino++;
	if (!node) {
		node = node_new(tree, ino, entry);
		if (!node)
			return -ENOMEM;
		tree->references++;
	}
	*out = node;
	return 0;
}

int snapshot_lookup(struct snapshot_node *directory, const char *name, struct snapshot_entry *out)
{
	struct manifest_reader reader;
	struct manifest_entry entry;
	int r;

	if (directory->entry.kind != MANIFEST_DIRECTORY)
		return -ENOTDIR;
	r = manifest_reader_open(&reader, directory->tree->recent, &directory->entry.id);
	if (r == 0)
		r = manifest_reader_find(&reader, name, &entry);
	if (r > 0)
		r = node_get(directory, &entry, &out->node);
	else if (r == 0)
		r = -ENOENT;
	manifest_reader_close(&reader);
	if (r < 0)
		return r;
	out->node->lookups++;
	snapshot_getattr(out->node, &out->attr);
	return 0;
}

int snapshot_find(struct snapshot_tree *tree, const char *path, struct snapshot_entry *out)
{
	CLEANUP(free_p) char *copy = strdup(path);
	char *rest = copy, *name;
	struct snapshot_node *above;
	int r = copy ? 0 : -ENOMEM;

	out->node = tree->root;
	snapshot_node_look_up(out->node);
	while (r == 0 && (name = strsep(&rest, "/"))) {
		if (!*name)
			continue;
		above = out->node;
		r = snapshot_lookup(above, name, out);
		snapshot_forget(above, 1);
	}
	if (r == 0)
		snapshot_getattr(out->node, &out->attr);
	else if (!copy)
		snapshot_forget(out->node, 1);
	return r;
}

int snapshot_readlink(const struct snapshot_node *node, char *target, size_t size)
{
	size_t length = node->entry.size;

	if (node->entry.kind != MANIFEST_SYMLINK || size == 0)
		return -EINVAL;
	if (length >= size)
		length = size - 1;
	memcpy(target, node->target, length);
	target[length] = 0;
	return 0;
}

ssize_t snapshot_read(
        const struct snapshot_node *node, void *data, size_t size, off_t offset, bool wait)
{
	const struct manifest_entry *entry = &node->entry;
	ssize_t r;

	if (entry->kind != MANIFEST_FILE || offset < 0)
		return entry->kind == MANIFEST_DIRECTORY ? -EISDIR : -EINVAL;
	r = content_read(
	        node->tree->recent, &entry->id, entry->size, data, size, (uint64_t)offset, wait);
	return r == -ENOENT ? -EIO : r;
}

/* --- directories --- */

int snapshot_open_directory(struct snapshot_node *node, struct snapshot_directory **out)
{
	struct snapshot_directory *directory;
	int r;

	if (node->entry.kind != MANIFEST_DIRECTORY)
		return -ENOTDIR;
	directory = calloc(1, sizeof(*directory));
	if (!directory)
		return -ENOMEM;
	r = manifest_reader_open(&directory->reader, node->tree->recent, &node->entry.id);
	if (r < 0) {
		manifest_reader_close(&directory->reader);
		free(directory);
		return r;
	}
	directory->node = node;
	node->directories++;
	node->tree->references++; /* the root does not keep its tree alive by itself */
	*out = directory;
	return 0;
}

int snapshot_next(struct snapshot_directory *directory, off_t after, struct snapshot_item *item)
{
	struct manifest_entry *entry = &directory->entry;
	int r = after < 0 ? -EINVAL : manifest_reader_seek(&directory->reader, (uint64_t)after);

	if (r == 0 && directory->reader.place == (uint64_t)after)
		r = manifest_reader_next(&directory->reader, entry);
	if (r <= 0)
		return r;
	item->name = entry->name;
	item->ino = number_of(directory->node, entry);
	item->type = manifest_mode(entry) & S_IFMT;
	item->next = (off_t)directory->reader.place;
	return 1;
}

void snapshot_close_directory(struct snapshot_directory *directory)
{
	struct snapshot_node *node = directory->node;
	struct snapshot_tree *tree = node->tree;

	manifest_reader_close(&directory->reader);
	node->directories--;
	free(directory);
	node_free_if_unused(node);
	tree_unref(tree);
}
