/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names: what makes, links, moves and removes them. What goes away on the disk is looked at before, so
 * that nodes somebody still holds stay within reach, and marked after.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/worktree_changes.h"
#include "store/worktree_copy.h"
#include "store/worktree_drafts.h"
#include "store/worktree_entries.h"
#include "store/worktree_nodes.h"

struct worktree_node *worktree_root(struct worktree *worktree)
{
	return worktree->root;
}

void worktree_node_look_up(struct worktree_node *node)
{
	node->lookups++;
}

bool worktree_forget(struct worktree_node *node, uint64_t lookups)
{
	bool last;

	node->lookups -= lookups < node->lookups ? lookups : node->lookups;
	last = node->lookups == 0;
	if (last)
		node->number = 0;
	node_free_if_unused(node);
	return last;
}

uint64_t worktree_node_number(const struct worktree_node *node)
{
	return node->number;
}

void worktree_node_set_number(struct worktree_node *node, uint64_t number)
{
	node->number = number;
}

bool worktree_node_is_root(const struct worktree_node *node)
{
	return node == node->tree->root;
}

/* --- looking --- */

int entry_known(struct worktree_node *directory, const char *name, struct worktree_entry *entry)
{
	int r = node_get(&entry->node, directory, name, &entry->attr);

	if (r == 0)
		entry->node->lookups++;
	return r;
}

