/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is seen of a tree when a snapshot is taken: the entries of a directory that are of
 * interest (all of them, or those with a mark), in the order of their names, and what stat says
 * of each. Little is looked at on the loop, between two changes, all at one moment; much by a
 * worker, entry by entry.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "store/worktree_marks.h"

struct survey_sight;

struct survey_entry {
	char *name;
	const struct mark *mark;    /* or NULL */
	bool whole;                 /* nothing is known of it, nor of what is below */
	struct survey_sight *sight; /* NULL: not looked at yet */
};

struct survey_entries {
	struct survey_entry *items;
	size_t count, capacity;
};

struct survey_sight {
	struct stat attr;              /* st_mode 0: there is nothing */
	char *target;                  /* of a symbolic link */
	struct survey_entries entries; /* of a directory, when they were looked at, too */
};

/*
 * Of the directory `fd`: by its marks, or what is code in it when `whole`. 0, -ENOMEM, -EIO;
 * -E2BIG: more than `most`.
 */
int survey_list(int fd, const struct mark *mark, uint64_t slots, bool whole, size_t most,
        struct survey_entries *entries);
void survey_entries_free(struct survey_entries *entries);

int survey_look(int fd, const char *name, struct survey_sight *sight);
void survey_sight_free(struct survey_sight *sight); /* what it holds */

/*
 * All that is marked below the directory `fd`, and whole directories wholly: 0; -E2BIG when that
 * is more than `*most` entries, which counts down; -errno. The entries are always the caller's to
 * free.
 */
int survey_collect(int fd, const struct mark *mark, uint64_t slots, bool whole, size_t *most,
        struct survey_entries *entries);

/* O_RDONLY; -ENOENT and -ENOTDIR: gone meanwhile; -EACCES: closed to its owner. */
int survey_open(int fd, const char *name);
