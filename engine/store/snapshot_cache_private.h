/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the loop's part of the cache of snapshots and its part on disk share. */
#include <stdatomic.h>
#include <uv.h>

#include "base/list.h"
#include "store/snapshot_cache.h"
#include "store/worktree_slots.h"

struct cached {
	struct checkout checkout;
	struct snapshot_cache *cache; /* counted */
	struct list order;            /* cache->entries, the latest used first */
	struct blob_id root;
	bool dropped;
};

struct cache_job {
	uv_work_t work;
	struct snapshot_cache *cache; /* counted */
	bool sweep;                   /* there is trash: the pool may have what nobody needs */
	bool make;
	struct blob_id root;
	int status;
	uint64_t bytes;
};

struct snapshot_cache {
	unsigned references;
	uv_loop_t *loop;
	struct blobs *blobs;
	int fd, pool_fd;
	char *path;
	uint64_t most_bytes, bytes;
	atomic_bool closed;
	void (*idle)(void *userdata); /* once closed: NULL, or whoever waits for the job's end */
	void *idle_userdata;
	bool trash;
	uint64_t next_trash;
	struct list entries;
	struct list requests;
	struct cache_job *job;
};

/* --- snapshot_cache_disk.c --- */
/* Opens or makes it; what is sound is added to the entries, all else moved to the trash. */
int cache_open_directory(struct snapshot_cache *cache, int parent_fd, const char *name);
void cache_to_trash(struct snapshot_cache *cache, const char *name);
void cache_work(uv_work_t *work);

/* A directory that stands in the cache becomes an entry. */
int cached_add(struct snapshot_cache *cache, const struct blob_id *root, struct cached **out);
