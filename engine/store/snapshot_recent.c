/* SPDX-License-Identifier: Apache-2.0 */
#include "store/snapshot_recent.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define BUCKETS 4096

struct snapshot_recent {
	pthread_mutex_t lock;
	struct blobs *blobs;
	size_t most_bytes, bytes;
	struct list order;
	struct recent_blob *buckets[BUCKETS];
};

static struct recent_blob **bucket(struct snapshot_recent *recent, const struct blob_id *id)
{
	return &recent->buckets[(id->bytes[0] | id->bytes[1] << 8) % BUCKETS];
}

struct snapshot_recent *snapshot_recent_new(struct blobs *blobs, size_t most_bytes)
{
	struct snapshot_recent *recent = calloc(1, sizeof(*recent));

	if (!recent)
		return NULL;
	pthread_mutex_init(&recent->lock, NULL);
	recent->blobs = blobs;
	recent->most_bytes = most_bytes;
	list_init(&recent->order);
	return recent;
}

static size_t weight(const struct recent_blob *blob)
{
	return blob->length + sizeof(*blob);
}

static void blob_free(struct recent_blob *blob)
{
	free(blob->data);
	free(blob);
}

static void forget(struct snapshot_recent *recent, struct recent_blob *blob)
{
	struct recent_blob **at = bucket(recent, &blob->id);

	while (*at != blob)
		at = &(*at)->next;
	*at = blob->next;
	list_unlink(&blob->link);
	recent->bytes -= weight(blob);
	blob_free(blob);
}

struct snapshot_recent *snapshot_recent_free(struct snapshot_recent *recent)
{
	struct recent_blob *blob;

	if (!recent)
		return NULL;
	while ((blob = list_first(&recent->order, struct recent_blob, link))) {
		assert(!blob->references);
		forget(recent, blob);
	}
	pthread_mutex_destroy(&recent->lock);
	free(recent);
	return NULL;
}

static void trim(struct snapshot_recent *recent)
{
	struct list *at = recent->order.previous;

	while (recent->bytes > recent->most_bytes && at != &recent->order) {
		struct recent_blob *blob = container_of(at, struct recent_blob, link);
		at = at->previous;
		if (!blob->references)
			forget(recent, blob);
	}
}

static struct recent_blob *find(struct snapshot_recent *recent, const struct blob_id *id)
{
	struct recent_blob *blob = *bucket(recent, id);

	while (blob && !blob_id_equal(&blob->id, id))
		blob = blob->next;
	if (!blob)
		return NULL;
	blob->references++;
	list_unlink(&blob->link);
	list_prepend(&recent->order, &blob->link);
	return blob;
}

struct recent_blob *recent_peek(struct snapshot_recent *recent, const struct blob_id *id)
{
	struct recent_blob *blob;

	pthread_mutex_lock(&recent->lock);
	blob = find(recent, id);
	pthread_mutex_unlock(&recent->lock);
	return blob;
}

static int read_blob(
        struct snapshot_recent *recent, const struct blob_id *id, struct recent_blob **out)
{
	struct recent_blob *blob = calloc(1, sizeof(*blob));
	struct buf content = BUF_INIT;
	int r = blob ? blob_read(recent->blobs, id, &content) : -ENOMEM;

	if (r < 0 || content.failed) {
		buf_deinit(&content);
		free(blob);
		return r < 0 ? r : -ENOMEM;
	}
	blob->id = *id;
	blob->length = content.length;
	blob->data = content.data;
	blob->references = 1;
	*out = blob;
	return 0;
}

/* Another thread may have read the same meanwhile: then that one is taken. */
static struct recent_blob *enter(struct snapshot_recent *recent, struct recent_blob *blob)
{
	struct recent_blob **at = bucket(recent, &blob->id);
	struct recent_blob *other = find(recent, &blob->id);

	if (other) {
		blob_free(blob);
		return other;
	}
	blob->next = *at;
	*at = blob;
	list_prepend(&recent->order, &blob->link);
	recent->bytes += weight(blob);
	trim(recent);
	return blob;
}

int recent_get(struct snapshot_recent *recent, const struct blob_id *id, struct recent_blob **out)
{
	int r;

	*out = recent_peek(recent, id);
	if (*out)
		return 0;
	r = read_blob(recent, id, out);
	if (r < 0)
		return r;
	pthread_mutex_lock(&recent->lock);
	*out = enter(recent, *out);
	pthread_mutex_unlock(&recent->lock);
	return 0;
}

void recent_put(struct snapshot_recent *recent, struct recent_blob *blob)
{
	if (!blob)
		return;
	pthread_mutex_lock(&recent->lock);
	assert(blob->references);
	blob->references--;
	trim(recent);
	pthread_mutex_unlock(&recent->lock);
}
