/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A whole tree as it looks at one moment, sorted by path, and what differs between the listings of two
 * trees that were treated alike. Left out is what is the disk's own affair: inode numbers (but which
 * names are one file is compared), sizes of directories, blocks, and the time of day (but whether a
 * step changed a time is compared, and times that somebody set are compared exactly).
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#define LISTING_ENTRIES 700
#define LISTING_PATH    320

struct entry {
	char path[LISTING_PATH]; /* of a longer one, its end */
	unsigned mode;
	unsigned long links;
	unsigned user, group;
	long long size;
	unsigned long long inode;
	struct timespec modified, changed;
	unsigned content; /* digest of what is in it, or of the link's target */
	int error;        /* of looking at it */
	bool odd;         /* the directory tells another type or inode than stat does */
};

struct listing {
	size_t count;
	bool cut; /* there was more than fits */
	struct entry entries[LISTING_ENTRIES];
};

/* Lists the tree below an open directory. */
void listing_take(struct listing *listing, int directory);

/* The entry with this inode, or NULL. */
const struct entry *listing_find(const struct listing *listing, unsigned long long inode);

/* A world's listing and the one before it (NULL: unknown, what changed cannot be told). */
struct view {
	const struct listing *now;
	const struct listing *before;
};

/* Which differences of times say nothing. */
struct patience {
	bool refused; /* the step failed: the disk may have changed times before it found out */
	bool fifos;   /* the mount does not keep those of fifos */
	bool all;     /* something was stored in a mapping */
};

/* Writes what differs, a line each, into `out`; returns the number of differences. */
size_t listing_compare(const struct view *mount, const struct view *disk,
        const struct patience *patience, char *out, size_t size);
