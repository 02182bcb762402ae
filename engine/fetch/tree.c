/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fetch/entry_name.h"
#include "fetch/tree_private.h"

void tree_init(struct tree *tree, int root, const struct bounds *bounds, int64_t archive_bytes,
        struct report *report)
{
	*tree = (struct tree){.root = root,
	        .bounds = bounds,
	        .archive_bytes = archive_bytes,
	        .report = report,
	        .parent = -1};
}

void tree_deinit(struct tree *tree)
{
	tree->parent = close_fd(tree->parent);
	buf_deinit(&tree->parent_name);
	buf_deinit(&tree->links);
	buf_deinit(&tree->directories);
}

int tree_open_below(int directory, const char *name, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
	        .flags = (uint64_t)(flags | O_CLOEXEC), .mode = mode, .resolve = resolve};
	long fd = syscall(SYS_openat2, directory, name, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Below the directory, and over no link. */
int tree_open_strictly(int directory, const char *name, int flags, mode_t mode)
{
	return tree_open_below(directory, name, flags | O_NOFOLLOW, mode,
	        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

int tree_refuse_system(struct tree *tree, int error, const char *name)
{
	switch (error) {
	case -ELOOP:
	case -ENOTDIR:
		return report_refuse(tree->report, -EINVAL,
		        "%s: its place in the archive is no directory", name);
	case -EISDIR:
	case -ENOTEMPTY:
		return report_refuse(tree->report, -EINVAL,
		        "%s: is a directory and something else in the archive", name);
	case -ENOSPC:
	case -EDQUOT:
		return report_refuse(tree->report, -ENOSPC, "the disk is full at %s", name);
	default:
		return report_refuse(tree->report, error, "%s: %s", name, strerror(-error));
	}
}

int tree_count_file(struct tree *tree)
{
	if (++tree->files > tree->bounds->files)
		return report_refuse(tree->report, -EFBIG,
		        "there are more than %" PRId64 " files in the archive",
		        tree->bounds->files);
	report_unpacking(tree->report, tree->files, tree->bytes, false);
	return 0;
}

int tree_take_bytes(struct tree *tree, int64_t bytes)
{
	const struct bounds *bounds = tree->bounds;

	if (bytes < 0 || bytes > bounds->bytes - tree->bytes)
		return report_refuse(tree->report, -EFBIG,
		        "there are more than %" PRId64 " bytes in the archive", bounds->bytes);
	tree->bytes += bytes;
	if (tree->bytes > bounds->ratio_free_bytes &&
	        tree->bytes / bounds->ratio > tree->archive_bytes)
		return report_refuse(tree->report, -EFBIG,
		        "what is in the archive is more than %" PRId64
		        " times as large as the archive",
		        bounds->ratio);
	report_unpacking(tree->report, tree->files, tree->bytes, false);
	return 0;
}

/* One step down, made when it is not there. */
static int descend(struct tree *tree, int directory, const char *step)
{
	int fd = tree_open_strictly(directory, step, O_PATH | O_DIRECTORY, 0);

	if (fd != -ENOENT)
		return fd;
	if (mkdirat(directory, step, 0755) < 0)
		return -errno;
	fd = tree_count_file(tree);
	return fd < 0 ? fd : tree_open_strictly(directory, step, O_PATH | O_DIRECTORY, 0);
}

static int open_plainly(struct tree *tree, char *name)
{
	int fd = fcntl(tree->root, F_DUPFD_CLOEXEC, 3), next;
	char *rest = name, *step;

	while (fd >= 0 && (step = strsep(&rest, "/"))) {
		next = descend(tree, fd, step);
		close(fd);
		fd = next;
	}
	return fd;
}

static int open_directory(struct tree *tree, char *name)
{
	return tree->is_root ? tree_open_or_make(tree, name) : open_plainly(tree, name);
}

void tree_forget_parent(struct tree *tree)
{
	tree->parent_is_old = true;
}

/* Takes a name apart; *parent is borrowed until the next call. */
int tree_find_parent(struct tree *tree, const char *name, int *parent, const char **leaf)
{
	const char *slash = strrchr(name, '/');
	size_t length = slash ? (size_t)(slash - name) : 0;
	char copy[PATH_MAX];

	*leaf = slash ? slash + 1 : name;
	*parent = tree->root;
	if (!slash)
		return 0;
	memcpy(copy, name, length);
	copy[length] = 0;
	if (tree->parent < 0 || tree->parent_is_old || strcmp(tree->parent_name.data, copy) != 0) {
		tree->parent_is_old = false;
		close_fd(tree->parent);
		buf_clear(&tree->parent_name);
		buf_puts(&tree->parent_name, copy);
		tree->parent = tree->parent_name.failed ? -ENOMEM : open_directory(tree, copy);
		if (tree->parent < 0)
			return tree_refuse_system(tree, tree->parent, name);
	}
	*parent = tree->parent;
	return 0;
}

/* The place for something new: what stood there goes, unless it is a directory. */
static int find_place(struct tree *tree, const char *name, int *parent, const char **leaf)
{
	int error = tree_find_parent(tree, name, parent, leaf);

	if (!error)
		error = tree_count_file(tree);
	if (error)
		return error;
	if (unlinkat(*parent, *leaf, 0) == 0)
		tree_forget_parent(tree);
	else if (errno == EISDIR && tree->is_root)
		error = tree_remove_at(tree, *parent, *leaf, name);
	else if (errno != ENOENT)
		error = tree_refuse_system(tree, -errno, name);
	return error;
}

static int remember_directory(struct tree *tree, const char *name, struct timespec mtime)
{
	buf_append(&tree->directories, &mtime, sizeof(mtime));
	buf_append(&tree->directories, name, strlen(name) + 1);
	return tree->directories.failed ? report_refuse(tree->report, -ENOMEM, "out of memory") : 0;
}

int tree_directory(struct tree *tree, const char *name, struct timespec mtime)
{
	const char *leaf;
	int parent, fd, error;

	if (!*name)
		return remember_directory(tree, ".", mtime);
	error = tree_find_parent(tree, name, &parent, &leaf);
	if (error)
		return error;
	fd = descend(tree, parent, leaf);
	if (tree->is_root && (fd == -ELOOP || fd == -ENOTDIR) && unlinkat(parent, leaf, 0) == 0) {
		tree_forget_parent(tree);
		fd = descend(tree, parent, leaf);
	}
	if (fd < 0)
		return tree_refuse_system(tree, fd, name);
	close(fd);
	return remember_directory(tree, name, mtime);
}

int tree_symlink(struct tree *tree, const char *name, const char *target)
{
	const char *leaf;
	int parent, error;

	if (!*target || strlen(target) >= PATH_MAX ||
	        (!tree->is_root && !entry_link_stays(name, target)))
		return report_refuse(tree->report, -EPERM,
		        "%s is a link that leads out of the archive: %s", name, target);
	error = find_place(tree, name, &parent, &leaf);
	if (!error && symlinkat(target, parent, leaf) < 0)
		error = tree_refuse_system(tree, -errno, name);
	if (!tree->is_root)
		buf_append(&tree->links, name, strlen(name) + 1);
	if (!error && tree->links.failed)
		error = report_refuse(tree->report, -ENOMEM, "out of memory");
	return error;
}

/* Only files: a symbolic link would mean something else in another place, unless it is the whole root. */
static bool can_be_linked(const struct tree *tree, int directory, const char *name)
{
	struct stat st;

	return fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (S_ISREG(st.st_mode) || (tree->is_root && S_ISLNK(st.st_mode)));
}

int tree_hard_link(struct tree *tree, const char *name, const char *target)
{
	CLEANUP(close_p) int from = -1;
	const char *leaf, *old;
	int parent, error;

	if (strcmp(name, target) == 0)
		return 0;
	error = tree_find_parent(tree, target, &parent, &old);
	if (error)
		return error;
	from = fcntl(parent, F_DUPFD_CLOEXEC, 3);
	if (from < 0 || !can_be_linked(tree, from, old))
		return report_refuse(tree->report, -EPERM,
		        "%s is a link to what is no file of the archive: %s", name, target);
	error = find_place(tree, name, &parent, &leaf);
	if (!error && linkat(from, old, parent, leaf, 0) < 0)
		error = tree_refuse_system(tree, -errno, name);
	return error;
}

int tree_file(struct tree *tree, const char *name, mode_t mode, int *fd)
{
	const char *leaf;
	int parent, error = find_place(tree, name, &parent, &leaf);

	if (error)
		return error;
	*fd = tree_open_strictly(parent, leaf, O_WRONLY | O_CREAT | O_EXCL, mode);
	return *fd < 0 ? tree_refuse_system(tree, *fd, name) : 0;
}

int tree_write(struct tree *tree, int fd, const void *data, size_t length, int64_t at)
{
	const char *next = data;
	ssize_t n;

	for (; length; next += n, at += n, length -= (size_t)n) {
		n = pwrite(fd, next, length, at);
		if (n < 0)
			return tree_refuse_system(tree, -errno, "unpacking");
	}
	return 0;
}

int tree_file_end(struct tree *tree, int fd, int64_t size, struct timespec mtime)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, mtime};
	struct stat st;

	if (fstat(fd, &st) < 0 || (st.st_size != size && ftruncate(fd, size) < 0))
		return tree_refuse_system(tree, -errno, "unpacking");
	futimens(fd, times); /* a time out of the file system's range is no loss */
	return 0;
}

/* The words of a link can stay while other links on its way do not: the kernel knows. */
static int check_links(struct tree *tree)
{
	const char *name;

	for (size_t at = 0; at < tree->links.length; at += strlen(name) + 1) {
		name = tree->links.data + at;
		int fd = tree_open_below(
		        tree->root, name, O_PATH, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);

		if (fd == -EXDEV)
			return report_refuse(tree->report, -EPERM,
			        "%s is a link that leads out of the archive", name);
		close_fd(fd); /* one that leads to nothing, or in a circle, is what it is */
	}
	return 0;
}

static void set_directory_times(struct tree *tree)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_NOW}};
	const char *name;
	int fd;

	for (size_t at = 0; at < tree->directories.length;
	        at += sizeof(times[1]) + strlen(name) + 1) {
		memcpy(&times[1], tree->directories.data + at, sizeof(times[1]));
		name = tree->directories.data + at + sizeof(times[1]);
		fd = tree_open_strictly(tree->root, name, O_RDONLY | O_DIRECTORY, 0);
		if (fd >= 0)
			futimens(fd, times);
		close_fd(fd);
	}
}

int tree_finish(struct tree *tree)
{
	int error = check_links(tree);

	if (!error)
		set_directory_times(tree);
	return error;
}
