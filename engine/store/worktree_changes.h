/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What happens when something in the tree changes: the generation rises if it is code, and every slot
 * learns which of its paths are behind. Called after the change was made, with the names as they are
 * then. What happens to names that are not code is no change; but it moves the times of their directory,
 * and the snapshot wants to know of that.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "store/worktree_nodes.h"
#include "store/worktree_ranges.h"

/* The name in this directory leads to something else now, or to nothing. */
void changes_name(struct worktree_node *directory, const char *name);

/* The number of the node's names changed, and what it has left is not all marked. */
void changes_linked(struct worktree_node *node);

/* Mode (counts as a change), or only the times (does not, but slots will follow in time). */
void changes_mode(struct worktree_node *node);
void changes_times(struct worktree_node *node);

/* Committed content, by all names of the node. */
void changes_created(struct worktree_node *node);
void changes_content(struct worktree_node *node, const struct ranges *ranges);

/*
 * Bytes changed that do not count yet, or (NULL) a file came to be that does not: of interest only to
 * a slot that a worker is filling this moment.
 */
void changes_uncommitted(struct worktree_node *node, const struct ranges *ranges);

/* A node (of which `attr` tells) went from one name to another. */
void changes_renamed(struct worktree_node *directory, const char *name,
        struct worktree_node *to_directory, const char *to_name, const struct stat *attr);
/* Two names were exchanged. */
void changes_exchanged(struct worktree_node *directory, const char *name,
        struct worktree_node *to_directory, const char *to_name);

void changes_everything(struct worktree *tree);

/* Whether a name in this directory is code: nothing on the way from the root is not. */
bool changes_is_code(const struct worktree_node *directory, const char *name);

/* The path from the root, `a/b/name`, freed by the caller; NULL: not code, out of reach, no memory. */
char *changes_path(const struct worktree_node *directory, const char *name);
