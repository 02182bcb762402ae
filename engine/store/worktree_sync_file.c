/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a slot. A file may be shared between slots by hard links, which is why it is only ever
 * written to when it has one link; and it may be borrowed by a draft as the old content of an open file.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/worktree_copy.h"
#include "store/worktree_drafts.h"
#include "store/worktree_sync.h"

/* Below this size a copy costs no more than a link and does not tie slots together. */
#define WORTH_LINKING 16384

static bool is_borrowed(const struct sync *sync, uint64_t ino)
{
	size_t i;

	for (i = 0; i < sync->borrowed_count; i++)
		if (sync->borrowed[i] == ino)
			return true;
	return false;
}

static bool may_write(const struct sync *sync, const struct stat *old)
{
	return S_ISREG(old->st_mode) && old->st_nlink == 1 && !is_borrowed(sync, old->st_ino);
}

static const struct worktree_node *node_of(const struct sync *sync, const struct stat *attr)
{
	return sync->tree ? node_find(sync->tree, attr->st_ino) : NULL;
}

int sync_remove(struct sync *sync, int directory, const char *name)
{
	char trash[32];

	if (unlinkat(directory, name, 0) == 0 || errno == ENOENT || errno == ENOTDIR)
		return 0;
	if (!sync->next_trash)
		return copy_remove(directory, name);
	if (unlinkat(directory, name, AT_REMOVEDIR) == 0)
		return 0;
	snprintf(trash, sizeof(trash), "trash-%llu", (unsigned long long)(*sync->next_trash)++);
	return renameat(directory, name, sync->cache_fd, trash) < 0 ? -errno : 0;
}

static int finish(int fd, const struct stat *attr)
{
	struct timespec times[2] = {attr->st_atim, attr->st_mtim};

	if (fchmod(fd, copy_checkout_mode(attr->st_mode)) < 0 || futimens(fd, times) < 0)
		return -errno;
	return 0;
}

/* Opens the slot's file for writing: the one that is there, emptied, or a new one. */
static int open_target(struct sync *sync, const struct sync_place *place, const char *name)
{
	struct stat old;
	int fd, r;

	if (fstatat(place->to, name, &old, AT_SYMLINK_NOFOLLOW) == 0) {
		if (may_write(sync, &old)) {
			fd = copy_open_granting(place->to, name, O_RDWR | O_TRUNC | O_NOFOLLOW);
			return fd;
		}
		r = sync_remove(sync, place->to, name);
		if (r < 0)
			return r;
	}
	fd = openat(place->to, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

static int copy_whole_file(struct sync *sync, const struct sync_place *place, const char *name,
        const struct stat *attr, const struct worktree_node *node)
{
	CLEANUP(close_p) int from = copy_open_file(place->from, name);
	CLEANUP(close_p) int to = -1;
	int r;

	if (from < 0)
		return from == -ENOENT ? sync_remove(sync, place->to, name) : from;
	to = open_target(sync, place, name);
	if (to < 0)
		return to;
	if (node && node->draft)
		r = draft_copy_committed(node, from, to, 0, node->draft->size);
	else
		r = copy_whole(from, to, attr->st_size);
	if (r == 0 && node && node->draft && ftruncate(to, node->draft->size) < 0)
		r = -errno;
	return r < 0 ? r : finish(to, attr);
}

/* False: no link was made, the old file is gone. */
static bool link_file(struct sync *sync, const struct sync_place *place, const char *name,
        const struct stat *attr)
{
	struct stat there;

	if (place->link < 0 || attr->st_size < WORTH_LINKING ||
	        fstatat(place->link, name, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
	        !S_ISREG(there.st_mode))
		return false;
	return sync_remove(sync, place->to, name) == 0 &&
	       linkat(place->link, name, place->to, name, 0) == 0;
}

static int patch(const struct worktree_node *node, int from, int to, const struct ranges *ranges,
        const struct stat *attr)
{
	off_t size = node ? draft_committed_size(node, attr->st_size) : attr->st_size;
	size_t i;
	int r = ftruncate(to, size) < 0 ? -errno : 0;

	for (i = 0; r == 0 && i < ranges->count && ranges->items[i].start < size; i++) {
		off_t start = ranges->items[i].start;
		off_t end = ranges->items[i].end < size ? ranges->items[i].end : size;
		r = node ? draft_copy_committed(node, from, to, start, end)
		         : copy_range(from, to, start, end - start);
	}
	return r < 0 ? r : finish(to, attr);
}

/* True when only the ranges were copied; false when that cannot be, and nothing was done. */
static bool patch_file(struct sync *sync, const struct sync_place *place, const struct mark *mark,
        const char *name, const struct stat *attr, int *result)
{
	const struct ranges *ranges = mark ? mark_ranges(mark, sync->slot) : NULL;
	CLEANUP(close_p) int from = -1;
	CLEANUP(close_p) int to = -1;
	struct stat old;

	if (!ranges || fstatat(place->to, name, &old, AT_SYMLINK_NOFOLLOW) < 0 ||
	        !may_write(sync, &old))
		return false;
	from = copy_open_file(place->from, name);
	to = from < 0 ? -1 : copy_open_granting(place->to, name, O_RDWR | O_NOFOLLOW);
	if (to < 0)
		return false;
	*result = patch(node_of(sync, attr), from, to, ranges, attr);
	return true;
}

int sync_file(struct sync *sync, const struct sync_place *place, const struct mark *mark,
        const char *name, const struct stat *attr, bool whole)
{
	const struct worktree_node *node = node_of(sync, attr);
	int r;

	if (node && draft_is_absent(node))
		return sync_remove(sync, place->to, name);
	if (!whole && patch_file(sync, place, mark, name, attr, &r))
		return r;
	if (link_file(sync, place, name, attr))
		return 0;
	return copy_whole_file(sync, place, name, attr, node);
}

int sync_symlink(struct sync *sync, const struct sync_place *place, const char *name)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(place->from, name, target, sizeof(target) - 1);
	int r = sync_remove(sync, place->to, name);

	if (r < 0)
		return r;
	if (length < 0)
		return errno == ENOENT || errno == EINVAL ? 0 : -errno;
	target[length] = 0;
	return symlinkat(target, place->to, name) < 0 ? -errno : 0;
}

/* Mode and times. -EMLINK: the file is shared and has another mode. */
int sync_attributes(struct sync *sync, int directory, const char *name, const struct stat *attr)
{
	struct timespec times[2] = {attr->st_atim, attr->st_mtim};
	mode_t mode = copy_checkout_mode(attr->st_mode);
	struct stat old;

	if (fstatat(directory, name, &old, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISREG(old.st_mode) && old.st_nlink > 1)
		return (old.st_mode & 07777) == mode ? 0 : -EMLINK;
	if (!S_ISLNK(old.st_mode) && fchmodat(directory, name, mode, 0) < 0)
		return -errno;
	return utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}
