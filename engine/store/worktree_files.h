/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Open files. */
#include <stdbool.h>

#include "store/worktree_nodes.h"

struct worktree_file {
	struct worktree_node *node; /* counted in its `files`, and `writers` */
	unsigned references;        /* the front, and work under way */
	int fd;                     /* readable, whatever the front opened it for */
	bool writes;
	bool maps;      /* and reads */
	uint64_t wrote; /* 1 + the node's `commits` when content was last changed through this */
};

/* Says that content is changed through this file; and whether it was, since the last commit. */
void file_set_wrote(struct worktree_file *file);
bool file_wrote(const struct worktree_file *file);

int file_truncate(struct worktree_file *file, off_t size);
