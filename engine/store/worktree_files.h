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
	bool wrote; /* through this file, since the last commit */
};

int file_truncate(struct worktree_file *file, off_t size);
struct worktree_file *file_ref(struct worktree_file *file);
struct worktree_file *file_unref(struct worktree_file *file); /* NULL */
