/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The cache of checkouts of a working tree: what worktree.c needs of it. */

struct worktree;

void checkouts_open(struct worktree *worktree);
void checkouts_close(struct worktree *worktree);
