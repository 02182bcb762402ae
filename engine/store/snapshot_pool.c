/* SPDX-License-Identifier: Apache-2.0 */
#include "store/snapshot_pool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/worktree_copy.h"

#define KEY_SIZE 192

static void make_key(const struct manifest_entry *entry, char key[KEY_SIZE])
{
	char id[BLOB_TEXT_SIZE];

	blob_id_format(id, &entry->id);
	snprintf(key, KEY_SIZE, "%.2s/%s-%llx-%o-%lld.%ld", id, id + 2,
	        (unsigned long long)entry->size, copy_checkout_mode(manifest_mode(entry)),
	        (long long)entry->mtime.tv_sec, entry->mtime.tv_nsec);
}

/* How many files with this key the snapshot had before this one. */
static int count_up(struct snapshot_pool *pool, const char *key, uintptr_t *count)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
	*count = (uintptr_t)map_get(&pool->used, hash);
	return map_put(&pool->used, hash, (void *)(*count + 1));
}

/* 1: the file is there; 0: there is none to be had. */
static int take_from_pool(
        const struct snapshot_pool *pool, const char *key, int directory, const char *name)
{
	if (linkat(pool->fd, key, directory, name, 0) == 0)
		return 1;
	return errno == ENOENT || errno == EMLINK ? 0 : -errno;
}

/* The pool is only a gain: without it the file is there all the same. */
static void give_to_pool(
        struct snapshot_pool *pool, const char *key, int directory, const char *name)
{
	char sub[3] = {key[0], key[1], 0};
	struct stat attr;

	if (fstatat(directory, name, &attr, AT_SYMLINK_NOFOLLOW) == 0)
		pool->bytes += (uint64_t)attr.st_blocks * 512;
	if (linkat(directory, name, pool->fd, key, 0) == 0 || errno != ENOENT)
		return;
	if (mkdirat(pool->fd, sub, 0700) == 0 || errno == EEXIST)
		(void)!linkat(directory, name, pool->fd, key, 0);
}

int snapshot_pool_file(
        struct snapshot_write *write, int directory, const struct manifest_entry *entry)
{
	struct snapshot_pool *pool = write->pool;
	char key[KEY_SIZE + 24];
	uintptr_t count;
	size_t length;
	int r;

	if (entry->size == 0)
		return snapshot_write_file(write, directory, entry);
	make_key(entry, key);
	r = count_up(pool, key, &count);
	length = strlen(key);
	if (count)
		snprintf(key + length, sizeof(key) - length, "-%llu", (unsigned long long)count);
	if (r == 0)
		r = take_from_pool(pool, key, directory, entry->name);
	if (r != 0)
		return r < 0 ? r : 0;
	r = snapshot_write_file(write, directory, entry);
	if (r == 0)
		give_to_pool(pool, key, directory, entry->name);
	return r;
}

/* --- sweeping --- */

static int sweep_directory(int fd, uint64_t *bytes)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	struct stat attr;

	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(dir))) {
		if (fstatat(fd, entry->d_name, &attr, AT_SYMLINK_NOFOLLOW) < 0 ||
		        !S_ISREG(attr.st_mode))
			continue;
		if (attr.st_nlink == 1)
			unlinkat(fd, entry->d_name, 0);
		else
			*bytes += (uint64_t)attr.st_blocks * 512;
	}
	closedir(dir);
	return 0;
}

int snapshot_pool_sweep(int fd, uint64_t *bytes)
{
	char name[3];
	unsigned i;
	int below, r = 0;

	*bytes = 0;
	for (i = 0; r == 0 && i < 256; i++) {
		snprintf(name, sizeof(name), "%02x", i);
		below = copy_open_directory(fd, name);
		if (below >= 0)
			r = sweep_directory(below, bytes);
		else if (below != -ENOENT)
			r = fail(below, "sweeping the pool of files of versions");
	}
	return r;
}
