/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's part in taking a snapshot. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/snapshot_taking.h"
#include "store/worktree_tree.h"

#define RECENT_BYTES (4 << 20)

struct snapshot_pins *snapshot_pins_release(struct snapshot_pins *pins)
{
	size_t i;

	for (i = 0; pins && i < pins->count; i++)
		blob_batch_release(pins->batches[i]);
	if (pins)
		free(pins->batches);
	free(pins);
	return NULL;
}

static int add_batch(struct snapshot_taking *taking, struct blob_batch **batch)
{
	struct snapshot_pins *pins = taking->pins;
	struct blob_batch **batches = realloc(pins->batches, (pins->count + 1) * sizeof(*batches));
	int r;

	if (!batches)
		return -ENOMEM;
	pins->batches = batches;
	r = blob_batch_begin(taking->blobs, batch);
	if (r == 0)
		batches[pins->count++] = *batch;
	return r;
}

static int summarise(struct snapshot_taking *taking, struct blob_batch *batch)
{
	struct snapshot_summary *summary = &taking->summary;
	const struct manifest_entry *total = &taking->writer.total;

	summary->root = taking->writer.id;
	summary->files = total->files;
	summary->directories = total->directories + 1;
	summary->bytes = total->bytes;
	summary->added_bytes += blob_batch_added_bytes(batch);
	return 0;
}

/*
 * The first time nobody knows how much there is: counted before, so that there can be a progress
 * bar.
 */
static void count(struct snapshot_counts *counts, atomic_bool *canceled, int fd)
{
	struct survey_entries entries = {0};
	struct stat attr;
	size_t i;
	int below;

	(void)!survey_list(fd, NULL, 0, true, SIZE_MAX, &entries);
	for (i = 0; i < entries.count && !*canceled; i++) {
		if (fstatat(fd, entries.items[i].name, &attr, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		below = S_ISDIR(attr.st_mode) ? survey_open(fd, entries.items[i].name) : -1;
		if (below >= 0)
			count(counts, canceled, below);
		close_fd(below);
		counts->files_all += !S_ISDIR(attr.st_mode);
		counts->bytes_all += S_ISREG(attr.st_mode) ? (uint64_t)attr.st_size : 0;
	}
	survey_entries_free(&entries);
}

static int prepare_index(struct snapshot_taking *taking, struct snapshot_index *index)
{
	struct snapshot_writer *writer = &taking->writer;
	int r = 0;

	if (taking->tree) {
		writer->index = index;
		if (writer->whole || !writer->exact)
			r = snapshot_index_load(index, taking->tree->cache_fd);
	}
	if (writer->whole && !writer->exact && !index->by_inode.count && !taking->counts.files_all)
		count(&taking->counts, &taking->canceled, writer->tree);
	return r;
}

static int write_and_seal(struct snapshot_taking *taking, struct snapshot_index *index)
{
	struct snapshot_writer *writer = &taking->writer;
	int r = add_batch(taking, &writer->batch);

	if (r == 0)
		r = prepare_index(taking, index);
	if (r == 0)
		r = snapshot_writer_run(writer);
	if (r == 0)
		r = blob_batch_seal(writer->batch);
	if (r < 0)
		return r;
	if (writer->index)
		snapshot_index_save(index, taking->tree->cache_fd, writer->whole);
	return summarise(taking, writer->batch);
}

static int write_round(struct snapshot_taking *taking)
{
	struct snapshot_index index = {0};
	int r;

	taking->writer.recent = snapshot_recent_new(taking->blobs, RECENT_BYTES);
	if (!taking->writer.recent)
		return -ENOMEM;
	r = write_and_seal(taking, &index);
	snapshot_index_deinit(&index);
	taking->writer.recent = snapshot_recent_free(taking->writer.recent);
	return r;
}

/* The base as it is; the manifests below it are kept by whoever keeps the base. */
static int pin_base(struct snapshot_taking *taking)
{
	uint64_t added = taking->summary.added_bytes;
	struct blob_id root = taking->summary.root;
	struct blob_batch *batch;
	int r = add_batch(taking, &batch);

	if (r == 0)
		r = blob_batch_pin(batch, &root);
	if (r == 0)
		r = snapshot_summarise(taking->blobs, &root, &taking->summary);
	taking->summary.added_bytes = added;
	return r == -ENOENT || r == -EIO ? -ESTALE : r;
}

void taking_work(uv_work_t *work)
{
	struct snapshot_taking *taking = work->data;

	if (taking->status < 0)
		return;
	if (taking->canceled)
		taking->status = -ECANCELED;
	else
		taking->status = taking->unchanged ? pin_base(taking) : write_round(taking);
}
