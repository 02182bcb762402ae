/* SPDX-License-Identifier: Apache-2.0 */
#include "store/worktree_nodes.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/worktree_copy.h"
#include "store/worktree_drafts.h"
#include "store/worktree_files.h"

/* One tree may keep this share of the descriptors for its directories, for there are many trees. */
#define OPEN_SHARE 64
#define OPEN_LEAST 16
#define OPEN_MOST  512

static unsigned open_limit(void)
{
	struct rlimit limit;
	rlim_t share;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return OPEN_LEAST;
	share = limit.rlim_cur / OPEN_SHARE;
	if (share > OPEN_MOST)
		return OPEN_MOST;
	return share < OPEN_LEAST ? OPEN_LEAST : (unsigned)share;
}

static struct worktree_node *node_new(struct worktree *tree, const struct stat *attr)
{
	struct worktree_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->ino = attr->st_ino;
	node->type = attr->st_mode & S_IFMT;
	node->fd = -1;
	list_init(&node->open);
	list_init(&node->opened);
	if (map_put(&tree->nodes, node->ino, node) < 0) {
		free(node);
		return NULL;
	}
	node->tree = tree;
	return node;
}

int nodes_open(struct worktree *tree)
{
	struct statvfs disk;
	struct stat attr;

	list_init(&tree->open_directories);
	tree->open_limit = open_limit();
	if (fstat(tree->root_fd, &attr) < 0 || fstatvfs(tree->root_fd, &disk) < 0)
		return fail(-errno, "looking at the root of a working tree");
	tree->device = attr.st_dev;
	tree->is_root = geteuid() == 0;
	tree->noatime = disk.f_flag & ST_NOATIME;
	tree->root = node_new(tree, &attr);
	if (!tree->root)
		return fail(-ENOMEM, "opening a working tree");
	tree->root->fd = tree->root_fd;
	tree->root->mode = attr.st_mode;
	return 0;
}

/* The tree's memory goes: all other nodes, which hold references to it, went before. */
void nodes_close(struct worktree *tree)
{
	if (tree->root)
		map_remove(&tree->nodes, tree->root->ino);
	assert(tree->nodes.count == 0);
	map_deinit(&tree->nodes);
	free(tree->root);
	tree->root = NULL;
}

struct worktree_node *node_find(const struct worktree *tree, uint64_t ino)
{
	return map_get(&tree->nodes, ino);
}

/* --- descriptors of directories --- */

static void forget_descriptor(struct worktree_node *node)
{
	if (!list_empty(&node->open)) {
		list_unlink(&node->open);
		node->tree->open_count--;
	}
	node->fd = close_fd(node->fd);
}

/* The two latest may be in use by an operation on two directories. */
static bool close_oldest(struct worktree *tree)
{
	if (tree->open_count <= 2)
		return false;
	forget_descriptor(list_last(&tree->open_directories, struct worktree_node, open));
	return true;
}

static void remember_descriptor(struct worktree_node *node, int fd)
{
	struct worktree *tree = node->tree;

	while (tree->open_count >= tree->open_limit && close_oldest(tree))
		;
	node->fd = fd;
	list_prepend(&tree->open_directories, &node->open);
	tree->open_count++;
}

/* openat() that gives descriptors of directories up when there are no more. */
static int open_path(struct worktree *tree, int directory, const char *name, int flags)
{
	int fd;

	do
		fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC | flags);
	while (fd < 0 && (errno == EMFILE || errno == ENFILE) && close_oldest(tree));
	return fd < 0 ? -errno : fd;
}

/* The nearest directory above, or this one, that has a descriptor; counts the steps down from it. */
static struct worktree_node *nearest_open(struct worktree_node *directory, unsigned *steps)
{
	for (*steps = 0; directory->fd < 0 && directory->names; (*steps)++)
		directory = directory->names->directory;
	return directory;
}

static struct worktree_node *ancestor(struct worktree_node *directory, unsigned steps)
{
	while (steps--)
		directory = directory->names->directory;
	return directory;
}

