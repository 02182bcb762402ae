/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Entries, one after the other in the order of their names, into pages of blobs. */
#include "store/manifest.h"

struct manifest_level {
	struct buf page; /* the one being filled */
	unsigned records;
	uint64_t count; /* entries in it or below it */
	bool sealed;    /* an earlier page of this level is referred to from above */
	char last[MANIFEST_NAME_MAX + 1];
	struct blob_id below; /* the last page referred to */
};

struct manifest_writer {
	struct blob_batch *batch;
	struct manifest_level *levels[MANIFEST_LEVELS_MAX]; /* made as they are needed */
};

void manifest_writer_init(struct manifest_writer *writer, struct blob_batch *batch);
void manifest_writer_deinit(struct manifest_writer *writer);
/* 0; -ENOMEM and what blob_batch_put() gives; -EFBIG: more entries than levels can hold. */
int manifest_writer_add(struct manifest_writer *writer, const struct manifest_entry *entry);
/* The directory's id. */
int manifest_writer_finish(struct manifest_writer *writer, struct blob_id *id);
