/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Brings one slot up to date: visits what is marked for it and makes it as the tree has it. On the loop
 * this sees open files by their rule (worktree_drafts.h) and nothing changes meanwhile; in a worker
 * thread it copies whatever it meets, and what changed meanwhile is marked again and done later.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/list.h"
#include "store/worktree_marks.h"

struct worktree;

/* A rename to be made in a slot before its marks apply; paths from the root. */
struct slot_rename {
	struct list link;
	char *from;
	char *to;
};

struct sync {
	int root_fd;          /* of the tree */
	int cache_fd;         /* where what is in the way goes, as `trash-N` */
	uint64_t *next_trash; /* NULL: removed on the spot */
	int slot_fd;
	unsigned slot;
	int link_fd; /* root of a slot that stays as it is, to link from; -1: none */
	unsigned link_slot;
	struct worktree *tree;    /* its nodes may be asked: only on the loop; else NULL */
	const uint64_t *borrowed; /* inode numbers of slot files that must not be written to */
	size_t borrowed_count;
	struct list *renames; /* of struct slot_rename, made first and freed */
	size_t entries;       /* counted as they are dealt with */
};

/* 0; -ENOSPC, -EIO ...: the slot is neither old nor new and must go. */
int sync_run(struct sync *sync, const struct mark *root);

/* Fills the empty directory `to` with links to the files in `from`: copies where links fail. */
int sync_link_tree(int from, int to, size_t *entries);
/* One of them, no directory: -EEXIST when there is something of that name. */
int sync_link_file(int from, int to, const char *name);

void slot_rename_free(struct slot_rename *rename);

/* What sync_run() would have to do, in entries and bytes to copy; stops at either limit. */
struct sync_weight {
	size_t entries, most_entries;
	int64_t bytes, most_bytes;
};
bool sync_light(const struct sync *sync, const struct mark *root, struct sync_weight *weight);

/* --- between worktree_sync.c and worktree_sync_file.c --- */
struct sync_place {
	int from; /* directory of the tree; -1: it is not there */
	int to;   /* directory of the slot */
	int link; /* the same directory of the slot to link from, as far as it is current; -1 */
};
int sync_remove(struct sync *sync, int directory, const char *name);
int sync_file(struct sync *sync, const struct sync_place *place, const struct mark *mark,
        const char *name, const struct stat *attr, bool whole);
int sync_symlink(struct sync *sync, const struct sync_place *place, const char *name);
int sync_attributes(struct sync *sync, int directory, const char *name, const struct stat *attr);
