/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An open file or directory. The dispatcher makes it before the behaviour's `open` and frees it after
 * `release`; `state` belongs to the behaviour. A handle outlives the object it shows: behaviours keep
 * ids, and resolve them again (node_subject) when they need the object.
 */
#include <stdbool.h>
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
	bool directory;               /* opened by opendir */
	struct list link; /* the behaviour's, e.g. all handles of one node; self-linked */
	struct list all;  /* private: of the table of open ones */
};

/* Tells whoever polls this file to look again. Cheap when nobody does. */
void handle_wake(struct handle *handle);

/* Whether this thread belongs to the process that opened the file. */
bool handle_is_opener(const struct handle *handle, const struct caller *caller);

/* --- for the dispatcher --- */

struct handles;
struct handles *handles_new(void);
struct handles *handles_free(struct handles *handles); /* none may be open */
struct handle *handle_new(
        struct fs *fs, const struct node *node, const struct caller *opener, int flags);
struct handle *handle_free(struct handle *handle);
struct handle *handles_first(struct handles *handles); /* any open one, or NULL */
void handle_set_poll(struct handle *handle, struct fuse_pollhandle *poll); /* takes it */
