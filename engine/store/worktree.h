/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A working tree on disk: `code/` of a function. What is said here is only what the layers above need;
 * the file operations behind FUSE are in store/worktree_ops.h.
 *
 * Nobody but this process, and in it only the loop thread, changes the tree. Each change of what counts
 * as code raises the tree's `generation`. A *checkout* is a directory beside the tree that never
 * changes while anybody holds it: the consistent content of the tree at one generation, by the rule of
 * open files (a file open for writing counts with its content at the last close by its opener, or
 * fsync; one never closed is absent). Not code: .git __pycache__ *~ .*.sw? .#* #*# 4913 .DS_Store.
 */
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct worktree;
struct checkout;

typedef void (*worktree_changed_fn)(void *userdata);

/*
 * Opens or creates `tree` under the directory `parent_fd` and the cache of checkouts in `cache` beside
 * it; what an earlier daemon left in the cache is reused when it is provably current, else replaced.
 * `changed` is called on the loop, after the change, at most once per loop turn.
 */
int worktree_open(struct worktree **out, uv_loop_t *loop, int parent_fd, const char *tree,
        const char *cache, worktree_changed_fn changed, void *userdata);
struct worktree *worktree_close(struct worktree *worktree);

uint64_t worktree_generation(const struct worktree *worktree);
bool worktree_empty(
        const struct worktree *worktree); /* nothing at all in it: rmdir of the function */
bool worktree_empty_at(int directory, const char *tree);              /* of one that is not open */
bool worktree_has(const struct worktree *worktree, const char *path); /* relative, `a/b.py` */

/* 0, or while a `.git/index.lock` stands a number that tells it from the one before. */
uint64_t worktree_git_lock(const struct worktree *worktree);

/*
 * Asks for a checkout that holds at least every change made before this call. When it can be had
 * without much copying it is made at once and `done` runs before this returns; otherwise the bulk is
 * copied by a worker thread and `done` runs later on the loop. status: 0, -ENOSPC, -EIO ...
 * The checkout is handed over with one reference.
 */
typedef void (*checkout_done_fn)(void *userdata, int status, struct checkout *checkout);
struct checkout_request;
struct checkout_request *worktree_checkout(struct worktree *worktree, checkout_done_fn done,
        void *userdata); /* NULL when done was called already */
void checkout_request_cancel(struct checkout_request *request); /* done will not run */

struct checkout *checkout_ref(struct checkout *checkout);
struct checkout *checkout_unref(struct checkout *checkout); /* NULL */
uint64_t checkout_generation(const struct checkout *checkout);
int checkout_fd(const struct checkout *checkout);           /* O_PATH | O_DIRECTORY, borrowed */
const char *checkout_path(const struct checkout *checkout); /* absolute; for bind mounts */
