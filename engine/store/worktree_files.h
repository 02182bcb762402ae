/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Open files. */
#include <stdbool.h>

#include "store/worktree_nodes.h"

struct worktree_file {
	struct list link;           /* node->opened: those with a descriptor first */
	struct worktree_node *node; /* counted in its `files`, and `writers` */
	unsigned references;        /* the front, and work under way */
	int fd;                     /* -1: nothing was read yet, see file_open() */
	int flags;                  /* what of the open's is kept for that */
	bool blind; /* `fd` cannot be read, for the mode forbids it: see file_before_change() */
	bool writes;
	bool maps;      /* and reads */
	uint64_t wrote; /* 1 + the node's `commits` when content was last changed through this */
};

/*
 * Before the descriptor of a file opened for reading is used. Most of what is opened to be read the kernel still has in
 * its cache, so the disk is not asked to open it before something is asked of us.
 */
int file_open(struct worktree_file *file);
/* All that wait for that: their tree goes out of reach. */
void files_open_all(struct worktree *tree);

/* Says that content is changed through this file; and whether it was, since the last commit. */
void file_set_wrote(struct worktree_file *file);
bool file_wrote(const struct worktree_file *file);

/* As draft_before_change(), through this file. */
int file_before_change(struct worktree_file *file, off_t start, off_t end);

/* All that has to be done before bytes are written; `mapped` as for worktree_write(). */
int file_before_write(struct worktree_file *file, off_t start, off_t end,
        const struct caller *caller, bool mapped);
/* Bytes written, or -errno when there are none. For any thread. */
ssize_t file_put(int fd, const char *data, size_t size, off_t offset);

int file_truncate(struct worktree_file *file, off_t size);
