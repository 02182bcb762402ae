/* SPDX-License-Identifier: Apache-2.0 */
#include "store/worktree_set_id.h"

#include <errno.h>

#include "store/worktree_changes.h"
#include "store/worktree_copy.h"

mode_t set_id_left(const struct stat *attr, const struct caller *caller)
{
	mode_t mode = attr->st_mode & 07777;

	if (!S_ISREG(attr->st_mode) || caller->uid == 0)
		return mode;
	if (mode & S_ISGID && (mode & S_IXGRP || !caller_in_group(caller, attr->st_gid)))
		mode &= ~(mode_t)S_ISGID;
	return mode & ~(mode_t)S_ISUID;
}

int set_id_drop(struct worktree_node *node, int fd, const struct caller *caller)
{
	struct stat attr;
	mode_t mode;
	int r;

	if (!(node->mode & (S_ISUID | S_ISGID)))
		return 0;
	if (fstat(fd, &attr) < 0)
		return -errno;
	mode = set_id_left(&attr, caller);
	if (mode == (attr.st_mode & 07777))
		return 0;
	r = copy_change_mode(fd, NULL, mode);
	if (r < 0)
		return r;
	node->mode = (attr.st_mode & S_IFMT) | mode;
	changes_mode(node);
	return 0;
}
