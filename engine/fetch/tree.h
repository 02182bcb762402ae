/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is unpacked into: a directory of which we have a descriptor, never a path. Every step of a name is
 * opened below it without following links, so nothing of an archive can be written elsewhere, whatever
 * links it brings. What it may hold is bounded. All names are clean (entry_name.h).
 *
 * Everybody may read what is unpacked, its owner may write it, and what could be executed in the archive
 * can be; other bits, owners and extended attributes are left behind. Times are kept.
 *
 * Where the tree is the root of a file system (an image's), links lead wherever they like, for they are
 * followed inside of it only: also on the way to a name, as whoever sees it as `/` would. What comes later
 * replaces what is there, whatever it is.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/buf.h"
#include "fetch/job.h"
#include "fetch/report.h"

struct tree {
	int root; /* borrowed */
	const struct bounds *bounds;
	struct report *report;
	bool is_root;
	int64_t archive_bytes; /* what the ratio is looked at with */
	int64_t files, bytes;
	int parent; /* the directory opened last, and its name */
	struct buf parent_name;
	bool parent_is_old;     /* it may have been replaced since */
	struct buf links;       /* names of symbolic links, each with its zero */
	struct buf directories; /* struct timespec and name of directories, with its zero */
};

void tree_init(struct tree *tree, int root, const struct bounds *bounds, int64_t archive_bytes,
        struct report *report);
void tree_deinit(struct tree *tree);

/* All answer 0 or a negative errno with its sentence. What stood there before is replaced. */
int tree_directory(struct tree *tree, const char *name, struct timespec mtime);
int tree_symlink(struct tree *tree, const char *name, const char *target);
int tree_hard_link(struct tree *tree, const char *name, const char *target);

/* An empty file; *fd is the caller's. Then its bytes, wherever in it, and its end. */
int tree_file(struct tree *tree, const char *name, mode_t mode, int *fd);
int tree_write(struct tree *tree, int fd, const void *data, size_t length, int64_t at);
int tree_file_end(struct tree *tree, int fd, int64_t size, struct timespec mtime);

/* Counts bytes that are about to come. */
int tree_take_bytes(struct tree *tree, int64_t bytes);

/* Looks where the links lead, now that all is there, and gives directories their times. */
int tree_finish(struct tree *tree);

/* --- of a root only --- */

/* Away with it, and all below; what is not there is no trouble. */
int tree_remove(struct tree *tree, const char *name);

/* Away with all below it, which is a directory or nothing. */
int tree_empty(struct tree *tree, const char *name);

/* Opened as whoever sees the tree as `/` would. A descriptor or -errno, nothing refused. */
int tree_open(const struct tree *tree, const char *path, int flags);
