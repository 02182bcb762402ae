/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The rule of open files: a file open for writing counts with its content at the last commit (a close
 * by the process that opened it, fsync, msync), for as long as it stays open. A node whose content was
 * changed since then has a *draft*: which bytes changed, and what they were before. Old bytes are saved
 * right before they are overwritten, at their own offsets in a sparse file: in memory while there are
 * few, else on the disk; or they stand in a checkout already, which then serves. So the committed
 * content can be had at any time: saved bytes from there, all others from the file itself.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "store/worktree_nodes.h"
#include "store/worktree_ranges.h"

struct draft {
	struct list link; /* tree->drafts */
	struct worktree_node *node;
	bool absent;         /* created and never committed: there is no content yet */
	bool mapped;         /* some of it came from a shared mapping */
	off_t size;          /* of the committed content */
	struct ranges dirty; /* changed since the commit, up to RANGE_END when the size changed */
	struct ranges saved; /* below `size`: what `fd` has */
	int fd;              /* -1: nothing saved */
	bool memory;         /* `fd` is memory, with so many bytes, counted in tree->undo_bytes */
	off_t in_memory;
	uint64_t borrowed; /* `fd` is a file of a checkout: its inode number, else 0 */
};

/* A worker begins to fill a slot and sees files as they are: what does not count is to be done again. */
void drafts_mark_filling(struct worktree *tree);

/* A file was created and is open: it does not count before its first commit. 0 or -ENOMEM. */
int draft_begin_absent(struct worktree_node *node);

/*
 * Before the bytes [start, end) of the node's content change; `fd` reads it. 0; -ENOSPC, -EIO: the old
 * bytes cannot be kept, so the change must not happen.
 */
int draft_before_change(struct worktree_node *node, int fd, off_t start, off_t end);

/*
 * The old content cannot be kept, but is to be cut off all the same (it may be what fills the disk):
 * until the next commit the file is absent.
 */
void draft_lose(struct worktree_node *node);

/* A draft of which no use was made goes, e.g. because opening failed after all. */
void draft_drop_unused(struct worktree_node *node);

/* Whether [start, end) of the old content is kept, or in a checkout, and no more copying is needed. */
bool draft_has(struct worktree_node *node, int fd, off_t start, off_t end);
/*
 * Takes `fd` over, in which a worker has put the bytes [start, end) of the file. What was kept by us
 * meanwhile, because it was about to change, is right where the two differ.
 */
int draft_take_copy(struct worktree_node *node, int fd, off_t start, off_t end);
/* A nameless file on the state disk. -errno. */
int draft_make_store(struct worktree *tree);

/* What is in the file counts from now on. */
void draft_commit(struct worktree_node *node);
/* So it does, and besides these bytes changed, of which no draft was kept. */
void draft_commit_range(struct worktree_node *node, off_t start, off_t end);

bool draft_is_absent(const struct worktree_node *node);
off_t draft_committed_size(const struct worktree_node *node, off_t size_now);

/* Copies committed bytes to `to`, at the same offsets; `fd` reads the file. */
int draft_copy_committed(const struct worktree_node *node, int fd, int to, off_t start, off_t end);