static void touch(struct worktree_node *directory)
{
	if (list_empty(&directory->open))
		return;
	list_unlink(&directory->open);
	list_prepend(&directory->tree->open_directories, &directory->open);
}

/* Descends from the nearest open directory, one name at a time; only the last descriptor is kept. */
static int reopen(struct worktree_node *directory)
{
	unsigned steps;
	struct worktree_node *from = nearest_open(directory, &steps);
	int fd = from->fd, next;

	if (fd < 0)
		return -ESTALE;
	touch(from);
	while (steps--) {
		const char *name = ancestor(directory, steps)->names->text;
		next = open_path(directory->tree, fd, name, O_DIRECTORY);
		if (fd != from->fd)
			close(fd);
		if (next < 0)
			return next;
		fd = next;
	}
	remember_descriptor(directory, fd);
	return fd;
}

int node_directory_fd(struct worktree_node *directory)
{
	if (directory->tree->closed)
		return -ESTALE;
	if (!S_ISDIR(directory->type))
		return -ENOTDIR;
	if (directory->fd < 0)
		return reopen(directory);
	touch(directory);
	return directory->fd;
}

/* --- reaching a node --- */

/* What is open is within reach, even where its owner has shut the directories on the way. */
static struct place descriptor(const struct worktree_node *node)
{
	const struct worktree_file *file = list_first(&node->opened, struct worktree_file, link);

	if (file && file->fd >= 0)
		return (struct place){file->fd, "", true};
	return (struct place){node->fd, "", node == node->tree->root};
}

int node_place(struct worktree_node *node, struct place *place)
{
	*place = descriptor(node);
	if (node->tree->closed || (place->fd < 0 && !node->names))
		return -ESTALE;
	if (place->fd < 0)
		*place = (struct place){
		        node_directory_fd(node->names->directory), node->names->text};
	return place->fd < 0 ? place->fd : 0;
}

void place_path(const struct place *place, char path[PLACE_PATH_SIZE])
{
	snprintf(path, PLACE_PATH_SIZE, "/proc/self/fd/%d", place->fd);
}

void node_seen(struct worktree_node *node, const struct stat *attr)
{
	node->mode = attr->st_mode;
	node->links = attr->st_nlink;
	node->written = false;
}

