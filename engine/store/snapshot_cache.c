/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache's part on the loop. One job at a time runs on a worker: it removes what was moved to
 * the trash, sweeps the pool, and makes one snapshot. Snapshots are named by their ids; what is
 * being made is `new-ID`, what goes is `trash-N`.
 */
#include "store/snapshot_cache_private.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/worktree_copy.h"

struct snapshot_cache_request {
	struct list link; /* cache->requests */
	struct blob_id root;
	checkout_done_fn done;
	void *userdata;
};

static void pump(struct snapshot_cache *cache);

/* --- life --- */

static void cache_unref(struct snapshot_cache *cache)
{
	if (--cache->references > 0)
		return;
	assert(list_empty(&cache->entries) && list_empty(&cache->requests));
	close_fd(cache->fd);
	close_fd(cache->pool_fd);
	free(cache->path);
	free(cache);
}

static void entry_free(struct cached *entry)
{
	struct snapshot_cache *cache = entry->cache;

	list_unlink(&entry->order);
	close_fd(entry->checkout.fd);
	free(entry->checkout.path);
	free(entry);
	cache_unref(cache);
}

static void on_idle(struct checkout *checkout)
{
	struct cached *entry = container_of(checkout, struct cached, checkout);
	struct snapshot_cache *cache = entry->cache;

	if (cache->closed) {
		entry_free(entry);
		return;
	}
	list_unlink(&entry->order);
	list_prepend(&cache->entries, &entry->order);
	pump(cache);
}

int cached_add(struct snapshot_cache *cache, const struct blob_id *root, struct cached **out)
{
	struct cached *entry = calloc(1, sizeof(*entry));
	char name[BLOB_TEXT_SIZE];

	if (!entry)
		return -ENOMEM;
	blob_id_format(name, root);
	entry->checkout.fd = copy_open_directory(cache->fd, name);
	if (entry->checkout.fd < 0 ||
	        asprintf(&entry->checkout.path, "%s/%s", cache->path, name) < 0) {
		int r = entry->checkout.fd < 0 ? entry->checkout.fd : -ENOMEM;
		close_fd(entry->checkout.fd);
		free(entry);
		return r;
	}
	entry->cache = cache;
	cache->references++;
	entry->root = *root;
	entry->checkout.idle = on_idle;
	entry->checkout.generation = 1;
	list_init(&entry->checkout.link);
	list_init(&entry->checkout.renames);
	list_prepend(&cache->entries, &entry->order);
	*out = entry;
	return 0;
}

/* One that was dropped is there, too, as long as somebody holds it. */
static struct cached *find_on_disk(const struct snapshot_cache *cache, const struct blob_id *root)
{
	struct cached *entry;

	list_each(entry, &cache->entries, order)
		if (blob_id_equal(&entry->root, root))
			return entry;
	return NULL;
}

static struct cached *find(const struct snapshot_cache *cache, const struct blob_id *root)
{
	struct cached *entry = find_on_disk(cache, root);

	return entry && !entry->dropped ? entry : NULL;
}

/* --- what goes --- */

static void evict(struct cached *entry)
{
	struct snapshot_cache *cache = entry->cache;
	char name[BLOB_TEXT_SIZE];

	blob_id_format(name, &entry->root);
	cache_to_trash(cache, name);
	entry_free(entry);
}

/* The longest unused that nobody holds; of those that were dropped, any. */
static struct cached *find_victim(const struct snapshot_cache *cache, bool full)
{
	struct list *at;

	for (at = cache->entries.previous; at != &cache->entries; at = at->previous) {
		struct cached *entry = container_of(at, struct cached, order);
		if (!entry->checkout.references && (full || entry->dropped))
			return entry;
	}
	return NULL;
}

/* --- jobs --- */

static void serve(
        struct snapshot_cache *cache, const struct blob_id *root, int status, struct cached *entry)
{
	struct snapshot_cache_request *request, *following;
	struct list ready;

	list_init(&ready);
	list_each_safe(request, following, &cache->requests, link) {
		if (root && !blob_id_equal(&request->root, root))
			continue;
		list_unlink(&request->link);
		list_append(&ready, &request->link);
	}
	while ((request = list_first(&ready, struct snapshot_cache_request, link))) {
		list_unlink(&request->link);
		request->done(request->userdata, status,
		        status == 0 ? checkout_ref(&entry->checkout) : NULL);
		free(request);
	}
}

/* On a full disk what nobody holds makes room for what somebody wants. */
static bool make_room(struct snapshot_cache *cache, int status)
{
	struct cached *victim = NULL;

	if ((status == -ENOSPC || status == -EDQUOT) && !cache->closed)
		victim = find_victim(cache, true);
	if (victim)
		evict(victim);
	return victim != NULL;
}

