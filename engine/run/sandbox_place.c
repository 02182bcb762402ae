/* SPDX-License-Identifier: Apache-2.0 */
#include "run/sandbox_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/cleanup.h"

#define ROOM_BYTES  (16 << 20) /* a tree is about one */
#define ROOM_INODES 8192

static const char *const memory[] = {"/run/fnfs-sandbox", "/dev/shm/fnfs-sandbox", NULL};

/* --- removing --------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (remove(path) < 0 && errno == EACCES)
		return -1;
	return 0;
}

void sandbox_place_remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* A descriptor with the lock; -EAGAIN when another process has it, or had it and removed the directory; -errno. */
static int lock_directory(const char *path)
{
	CLEANUP(close_p) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	return st.st_nlink ? take_fd(fd) : -EAGAIN;
}

static void sweep(const char *home)
{
	DIR *directory = opendir(home);
	struct dirent *entry;
	char path[PATH_MAX];
	int lock;

	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", home, entry->d_name);
		lock = lock_directory(path);
		if (lock >= 0)
			sandbox_place_remove_tree(path);
		close_fd(lock);
	}
	if (directory)
		closedir(directory);
}

/* --- choosing --------------------------------------------------------------------------------- */

/* Whoever could write into it could give sandboxes another root. */
static bool is_ours(const char *home)
{
	struct stat st;

	return lstat(home, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static bool has_room(const char *home)
{
	struct statfs fs;

	return statfs(home, &fs) == 0 && fs.f_type == TMPFS_MAGIC &&
	       fs.f_bavail * (uint64_t)fs.f_bsize >= ROOM_BYTES &&
	       (fs.f_files == 0 || fs.f_ffree >= ROOM_INODES);
}

static bool is_usable(const char *home)
{
	if (mkdir(home, 0755) < 0 && errno != EEXIST)
		return false;
	if (is_ours(home) && has_room(home))
		return true;
	rmdir(home); /* not while somebody uses it */
	return false;
}

static const char *choose_home(const struct sandbox_place *place, bool in_memory)
{
	for (size_t i = 0; in_memory && geteuid() == 0 && memory[i]; i++)
		if (is_usable(memory[i]))
			return memory[i];
	return place->state;
}

/* --- life ------------------------------------------------------------------------------------- */

int sandbox_place_init(struct sandbox_place *place, const char *state_dir, bool in_memory)
{
	*place = (struct sandbox_place){.lock = -1};
	if (asprintf(&place->state, "%s/sandbox", state_dir) < 0)
		place->state = NULL;
	place->home = place->state ? strdup(choose_home(place, in_memory)) : NULL;
	if (!place->home)
		return -ENOMEM;
	sweep(place->state);
	rmdir(place->state);
	if (strcmp(place->home, place->state) != 0)
		sweep(place->home);
	return 0;
}

static void forget(struct sandbox_place *place)
{
	place->lock = close_fd(place->lock);
	free(take(place->path));
}

/* Another one that starts at this moment may take a directory without a lock for a dead one's. */
static int make_locked(struct sandbox_place *place, const char *path)
{
	int lock;

	if (mkdir(path, 0755) < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	lock = lock_directory(path);
	if (lock >= 0)
		place->path = strdup(path);
	if (place->path) {
		place->lock = lock;
		return 0;
	}
	if (lock != -EAGAIN)
		rmdir(path);
	close_fd(lock);
	return lock < 0 ? lock : -ENOMEM;
}

int sandbox_place_provide(struct sandbox_place *place)
{
	char path[PATH_MAX];
	int error = 0;

	if (place->path && access(place->path, F_OK) == 0)
		return 0;
	forget(place);
	for (unsigned attempt = 0; attempt < 100; attempt++) {
		if (mkdir(place->home, 0755) < 0 && errno != EEXIST)
			return -errno;
		if (!is_ours(place->home)) {
			if (errno != ENOENT)
				return -EPERM;
			error = -EAGAIN; /* another guardian was the last to leave it */
			continue;
		}
		snprintf(path, sizeof(path), "%s/%d.%u", place->home, (int)getpid(), attempt);
		error = make_locked(place, path);
		if (error != -EAGAIN && error != -EEXIST)
			break;
	}
	return error;
}

static void leave(struct sandbox_place *place)
{
	if (place->path)
		sandbox_place_remove_tree(place->path);
	if (place->home)
		rmdir(place->home); /* not while another guardian's is there */
	forget(place);
	free(take(place->home));
}

bool sandbox_place_retreat(struct sandbox_place *place)
{
	char *home = strcmp(place->home, place->state) == 0 ? NULL : strdup(place->state);

	if (!home)
		return false;
	leave(place);
	place->home = home;
	return true;
}

void sandbox_place_deinit(struct sandbox_place *place)
{
	leave(place);
	free(take(place->state));
}
