/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An open file or directory. The dispatcher makes it before the behaviour's `open` and frees it after
 * `release`; `state` belongs to the behaviour. A handle outlives the object it shows: behaviours keep
 * ids, and resolve them again (node_subject) when they need the object.
 */
#include <stdint.h>

#include "base/caller.h"
#include "base/list.h"
#include "fs/node.h"

struct fs;
struct fuse_pollhandle;

struct handle {
	struct fs *fs;
	struct node node;
	int flags;                    /* of the open: O_ACCMODE, O_TRUNC, O_APPEND ... */
	struct caller opener;         /* pid is the opening thread */
	void *state;                  /* the behaviour's */
	struct fuse_pollhandle *poll; /* somebody polls; see handle_wake() */
	struct list link; /* the behaviour's, e.g. all handles of one node; self-linked */
};

/* Tells whoever polls this file to look again. Cheap when nobody does. */
void handle_wake(struct handle *handle);

/* Whether this thread belongs to the process that opened the file. */
bool handle_is_opener(const struct handle *handle, const struct caller *caller);
