/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Which files of a tree have which content, told by inode, size and times, in a file beside the
 * tree: so a tree of which nobody watched the changes need not be read again. A file changed in
 * the very tick in which it was looked at has the same times before and after: such files are not
 * noted.
 *
 * The file is a log of records of one size, each with a checksum; of those for one inode the last
 * one counts. Nothing in it is needed: what is lost or torn costs reading.
 */
#include <stdbool.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/map.h"
#include "store/blob.h"

#define SNAPSHOT_INDEX "snapshot-index"

struct snapshot_index {
	struct buf known; /* what the file had */
	struct map by_inode;
	struct buf fresh; /* to be saved */
};

void snapshot_index_deinit(struct snapshot_index *index);
int snapshot_index_load(struct snapshot_index *index, int directory); /* 0, -ENOMEM */
const struct blob_id *snapshot_index_find(
        const struct snapshot_index *index, const struct stat *attr);
void snapshot_index_note(
        struct snapshot_index *index, const struct stat *attr, const struct blob_id *id);
/* `whole`: what is fresh stands for all; else it is added. Trouble is not told: see above. */
void snapshot_index_save(struct snapshot_index *index, int directory, bool whole);