int entry_at(struct worktree_node *directory, const char *name, struct worktree_entry *entry)
{
	int fd = node_directory_fd(directory);

	if (fd < 0)
		return fd;
	if (fstatat(fd, name, &entry->attr, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return entry_known(directory, name, entry);
}

int worktree_lookup(struct worktree_node *directory, const char *name, struct worktree_entry *entry)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL; /* the front knows these */
	return entry_at(directory, name, entry);
}

int worktree_readlink(struct worktree_node *node, char *target, size_t size)
{
	struct place place;
	ssize_t length;
	int r = node_place(node, &place);

	if (r < 0)
		return r;
	length = readlinkat(place.fd, place.name, target, size - 1);
	if (length < 0)
		return errno == ENOENT ? -EINVAL
		                       : -errno; /* an O_PATH descriptor of something else */
	target[length] = 0;
	return 0;
}

/* --- making --- */

/*
 * What was made belongs to the caller, as far as the daemon may give it away; its group is the
 * directory's where that has the set-group-id bit. Then the mode, for giving away clears bits, and
 * those must not be set for anybody but the caller.
 */
static int give(
        int fd, const char *name, const struct stat *attr, mode_t mode, uid_t uid, gid_t gid)
{
	if ((attr->st_uid != uid || attr->st_gid != gid) &&
	        fchownat(fd, name, uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		mode &= ~(mode_t)(S_ISUID | (S_ISDIR(attr->st_mode) ? 0 : S_ISGID));
	return S_ISLNK(attr->st_mode) ? 0 : copy_change_mode(fd, *name ? name : NULL, mode & 07777);
}

/* The group that what is made in a directory belongs to. */
static int group_in(struct worktree_node *directory, const struct caller *caller, gid_t *gid)
{
	struct stat attr;

	*gid = caller->gid;
	if (!(directory->mode & S_ISGID))
		return 0;
	if (fstatat(node_directory_fd(directory), "", &attr, AT_EMPTY_PATH) < 0)
		return -errno;
	*gid = attr.st_gid;
	return 0;
}

int entry_give(struct worktree_node *directory, int fd, const char *name, mode_t mode,
        const struct caller *caller, struct stat *attr)
{
	gid_t gid;
	int r = group_in(directory, caller, &gid);

	if (r < 0)
		return r;
	if (fstatat(fd, name, attr, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return -errno;
	if (S_ISDIR(attr->st_mode))
		mode |= directory->mode & S_ISGID;
	if (attr->st_uid == caller->uid && attr->st_gid == gid &&
	        (S_ISLNK(attr->st_mode) || (attr->st_mode & 07777) == (mode & 07777)))
		return 0;
	r = give(fd, name, attr, mode, caller->uid, gid);
	if (r == 0 && fstatat(fd, name, attr, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		r = -errno;
	return r;
}

/* Whoever is told of a failure must not find the thing made all the same. */
static int made(int fd, struct worktree_node *directory, const char *name, mode_t mode,
        const struct caller *caller, struct worktree_entry *entry)
{
	int r = entry_give(directory, fd, name, mode, caller, &entry->attr);

	if (r == 0)
		r = entry_known(directory, name, entry);
	if (r < 0)
		unlinkat(fd, name, S_ISDIR(mode) ? AT_REMOVEDIR : 0);
	else
		changes_name(directory, name);
	return r;
}

int worktree_mkdir(struct worktree_node *directory, const char *name, mode_t mode,
        const struct caller *caller, struct worktree_entry *entry)
{
	int fd = node_directory_fd(directory);

	if (fd < 0)
		return fd;
	if (mkdirat(fd, name, mode & 07777) < 0)
		return -errno;
	return made(fd, directory, name, S_IFDIR | mode, caller, entry);
}

int worktree_mknod(struct worktree_node *directory, const char *name, mode_t mode,
        const struct caller *caller, struct worktree_entry *entry)
{
	int fd = node_directory_fd(directory);

	if (fd < 0)
		return fd;
	if (!S_ISREG(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode))
		return -EPERM;
	if (mknodat(fd, name, mode, 0) < 0)
		return -errno;
	return made(fd, directory, name, mode, caller, entry);
}

int worktree_symlink(struct worktree_node *directory, const char *name, const char *target,
        const struct caller *caller, struct worktree_entry *entry)
{
	int fd = node_directory_fd(directory);

	if (fd < 0)
		return fd;
	if (symlinkat(target, fd, name) < 0)
		return -errno;
	return made(fd, directory, name, 0777, caller, entry);
}

static int link_place(const struct place *from, int fd, const char *name)
{
	char path[PLACE_PATH_SIZE];
	int r;

	if (*from->name) {
		r = linkat(from->fd, from->name, fd, name, 0);
	} else {
		place_path(from, path);
		r = linkat(AT_FDCWD, path, fd, name, AT_SYMLINK_FOLLOW);
	}
	return r < 0 ? -errno : 0;
}

int worktree_link(struct worktree_node *node, struct worktree_node *directory, const char *name,
        struct worktree_entry *entry)
{
	struct place place;
	int r = node_place(node, &place), fd;

	if (r < 0)
		return r;
	if (node->tree != directory->tree)
		return -EXDEV;
	fd = node_directory_fd(directory);
	if (fd < 0)
		return fd;
	r = link_place(&place, fd, name);
	if (r < 0)
		return r;
	r = entry_at(directory, name, entry);
	if (r < 0) {
		unlinkat(fd, name, 0);
		return r;
	}
	changes_name(directory, name);
	changes_linked(node);
	return 0;
}

/* --- removing --- */

static int remove_name(struct worktree_node *directory, const char *name, int flags)
{
	int fd = node_directory_fd(directory);
	struct worktree_node *node;
	struct stat attr;
	int r;

	if (fd < 0)
		return fd;
	if (fstatat(fd, name, &attr, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	node = node_find(directory->tree, attr.st_ino);
	r = node ? node_keep(node, directory, name) : 0;
	if (r < 0)
		return r;
	if (unlinkat(fd, name, flags) < 0) {
		r = -errno;
		if (node)
			node_unkeep(node);
		return r;
	}
	changes_name(directory, name);
	if (node) {
		node_drop_name(node, directory, name);
		changes_linked(node);
	}
	return 0;
}

int worktree_unlink(struct worktree_node *directory, const char *name)
{
	return remove_name(directory, name, 0);
}

int worktree_rmdir(struct worktree_node *directory, const char *name)
{
	return remove_name(directory, name, AT_REMOVEDIR);
}

/* --- renaming --- */

struct move {
	struct worktree_node *directory, *to_directory;
	const char *name, *to_name;
	struct stat attr, to_attr;
	struct worktree_node *node, *to_node; /* NULL: nobody holds it */
	bool over;                            /* something stands at the new name */
};

static int look_at_move(struct move *move, int fd, int to_fd)
{
	struct worktree *tree = move->directory->tree;

	if (fstatat(fd, move->name, &move->attr, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	move->node = node_find(tree, move->attr.st_ino);
	move->over = fstatat(to_fd, move->to_name, &move->to_attr, AT_SYMLINK_NOFOLLOW) == 0;
	move->to_node = move->over ? node_find(tree, move->to_attr.st_ino) : NULL;
	return 0;
}

static bool same_name(const struct move *move)
{
	return move->over && move->attr.st_ino == move->to_attr.st_ino;
}

/*
 * The new name is noted before the rename, for memory may be short afterwards, and the old one is dropped
 * when it is done. A node whose old name nobody looked up needs neither.
 */
static int announce(struct worktree_node *node, const struct worktree_node *directory,
        const char *name, struct worktree_node *to_directory, const char *to_name)
{
	if (!node || !node_has_name(node, directory, name))
		return 0;
	return node_add_name(node, to_directory, to_name);
}

static void drop_name(
        struct worktree_node *node, const struct worktree_node *directory, const char *name)
{
	if (node)
		node_drop_name(node, directory, name);
}

static int exchange(struct move *move, int fd, int to_fd)
{
	int r = announce(
	        move->to_node, move->to_directory, move->to_name, move->directory, move->name);

	if (r == 0 && renameat2(fd, move->name, to_fd, move->to_name, RENAME_EXCHANGE) < 0)
		r = -errno;
	if (r < 0) {
		drop_name(move->to_node, move->directory, move->name);
		drop_name(move->node, move->to_directory, move->to_name);
		return r;
	}
	drop_name(move->node, move->directory, move->name);
	drop_name(move->to_node, move->to_directory, move->to_name);
	changes_exchanged(move->directory, move->name, move->to_directory, move->to_name);
	return 0;
}

static int rename_over(struct move *move, int fd, int to_fd, unsigned flags)
{
	int r = move->to_node ? node_keep(move->to_node, move->to_directory, move->to_name) : 0;

	if (r == 0 && renameat2(fd, move->name, to_fd, move->to_name, flags) < 0)
		r = -errno;
	if (r < 0) {
		drop_name(move->node, move->to_directory, move->to_name);
		if (move->to_node)
			node_unkeep(move->to_node);
		return r;
	}
	drop_name(move->to_node, move->to_directory, move->to_name);
	drop_name(move->node, move->directory, move->name);
	changes_renamed(
	        move->directory, move->name, move->to_directory, move->to_name, &move->attr);
	if (move->to_node)
		changes_linked(move->to_node);
	return 0;
}

int worktree_rename(struct worktree_node *directory, const char *name,
        struct worktree_node *to_directory, const char *to_name, unsigned flags)
{
	struct move move = {directory, to_directory, name, to_name};
	int fd = node_directory_fd(directory), to_fd, r;

	if (fd < 0)
		return fd;
	if (directory->tree != to_directory->tree)
		return -EXDEV;
	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	to_fd = node_directory_fd(to_directory);
	if (to_fd < 0)
		return to_fd;
	r = look_at_move(&move, fd, to_fd);
	if (r < 0)
		return r;
	if (same_name(&move)) /* two names of one file: POSIX has it that nothing happens */
		return renameat2(fd, name, to_fd, to_name, flags) < 0 ? -errno : 0;
	r = announce(move.node, directory, name, to_directory, to_name);
	if (r < 0)
		return r;
	if (flags & RENAME_EXCHANGE)
		return exchange(&move, fd, to_fd);
	return rename_over(&move, fd, to_fd, flags);
}
