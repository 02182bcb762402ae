/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reading a snapshot without having it on disk: what FUSE asks for, without FUSE, after the
 * pattern of store/worktree_ops.h. Nothing in it ever changes.
 *
 * Nodes live on the loop thread: whoever got one in a `snapshot_entry` counts one lookup and
 * gives it back with snapshot_forget(). A file with several names is one node. The inode number
 * (`st_ino`) is made of the seed and the path (or the group of hard links), so it is the same
 * after a forget, and after a restart. Nodes keep their tree.
 *
 * Manifests and chunks read lately are kept in a `snapshot_recent`, one for all trees of a store,
 * bounded. What is in there costs no disk; what is not costs one blob_read(): some tens of
 * microseconds for a manifest. snapshot_read() and snapshot_readlink() may be called from any
 * thread while the node is held.
 */
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "store/blob.h"

struct snapshot_recent;
struct snapshot_tree;
struct snapshot_node;
struct snapshot_directory;

struct snapshot_recent *snapshot_recent_new(
        struct blobs *blobs, size_t most_bytes); /* NULL: no memory */
struct snapshot_recent *snapshot_recent_free(
        struct snapshot_recent *recent); /* after all trees; NULL */

/* `seed` (the version's id) tells the inode numbers of trees apart. -ENOENT, -EIO, -ENOMEM. */
int snapshot_tree_open(struct snapshot_tree **out, struct snapshot_recent *recent,
        const struct blob_id *root, uint64_t seed);
/* Nodes that are held go on working. NULL. */
struct snapshot_tree *snapshot_tree_close(struct snapshot_tree *tree);

struct snapshot_entry {
	struct snapshot_node *node; /* one lookup */
	struct stat attr;
};

/* Borrowed; valid until snapshot_tree_close() and as long as it is looked up. */
struct snapshot_node *snapshot_tree_root(struct snapshot_tree *tree);
void snapshot_node_look_up(struct snapshot_node *node);
/* True when that was the last lookup: the node must not be used again. */
bool snapshot_forget(struct snapshot_node *node, uint64_t lookups);

/* The front's own number for a node; 0 until set, and again after the last forget. */
uint64_t snapshot_node_number(const struct snapshot_node *node);
void snapshot_node_set_number(struct snapshot_node *node, uint64_t number);

/* Owner, mode, size, times are as they were. Never waits. */
void snapshot_getattr(const struct snapshot_node *node, struct stat *attr);
int snapshot_lookup(
        struct snapshot_node *directory, const char *name, struct snapshot_entry *entry);
/* By a path such as `a/b.py`; `..` and symbolic links are not followed. */
int snapshot_find(struct snapshot_tree *tree, const char *path, struct snapshot_entry *entry);
/* The target, zero-terminated. -EINVAL: no symlink. */
int snapshot_readlink(const struct snapshot_node *node, char *target, size_t size);

/*
 * Bytes read, 0 at the end; -EISDIR, -EINVAL for what is no file; -EIO: damaged on disk (logged),
 * never wrong bytes. -EAGAIN when `wait` is false and the disk would have to be asked.
 */
ssize_t snapshot_read(
        const struct snapshot_node *node, void *data, size_t size, off_t offset, bool wait);

struct snapshot_item {
	const char *name; /* borrowed until the next call */
	uint64_t ino;
	mode_t type; /* S_IFMT bits */
	off_t next;  /* the cursor behind it: its place in the directory, counted from 1 */
};
int snapshot_open_directory(struct snapshot_node *node, struct snapshot_directory **directory);
/*
 * The entry behind the cursor `after` (0 = from the start; any that was handed out): 1, 0 at the
 * end, -errno.
 */
int snapshot_next(struct snapshot_directory *directory, off_t after, struct snapshot_item *item);
void snapshot_close_directory(struct snapshot_directory *directory);
