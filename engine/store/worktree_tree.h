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
#include <sys/types.h>
#include <uv.h>

#include "base/list.h"
#include "base/map.h"
#include "store/blob.h"
#include "store/worktree.h"
#include "store/worktree_marks.h"

struct worktree_node;
struct job;

struct worktree {
	uv_loop_t *loop;
	unsigned references;
	bool closed;
	int root_fd;      /* O_RDONLY | O_DIRECTORY */
	int cache_fd;     /* O_RDONLY | O_DIRECTORY */
	char *cache_path; /* absolute */

	/* Nodes: worktree_nodes.c */
	dev_t device;
	bool is_root; /* the daemon is: no mode keeps it out */
	bool noatime; /* the disk keeps no times of access */
	struct worktree_node *root;
	struct map nodes; /* by the disk's inode number */
	struct list
	        open_directories; /* nodes with a descriptor that can be had again, latest first */
	unsigned open_count;
	unsigned open_limit;

	/* What changed: worktree_changes.c */
	uint64_t generation;
	worktree_changed_fn changed;
	void *changed_userdata;
	bool changed_pending;
	uv_prepare_t prepare; /* whichever of the two comes first tells of the change */
	uv_check_t check;
	unsigned handles; /* of the two, not closed yet */

	struct list drafts; /* worktree_drafts.c */
	off_t undo_bytes;   /* in memory */

	/* Slots and checkouts: worktree_slots.c, worktree_checkout.c */
	struct list slots;
	struct marks marks;
	uint64_t tracked; /* slots that have a number in the marks */
	uint64_t filling; /* of these, the one a worker has */
	uint64_t next_slot;
	uint64_t next_trash;
	uv_work_t *trash_work;
	bool trash_again;
	struct list requests;
	struct job *job;

	/* The last snapshot: snapshot_take.c */
	struct list takings;
	bool base_known; /* then `base` is its root, and changes since are marked */
	struct blob_id base;
};

struct worktree *worktree_ref(struct worktree *worktree);
struct worktree *worktree_unref(struct worktree *worktree); /* NULL */
