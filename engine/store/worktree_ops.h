/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The file operations on a working tree: what FUSE asks for, without FUSE. Loop thread only.
 */
#include "store/worktree.h"

/*
 * Says that somebody changed the tree behind our back (an unpacked archive, a test): everything in
 * it counts as changed.
 */
void worktree_changed_outside(struct worktree *worktree);
