/* SPDX-License-Identifier: Apache-2.0 */
#include "store/build_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sha256.h"
#include "store/build_tree_names.h"
#include "store/worktree_copy.h"

#define READ_SIZE (128 * 1024)

/* --- the digest ------------------------------------------------------------------------------- */

struct digesting {
	struct sha256 *sha256;
	const atomic_bool *canceled;
	char *piece; /* of READ_SIZE bytes */
};

/* A kind, a name and a number: nothing that follows can be taken for a part of it. */
static void add_head(struct digesting *digesting, char kind, const char *name, uint64_t number)
{
	sha256_add(digesting->sha256, &kind, 1);
	sha256_add(digesting->sha256, name, strlen(name) + 1);
	sha256_add(digesting->sha256, &number, sizeof(number));
}

static int digest_file(
        struct digesting *digesting, int directory, const char *name, const struct stat *attr)
{
	CLEANUP(close_p) int fd = copy_open_file(directory, name);
	ssize_t got = 0;

	if (fd < 0)
		return fd;
	add_head(digesting, attr->st_mode & 0100 ? 'x' : 'f', name, (uint64_t)attr->st_size);
	while (!*digesting->canceled && (got = read(fd, digesting->piece, READ_SIZE)) > 0)
		sha256_add(digesting->sha256, digesting->piece, (size_t)got);
	return got < 0 ? -errno : 0;
}

static int digest_link(struct digesting *digesting, int directory, const char *name)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(directory, name, target, sizeof(target));

	if (length < 0)
		return -errno;
	add_head(digesting, 'l', name, (uint64_t)length);
	sha256_add(digesting->sha256, target, (size_t)length);
	return 0;
}

static int digest_tree(struct digesting *digesting, int fd, unsigned depth);

static int digest_directory(
        struct digesting *digesting, int directory, const char *name, unsigned depth)
{
	CLEANUP(close_p) int fd = copy_open_directory(directory, name);

	if (fd < 0)
		return fd;
	add_head(digesting, 'd', name, 0);
	return digest_tree(digesting, fd, depth + 1);
}

static int digest_entry(
        struct digesting *digesting, int directory, const char *name, unsigned depth)
{
	struct stat attr;

	if (fstatat(directory, name, &attr, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	switch (attr.st_mode & S_IFMT) {
	case S_IFDIR:
		return digest_directory(digesting, directory, name, depth);
	case S_IFREG:
		return digest_file(digesting, directory, name, &attr);
	case S_IFLNK:
		return digest_link(digesting, directory, name);
	default:
		return 0;
	}
}

static int digest_tree(struct digesting *digesting, int fd, unsigned depth)
{
	struct tree_names names;
	int r = depth > BUILD_TREE_DEPTH ? -ELOOP : tree_names_read(&names, fd);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < names.count; i++)
		r = *digesting->canceled ? -ECANCELED
		                         : digest_entry(digesting, fd, names.items[i], depth);
	add_head(digesting, 'e', "", names.count);
	tree_names_free(&names);
	return r;
}

int build_tree_digest(int fd, struct sha256 *sha256, const atomic_bool *canceled)
{
	CLEANUP(free_p) char *piece = malloc(READ_SIZE);
	struct digesting digesting = {.sha256 = sha256, .canceled = canceled, .piece = piece};

	return piece ? digest_tree(&digesting, fd, 0) : -ENOMEM;
}

/* --- the copy --------------------------------------------------------------------------------- */

static int give(const struct build_tree_copy *copy, int directory, const char *name)
{
	if (copy->uid == (uid_t)-1)
		return 0;
	return fchownat(directory, name, copy->uid, copy->gid,
	               AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0
	               ? -errno
	               : 0;
}

/* The owner before the mode, for a change of owner takes bits of the mode away. */
static int finish(const struct build_tree_copy *copy, int fd, const struct stat *attr, mode_t more)
{
	const struct timespec times[2] = {attr->st_atim, attr->st_mtim};
	int r = give(copy, fd, "");

	if (r == 0 && (fchmod(fd, (attr->st_mode & 0777) | more) < 0 || futimens(fd, times) < 0))
		r = -errno;
	return r;
}

static int copy_file(const struct build_tree_copy *copy, int from, int to, const char *name,
        const struct stat *attr)
{
	CLEANUP(close_p) int source = copy_open_file(from, name);
	CLEANUP(close_p)
	int target = source < 0 ? source
	                        : openat(to, name,
	                                  O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (source < 0 || target < 0)
		return source < 0 ? source : -errno;
	r = copy_whole(source, target, attr->st_size);
	return r < 0 ? r : finish(copy, target, attr, 0600);
}

static int copy_link(const struct build_tree_copy *copy, int from, int to, const char *name,
        const struct stat *attr)
{
	const struct timespec times[2] = {attr->st_atim, attr->st_mtim};
	char target[PATH_MAX];
	ssize_t length = readlinkat(from, name, target, sizeof(target) - 1);

	if (length < 0)
		return -errno;
	target[length] = 0;
	if (symlinkat(target, to, name) < 0 || utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return give(copy, to, name);
}

static int copy_tree(const struct build_tree_copy *copy, int from, int to, unsigned depth);

static int copy_directory(const struct build_tree_copy *copy, int from, int to, const char *name,
        const struct stat *attr, unsigned depth)
{
	CLEANUP(close_p) int source = copy_open_directory(from, name);
	CLEANUP(close_p) int target = -1;
	int r;

	if (source < 0 || mkdirat(to, name, 0700) < 0)
		return source < 0 ? source : -errno;
	target = copy_open_directory(to, name);
	if (target < 0)
		return target;
	r = copy_tree(copy, source, target, depth + 1);
	return r < 0 ? r : finish(copy, target, attr, 0700);
}

static int copy_entry(
        const struct build_tree_copy *copy, int from, int to, const char *name, unsigned depth)
{
	struct stat attr;

	if (fstatat(from, name, &attr, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	switch (attr.st_mode & S_IFMT) {
	case S_IFDIR:
		return copy_directory(copy, from, to, name, &attr, depth);
	case S_IFREG:
		return copy_file(copy, from, to, name, &attr);
	case S_IFLNK:
		return copy_link(copy, from, to, name, &attr);
	default:
		return 0;
	}
}

static int copy_tree(const struct build_tree_copy *copy, int from, int to, unsigned depth)
{
	struct tree_names names;
	int r = depth > BUILD_TREE_DEPTH ? -ELOOP : tree_names_read(&names, from);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < names.count; i++)
		r = *copy->canceled ? -ECANCELED
		                    : copy_entry(copy, from, to, names.items[i], depth);
	tree_names_free(&names);
	return r;
}

int build_tree_copy(const struct build_tree_copy *copy, int from, int to)
{
	struct stat attr;
	int r = copy_tree(copy, from, to, 0);

	if (r == 0 && fstat(from, &attr) < 0)
		r = -errno;
	return r < 0 ? r : finish(copy, to, &attr, 0700);
}
