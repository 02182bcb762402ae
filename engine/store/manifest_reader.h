/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The entries of a directory, out of pages of blobs. -EIO: a page makes no sense; told in the
 * log.
 */
#include "store/manifest.h"
#include "store/snapshot_recent.h"

struct manifest_reader {
	struct snapshot_recent *recent;
	unsigned depth; /* of `steps` in use */
	uint64_t place; /* entries before the one that comes next */
	struct manifest_step {
		struct recent_blob *page;
		struct manifest_cursor cursor;
	} * steps;
	struct blob_id root;
};

int manifest_reader_open(struct manifest_reader *reader, struct snapshot_recent *recent,
        const struct blob_id *directory);
void manifest_reader_close(struct manifest_reader *reader); /* also one that failed to open */

/* 1; 0 at the end; -errno. The entry is borrowed until the next call. */
int manifest_reader_next(struct manifest_reader *reader, struct manifest_entry *entry);
/* So that `place` entries lie behind; beyond the end: at the end. */
int manifest_reader_seek(struct manifest_reader *reader, uint64_t place);
/* The entry of this name, which the reader then stands behind: 1, 0 when there is none, -errno. */
int manifest_reader_find(
        struct manifest_reader *reader, const char *name, struct manifest_entry *entry);

/* What the root blob of a snapshot says. 0, -ENOENT, -EIO, -ENOMEM. */
int manifest_load_root(
        struct snapshot_recent *recent, const struct blob_id *root, struct manifest_entry *entry);
