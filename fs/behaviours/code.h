/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Working trees: the nodes inside them, whose numbers are given out here (row 0). A number is a serial,
 * never used twice in one mount, so that a file that takes over the disk's inode of a removed one is
 * not taken for it. The root of a tree has the number of its row.
 */
#include <stdbool.h>
#include <sys/stat.h>

#include "base/list.h"
#include "base/map.h"
#include "store/worktree_ops.h"

struct behaviour;
struct fs;
struct fuse_entry_param;
struct fuse_file_info;
struct handle;
struct node;
struct request;
struct subject;

struct code {
	struct fs *fs;
	struct map nodes; /* number -> struct worktree_node */
	uint64_t last_number;
	struct list cuts; /* code_keep.c: requests that wait for old content to be kept */
	char *buffer;     /* of reads: they are answered before the next one begins */
};

int code_new(struct code **out, struct fs *fs);
struct code *code_free(struct code *code);

/* The working tree a row's root shows: `code` of a function, `files` of a package; NULL: it cannot be had. */
struct worktree *code_worktree(const struct subject *subject);

/* The node a request or another node is about. -ESTALE, -ENOENT when its function is gone. */
int code_node(struct request *request, const struct node *node, struct worktree_node **out);

/* Tells the kernel of a node that was looked up; on failure the lookup is given back. */
int code_entry(struct code *code, struct worktree_entry *found, struct fuse_entry_param *entry);

/* --- code_files.c: the verbs of open files --- */

int code_open(struct request *request, struct handle *handle, struct fuse_file_info *info);
void code_opened(struct handle *handle, struct worktree_file *file, struct fuse_file_info *info);
int code_read(struct request *request, struct handle *handle, size_t size, off_t offset);
int code_write(struct request *request, struct handle *handle, const char *data, size_t size,
        off_t offset);
int code_flush(struct request *request, struct handle *handle);
int code_fsync(struct request *request, struct handle *handle, bool data_only);
void code_release(struct handle *handle);
int code_allocate(
        struct request *request, struct handle *handle, int mode, off_t offset, off_t length);
int code_copy(struct request *request, struct handle *from, off_t from_offset, struct handle *to,
        off_t to_offset, size_t length, int flags);

/* --- code_seek.c --- */

int code_seek(struct request *request, struct handle *handle, off_t offset, int whence);

/* --- code_keep.c: what has to be kept before it is cut off; else as the verbs it ends in --- */

int code_open_cutting(struct request *request, struct handle *handle, struct worktree_node *node,
        struct fuse_file_info *info);
int code_open_now(struct request *request, struct handle *handle, struct worktree_node *node,
        struct fuse_file_info *info);
int code_setattr_cutting(struct request *request, struct handle *handle, struct worktree_node *node,
        const struct stat *wanted, int to_set);
int code_setattr_now(struct request *request, struct handle *handle, struct worktree_node *node,
        const struct stat *wanted, int to_set);
void code_keep_released(struct handle *handle);
