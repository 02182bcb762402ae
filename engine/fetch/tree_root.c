/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree that is the root of a file system. Links on the way to a name are followed by the kernel with this
 * directory as their `/` (RESOLVE_IN_ROOT), so they cannot lead out whatever they say.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fetch/tree_private.h"

enum { DEEPEST = 256 };

int tree_open(const struct tree *tree, const char *path, int flags)
{
	return tree_open_below(tree->root, path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

/* The directory `path`, whose parent is open as `parent`. */
static int open_step(struct tree *tree, int parent, const char *path)
{
	const char *slash = strrchr(path, '/');
	int fd = tree_open(tree, path, O_PATH | O_DIRECTORY);

	if (fd != -ENOENT)
		return fd;
	if (mkdirat(parent, slash ? slash + 1 : path, 0755) < 0)
		return errno == EEXIST ? -ENOTDIR : -errno; /* a link to nothing */
	fd = tree_count_file(tree);
	return fd < 0 ? fd : tree_open(tree, path, O_PATH | O_DIRECTORY);
}

int tree_open_or_make(struct tree *tree, const char *name)
{
	int fd = tree_open(tree, name, O_PATH | O_DIRECTORY), next;
	char path[PATH_MAX], *slash = path;

	if (fd != -ENOENT)
		return fd;
	strcpy(path, name); /* clean, so it fits */
	fd = fcntl(tree->root, F_DUPFD_CLOEXEC, 3);
	while (fd >= 0 && slash) {
		slash = strchr(slash, '/');
		if (slash)
			*slash = 0;
		next = open_step(tree, fd, path);
		close(fd);
		fd = next;
		if (slash)
			*slash++ = '/';
	}
	return fd;
}

static int empty_at(int parent, const char *name, int depth);

static int remove_any(int parent, const char *leaf, int depth)
{
	int error;

	if (unlinkat(parent, leaf, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -errno;
	error = depth == DEEPEST ? -ELOOP : empty_at(parent, leaf, depth + 1);
	if (!error && unlinkat(parent, leaf, AT_REMOVEDIR) < 0)
		error = -errno;
	return error;
}

static int empty_at(int parent, const char *name, int depth)
{
	int fd = tree_open_strictly(parent, name, O_RDONLY | O_DIRECTORY, 0), error = 0;
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!directory)
		return fd < 0 ? fd : (close(fd), -ENOMEM);
	while (!error && (entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			error = remove_any(fd, entry->d_name, depth);
	closedir(directory);
	return error;
}

int tree_remove_at(struct tree *tree, int parent, const char *leaf, const char *name)
{
	int error = remove_any(parent, leaf, 0);

	tree_forget_parent(tree);
	return error ? tree_refuse_system(tree, error, name) : 0;
}

/* What does not exist is not made for being removed. */
static bool parent_exists(const struct tree *tree, const char *name)
{
	const char *slash = strrchr(name, '/');
	char path[PATH_MAX];
	int fd;

	if (!slash)
		return true;
	memcpy(path, name, (size_t)(slash - name));
	path[slash - name] = 0;
	fd = tree_open(tree, path, O_PATH | O_DIRECTORY);
	close_fd(fd);
	return fd >= 0;
}

int tree_remove(struct tree *tree, const char *name)
{
	const char *leaf;
	int parent, error;

	if (!parent_exists(tree, name))
		return 0;
	error = tree_find_parent(tree, name, &parent, &leaf);
	return error ? error : tree_remove_at(tree, parent, leaf, name);
}

int tree_empty(struct tree *tree, const char *name)
{
	const char *leaf = ".";
	int parent = tree->root, error = 0;

	if (*name && !parent_exists(tree, name))
		return 0;
	if (*name)
		error = tree_find_parent(tree, name, &parent, &leaf);
	if (error)
		return error;
	error = empty_at(parent, leaf, 0);
	tree_forget_parent(tree);
	return error && error != -ENOENT && error != -ENOTDIR && error != -ELOOP
	               ? tree_refuse_system(tree, error, name)
	               : 0;
}
