/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of nodes: what stat, chmod, chown, truncate and utimens ask for. */
#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/worktree_changes.h"
#include "store/worktree_copy.h"
#include "store/worktree_drafts.h"
#include "store/worktree_files.h"
#include "store/worktree_nodes.h"
#include "store/worktree_set_id.h"

int worktree_getattr(
        struct worktree_node *node, const struct worktree_file *file, struct stat *attr)
{
	int r;

	if (file)
		node = file->node;
	if (file && file->fd >= 0)
		r = fstat(file->fd, attr) < 0 ? -errno : 0;
	else
		r = node_stat(node, attr);
	if (r == 0)
		node_seen(node, attr);
	return r;
}

int worktree_statfs(struct worktree_node *node, struct statvfs *statfs)
{
	if (node->tree->closed)
		return -ESTALE;
	return fstatvfs(node->tree->root_fd, statfs) < 0 ? -errno : 0;
}

/* --- the single settings; places without a name are reached through /proc --- */

static int set_mode(const struct place *place, mode_t mode)
{
	char path[PLACE_PATH_SIZE];

	if (*place->name || place->open)
		return copy_change_mode(place->fd, place->open ? NULL : place->name, mode & 07777);
	place_path(place, path);
	return copy_change_mode(AT_FDCWD, path, mode & 07777);
}

static int set_owner(const struct place *place, unsigned set, const struct stat *wanted)
{
	uid_t uid = set & WORKTREE_SET_UID ? wanted->st_uid : (uid_t)-1;
	gid_t gid = set & WORKTREE_SET_GID ? wanted->st_gid : (gid_t)-1;
	int r = fchownat(place->fd, place->name, uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);

	return r < 0 ? -errno : 0;
}

static struct timespec time_to_set(
        unsigned set, unsigned given, unsigned now, const struct timespec *value)
{
	if (set & now)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	return set & given ? *value : (struct timespec){.tv_nsec = UTIME_OMIT};
}

static int set_times(const struct place *place, unsigned set, const struct stat *wanted)
{
	char path[PLACE_PATH_SIZE];
	struct timespec times[2] = {
	        time_to_set(set, WORKTREE_SET_ATIME, WORKTREE_SET_ATIME_NOW, &wanted->st_atim),
	        time_to_set(set, WORKTREE_SET_MTIME, WORKTREE_SET_MTIME_NOW, &wanted->st_mtim),
	};
	int r;

	if (*place->name) {
		r = utimensat(place->fd, place->name, times, AT_SYMLINK_NOFOLLOW);
	} else if (place->open) {
		r = futimens(place->fd, times);
	} else {
		place_path(place, path);
		r = utimensat(AT_FDCWD, path, times, 0);
	}
	return r < 0 ? -errno : 0;
}

/* Through an open file the new size is part of what is being written; by name it counts at once. */
static int set_size(struct worktree_node *node, struct worktree_file *file, off_t size,
        const struct caller *caller)
{
	CLEANUP(close_p) int fd = -1;
	struct stat attr;
	off_t start;
	int r;

	if (file) {
		r = file_truncate(file, size);
		return r < 0 ? r : set_id_drop(file->node, file->fd, caller);
	}
	fd = node_open(node, O_WRONLY);
	if (fd < 0 || fstat(fd, &attr) < 0)
		return fd < 0 ? fd : -errno;
	r = ftruncate(fd, size) < 0 ? -errno : 0;
	start = size < attr.st_size ? size : attr.st_size;
	if (r == 0)
		draft_commit_range(node, start, RANGE_END);
	return r < 0 ? r : set_id_drop(node, fd, caller);
}

/*
 * With nothing to set this is chown(2) of neither owner nor group, or the kernel before a write that
 * takes a set-group-id bit away. Nobody can tell them apart: the time of the change moves, the bits go
 * if the owner asks. Of somebody else only a write may take them, and does so itself.
 */
static int touch(struct worktree_node *node, const struct caller *caller)
{
	struct place place;
	struct stat attr;
	mode_t mode;
	int r = worktree_getattr(node, NULL, &attr);

	/* The disk would take the bits, for it sees root ask. */
	if (r == 0 && S_ISREG(attr.st_mode) && attr.st_mode & (S_ISUID | S_ISGID) && caller->uid &&
	        caller->uid != attr.st_uid)
		return 0;
	if (r == 0)
		r = node_place(node, &place);
	if (r == 0)
		r = set_owner(&place, 0, &attr);
	if (r == 0 && attr.st_mode & (S_ISUID | S_ISGID))
		changes_mode(node); /* the disk has done so perhaps */
	mode = caller->uid == attr.st_uid ? set_id_left(&attr, caller) : attr.st_mode & 07777;
	if (r < 0 || mode == (attr.st_mode & 07777))
		return r;
	return set_mode(&place, mode);
}

/*
 * The disk sees root change the owner, who may keep a set-group-id bit that does not go with execution.
 * Of a caller outside the group the kernel would take it.
 */
static int change_owner(struct worktree_node *node, const struct place *place, unsigned set,
        const struct stat *wanted, const struct caller *caller)
{
	struct stat before;
	mode_t mode;
	int r;

	if (!(node->mode & S_ISGID))
		return set_owner(place, set, wanted);
	r = worktree_getattr(node, NULL, &before);
	if (r == 0)
		r = set_owner(place, set, wanted);
	mode = set_id_left(&before, caller);
	if (r < 0 || !((before.st_mode ^ mode) & S_ISGID) || set & WORKTREE_SET_MODE)
		return r;
	r = set_mode(place, mode);
	changes_mode(node);
	return r;
}

static int set_at_place(struct worktree_node *node, unsigned set, const struct stat *wanted,
        const struct caller *caller)
{
	struct place place;
	int r = node_place(node, &place);

	if (r == 0 && set & (WORKTREE_SET_UID | WORKTREE_SET_GID))
		r = change_owner(node, &place, set, wanted, caller);
	if (r == 0 && set & WORKTREE_SET_MODE)
		r = set_mode(&place, wanted->st_mode);
	if (r == 0 && set & (WORKTREE_SET_ATIME | WORKTREE_SET_MTIME | WORKTREE_SET_ATIME_NOW |
	                            WORKTREE_SET_MTIME_NOW))
		r = set_times(&place, set, wanted);
	return r;
}

int worktree_setattr(struct worktree_node *node, struct worktree_file *file, unsigned set,
        const struct stat *wanted, const struct caller *caller, struct stat *attr)
{
	int r = set ? 0 : touch(node, caller);

	if (set & WORKTREE_SET_MODE && S_ISLNK(node->type))
		return -EOPNOTSUPP; /* it would be that of what the link leads to, wherever that is */
	if (set & WORKTREE_SET_SIZE)
		r = set_size(node, file, wanted->st_size, caller);
	if (r == 0 && set & ~(unsigned)WORKTREE_SET_SIZE)
		r = set_at_place(node, set, wanted, caller);
	if (r < 0)
		return r;
	if (set & WORKTREE_SET_MODE)
		changes_mode(node);
	else if (set & ~(unsigned)WORKTREE_SET_SIZE)
		changes_times(node);
	return worktree_getattr(node, file, attr);
}
