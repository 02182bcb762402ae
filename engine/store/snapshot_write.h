/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Writes a snapshot as a directory on disk. Exactly as it was; or to run from, with the modes of
 * checkouts and files shared with other snapshots out of a pool.
 */
#include <stdatomic.h>
#include <stdint.h>

#include "base/map.h"
#include "store/manifest.h"
#include "store/snapshot_recent.h"

struct snapshot_pool;

struct snapshot_write {
	struct snapshot_recent *recent;
	int root;
	struct snapshot_pool *pool; /* NULL: exactly as it was */
	atomic_bool *canceled;      /* or NULL */
	struct buf path;            /* of the directory being written, with a slash behind */
	struct map groups;          /* of hard links: the path of the first name, owned */
};

int snapshot_write_run(struct snapshot_write *write, const struct blob_id *root);
/* Size, content and what else belongs to a file: a new one in the directory, under this name. */
int snapshot_write_file(
        struct snapshot_write *write, int directory, const struct manifest_entry *entry);
