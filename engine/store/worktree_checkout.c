/* SPDX-License-Identifier: Apache-2.0 */
/* Checkouts: today each is a whole copy, made at once. */
#include "store/worktree_checkout.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/worktree_code.h"
#include "store/worktree_copy.h"
#include "store/worktree_tree.h"

struct checkout {
	unsigned references;
	struct worktree *worktree;
	uint64_t generation;
	char name[24];
	char *path;
	int fd;
};

static int copy_children(int from, int to);

static int copy_file(int from, int to, const char *name, const struct stat *st)
{
	CLEANUP(close_p) int in = copy_open_file(from, name);
	CLEANUP(close_p) int out = -1;
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	int r;

	if (in < 0)
		return in == -ENOENT ? 0 : in;
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	r = copy_whole(in, out, st->st_size);
	if (r == 0 && fchmod(out, copy_checkout_mode(st->st_mode)) < 0)
		r = -errno;
	futimens(out, times);
	return r;
}

static int copy_link(int from, int to, const char *name)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(from, name, target, sizeof(target) - 1);

	if (length < 0)
		return -errno;
	target[length] = 0;
	return symlinkat(target, to, name) < 0 ? -errno : 0;
}

static int copy_directory(int from, int to, const char *name, const struct stat *st)
{
	CLEANUP(close_p) int in = copy_open_directory(from, name);
	CLEANUP(close_p) int out = -1;

	if (in < 0)
		return in;
	if (mkdirat(to, name, 0700) < 0)
		return -errno;
	out = copy_open_directory(to, name);
	if (out < 0)
		return out;
	if (fchmod(out, copy_checkout_mode(st->st_mode)) < 0)
		return -errno;
	return copy_children(in, out);
}

static int copy_entry(int from, int to, const char *name)
{
	struct stat st;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || !worktree_name_is_code(name))
		return 0;
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return copy_directory(from, to, name, &st);
	if (S_ISREG(st.st_mode))
		return copy_file(from, to, name, &st);
	return S_ISLNK(st.st_mode) ? copy_link(from, to, name) : 0;
}

static int copy_children(int from, int to)
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
		r = copy_entry(from, to, entry->d_name);
	closedir(dir);
	return r;
}

void checkouts_open(struct worktree *worktree)
{
	int fd = openat(worktree->cache_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		close_fd(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			copy_remove(worktree->cache_fd, entry->d_name);
	closedir(dir);
}

void checkouts_close(struct worktree *worktree)
{
	worktree->newest = checkout_unref(worktree->newest);
}

static int checkout_new(struct checkout **out, struct worktree *worktree)
{
	struct checkout *checkout = calloc(1, sizeof(*checkout));
	int r;

	if (!checkout)
		return -ENOMEM;
	checkout->references = 1;
	checkout->worktree = worktree_ref(worktree);
	checkout->generation = worktree->generation;
	checkout->fd = -1;
	snprintf(checkout->name, sizeof(checkout->name), "%llu",
	        (unsigned long long)++worktree->next_slot);
	if (asprintf(&checkout->path, "%s/%s", worktree->cache_path, checkout->name) < 0)
		checkout->path = NULL;
	r = checkout->path ? 0 : -ENOMEM;
	if (r == 0 && mkdirat(worktree->cache_fd, checkout->name, 0755) < 0)
		r = -errno;
	if (r == 0) {
		checkout->fd = copy_open_directory(worktree->cache_fd, checkout->name);
		r = checkout->fd < 0 ? checkout->fd
		                     : copy_children(worktree->root_fd, checkout->fd);
	}
	if (r < 0) {
		checkout_unref(checkout);
		return fail(r, "making a checkout in %s", worktree->cache_path);
	}
	*out = checkout;
	return 0;
}

struct checkout_request *worktree_checkout(
        struct worktree *worktree, checkout_done_fn done, void *userdata)
{
	int r = 0;

	if (!worktree->newest || worktree->newest->generation != worktree->generation) {
		worktree->newest = checkout_unref(worktree->newest);
		r = checkout_new(&worktree->newest, worktree);
	}
	done(userdata, r, r == 0 ? checkout_ref(worktree->newest) : NULL);
	return NULL;
}

void checkout_request_cancel(struct checkout_request *request)
{
	(void)request;
}

struct checkout *checkout_ref(struct checkout *checkout)
{
	checkout->references++;
	return checkout;
}

struct checkout *checkout_unref(struct checkout *checkout)
{
	if (!checkout || --checkout->references > 0)
		return NULL;
	close_fd(checkout->fd);
	copy_remove(checkout->worktree->cache_fd, checkout->name);
	worktree_unref(checkout->worktree);
	free(checkout->path);
	free(checkout);
	return NULL;
}

uint64_t checkout_generation(const struct checkout *checkout)
{
	return checkout->generation;
}

int checkout_fd(const struct checkout *checkout)
{
	return checkout->fd;
}

const char *checkout_path(const struct checkout *checkout)
{
	return checkout->path;
}
