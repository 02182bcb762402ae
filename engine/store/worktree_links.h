/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Hard links: a change of a file is a change of all its names, known or not. */

struct worktree_node;

/*
 * Sees to it that all names of the node are known: where `st_nlink` says there are more, the tree is
 * searched for its inode number. 0 or -errno: then they are not.
 */
int links_learn(struct worktree_node *node);
