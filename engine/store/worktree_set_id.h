/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Whoever changes the content of a program takes its set-id bits from it. The kernel sees to most of it
 * by itself, with a chmod before the write; what it leaves to us is O_TRUNC, and a set-group-id bit
 * without the right to execute, which only members of the group may keep.
 */
#include "base/caller.h"
#include "store/worktree_nodes.h"

/* Before or after the content of the file behind `fd` was changed by the caller. 0 or -errno. */
int set_id_drop(struct worktree_node *node, int fd, const struct caller *caller);

/* The permission bits that are left when the caller changes the content of such a file. */
mode_t set_id_left(const struct stat *attr, const struct caller *caller);
