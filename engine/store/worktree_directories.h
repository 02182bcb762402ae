/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Open directories: the disk's own listing with the disk's own cursors. */
#include <dirent.h>

#include "store/worktree_nodes.h"

struct worktree_directory {
	struct worktree_node *node; /* counted in its `files` */
	DIR *dir;
	off_t at; /* the cursor of `dir` */
};
