/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the parts of a working tree share: private to engine/store/worktree*.c.
 *
 * The memory of a tree outlives worktree_close() while nodes, checkouts or work in the thread pool
 * still point to it: each holds a reference.
 */
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"
#include "store/worktree.h"

struct slot;

struct worktree {
	uv_loop_t *loop;
	unsigned references;
	bool closed;
	int root_fd;      /* O_RDONLY | O_DIRECTORY */
	int cache_fd;     /* O_RDONLY | O_DIRECTORY */
	char *cache_path; /* absolute */

	uint64_t generation;
	worktree_changed_fn changed;
	void *changed_userdata;
	bool changed_pending;
	uv_prepare_t prepare; /* whichever of the two comes first tells of the change */
	uv_check_t check;
	unsigned handles; /* of the two, not closed yet */

	uint64_t next_slot;
	struct checkout *newest;
};

struct worktree *worktree_ref(struct worktree *worktree);
struct worktree *worktree_unref(struct worktree *worktree); /* NULL */

/* Raises the generation and sees to it that `changed` is called. */
void worktree_note_change(struct worktree *worktree);
