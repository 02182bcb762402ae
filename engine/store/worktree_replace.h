/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * All that is in a tree gives way to something else, a little at a time, so that the loop goes on between. To
 * whoever looks into the tree meanwhile it is in the middle of something: that no checkout is made then is
 * the caller's business. What is done can be done again from the beginning, also after a crash. Loop
 * thread only.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct worktree;

enum { REPLACE_AT_ONCE = 256 }; /* names, of one turn of the loop */

/* Removes what is there; what is no code stays (`.git`). 1: there is more; 0, -errno. */
int worktree_empty_some(struct worktree *tree);

/*
 * Moves what is in the directory, which is on the same disk, into the tree; what stands in its way is removed, what is no
 * code is left where it is. 1: there is more; 0, -errno.
 */
int worktree_move_in_some(struct worktree *tree, int directory);

/* The names in a directory, each with its zero: whoever remembers them must look anew. */
int worktree_list_names(int directory, struct buf *names);
int worktree_root_fd(const struct worktree *tree); /* borrowed, for that */
