/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A directory tree, entry by entry: always in the same order, each directory before what is in it,
 * names by their bytes. Two trees whose entries are the same are the same, in all that a version
 * keeps: names, kinds, modes, times of change, content, links. Owners are not looked at: a tree
 * belongs to who puts it somewhere.
 */
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/buf.h"

struct tree_entry {
	const char *path; /* below the root; "" is the root itself */
	mode_t mode;      /* kind and permissions */
	struct timespec modified;
	uint64_t size;      /* of a regular file, else 0 */
	const char *target; /* of a symbolic link, else NULL */
	const char
	        *same; /* the path of an earlier entry it is a hard link to: all else is 0 then */
};

/*
 * Goes through the tree; `fd` is the content of a regular file, else -1. What `visit` returns
 * other than 0 ends it and is returned. Sockets are passed over. -errno, with the path in `where`,
 * when something cannot be read.
 */
typedef int (*tree_visit_fn)(void *userdata, const struct tree_entry *entry, int fd);
int tree_walk(int directory, tree_visit_fn visit, void *userdata, struct buf *where);

/* Removes all that is in the directory, but not itself. 0 or -errno. */
int tree_empty(int directory);

/* What is the same in two trees, in one number. */
enum { TREE_FINGERPRINT_SIZE = 32 };
struct tree_fingerprint;

struct tree_fingerprint *tree_fingerprint_new(void); /* NULL: no memory */
struct tree_fingerprint *tree_fingerprint_free(struct tree_fingerprint *fingerprint);
void tree_fingerprint_entry(struct tree_fingerprint *fingerprint, const struct tree_entry *entry);
void tree_fingerprint_content(
        struct tree_fingerprint *fingerprint, const void *data, size_t length);
void tree_fingerprint_end(struct tree_fingerprint *fingerprint,
        unsigned char out[TREE_FINGERPRINT_SIZE]); /* ready for the next tree */

/* Of a tree on disk, or in the mount. As tree_walk(). */
int tree_fingerprint_of(int directory, unsigned char out[TREE_FINGERPRINT_SIZE], struct buf *where);
