/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The content of a file in blobs: up to 1 MiB it is one, beyond that chunks of 1 MiB each, and a
 * list of their ids, itself a blob; beyond 32 768 chunks a list of lists, and so on. A chunk (or
 * a whole list) of nothing but zeros has no blob: its id is all zeros. How deep it goes follows
 * from the size.
 */
#include <stdatomic.h>
#include <stdbool.h>

#include "store/snapshot_recent.h"
#include "store/worktree_ranges.h"

enum { CONTENT_LIST_MAX = BLOB_MAX / BLOB_ID_SIZE };

/* How many levels of lists stand over the chunks of a file of this size; 0: it is one blob. */
unsigned content_depth(uint64_t size);
bool content_is_hole(const struct blob_id *id);

struct content_writer {
	struct blob_batch *batch;
	char *chunk; /* BLOB_MAX bytes, made by content_write() */
	atomic_bool *canceled;
	_Atomic uint64_t *bytes_done;
};
void content_writer_deinit(struct content_writer *writer);
/* The `size` bytes of the file `fd`, to be put into the batch. -EIO: it is shorter than that. */
int content_write(struct content_writer *writer, int fd, uint64_t size, struct blob_id *id);
/* The same, where much is as it was before: only chunks that `changed` touches are read. */
struct content_before {
	struct snapshot_recent *recent;
	struct blob_id id;
	uint64_t size;
	const struct ranges *changed;
};
int content_write_changed(struct content_writer *writer, int fd, uint64_t size,
        const struct content_before *before, struct blob_id *id);

/*
 * The id of chunk `number` of a file. With `wait` false -EAGAIN when the disk would have to be
 * asked.
 */
int content_find_chunk(struct snapshot_recent *recent, const struct blob_id *id, uint64_t size,
        uint64_t number, bool wait, struct blob_id *chunk);
/* Bytes read, less than asked for only at the end; -EAGAIN, -ENOENT, -EIO, -ENOMEM. */
ssize_t content_read(struct snapshot_recent *recent, const struct blob_id *id, uint64_t size,
        void *data, size_t length, uint64_t offset, bool wait);

/*
 * Visits the ids of all blobs of the content, lists before what they list, holes left out. Stops at
 * what is not 0.
 */
typedef int (*content_visit_fn)(void *userdata, const struct blob_id *id, unsigned depth);
int content_visit(struct snapshot_recent *recent, const struct blob_id *id, uint64_t size,
        content_visit_fn visit, void *userdata);
