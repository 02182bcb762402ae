/* SPDX-License-Identifier: Apache-2.0 */
/* Birth and death of a working tree, and the questions the layers above have. */
#include "store/worktree.h"

#include <assert.h>
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
#include "store/worktree_changes.h"
#include "store/worktree_checkout.h"
#include "store/worktree_drafts.h"
#include "store/worktree_files.h"
#include "store/worktree_nodes.h"
#include "store/worktree_slots.h"

static int open_or_create(int parent_fd, const char *name, mode_t mode)
{
	int fd;

	if (mkdirat(parent_fd, name, mode) < 0 && errno != EEXIST)
		return fail(-errno, "creating %s", name);
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return fail(-errno, "opening %s", name);
	return fd;
}

static char *path_of_fd(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	if (length <= 0)
		return NULL;
	path[length] = 0;
	return strdup(path);
}

static void worktree_init_handles(struct worktree *worktree)
{
	uv_prepare_init(worktree->loop, &worktree->prepare);
	uv_check_init(worktree->loop, &worktree->check);
	worktree->prepare.data = worktree->check.data = worktree;
	worktree->handles = 2;
}

struct worktree *worktree_ref(struct worktree *worktree)
{
	worktree->references++;
	return worktree;
}

struct worktree *worktree_unref(struct worktree *worktree)
{
	if (!worktree || --worktree->references > 0)
		return NULL;
	assert(list_empty(&worktree->drafts));
	nodes_close(worktree);
	marks_deinit(&worktree->marks);
	close_fd(worktree->root_fd);
	close_fd(worktree->cache_fd);
	free(worktree->cache_path);
	free(worktree);
	return NULL;
}

static void worktree_unref_p(struct worktree **worktree)
{
	worktree_unref(*worktree);
}

int worktree_open(struct worktree **out, uv_loop_t *loop, int parent_fd, const char *tree,
        const char *cache, worktree_changed_fn changed, void *userdata)
{
	CLEANUP(worktree_unref_p) struct worktree *worktree = calloc(1, sizeof(*worktree));
	int r;

	if (!worktree)
		return fail(-ENOMEM, "opening working tree %s", tree);
	worktree->references = 1;
	worktree->root_fd = worktree->cache_fd = -1;
	list_init(&worktree->drafts);
	list_init(&worktree->slots);
	list_init(&worktree->requests);
	list_init(&worktree->takings);
	map_init(&worktree->nodes);
	worktree->loop = loop;
	worktree->generation = 1;
	worktree->changed = changed;
	worktree->changed_userdata = userdata;
	worktree->root_fd = open_or_create(parent_fd, tree, 0755);
	if (worktree->root_fd < 0)
		return worktree->root_fd;
	worktree->cache_fd = open_or_create(parent_fd, cache, 0700);
	if (worktree->cache_fd < 0)
		return worktree->cache_fd;
	worktree->cache_path = path_of_fd(worktree->cache_fd);
	if (!worktree->cache_path)
		return fail(-EIO, "finding the path of %s", cache);
	r = nodes_open(worktree);
	if (r == 0)
		r = slots_open(worktree);
	if (r < 0)
		return r;
	worktree_init_handles(worktree);
	*out = take(worktree);
	return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct worktree *worktree = handle->data;

	if (--worktree->handles == 0)
		worktree_unref(worktree);
}

struct worktree *worktree_close(struct worktree *worktree)
{
	if (!worktree)
		return NULL;
	assert(!worktree->closed);
	checkouts_close(worktree);
	files_open_all(worktree);
	worktree->closed = true;
	uv_close((uv_handle_t *)&worktree->prepare, on_handle_closed);
	uv_close((uv_handle_t *)&worktree->check, on_handle_closed);
	return NULL;
}

uint64_t worktree_generation(const struct worktree *worktree)
{
	return worktree->generation;
}

bool worktree_empty(const struct worktree *worktree)
{
	return worktree_empty_at(worktree->root_fd, ".");
}

bool worktree_empty_at(int directory, const char *tree)
{
	int fd = openat(directory, tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool empty = true;

	if (!dir) {
		empty = fd < 0 && errno == ENOENT;
		close_fd(fd);
		return empty;
	}
	while (empty && (entry = readdir(dir)))
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	closedir(dir);
	return empty;
}

bool worktree_has(const struct worktree *worktree, const char *path)
{
	const struct worktree_node *node;
	struct stat st;

	if (fstatat(worktree->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	node = node_find(worktree, st.st_ino);
	return !node || !draft_is_absent(node);
}

/* Not worktree_has(): git keeps the file open as long as it works, and nothing is committed of it. */
uint64_t worktree_git_lock(const struct worktree *worktree)
{
	struct statx st = {0};

	if (statx(worktree->root_fd, ".git/index.lock", AT_SYMLINK_NOFOLLOW,
	            STATX_INO | STATX_BTIME, &st) < 0)
		return 0;
	return (st.stx_ino ^ (uint64_t)st.stx_btime.tv_sec << 40 ^
	               (uint64_t)st.stx_btime.tv_nsec << 10) |
	       UINT64_C(1) << 63;
}

void worktree_changed_outside(struct worktree *worktree)
{
	changes_everything(worktree);
}
