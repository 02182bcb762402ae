/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A working tree in a directory of its own, and its operations by path. */
#include <uv.h>

#include "store/worktree.h"
#include "store/worktree_ops.h"

struct fixture {
	char *directory; /* holds `code` and `cache` */
	int fd;
	uv_loop_t loop;
	struct worktree *tree;
	unsigned changes; /* times `changed` was called */
	struct caller caller;
};

void fixture_open(struct fixture *fixture);
void fixture_reopen(struct fixture *fixture); /* a clean end, and the next daemon */
void fixture_crash(struct fixture *fixture);  /* the next daemon after one that was killed */
void fixture_close(struct fixture *fixture);

/* Runs the loop until nothing is under way. */
void fixture_settle(struct fixture *fixture);

/* The node of a path, with one lookup; NULL when there is none. "" is the root. */
struct worktree_node *fixture_find(struct fixture *fixture, const char *path);
/* The directory of a path, with one lookup, and the name in it. */
struct worktree_node *fixture_parent(struct fixture *fixture, const char *path, const char **name);

int fixture_mkdir(struct fixture *fixture, const char *path);
int fixture_unlink(struct fixture *fixture, const char *path);
int fixture_rmdir(struct fixture *fixture, const char *path);
int fixture_rename(struct fixture *fixture, const char *from, const char *to, unsigned flags);
int fixture_link(struct fixture *fixture, const char *from, const char *to);
int fixture_symlink(struct fixture *fixture, const char *target, const char *path);
int fixture_chmod(struct fixture *fixture, const char *path, mode_t mode);
int fixture_truncate(struct fixture *fixture, const char *path, off_t size);
int fixture_stat(struct fixture *fixture, const char *path, struct stat *attr);
/* flags as of open(2), O_CREAT included. */
int fixture_file(struct fixture *fixture, const char *path, int flags, struct worktree_file **file);
/* open, truncate, write, close */
void fixture_save(struct fixture *fixture, const char *path, const char *text);

/* A checkout, after as many turns of the loop as it takes; NULL and -errno when there is none. */
struct checkout *fixture_checkout(struct fixture *fixture, int *status);
/* The content of a file of a checkout, freed by the caller; NULL when it is not there. */
char *fixture_content(const struct checkout *checkout, const char *path);
