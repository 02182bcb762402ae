/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A snapshot: a directory tree in blobs, named by one id. A directory is a manifest
 * (store/manifest.h), a file its content in chunks of 1 MiB, so that two snapshots share all they
 * have in common, down to the chunk. Names, modes, owners, times of change (ns), symbolic links,
 * hard links within the tree, fifos and empty directories are kept. A long run of zeros costs
 * nothing.
 *
 * Taking one of a working tree costs what changed since the last one: the tree's marks
 * (store/worktree_marks.h) tell which paths to look at, and only manifests on the way to them are
 * written anew. What is known of the last one is called the tree's *base*. Without it (the first
 * time, after a restart) the whole tree is looked at; an index beside the tree, `snapshot-index`
 * in the cache of checkouts, then says which files are as they were, by inode, size and times.
 *
 * Reading one is store/snapshot_tree.h, having it as a directory on disk store/snapshot_cache.h.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "store/blob.h"

struct worktree;

/* What it is, and how much is in it: `bytes` is the sum of the files' sizes, by name. */
struct snapshot_summary {
	struct blob_id root;
	uint64_t files;       /* all but directories */
	uint64_t directories; /* the root is one */
	uint64_t bytes;
	uint64_t added_bytes; /* on disk, by this taking */
};

/* Read from the loop at any time; `all` is 0 while it is not known. */
struct snapshot_progress {
	uint64_t files, bytes;
	uint64_t files_all, bytes_all;
};

/* What keeps the blobs of a snapshot until whoever refers to it is stored. */
struct snapshot_pins;
struct snapshot_pins *snapshot_pins_release(struct snapshot_pins *pins); /* NULL */

/*
 * `done` comes once, on the loop, never from inside snapshot_take(). status 0: the snapshot is
 * durable, `pins` is handed over (release it after the row that refers to it is stored, or given
 * up). Else -errno, nothing stays behind, and `why` is a sentence: -EINVAL a socket or a device,
 * its path named; -ENOSPC, -EIO, -ENOMEM; -ECANCELED.
 */
typedef void (*snapshot_done_fn)(void *userdata, int status, const struct snapshot_summary *summary,
        struct snapshot_pins *pins, const char *why);
struct snapshot_taking;

/*
 * Of the tree as it is now or a moment later, all at one moment, by the rule of open files; what
 * is not code is left out. The work is done on worker threads; takings of one tree wait for each
 * other. NULL: no memory.
 */
struct snapshot_taking *snapshot_take(
        struct worktree *tree, struct blobs *blobs, snapshot_done_fn done, void *userdata);

/* Of any directory that nobody changes meanwhile; `fd` is only borrowed for the call. */
struct snapshot_taking *snapshot_take_directory(
        uv_loop_t *loop, int fd, struct blobs *blobs, snapshot_done_fn done, void *userdata);

void snapshot_taking_progress(
        const struct snapshot_taking *taking, struct snapshot_progress *progress);
/* `done` will come soon, with -ECANCELED unless it was about to come anyway. */
void snapshot_taking_cancel(struct snapshot_taking *taking);

/*
 * The base of a tree refers to blobs without pinning them. So, on the loop right after
 * blobs_sweep_begin(), ask for each tree: when the base is a root of the marking anyway, it is
 * well; otherwise forget it, or where that is refused (a taking works with it: -EBUSY) mark it as
 * a root, too.
 */
bool snapshot_base(const struct worktree *tree, struct blob_id *root);
int snapshot_base_forget(struct worktree *tree);

/* --- of all there is in a snapshot; on a worker thread --- */

/*
 * Adds all its blobs, the root included. -ENOENT, -EIO: a manifest is not there or damaged:
 * nothing may be swept.
 */
int snapshot_mark(struct blobs *blobs, const struct blob_id *root, struct blob_set *live);

/*
 * Says in a sentence each thing that is wrong: a manifest that is missing, damaged or makes no
 * sense, content that is missing or (when `content`) unreadable. What is in `seen` already is not
 * looked at again, what is sound is added. 0 also when there was something; -ENOMEM; -ECANCELED
 * (blobs_check_stop).
 */
int snapshot_check(struct blobs *blobs, const struct blob_id *root, bool content,
        struct blob_set *seen, void (*bad)(void *userdata, const char *sentence), void *userdata);

/* Files, directories and bytes, from the root alone. -ENOENT, -EIO. */
int snapshot_summarise(
        struct blobs *blobs, const struct blob_id *root, struct snapshot_summary *summary);
