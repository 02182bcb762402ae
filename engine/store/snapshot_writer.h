/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Writes a tree as a snapshot into a batch, on a worker thread: what the marks do not name is
 * taken from the base, the rest from the tree (names, attributes) and from a checkout of it
 * (content).
 *
 * A survey made on the loop together with the checkout makes the result exact. Without one the
 * writer looks at the tree itself while changes go on: then the result is a base for the next
 * round, at worst, and wrong only in what is marked by then.
 */
#include <stdatomic.h>

#include "store/manifest.h"
#include "store/snapshot_content.h"
#include "store/snapshot_index.h"
#include "store/snapshot_survey.h"

struct snapshot_counts {
	_Atomic uint64_t files, bytes; /* dealt with */
	_Atomic uint64_t files_all, bytes_all;
};

struct snapshot_writer {
	/* In. */
	int tree;    /* root directory; what it has counts */
	int content; /* root directory of the checkout */
	bool exact;  /* `root` holds a survey */
	bool whole;  /* there is no base */
	struct survey_sight root;
	const struct mark *marks;
	uint64_t slots;         /* the bit of the snapshot in these marks */
	struct blob_id base;    /* root blob */
	struct timespec moment; /* of the survey; what changed since then has later times */
	const uint64_t *drafts; /* inodes whose content is not what counts, sorted */
	size_t draft_count;
	struct snapshot_recent *recent;
	struct blob_batch *batch;
	struct snapshot_index *index; /* NULL: none */
	struct snapshot_counts *counts;
	atomic_bool *canceled;
	/* Out. */
	struct blob_id id;
	struct manifest_entry total; /* of the root */
	struct buf why;
	/* Of its own. */
	struct content_writer content_writer;
};

/*
 * -ESTALE: the base does not fit, or is gone: do it whole. -EINVAL: `why` names what cannot be
 * kept.
 */
int snapshot_writer_run(struct snapshot_writer *writer);
void snapshot_writer_deinit(struct snapshot_writer *writer);

/* --- between snapshot_writer.c and snapshot_writer_file.c --- */

/* A directory on the way down. */
struct writer_place {
	const struct writer_place *above; /* NULL: the root */
	const char *name;
	int tree, content;
};
/* The file's size and content into the entry: 1, 0 when it does not count, -errno. */
int writer_file(struct snapshot_writer *writer, const struct writer_place *place,
        const struct survey_entry *seen, const struct stat *attr,
        const struct manifest_entry *before, struct manifest_entry *entry);
bool writer_is_settled(const struct snapshot_writer *writer, const struct stat *attr);
