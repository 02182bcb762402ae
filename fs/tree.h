/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * THE TABLE: every path of the mount is a row in tree.c, and nowhere else. Here is its index by row id.
 */
#include "base/buf.h"
#include "fs/row.h"

#define TREE_ROWS 1024 /* ids are below; raise it when they are used up */

struct tree {
	const struct row *rows[TREE_ROWS];    /* by id; [0] stands for nodes of working trees */
	const struct row *parents[TREE_ROWS]; /* the directory a row stands in; NULL for the root */
	const struct row *scopes[TREE_ROWS]; /* the nearest item row, itself included; NULL: none */
};

void tree_index(struct tree *tree);

const struct row *tree_root(void);

/* docs/tree.md: the tree with a line about each row (tree_print.c). */
void tree_print(struct buf *out);
