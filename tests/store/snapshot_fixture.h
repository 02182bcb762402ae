/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A working tree, a store of blobs beside it, and ways to see whether two trees are the same. */
#include "store/snapshot.h"
#include "store/snapshot_tree.h"
#include "worktree_fixture.h"

struct snapshots {
	struct fixture fixture;
	struct blobs *blobs;
	char why[512]; /* of the last that failed */
};

void snapshots_open(struct snapshots *snapshots);
void snapshots_close(struct snapshots *snapshots);

/* Takes one and waits for it. */
int snapshots_take(struct snapshots *snapshots, struct snapshot_summary *summary);
int snapshots_take_directory(
        struct snapshots *snapshots, const char *path, struct snapshot_summary *summary);
/* The same in two steps. */
struct snapshot_wait {
	struct snapshots *snapshots;
	bool done;
	int status;
	struct snapshot_summary summary;
	struct snapshot_taking *taking;
};
void snapshots_begin(struct snapshots *snapshots, struct snapshot_wait *wait);
int snapshots_end(struct snapshot_wait *wait);

/* Writes it exactly into a new directory `name` beside the tree: its descriptor. */
int snapshots_write(struct snapshots *snapshots, const struct blob_id *root, const char *name);
void snapshots_remove(struct snapshots *snapshots, const char *name);

/*
 * Whether everything that is code in `from` is in `to` and nothing else: names, types,
 * attributes, content, links. Content may be taken from a third tree. Prints what is not.
 */
bool same_trees(int from, int content, int to);
/* The same of what is read node by node. */
bool same_nodes(int from, int content, struct blobs *blobs, const struct blob_id *root);

/* Written, read node by node, and checked. */
bool snapshot_is(struct snapshots *snapshots, const struct blob_id *root, int from, int content);
/*
 * While files are open for writing, times are not compared: they are those of what does not count
 * yet.
 */
extern bool snapshot_ignore_times;
int fixture_tree_fd(struct fixture *fixture);
