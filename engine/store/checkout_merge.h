/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Several checkouts over each other as one, by hard links: for machines whose sandboxes cannot lay them over
 * each other themselves. What is merged stays as long as somebody holds it, and so do its sources; whoever
 * asks for the same sources meanwhile gets the same. All of it goes with the daemon. Loop thread only.
 */
#include "store/worktree.h"

struct merges;
struct merge_request;

/* In `name` (made if need be) under `parent_fd`; what an earlier daemon left there is removed. */
int merges_open(struct merges **out, uv_loop_t *loop, int parent_fd, const char *name);
/* Nobody waits any more; checkouts that are held stay valid. NULL. */
struct merges *merges_close(struct merges *merges);

/*
 * The first of the sources wins, the last lies under them all; directories merge. As with worktree_checkout():
 * `done` may run before this returns (NULL). status: 0, -ENOSPC, -EIO, -ENOMEM ...
 */
struct merge_request *merges_checkout(struct merges *merges, struct checkout *const *sources,
        size_t count, checkout_done_fn done, void *userdata);
void merge_request_cancel(struct merge_request *request); /* done will not run */