static void on_worked(uv_work_t *work, int unused)
{
	struct cache_job *job = work->data;
	struct snapshot_cache *cache = job->cache;
	struct cached *entry = NULL;
	int status = job->status;

	cache->job = NULL;
	cache->bytes = job->bytes;
	if (job->make && !make_room(cache, status)) {
		if (status == 0 && !cache->closed)
			status = cached_add(cache, &job->root, &entry);
		if (status == 0 && cache->closed)
			status = -ECANCELED;
		if (entry)
			entry->checkout.references++; /* whoever is served may let go at once */
		serve(cache, &job->root, status, entry);
		if (entry)
			checkout_unref(&entry->checkout);
	}
	free(job);
	if (!cache->closed)
		pump(cache);
	else if (cache->idle)
		cache->idle(cache->idle_userdata);
	cache_unref(cache);
}

static void start(struct snapshot_cache *cache, const struct blob_id *root)
{
	struct cache_job *job = calloc(1, sizeof(*job));

	if (!job) {
		serve(cache, root, fail(-ENOMEM, "making a version ready to run"), NULL);
		return;
	}
	job->cache = cache;
	job->work.data = job;
	job->bytes = cache->bytes;
	job->sweep = cache->trash;
	cache->trash = false;
	if (root) {
		job->make = true;
		job->root = *root;
	}
	cache->references++;
	cache->job = job;
	uv_queue_work(cache->loop, &job->work, cache_work, on_worked);
}

static void pump(struct snapshot_cache *cache)
{
	struct snapshot_cache_request *request;
	struct cached *victim;

	if (cache->job || cache->closed)
		return;
	victim = find_victim(cache, cache->bytes > cache->most_bytes);
	if (victim)
		evict(victim);
	request = list_first(&cache->requests, struct snapshot_cache_request, link);
	if (request || cache->trash)
		start(cache, request ? &request->root : NULL);
}

/* --- from outside --- */

int snapshot_cache_open(struct snapshot_cache **out, uv_loop_t *loop, struct blobs *blobs,
        int parent_fd, const char *name, uint64_t most_bytes)
{
	struct snapshot_cache *cache = calloc(1, sizeof(*cache));
	int r;

	if (!cache)
		return fail(-ENOMEM, "opening %s", name);
	cache->references = 1;
	cache->loop = loop;
	cache->blobs = blobs;
	cache->most_bytes = most_bytes;
	cache->fd = cache->pool_fd = -1;
	list_init(&cache->entries);
	list_init(&cache->requests);
	r = cache_open_directory(cache, parent_fd, name);
	if (r < 0) {
		snapshot_cache_close(cache);
		return fail(r, "opening %s", name);
	}
	pump(cache);
	*out = cache;
	return 0;
}

bool snapshot_cache_stop(struct snapshot_cache *cache, void (*idle)(void *userdata), void *userdata)
{
	cache->closed = true;
	cache->idle = idle;
	cache->idle_userdata = userdata;
	serve(cache, NULL, -ECANCELED, NULL);
	return !cache->job;
}

struct snapshot_cache *snapshot_cache_close(struct snapshot_cache *cache)
{
	struct cached *entry, *following;

	if (!cache)
		return NULL;
	snapshot_cache_stop(cache, NULL, NULL);
	list_each_safe(entry, following, &cache->entries, order)
		if (!entry->checkout.references)
			entry_free(entry);
	cache_unref(cache);
	return NULL;
}

void snapshot_cache_set_limit(struct snapshot_cache *cache, uint64_t most_bytes)
{
	cache->most_bytes = most_bytes;
	pump(cache);
}

uint64_t snapshot_cache_bytes(const struct snapshot_cache *cache)
{
	return cache->bytes;
}

bool snapshot_cache_has(const struct snapshot_cache *cache, const struct blob_id *root)
{
	return find(cache, root) != NULL;
}

void snapshot_cache_drop(struct snapshot_cache *cache, const struct blob_id *root)
{
	struct cached *entry = find(cache, root);

	if (!entry)
		return;
	entry->dropped = true;
	pump(cache);
}

struct snapshot_cache_request *snapshot_cache_checkout(struct snapshot_cache *cache,
        const struct blob_id *root, checkout_done_fn done, void *userdata)
{
	struct cached *entry = find_on_disk(cache, root);
	struct snapshot_cache_request *request;

	if (entry) {
		entry->dropped =
		        false; /* wanted again after all, by another version of the same content */
		list_unlink(&entry->order);
		list_prepend(&cache->entries, &entry->order);
		done(userdata, 0, checkout_ref(&entry->checkout));
		return NULL;
	}
	if (cache->closed) {
		done(userdata, -ECANCELED, NULL);
		return NULL;
	}
	request = calloc(1, sizeof(*request));
	if (!request) {
		done(userdata, fail(-ENOMEM, "making a version ready to run"), NULL);
		return NULL;
	}
	request->root = *root;
	request->done = done;
	request->userdata = userdata;
	list_append(&cache->requests, &request->link);
	pump(cache);
	return request;
}

void snapshot_cache_request_cancel(struct snapshot_cache_request *request)
{
	list_unlink(&request->link);
	free(request);
}