int node_stat(struct worktree_node *node, struct stat *attr)
{
	struct place place;
	int r = node_place(node, &place);

	if (r < 0)
		return r;
	r = fstatat(place.fd, place.name, attr, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
	return r < 0 ? -errno : 0;
}

static int open_place(const struct place *place, int flags, bool grant)
{
	char path[PLACE_PATH_SIZE];
	const char *name = *place->name ? place->name : path;
	int fd;

	flags |= *place->name ? O_NOFOLLOW : 0;
	place_path(place, path);
	if (grant)
		return copy_open_granting(place->fd, name, flags);
	fd = openat(place->fd, name, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static int open_node(struct worktree_node *node, int flags, bool grant)
{
	struct place place;
	int r = node_place(node, &place);

	if (r < 0)
		return r;
	do
		r = open_place(&place, flags, grant);
	while ((r == -EMFILE || r == -ENFILE) && close_oldest(node->tree));
	return r;
}

int node_open(struct worktree_node *node, int flags)
{
	return open_node(node, flags, true);
}

int node_try_open(struct worktree_node *node, int flags)
{
	return open_node(node, flags, false);
}

/* --- names --- */

static struct node_name **find_name(
        struct worktree_node *node, const struct worktree_node *directory, const char *name)
{
	struct node_name **at = &node->names;

	while (*at && ((*at)->directory != directory || strcmp((*at)->text, name) != 0))
		at = &(*at)->next;
	return at;
}

/* Only somebody else's doing leaves an old name on what can have but one. */
static void drop_outdated(struct worktree_node *node, const struct stat *attr)
{
	while (node->names && (S_ISDIR(attr->st_mode) || attr->st_nlink == 1))
		node_drop_name(node, node->names->directory, node->names->text);
}

int node_add_name(struct worktree_node *node, struct worktree_node *directory, const char *name)
{
	size_t size = strlen(name) + 1;
	struct node_name *added;

	if (*find_name(node, directory, name))
		return 0;
	added = malloc(sizeof(*added) + size);
	if (!added)
		return -ENOMEM;
	memcpy(added->text, name, size);
	added->directory = directory;
	added->next = node->names;
	node->names = added;
	directory->children++;
	if (node->fd >= 0 && list_empty(&node->open))
		forget_descriptor(node); /* a name leads here again */
	return 0;
}

void node_drop_name(
        struct worktree_node *node, const struct worktree_node *directory, const char *name)
{
	struct node_name **at = find_name(node, directory, name), *dropped = *at;
	struct worktree_node *parent;

	if (!dropped)
		return;
	*at = dropped->next;
	parent = dropped->directory;
	free(dropped);
	parent->children--;
	node_free_if_unused(parent);
}

bool node_has_name(
        struct worktree_node *node, const struct worktree_node *directory, const char *name)
{
	return *find_name(node, directory, name) != NULL;
}

unsigned node_count_names(const struct worktree_node *node)
{
	const struct node_name *name;
	unsigned count = 0;

	for (name = node->names; name; name = name->next)
		count++;
	return count;
}

int node_keep(struct worktree_node *node, const struct worktree_node *directory, const char *name)
{
	int fd;

	if (!*find_name(node, directory, name) || node->names->next)
		return 0; /* not by this name, or others lead here too */
	if (node->fd >= 0) {
		node->tree->open_count -= !list_empty(&node->open);
		list_unlink(&node->open);
		return 0;
	}
	fd = node_directory_fd(node->names->directory);
	if (fd < 0)
		return fd;
	fd = open_path(node->tree, fd, name, 0);
	if (fd < 0)
		return fd;
	node->fd = fd;
	return 0;
}

void node_unkeep(struct worktree_node *node)
{
	if (node->names && node->fd >= 0 && list_empty(&node->open))
		node->fd = close_fd(node->fd);
}

/* --- life --- */

static void node_free(struct worktree_node *node)
{
	struct worktree *tree = node->tree;

	while (node->names)
		node_drop_name(node, node->names->directory, node->names->text);
	forget_descriptor(node);
	map_remove(&tree->nodes, node->ino);
	free(node);
	worktree_unref(tree);
}

void node_free_if_unused(struct worktree_node *node)
{
	if (node->lookups || node->children || node->files || node == node->tree->root)
		return;
	draft_drop_unused(node);
	assert(!node->draft);
	node_free(node);
}

int node_get_nameless(struct worktree_node **out, struct worktree *tree, int fd, struct stat *attr)
{
	struct place place = {fd, ""};
	struct worktree_node *node;
	char path[PLACE_PATH_SIZE];
	int held;

	if (fstat(fd, attr) < 0)
		return -errno;
	place_path(&place, path);
	held = open(path, O_PATH | O_CLOEXEC);
	if (held < 0)
		return -errno;
	node = node_new(tree, attr);
	if (!node) {
		close(held);
		return -ENOMEM;
	}
	worktree_ref(tree);
	node->fd = held;
	node_seen(node, attr);
	*out = node;
	return 0;
}

int node_get(struct worktree_node **out, struct worktree_node *directory, const char *name,
        const struct stat *attr)
{
	struct worktree *tree = directory->tree;
	struct worktree_node *node = node_find(tree, attr->st_ino);
	int r;

	if (attr->st_dev != tree->device)
		return -EXDEV; /* something is mounted in there: not ours */
	if (!node) {
		node = node_new(tree, attr);
		if (!node)
			return -ENOMEM;
		worktree_ref(tree);
	}
	if (node->names && !*find_name(node, directory, name))
		drop_outdated(node, attr);
	r = node == tree->root ? 0 : node_add_name(node, directory, name);
	if (r < 0) {
		node_free_if_unused(node);
		return r;
	}
	node_seen(node, attr);
	*out = node;
	return 0;
}
