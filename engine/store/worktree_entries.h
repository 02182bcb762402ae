/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What creating a file (worktree_files.c) shares with making other things. */
#include "store/worktree_nodes.h"

/* What stands under the name now, with one lookup. */
int entry_at(struct worktree_node *directory, const char *name, struct worktree_entry *entry);

/* Gives what was just made in the directory `fd` to the caller, with this mode. */
int entry_give(int fd, const char *name, mode_t mode, const struct caller *caller);
/* The same for a file without a name. */
int entry_give_nameless(int fd, int file_fd, mode_t mode, const struct caller *caller);
