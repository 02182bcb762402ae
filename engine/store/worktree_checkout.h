/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Requests for checkouts, and the work they cause. At most one slot of a tree is worked on at a time.
 * What is little is done at once, between two changes, so it is one state of the tree. What is much is
 * done by a worker while changes go on; they are marked, and done in a further round, until what is left
 * is little, or enough rounds were spent.
 */
struct worktree;

void checkouts_close(struct worktree *tree); /* open requests end with -ECANCELED */
