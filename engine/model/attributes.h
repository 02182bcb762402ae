/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Owner, group, mode and times of the nodes of the tree, where somebody changed them: a table from
 * inode number (see fs/node.h) to attributes, kept in the store. A node without an entry has the
 * defaults of its row. Loop thread only.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct store;
struct attributes;

enum { ATTRIBUTE_MODE = 1, ATTRIBUTE_UID = 2, ATTRIBUTE_GID = 4, ATTRIBUTE_MTIME = 8 };

struct node_attributes {
	unsigned set; /* which of the following are changed: ATTRIBUTE_* */
	mode_t mode;  /* permission bits only */
	uid_t uid;
	gid_t gid;
	int64_t mtime_us;
};

int attributes_new(struct attributes **out, struct store *store);
struct attributes *attributes_free(struct attributes *attributes);

/* NULL when the node has none of its own. */
const struct node_attributes *attributes_get(const struct attributes *attributes, uint64_t ino);

/* Merges what `set` names into the node's entry, durably. 0, -ENOMEM, -EIO, -ENOSPC. */
int attributes_set(
        struct attributes *attributes, uint64_t ino, const struct node_attributes *changes);

/*
 * Drops the entries of all nodes of one object: (ino & 2^48-1) == object. From the memory always, for
 * the object is gone; what the store says is what is returned. The removal of a function has taken them
 * from the store already, those of its variables too: then only the memory has to follow.
 */
int attributes_forget_object(struct attributes *attributes, uint64_t object);
