/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of snapshots on disk. A snapshot is made under another name and renamed when it is
 * whole, so what has its name is whole as long as the machine's memory was not lost: the file
 * `boot` holds the id of the boot in which all of it was made.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/snapshot_cache_private.h"
#include "store/snapshot_pool.h"
#include "store/worktree_copy.h"

#define BOOT         "boot"
#define BOOT_SIZE    64
#define POOL         "files"
#define NEW          "new"
#define TRASH        "trash-"
#define RECENT_BYTES (8 << 20)

void cache_to_trash(struct snapshot_cache *cache, const char *name)
{
	char trash[40];
	int r;

	do {
		snprintf(trash, sizeof(trash), TRASH "%llu",
		        (unsigned long long)cache->next_trash++);
		r = renameat(cache->fd, name, cache->fd, trash);
	} while (r < 0 && (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR));
	cache->trash = true;
}

/* --- opening --- */

static bool is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static DIR *open_listing(int directory)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir)
		close_fd(fd);
	return dir;
}

static int open_or_create(int parent, const char *name)
{
	int fd;

	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = copy_open_directory(parent, name);
	return fd;
}

static int find_path(struct snapshot_cache *cache)
{
	char link[64], path[PATH_MAX];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", cache->fd);
	length = readlink(link, path, sizeof(path) - 1);
	if (length <= 0)
		return -EIO;
	path[length] = 0;
	cache->path = strdup(path);
	return cache->path ? 0 : -ENOMEM;
}

static bool read_text(int directory, const char *name, char text[BOOT_SIZE])
{
	CLEANUP(close_p) int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, BOOT_SIZE - 1);

	text[got > 0 ? got : 0] = 0;
	return got > 0;
}

static bool same_boot(const struct snapshot_cache *cache)
{
	char now[BOOT_SIZE], then[BOOT_SIZE];

	return read_text(AT_FDCWD, "/proc/sys/kernel/random/boot_id", now) &&
	       read_text(cache->fd, BOOT, then) && strcmp(now, then) == 0;
}

/* When all of another boot is out of the way. */
static void write_boot(struct snapshot_cache *cache)
{
	CLEANUP(close_p)
	int fd = openat(cache->fd, BOOT, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char now[BOOT_SIZE];

	if (fd >= 0 && read_text(AT_FDCWD, "/proc/sys/kernel/random/boot_id", now) &&
	        write(fd, now, strlen(now)) < 0)
		unlinkat(cache->fd, BOOT, 0);
}

static void sort_entry(struct snapshot_cache *cache, const char *name, bool sound)
{
	struct cached *entry;
	struct blob_id root;

	if (is_dot(name) || strcmp(name, BOOT) == 0 || (sound && strcmp(name, POOL) == 0))
		return;
	cache->trash = true;
	if (strncmp(name, TRASH, strlen(TRASH)) == 0)
		return;
	if (!sound || blob_id_parse(&root, name) < 0 || cached_add(cache, &root, &entry) < 0)
		cache_to_trash(cache, name);
}

/* Renaming while listing may show a new name again: then it is trash already. */
static int sort_out(struct snapshot_cache *cache)
{
	bool sound = same_boot(cache);
	DIR *dir = open_listing(cache->fd);
	struct dirent *entry;

	if (!dir)
		return -EIO;
	while ((entry = readdir(dir)))
		sort_entry(cache, entry->d_name, sound);
	closedir(dir);
	if (!sound)
		write_boot(cache);
	return 0;
}

int cache_open_directory(struct snapshot_cache *cache, int parent_fd, const char *name)
{
	int r;

	cache->fd = open_or_create(parent_fd, name);
	if (cache->fd < 0)
		return cache->fd;
	r = find_path(cache);
	if (r == 0)
		r = sort_out(cache);
	if (r < 0)
		return r;
	cache->pool_fd = open_or_create(cache->fd, POOL);
	return cache->pool_fd < 0 ? cache->pool_fd : 0;
}

/* --- on a worker --- */

static void remove_trash(struct snapshot_cache *cache)
{
	DIR *dir = open_listing(cache->fd);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (strncmp(entry->d_name, TRASH, strlen(TRASH)) == 0)
			copy_remove(cache->fd, entry->d_name);
	closedir(dir);
}

static int write_new(struct cache_job *job, int fd)
{
	struct snapshot_pool pool = {.fd = job->cache->pool_fd};
	struct snapshot_write write = {.root = fd, .pool = &pool, .canceled = &job->cache->closed};
	int r;

	write.recent = snapshot_recent_new(job->cache->blobs, RECENT_BYTES);
	if (!write.recent)
		return -ENOMEM;
	r = snapshot_write_run(&write, &job->root);
	snapshot_recent_free(write.recent);
	map_deinit(&pool.used);
	job->bytes += pool.bytes;
	return r;
}

static int make(struct cache_job *job)
{
	CLEANUP(close_p) int fd = -1;
	int cache = job->cache->fd, r = copy_remove(cache, NEW);
	char name[BLOB_TEXT_SIZE];

	blob_id_format(name, &job->root);
	fd = r < 0 ? r : open_or_create(cache, NEW);
	r = fd < 0 ? fd : write_new(job, fd);
	if (r == 0 && renameat(cache, NEW, cache, name) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	copy_remove(cache, NEW);
	return r == -ECANCELED ? r : fail(r, "making snapshot %s ready to run", name);
}

void cache_work(uv_work_t *work)
{
	struct cache_job *job = work->data;

	if (job->sweep)
		remove_trash(job->cache);
	if (job->make)
		job->status = make(job);
	if (job->sweep || job->status < 0)
		(void)!snapshot_pool_sweep(job->cache->pool_fd, &job->bytes); /* next time */
}
