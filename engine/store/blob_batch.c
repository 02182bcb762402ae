/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/blob_private.h"

int blob_batch_begin(struct blobs *blobs, struct blob_batch **out)
{
	struct blob_batch *batch = calloc(1, sizeof(*batch));

	if (batch)
		batch->sha256 = sha256_new();
	if (!batch || !batch->sha256) {
		free(batch);
		return fail(-ENOMEM, "beginning a batch");
	}
	batch->blobs = blobs;
	writer_init(
	        &batch->writer, blobs->disk, blobs->directory, blobs_number(blobs), batch->sha256);
	pthread_mutex_lock(&blobs->lock);
	list_append(&blobs->batches, &batch->link);
	pthread_mutex_unlock(&blobs->lock);
	*out = batch;
	return 0;
}

static int pin(struct blob_batch *batch, const struct blob_id *id)
{
	int r;

	pthread_mutex_lock(&batch->blobs->lock);
	r = blob_set_add(&batch->pins, id);
	pthread_mutex_unlock(&batch->blobs->lock);
	return r < 0 ? fail(r, "pinning a blob") : 0;
}

/* Whether what is in the pack will stay there, or where the sweep puts it; with the lock. */
static bool stays(const struct blobs *blobs, const struct blob_id *id, const struct pack *pack)
{
	if (blob_set_has(&blobs->damaged, id))
		return false;
	return !blobs->judging || pack->number >= blobs->boundary || sweep_keeps(blobs, id);
}

void pin_look(struct blobs *blobs, const struct blob_id *id, struct pin_look *look)
{
	pthread_mutex_lock(&blobs->lock);
	look->table = blobs->table;
	atomic_fetch_add(&look->table->references, 1);
	look->swept = blobs->swept;
	pthread_mutex_unlock(&blobs->lock);
	look->pack = table_find(look->table, id);
}

int pin_decide(struct blob_batch *batch, const struct blob_id *id, struct pin_look *look)
{
	struct blobs *blobs = batch->blobs;
	int r = 0;

	pthread_mutex_lock(&blobs->lock);
	if (!look->pack)
		r = -ENOENT;
	else if (look->swept != blobs->swept)
		r = -EAGAIN;
	else if (!stays(blobs, id, look->pack))
		r = -ENOENT;
	else if (blob_set_add(&batch->pins, id) < 0)
		r = -ENOMEM;
	pthread_mutex_unlock(&blobs->lock);
	look->table = table_unref(look->table);
	return r;
}

static int pin_known(struct blob_batch *batch, const struct blob_id *id)
{
	struct pin_look look;
	int r;

	if (blob_set_has(&batch->pins, id))
		return 0;
	do {
		pin_look(batch->blobs, id, &look);
		r = pin_decide(batch, id, &look);
	} while (r == -EAGAIN);
	return r == -ENOMEM ? fail(r, "pinning a blob") : r;
}

int blob_batch_pin(struct blob_batch *batch, const struct blob_id *id)
{
	assert(!batch->sealed);
	return batch->error ? batch->error : pin_known(batch, id);
}

static int put_new(
        struct blob_batch *batch, const struct blob_id *id, const void *data, size_t length)
{
	uint64_t before = writer_size(&batch->writer);
	int r = writer_add(&batch->writer, id, data, length);

	if (r == 0)
		r = pin(batch, id);
	if (r < 0)
		return r;
	batch->added_bytes += writer_size(&batch->writer) - before;
	batch->added_blobs++;
	return 0;
}

/* What was broken is over: its file goes, and every later answer is this one. */
static int lose(struct blob_batch *batch, int error)
{
	writer_deinit(&batch->writer);
	batch->error = error;
	return error;
}

int blob_batch_put(struct blob_batch *batch, const void *data, size_t length, struct blob_id *out)
{
	struct blob_id id;
	int r;

	assert(!batch->sealed);
	if (batch->error)
		return batch->error;
	if (length > BLOB_MAX)
		return -EFBIG;
	sha256_of(batch->sha256, data, length, id.bytes);
	r = pin_known(batch, &id);
	if (r == -ENOENT)
		r = put_new(batch, &id, data, length);
	if (r < 0)
		return lose(batch, r);
	if (out)
		*out = id;
	return 0;
}

uint64_t blob_batch_added_bytes(const struct blob_batch *batch)
{
	return batch->added_bytes;
}

uint64_t blob_batch_added_blobs(const struct blob_batch *batch)
{
	return batch->added_blobs;
}

/* A blob found damaged that was put again is whole from here on. */
static void note_healed(struct blob_batch *batch)
{
	struct blobs *blobs = batch->blobs;
	size_t i;

	pthread_mutex_lock(&blobs->lock);
	for (i = 0; i < batch->writer.count && blob_set_count(&blobs->damaged); i++)
		blob_set_remove(&blobs->damaged, &batch->writer.entries[i].id);
	pthread_mutex_unlock(&blobs->lock);
}

int blob_batch_seal(struct blob_batch *batch)
{
	struct blob_reader *reader;
	int r;

	assert(!batch->sealed);
	if (batch->error)
		return batch->error;
	if (batch->added_blobs) {
		reader = blobs_reader(batch->blobs);
		r = reader ? blobs_adopt(batch->blobs, &batch->writer, reader, NULL, 0) : -ENOMEM;
		blobs_reader_done(batch->blobs, reader);
		if (r < 0)
			return lose(batch, r);
		note_healed(batch);
	}
	writer_deinit(&batch->writer);
	batch->sealed = true;
	return 0;
}

static void batch_free(struct blob_batch *batch)
{
	writer_deinit(&batch->writer);
	blob_set_deinit(&batch->pins);
	sha256_free(batch->sha256);
	free(batch);
}

struct blob_batch *blob_batch_release(struct blob_batch *batch)
{
	struct blobs *blobs;

	if (!batch)
		return NULL;
	blobs = batch->blobs;
	writer_deinit(&batch->writer);
	pthread_mutex_lock(&blobs->lock);
	list_unlink(&batch->link);
	if (blobs->sweep_begun)
		list_append(&blobs->retained, &take(batch)->link);
	pthread_mutex_unlock(&blobs->lock);
	if (batch)
		batch_free(batch);
	return NULL;
}

void batches_end_retention(struct list *retained)
{
	struct blob_batch *batch, *following;

	list_each_safe(batch, following, retained, link)
		batch_free(batch);
}
