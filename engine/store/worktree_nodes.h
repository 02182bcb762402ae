/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Nodes: inodes of the disk that somebody holds, and how to reach them.
 *
 * A node knows its names: (directory node, name) pairs. A directory has exactly one; a file with hard
 * links may have more, and some may be unknown (`st_nlink` tells). Nobody else renames anything, so a
 * name once learnt is exact until we change it. A node is reached by openat() from a descriptor of its
 * directory; only directories keep descriptors, and those that can be had again are closed when there
 * are too many. A node about to lose its last known name gets an O_PATH descriptor of its own before,
 * which also keeps the disk from giving its inode number to another file.
 */
#include <stdint.h>
#include <sys/stat.h>

#include "base/list.h"
#include "store/worktree_ops.h"
#include "store/worktree_tree.h"

struct draft;

struct node_name {
	struct node_name *next;
	struct worktree_node *directory; /* counted in its `children` */
	char text[];
};

struct worktree_node {
	struct worktree *tree; /* counted, but for the root */
	uint64_t ino;
	uint64_t number;         /* the front's */
	uint64_t lookups;        /* the front's */
	unsigned children;       /* names of other nodes in this directory */
	unsigned files;          /* open files, and work under way */
	struct list opened;      /* of struct worktree_file */
	unsigned writers;        /* of them, open for writing */
	unsigned mappers;        /* of these, also for reading: what a shared mapping needs */
	uint64_t commits;        /* times the content was committed */
	mode_t type;             /* S_IFMT */
	mode_t mode;             /* all of it, as last seen; nobody else changes it */
	bool written;            /* since its attributes were seen */
	nlink_t links;           /* st_nlink as last seen, and no fewer than there are */
	struct node_name *names; /* NULL: the root, or only `fd` leads here */
	int fd;                  /* O_PATH, or -1 */
	struct list open;        /* in tree->open_directories while `fd` can be had again */
	struct draft *draft;     /* what was changed and does not count yet; NULL: nothing */
};

int nodes_open(struct worktree *tree);
void nodes_close(struct worktree *tree);

struct worktree_node *node_find(const struct worktree *tree, uint64_t ino);
/* The node of an inode seen under this name: found, or made. */
int node_get(struct worktree_node **out, struct worktree_node *directory, const char *name,
        const struct stat *attr);
/* The node of an open file that has no name. */
int node_get_nameless(struct worktree_node **out, struct worktree *tree, int fd, struct stat *attr);
void node_free_if_unused(struct worktree_node *node);

/* A descriptor good for *at() calls, borrowed: valid until the next call of a node function. */
int node_directory_fd(struct worktree_node *directory);

/* Where fstatat() and friends find the node: name "" means the descriptor itself. */
struct place {
	int fd;
	const char *name;
	bool open; /* with the name "": not O_PATH, so fchmod() and friends take it */
};
int node_place(struct worktree_node *node, struct place *place); /* -ESTALE, -EMFILE ... */

/* A path for the calls that know no AT_EMPTY_PATH; follow it. For places with the name "" that are not open. */
#define PLACE_PATH_SIZE 40
void place_path(const struct place *place, char path[PLACE_PATH_SIZE]);

int node_stat(struct worktree_node *node, struct stat *attr);
/* The attributes of the node as they are. */
void node_seen(struct worktree_node *node, const struct stat *attr);
/* A real descriptor, for the caller to close. The one grants its owner what the mode does not (see
 * worktree_copy.h), the other says -EACCES. */
int node_open(struct worktree_node *node, int flags);
int node_try_open(struct worktree_node *node, int flags);

/* --- names --- */
int node_add_name(struct worktree_node *node, struct worktree_node *directory, const char *name);
void node_drop_name(
        struct worktree_node *node, const struct worktree_node *directory, const char *name);
bool node_has_name(
        struct worktree_node *node, const struct worktree_node *directory, const char *name);
unsigned node_count_names(const struct worktree_node *node);

/* Before (directory, name) goes away on disk: sees to it that the node stays within reach. */
int node_keep(struct worktree_node *node, const struct worktree_node *directory, const char *name);
void node_unkeep(struct worktree_node *node); /* after all it did not go away */
