/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Snapshots as directories on disk, for instances to run from: each is made once, by a worker
 * thread, and kept as long as there is room. As in the checkouts of working trees, everything
 * belongs to the daemon and can be read by anybody: modes are those of copy_checkout_mode().
 * Files that are the same in several snapshots (content, mode, time of change) are one file on
 * disk, by hard links; what is two files in one snapshot stays two.
 *
 * The bound is on the bytes of files; what nobody holds goes, the longest unused first. What is
 * held may exceed it. What an earlier daemon left is used again unless the machine was restarted
 * meanwhile: then nobody knows what of it reached the disk. What a crash left half-made is
 * removed.
 */
#include "store/blob.h"
#include "store/worktree.h"

struct snapshot_cache;

/* In `name` (made if need be) under `parent_fd`. */
int snapshot_cache_open(struct snapshot_cache **out, uv_loop_t *loop, struct blobs *blobs,
        int parent_fd, const char *name, uint64_t most_bytes);
/*
 * Open requests end with -ECANCELED, and so does the work of a worker, soon: `idle` runs then, on the
 * loop. True when nothing works by now, and `idle` will not run.
 */
bool snapshot_cache_stop(
        struct snapshot_cache *cache, void (*idle)(void *userdata), void *userdata);
/* Once it was stopped and is idle, or was never used; checkouts that are held stay valid. NULL. */
struct snapshot_cache *snapshot_cache_close(struct snapshot_cache *cache);
void snapshot_cache_set_limit(struct snapshot_cache *cache, uint64_t most_bytes);
uint64_t snapshot_cache_bytes(const struct snapshot_cache *cache);

/* Whether it is on disk now, so that a checkout costs nothing. */
bool snapshot_cache_has(const struct snapshot_cache *cache, const struct blob_id *root);
/* Nobody will ask for it again (its version was removed): goes as soon as nobody holds it. */
void snapshot_cache_drop(struct snapshot_cache *cache, const struct blob_id *root);

/*
 * The snapshot as a checkout, handed over with one reference: at once when it is there (`done`
 * runs before this returns; NULL), else later on the loop. status: 0, -ENOENT, -EIO, -ENOSPC,
 * -ENOMEM, -ECANCELED.
 */
struct snapshot_cache_request;
struct snapshot_cache_request *snapshot_cache_checkout(struct snapshot_cache *cache,
        const struct blob_id *root, checkout_done_fn done, void *userdata);
void snapshot_cache_request_cancel(struct snapshot_cache_request *request); /* done will not run */

/*
 * Writes the snapshot into the empty directory `fd`, exactly as it was, with owners where the
 * daemon may give them and with hard links. On a worker thread. -ENOSPC, -EIO ...: what is there
 * by then is the caller's to remove.
 */
int snapshot_write(struct blobs *blobs, const struct blob_id *root, int fd);
