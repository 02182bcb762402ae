/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Open files. */
#include <stdbool.h>

#include "store/worktree_nodes.h"

struct worktree_file {
	struct list link;           /* node->opened */
	struct worktree_node *node; /* counted in its `files`, and `writers` */
	unsigned references;        /* the front, and work under way */
	int fd;
	bool blind; /* `fd` cannot be read, for the mode forbids it: see file_before_change() */
	bool writes;
	bool maps;      /* and reads */
	uint64_t wrote; /* 1 + the node's `commits` when content was last changed through this */
};

/* Says that content is changed through this file; and whether it was, since the last commit. */
void file_set_wrote(struct worktree_file *file);
bool file_wrote(const struct worktree_file *file);

/* As draft_before_change(), through this file. */
int file_before_change(struct worktree_file *file, off_t start, off_t end);

int file_truncate(struct worktree_file *file, off_t size);
