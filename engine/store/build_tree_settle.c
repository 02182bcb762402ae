/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What looks at a tree that somebody else has made, or is making: nothing it finds is a surprise. A directory
 * that cannot be opened while the build runs counts for itself; what is hidden in it shows when the tree is
 * settled, and by the room that is left on the disk meanwhile.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/build_tree.h"
#include "store/build_tree_names.h"
#include "store/worktree_copy.h"

/* --- names ------------------------------------------------------------------------------------ */

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

static int add(struct tree_names *names, const char *name)
{
	size_t room = names->room ? names->room * 2 : 32;
	char **items;

	if (names->count == names->room) {
		items = realloc(names->items, room * sizeof(*items));
		if (!items)
			return -ENOMEM;
		names->items = items;
		names->room = room;
	}
	names->items[names->count] = strdup(name);
	return names->items[names->count] ? (names->count++, 0) : -ENOMEM;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int tree_names_read(struct tree_names *names, int fd)
{
	DIR *dir = open_listing(fd);
	struct dirent *entry;
	int r = 0;

	*names = (struct tree_names){};
	if (!dir)
		return -EIO;
	while (r == 0 && (entry = readdir(dir)))
		if (!is_dot(entry->d_name))
			r = add(names, entry->d_name);
	closedir(dir);
	if (names->count)
		qsort(names->items, names->count, sizeof(*names->items), compare);
	if (r < 0)
		tree_names_free(names);
	return r;
}

void tree_names_free(struct tree_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
	*names = (struct tree_names){};
}

/* --- weighing --------------------------------------------------------------------------------- */

static void add_weight(struct build_tree_weight *weight, const struct stat *attr)
{
	uint64_t links = attr->st_nlink && !S_ISDIR(attr->st_mode) ? attr->st_nlink : 1;

	weight->entries++;
	weight->bytes += (uint64_t)attr->st_blocks * 512 / links;
}

static void weigh(
        int fd, struct build_tree_weight *weight, const atomic_bool *canceled, unsigned depth)
{
	DIR *dir = open_listing(fd);
	struct dirent *entry;
	struct stat attr;

	if (depth > BUILD_TREE_DEPTH)
		weight->too_deep = true;
	while (dir && !weight->too_deep && !*canceled && (entry = readdir(dir))) {
		if (is_dot(entry->d_name) ||
		        fstatat(fd, entry->d_name, &attr, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		add_weight(weight, &attr);
		if (S_ISDIR(attr.st_mode)) {
			CLEANUP(close_p) int below = copy_open_directory(fd, entry->d_name);

			if (below >= 0)
				weigh(below, weight, canceled, depth + 1);
		}
	}
	if (dir)
		closedir(dir);
}

void build_tree_weigh(int fd, struct build_tree_weight *weight, const atomic_bool *canceled)
{
	*weight = (struct build_tree_weight){};
	weigh(fd, weight, canceled, 0);
}

/* --- settling --------------------------------------------------------------------------------- */

static int settle(
        int fd, struct build_tree_weight *weight, const atomic_bool *canceled, unsigned depth);

static int settle_directory(int fd, const char *name, const struct stat *attr,
        struct build_tree_weight *weight, const atomic_bool *canceled, unsigned depth)
{
	CLEANUP(close_p) int below = -1;

	if ((attr->st_mode & 0700) != 0700 &&
	        fchmodat(fd, name, (attr->st_mode & 0777) | 0700, 0) < 0)
		return -errno;
	below = copy_open_directory(fd, name);
	return below < 0 ? below : settle(below, weight, canceled, depth + 1);
}

static int settle_entry(int fd, const char *name, struct build_tree_weight *weight,
        const atomic_bool *canceled, unsigned depth)
{
	struct stat attr;

	if (fstatat(fd, name, &attr, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	add_weight(weight, &attr);
	if (S_ISDIR(attr.st_mode))
		return settle_directory(fd, name, &attr, weight, canceled, depth);
	if (S_ISREG(attr.st_mode) || S_ISLNK(attr.st_mode))
		return 0;
	return unlinkat(fd, name, 0) < 0 ? -errno : 0;
}

static int settle(
        int fd, struct build_tree_weight *weight, const atomic_bool *canceled, unsigned depth)
{
	struct tree_names names;
	int r = depth > BUILD_TREE_DEPTH ? -ELOOP : tree_names_read(&names, fd);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < names.count; i++)
		r = *canceled ? -ECANCELED
		              : settle_entry(fd, names.items[i], weight, canceled, depth);
	tree_names_free(&names);
	return r;
}

int build_tree_settle(int fd, struct build_tree_weight *weight, const atomic_bool *canceled)
{
	*weight = (struct build_tree_weight){};
	if (fchmod(fd, 0755) < 0)
		return -errno;
	return settle(fd, weight, canceled, 0);
}
