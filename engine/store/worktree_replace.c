/* SPDX-License-Identifier: Apache-2.0 */
#include "store/worktree_replace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/worktree_changes.h"
#include "store/worktree_code.h"
#include "store/worktree_nodes.h"

#define RAISED ".#fnfs-removed-" /* no code, and no name of anybody else's */

enum { DEEPEST = 48 }; /* each level costs a descriptor and a buffer */

struct emptying {
	struct worktree *tree;
	int left; /* names that may still be removed this turn */
	uint64_t moved;
};

static int empty_directory(struct emptying *emptying, struct worktree_node *directory, int depth);

/* What is too deep becomes a directory of the root's, and is found there again. */
static int raise_up(struct emptying *emptying, struct worktree_node *directory, const char *name)
{
	struct worktree_node *root = emptying->tree->root;
	char raised[40];
	int r;

	do {
		snprintf(raised, sizeof(raised), RAISED "%" PRIu64, emptying->moved++);
		r = worktree_rename(directory, name, root, raised, RENAME_NOREPLACE);
	} while (r == -EEXIST);
	return r < 0 ? r : 1;
}

/* A directory that its owner may not write cannot be emptied by him either. */
static int open_up(struct worktree_node *directory)
{
	const struct caller caller = {.uid = geteuid(), .gid = getegid()};
	struct stat attr;
	int r = node_stat(directory, &attr);

	if (r < 0 || (attr.st_mode & 0700) == 0700)
		return r;
	attr.st_mode |= 0700;
	return worktree_setattr(directory, NULL, WORKTREE_SET_MODE, &attr, &caller, &attr);
}

static int remove_directory(
        struct emptying *emptying, struct worktree_node *parent, const char *name, int depth)
{
	struct worktree_entry entry;
	int r;

	if (depth >= DEEPEST)
		return raise_up(emptying, parent, name);
	r = worktree_lookup(parent, name, &entry);
	if (r < 0)
		return r;
	r = open_up(entry.node);
	if (r == 0)
		r = empty_directory(emptying, entry.node, depth + 1);
	worktree_forget(entry.node, 1);
	return r ? r : worktree_rmdir(parent, name);
}

static int remove_one(
        struct emptying *emptying, struct worktree_node *parent, const char *name, int depth)
{
	int r = worktree_unlink(parent, name);

	if (r == -EISDIR || r == -EPERM)
		r = remove_directory(emptying, parent, name, depth);
	return r;
}

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int empty_directory(struct emptying *emptying, struct worktree_node *directory, int depth)
{
	struct worktree_directory *open;
	struct worktree_item item;
	off_t at = 0;
	int r = worktree_open_directory(directory, &open), more = 0;

	if (r < 0)
		return r;
	while (!more && (r = worktree_next(open, at, &item)) > 0) {
		at = item.next;
		if (is_dot(item.name))
			continue;
		more = emptying->left-- <= 0 ? 1
		                             : remove_one(emptying, directory, item.name, depth);
	}
	worktree_close_directory(open);
	return more ? more : r;
}

int worktree_list_names(int directory, struct buf *names)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *open = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!open) {
		close_fd(fd);
		return -errno;
	}
	while ((entry = readdir(open)))
		if (!is_dot(entry->d_name))
			buf_append(names, entry->d_name, strlen(entry->d_name) + 1);
	closedir(open);
	return names->failed ? -ENOMEM : 0;
}

int worktree_root_fd(const struct worktree *tree)
{
	return tree->root_fd;
}

static bool is_raised(const char *name)
{
	return strncmp(name, RAISED, strlen(RAISED)) == 0;
}

/* Whatever was raised, and what is code where that is wanted, too. */
static int empty_some(struct emptying *emptying, bool code)
{
	struct worktree *tree = emptying->tree;
	CLEANUP(buf_deinit) struct buf names = BUF_INIT;
	int r = worktree_list_names(tree->root_fd, &names);

	for (size_t i = 0; r == 0 && i < names.length; i += strlen(names.data + i) + 1) {
		if (!is_raised(names.data + i) && !(code && worktree_name_is_code(names.data + i)))
			continue;
		r = emptying->left-- <= 0 ? 1 : remove_one(emptying, tree->root, names.data + i, 0);
	}
	return r;
}

int worktree_empty_some(struct worktree *tree)
{
	struct emptying emptying = {.tree = tree, .left = REPLACE_AT_ONCE};

	return empty_some(&emptying, true);
}

static int move_in(struct emptying *emptying, int directory, const char *name)
{
	struct worktree_node *root = emptying->tree->root;
	struct stat attr;
	int r = 0;

	if (fstatat(emptying->tree->root_fd, name, &attr, AT_SYMLINK_NOFOLLOW) == 0)
		r = remove_one(emptying, root, name, 0);
	if (r)
		return r;
	if (renameat2(directory, name, emptying->tree->root_fd, name, RENAME_NOREPLACE) < 0)
		return -errno;
	changes_name(root, name);
	return 0;
}

int worktree_move_in_some(struct worktree *tree, int directory)
{
	struct emptying emptying = {.tree = tree, .left = REPLACE_AT_ONCE};
	CLEANUP(buf_deinit) struct buf names = BUF_INIT;
	int r = worktree_list_names(directory, &names);

	for (size_t i = 0; r == 0 && i < names.length; i += strlen(names.data + i) + 1) {
		if (!worktree_name_is_code(names.data + i))
			continue;
		r = emptying.left-- <= 0 ? 1 : move_in(&emptying, directory, names.data + i);
	}
	return r ? r : empty_some(&emptying, false);
}
