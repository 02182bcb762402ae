/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What creating a file (worktree_files.c) shares with making other things. */
#include "store/worktree_nodes.h"

/* What stands under the name now, with one lookup. */
int entry_at(struct worktree_node *directory, const char *name, struct worktree_entry *entry);

/*
 * Gives what was just made in `directory` to the caller, with this mode, and looks at it: at (fd, name), where the
 * name "" is the descriptor itself.
 */
int entry_give(struct worktree_node *directory, int fd, const char *name, mode_t mode,
        const struct caller *caller, struct stat *attr);
/* What was looked at stands under the name now, with one lookup. */
int entry_known(struct worktree_node *directory, const char *name, struct worktree_entry *entry);
