/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of a tree share: any tree (tree.c), and one that is a root (tree_root.c). */
#include "fetch/tree.h"

int tree_open_below(int directory, const char *name, int flags, mode_t mode, uint64_t resolve);

/* Below the directory, and over no link. */
int tree_open_strictly(int directory, const char *name, int flags, mode_t mode);
int tree_refuse_system(struct tree *tree, int error, const char *name);

/* Takes a name apart; *parent is borrowed until the next call. 0, or refused. */
int tree_find_parent(struct tree *tree, const char *name, int *parent, const char **leaf);
void tree_forget_parent(struct tree *tree); /* something went: it is looked up anew next time */
int tree_count_file(struct tree *tree);

/* A directory by its name, over links inside of the root, made where it is not there. A descriptor or -errno. */
int tree_open_or_make(struct tree *tree, const char *name);

/* Whatever it is; `name` is for the sentence. 0, or refused. */
int tree_remove_at(struct tree *tree, int parent, const char *leaf, const char *name);
