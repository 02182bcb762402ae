/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"

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
#include "base/map.h"

struct walking {
	tree_visit_fn visit;
	void *userdata;
	struct buf path;    /* of what is looked at */
	struct map several; /* paths of files with several names, by inode */
};

static int compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_child(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* --- walking ---------------------------------------------------------------------------------- */

/* What a further name of a file says is that alone. */
static void describe(const struct stat *status, struct tree_entry *entry)
{
	if (entry->same)
		return;
	entry->mode = status->st_mode;
	entry->modified = status->st_mtim;
	entry->size = S_ISREG(status->st_mode) ? (uint64_t)status->st_size : 0;
}

/* The first name of a file counts as the file, the others as links to it. 0 or -ENOMEM. */
static int find_first_name(
        struct walking *walking, const struct stat *status, struct tree_entry *entry)
{
	char *path;
	int error;

	if (S_ISDIR(status->st_mode) || status->st_nlink < 2)
		return 0;
	entry->same = map_get(&walking->several, status->st_ino);
	if (entry->same)
		return 0;
	path = strdup(walking->path.data);
	error = path ? map_put(&walking->several, status->st_ino, path) : -ENOMEM;
	if (error)
		free(path);
	return error;
}

/* What is open is what is described. */
static int visit_file(
        struct walking *walking, int directory, const char *name, struct tree_entry *entry)
{
	CLEANUP(close_p)
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -ESTALE; /* something else since it was looked at */
	describe(&status, entry);
	return walking->visit(walking->userdata, entry, fd);
}

static int visit_link(
        struct walking *walking, int directory, const char *name, struct tree_entry *entry)
{
	char target[PATH_MAX + 1];
	ssize_t length = readlinkat(directory, name, target, sizeof(target) - 1);

	if (length < 0)
		return -errno;
	target[length] = 0;
	entry->target = target;
	return walking->visit(walking->userdata, entry, -1);
}

static int walk_directory(struct walking *walking, int directory, const struct stat *status);

static int enter(struct walking *walking, int directory, const char *name)
{
	CLEANUP(close_p)
	int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	return walk_directory(walking, fd, &status);
}

static int walk_entry(struct walking *walking, int directory, const char *name)
{
	struct tree_entry entry = {.path = walking->path.data};
	struct stat status;
	int error;

	if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(status.st_mode))
		return enter(walking, directory, name);
	if (S_ISSOCK(status.st_mode))
		return 0;
	error = find_first_name(walking, &status, &entry);
	if (error)
		return error;
	describe(&status, &entry);
	if (S_ISREG(status.st_mode) && !entry.same)
		return visit_file(walking, directory, name, &entry);
	if (S_ISLNK(status.st_mode) && !entry.same)
		return visit_link(walking, directory, name, &entry);
	return walking->visit(walking->userdata, &entry, -1);
}

/* An error leaves the path as it is, to be named. */
static int walk_below(struct walking *walking, int directory, struct dirent **names, int count)
{
	size_t length = walking->path.length;
	int result = 0;

	for (int i = 0; i < count; i++) {
		if (result == 0) {
			if (length)
				buf_puts(&walking->path, "/");
			buf_puts(&walking->path, names[i]->d_name);
			result = walking->path.failed
			                 ? -ENOMEM
			                 : walk_entry(walking, directory, names[i]->d_name);
		}
		if (result == 0) {
			walking->path.length = length;
			walking->path.data[length] = 0;
		}
		free(names[i]);
	}
	free(names);
	return result;
}

static int walk_directory(struct walking *walking, int directory, const struct stat *status)
{
	struct tree_entry entry = {.path = walking->path.data};
	struct dirent **names;
	int result, count;

	describe(status, &entry);
	result = walking->visit(walking->userdata, &entry, -1);
	if (result)
		return result;
	count = scandirat(directory, ".", &names, is_child, compare);
	return count < 0 ? -errno : walk_below(walking, directory, names, count);
}

int tree_walk(int directory, tree_visit_fn visit, void *userdata, struct buf *where)
{
	struct walking walking = {.visit = visit, .userdata = userdata};
	struct stat status;
	char *path;
	int result;

	map_init(&walking.several);
	buf_puts(&walking.path, "");
	result = walking.path.failed ? -ENOMEM : fstat(directory, &status) < 0 ? -errno : 0;
	if (!result)
		result = walk_directory(&walking, directory, &status);
	if (result < 0 && walking.path.data)
		buf_puts(where, walking.path.data);
	map_each(path, &walking.several, cursor)
		free(path);
	map_deinit(&walking.several);
	buf_deinit(&walking.path);
	return result;
}

/* --- emptying --------------------------------------------------------------------------------- */

static int remove_entry(int directory, const char *name)
{
	CLEANUP(close_p) int fd = -1;
	int error;

	if (unlinkat(directory, name, 0) == 0)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	fchmodat(directory, name, 0700, 0); /* only what may be read and changed can be emptied */
	fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	error = fd < 0 ? -errno : tree_empty(fd);
	return error ? error : unlinkat(directory, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int tree_empty(int directory)
{
	struct dirent **names;
	int error = 0, count = scandirat(directory, ".", &names, is_child, compare);

	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++) {
		if (!error)
			error = remove_entry(directory, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return error;
}
