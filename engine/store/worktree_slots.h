/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Slots: the directories in the cache, each a copy of the tree at some generation. Whoever holds a
 * reference to a slot has a checkout; then it stays as it is. A slot nobody holds can be brought up to
 * date, at the cost of what is marked for it, or goes. Slots are numbered 0 to 62 in the marks; one
 * beyond that many is held until its last reference, and never used again. Number 63 stands for the
 * last snapshot (store/snapshot.h), which is no slot but wants to know what changed since all the same.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "store/worktree_nodes.h"

#define SLOTS_MOST     63
#define SLOT_SNAPSHOT  63
#define SLOT_UNTRACKED 64

struct checkout {
	unsigned references;                     /* of holders */
	void (*idle)(struct checkout *checkout); /* the last of them is gone */
	struct worktree *tree;                   /* counted */
	struct list link;    /* tree->slots, most lately brought up to date first */
	unsigned number;     /* in the marks, or SLOT_UNTRACKED */
	bool filling;        /* a worker has it */
	uint64_t generation; /* of the tree, when it was last brought up to date */
	size_t entries;      /* about how many there are in it */
	struct list renames; /* of struct slot_rename: to be made before the marks apply */
	unsigned rename_count;
	int fd; /* O_RDONLY | O_DIRECTORY */
	char *path;
	char name[24];
};

int slots_open(struct worktree *tree);   /* takes over what is provably current, drops the rest */
void slots_close(struct worktree *tree); /* leaves a word for the next slots_open() */

struct checkout *slots_current(
        const struct worktree *tree); /* the one that is up to date, or NULL */
struct checkout *slots_latest(const struct worktree *tree); /* the least behind, held or not */
struct checkout *slots_free(const struct worktree *tree);   /* the least behind nobody holds */

/* An empty one, marked deep. 0, -ENOMEM, -ENOSPC ... */
int slot_new(struct checkout **out, struct worktree *tree);
/* For a slot that is to become a copy of `other` as that is on disk now. */
int slots_copy_marks(const struct checkout *other, struct checkout *slot);
/* What is wrong with a slot, or superfluous, goes; its directory behind the scenes. */
void slot_discard(struct checkout *slot);
/* At most two that nobody holds. */
void slots_trim(struct worktree *tree);

/* Which slots are to make this rename themselves; for the others it is to be marked. */
uint64_t slots_rename(struct worktree *tree, const char *from, const char *to);

/* The node's current content, of that size, as a file of a slot: a descriptor and its inode number, or -ENOENT. */
int slots_open_copy(
        struct worktree *tree, const struct worktree_node *node, off_t size, uint64_t *ino);

/* What was in the way is about to go: a free name in the cache for it. */
void slots_move_to_trash(struct worktree *tree, const char *name);
/* Removes what was moved out of the way in the cache, by a worker. */
void slots_remove_trash(struct worktree *tree);

/* --- between worktree_slots.c and worktree_cache.c --- */
struct checkout *slot_make(
        struct worktree *tree, uint64_t name); /* no directory yet; NULL: -ENOMEM */
void slot_track(struct checkout *slot);
void slot_free(struct checkout *slot); /* the directory stays */
