/* SPDX-License-Identifier: Apache-2.0 */
#include "store/worktree_copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"

/* Modes are granted for a moment in worker threads, too: nobody may change one meanwhile. */
static pthread_mutex_t granting = PTHREAD_MUTEX_INITIALIZER;

static int grant_and_open(int directory, const char *name, int flags, mode_t bits)
{
	int follow = flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0;
	struct stat st;
	int fd = -1, error = EACCES;

	pthread_mutex_lock(&granting);
	if (fstatat(directory, name, &st, follow) == 0 && S_ISREG(st.st_mode) &&
	        fchmodat(directory, name, (st.st_mode & 07777) | bits, 0) == 0) {
		fd = openat(directory, name, flags);
		error = errno;
		(void)!fchmodat(directory, name, st.st_mode & 07777, 0);
	}
	pthread_mutex_unlock(&granting);
	return fd >= 0 ? fd : -error;
}

int copy_open_granting(int directory, const char *name, int flags)
{
	int fd;

	flags |= O_CLOEXEC | O_NOCTTY;
	fd = openat(directory, name, flags);
	if (fd >= 0 || errno != EACCES)
		return fd >= 0 ? fd : -errno;
	return grant_and_open(
	        directory, name, flags, (flags & O_ACCMODE) == O_RDONLY ? 0400 : 0600);
}

int copy_open_file(int directory, const char *name)
{
	return copy_open_granting(directory, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
}

int copy_open_directory(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int copy_change_mode(int directory, const char *name, mode_t mode)
{
	int r;

	pthread_mutex_lock(&granting);
	r = name ? fchmodat(directory, name, mode, 0) : fchmod(directory, mode);
	r = r < 0 ? -errno : 0;
	pthread_mutex_unlock(&granting);
	return r;
}

/* Where copy_file_range() is not to be had (EXDEV on old kernels, memfd to disk): by hand. */
static int copy_by_hand(int from, int to, off_t offset, off_t length)
{
	char bytes[65536];

	while (length > 0) {
		size_t want = length < (off_t)sizeof(bytes) ? (size_t)length : sizeof(bytes);
		ssize_t got = pread(from, bytes, want, offset), put;
		if (got == 0)
			return 0;
		put = got < 0 ? -1 : pwrite(to, bytes, (size_t)got, offset);
		if (put < 0)
			return -errno;
		offset += put;
		length -= put;
	}
	return 0;
}

static int copy_data(int from, int to, off_t offset, off_t length)
{
	while (length > 0) {
		off_t in = offset, out = offset;
		ssize_t done = copy_file_range(from, &in, to, &out, (size_t)length, 0);
		if (done == 0)
			return 0; /* shorter than it was said to be */
		if (done < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
			return -errno;
		if (done < 0)
			return copy_by_hand(from, to, offset, length);
		offset += done;
		length -= done;
	}
	return 0;
}

/* Zeros from `start` to `end`, without room on the disk where it knows holes. */
static int copy_hole(int from, int to, off_t start, off_t end)
{
	struct stat attr;

	if (fstat(to, &attr) < 0 || (attr.st_size < end && ftruncate(to, end) < 0))
		return -errno;
	if (start >= attr.st_size)
		return 0;
	if (end > attr.st_size)
		end = attr.st_size;
	if (fallocate(to, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, end - start) == 0)
		return 0;
	return copy_by_hand(from, to, start, end - start);
}

/* Where data begins at or behind `offset`; `end` when there is only a hole before it. */
static off_t next_data(int from, off_t offset, off_t end)
{
	off_t data = lseek(from, offset, SEEK_DATA);

	if (data < 0 && errno != ENXIO)
		return offset; /* the disk does not tell */
	return data < 0 || data > end ? end : data;
}

static off_t next_hole(int from, off_t offset, off_t end)
{
	off_t hole = lseek(from, offset, SEEK_HOLE);

	return hole <= offset || hole > end ? end : hole;
}

int copy_range(int from, int to, off_t offset, off_t length)
{
	struct stat attr;
	off_t end = offset + length, next;
	int r = 0;

	if (fstat(from, &attr) < 0)
		return -errno;
	if (end > attr.st_size)
		end = attr.st_size; /* shorter than it was said to be */
	for (; r == 0 && offset < end; offset = next) {
		next = next_data(from, offset, end);
		if (next > offset) {
			r = copy_hole(from, to, offset, next);
			continue;
		}
		next = next_hole(from, offset, end);
		r = copy_data(from, to, offset, next - offset);
	}
	return r;
}

int copy_whole(int from, int to, off_t size)
{
	if (size == 0 || ioctl(to, FICLONE, from) == 0)
		return 0;
	return copy_range(from, to, 0, size);
}

/*
 * Whoever makes a tree may make it as deep as he likes, and a descriptor is held for each level: what
 * lies deeper than this is moved up to the top of the tree, and removed from there.
 */
#define REMOVE_DEPTH 48

struct removal {
	int top; /* the uppermost directory that is being emptied */
	unsigned moved;
};

static int remove_children(struct removal *removal, int fd, unsigned depth);

static int move_up(struct removal *removal, int directory, const char *name)
{
	char moved[32];

	do
		snprintf(moved, sizeof(moved), ".deep-%u", removal->moved++);
	while (renameat2(directory, name, removal->top, moved, RENAME_NOREPLACE) < 0 &&
	        errno == EEXIST);
	return faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? -EIO : 0;
}

/* A directory that is not empty: emptied through a descriptor, made writable first if need be. */
static int remove_directory(
        struct removal *removal, int directory, const char *name, unsigned depth)
{
	struct removal own = {};
	int fd, r;

	if (unlinkat(directory, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return errno == ENOENT ? 0 : -errno;
	(void)!fchmodat(directory, name, 0700, 0);
	if (depth > REMOVE_DEPTH)
		return move_up(removal, directory, name);
	fd = copy_open_directory(directory, name);
	if (fd < 0)
		return fd;
	if (!removal) {
		removal = &own;
		own.top = fd;
	}
	do {
		own.moved = 0;
		r = remove_children(removal, fd, depth);
	} while (r == 0 && own.moved);
	close(fd);
	if (r == 0 && unlinkat(directory, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}

static int remove_one(struct removal *removal, int directory, const char *name, unsigned depth)
{
	if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno == EISDIR || errno == EPERM)
		return remove_directory(removal, directory, name, depth);
	return -errno;
}

static int remove_children(struct removal *removal, int fd, unsigned depth)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		close_fd(again);
		return -ENOMEM;
	}
	while (r == 0 && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = remove_one(removal, fd, entry->d_name, depth + 1);
	}
	closedir(dir);
	return r;
}

int copy_remove(int directory, const char *name)
{
	return remove_one(NULL, directory, name, 0);
}

mode_t copy_checkout_mode(mode_t mode)
{
	return S_ISDIR(mode) ? (mode & 0777) | 0755 : (mode & 0777) | 0444;
}
