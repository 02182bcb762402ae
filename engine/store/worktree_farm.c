/* SPDX-License-Identifier: Apache-2.0 */
/* A slot as a farm of hard links to another one: a copy that costs no content. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/worktree_copy.h"
#include "store/worktree_sync.h"

static int farm_directory(int from, int to, const char *name, size_t *entries)
{
	CLEANUP(close_p) int below_from = copy_open_directory(from, name);
	CLEANUP(close_p) int below_to = -1;
	struct stat attr;
	int r;

	if (below_from < 0 || fstat(below_from, &attr) < 0)
		return -EIO;
	if (mkdirat(to, name, 0755) < 0)
		return -errno;
	below_to = copy_open_directory(to, name);
	if (below_to < 0)
		return below_to;
	r = sync_link_tree(below_from, below_to, entries);
	if (r == 0) {
		struct timespec times[2] = {attr.st_atim, attr.st_mtim};
		fchmod(below_to, attr.st_mode & 07777);
		futimens(below_to, times);
	}
	return r;
}

/* Where links are refused or exhausted. */
static int farm_copy(int from, int to, const char *name)
{
	CLEANUP(close_p) int in = copy_open_file(from, name);
	CLEANUP(close_p) int out = -1;
	struct timespec times[2];
	char target[PATH_MAX];
	struct stat attr;
	ssize_t length;
	int r;

	if (in == -ELOOP) {
		length = readlinkat(from, name, target, sizeof(target) - 1);
		if (length < 0)
			return -errno;
		target[length] = 0;
		return symlinkat(target, to, name) < 0 ? -errno : 0;
	}
	if (in < 0 || fstat(in, &attr) < 0)
		return -EIO;
	out = openat(to, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	r = copy_whole(in, out, attr.st_size);
	times[0] = attr.st_atim;
	times[1] = attr.st_mtim;
	if (r == 0 && (fchmod(out, attr.st_mode & 07777) < 0 || futimens(out, times) < 0))
		r = -errno;
	return r;
}

int sync_link_file(int from, int to, const char *name)
{
	if (linkat(from, name, to, name, 0) == 0)
		return 0;
	if (errno == ENOSPC || errno == EDQUOT || errno == EEXIST)
		return -errno;
	return farm_copy(from, to, name);
}

static int farm_entry(int from, int to, const struct dirent *entry, size_t *entries)
{
	const char *name = entry->d_name;
	struct stat attr;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	++*entries;
	if (entry->d_type == DT_DIR)
		return farm_directory(from, to, name, entries);
	if (entry->d_type == DT_UNKNOWN) {
		if (fstatat(from, name, &attr, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		if (S_ISDIR(attr.st_mode))
			return farm_directory(from, to, name, entries);
	}
	return sync_link_file(from, to, name);
}

int sync_link_tree(int from, int to, size_t *entries)
{
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		close_fd(fd);
		return -EIO;
	}
	while (r == 0 && (entry = readdir(dir)))
		r = farm_entry(from, to, entry, entries);
	closedir(dir);
	return r;
}
