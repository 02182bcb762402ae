/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Files that snapshots on disk share by hard links: `files/XX/KEY` in the cache, the key being
 * content, size, mode and time. What is two files in one snapshot must not become one, so the
 * second takes KEY with another number. A file that only the pool has is of no use any more. On
 * worker threads, one at a time.
 */
#include <sys/types.h>

#include "store/snapshot_write.h"

struct snapshot_pool {
	int fd;          /* `files` */
	struct map used; /* by the key's hash: how many of it this snapshot has */
	uint64_t bytes;  /* added, on disk */
};

int snapshot_pool_file(
        struct snapshot_write *write, int directory, const struct manifest_entry *entry);
/* Removes what no snapshot has any more; the bytes of all others. */
int snapshot_pool_sweep(int fd, uint64_t *bytes);
