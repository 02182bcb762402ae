/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A node is (row, object). Its inode number, which is also the kernel's node id, is row << 48 | object
 * for everything but what lies in working trees, so these nodes need no table, are the same after a
 * restart, and `forget` does nothing. Numbers below 2^48 (row 0) are nodes inside working trees: serials
 * given out by the code behaviour, from 2 on; 1 is the kernel's name for the root and stands for row 1.
 *
 * Objects of the store (functions, variables) have ids that are unique over all kinds, and are known
 * by them. What counts up within a function (log segments, calls) is node_child(function, local): local
 * ids above 16 bits are cut, and restored by node_child_restore(), for only the newest are ever alive.
 * So function ids stay below 2^32; nothing that comes by the thousand a second may share their sequence.
 */
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "fs/row.h"

struct fs;
struct request;
struct stat;
struct fuse_entry_param;

#define NODE_OBJECT_BITS 48
#define NODE_OBJECT_MASK ((UINT64_C(1) << NODE_OBJECT_BITS) - 1)
#define NODE_CHILD_BITS  16
#define NODE_CHILD_MASK  ((UINT64_C(1) << NODE_CHILD_BITS) - 1)
#define NODE_ROOT        UINT64_C(1)

struct node {
	const struct row *row; /* id 0: inside a working tree */
	uint64_t object;       /* inside a working tree: the serial */
	uint64_t ino;
};

/* -ESTALE when the number belongs to no row. Says nothing about whether the object is still there. */
int node_from_ino(const struct fs *fs, uint64_t ino, struct node *node);
struct node node_of(const struct row *row, uint64_t object);

static inline uint64_t node_child(uint64_t function, uint64_t local)
{
	return (function << NODE_CHILD_BITS | (local & NODE_CHILD_MASK)) & NODE_OBJECT_MASK;
}

static inline uint64_t node_child_function(uint64_t object)
{
	return object >> NODE_CHILD_BITS;
}

/* The largest local id up to `newest` that is cut to this object's. */
static inline uint64_t node_child_restore(uint64_t object, uint64_t newest)
{
	return newest - ((newest - object) & NODE_CHILD_MASK);
}

/*
 * What the node's row shows: fills the subject through the `get` of the nearest EACH. -ENOENT when the
 * object is gone (a descriptor or working directory may outlive it).
 */
int node_subject(const struct fs *fs, const struct node *node, const struct caller *caller,
        struct subject *subject);

/* The path from the root of the mount, or, with `function`, from functions/NAME; no slash in front. */
void node_path(const struct fs *fs, const struct node *node, bool function, struct buf *out);

/*
 * Attributes of a row's node: type, permissions, owner and times from the row, the subject, and what
 * chmod, chown and utimens left; the size by the behaviour. 0 or -ENOENT.
 */
int node_attr(struct request *request, const struct node *node, struct stat *attr);

/* As above, with what a reply to LOOKUP needs beside it. */
int node_entry(struct request *request, const struct node *node, struct fuse_entry_param *entry);
double node_attr_timeout(const struct fs *fs, const struct node *node);

/* Times of attributes as the engine keeps them: microseconds, cut to what fits. And back. */
int64_t node_time_us(const struct timespec *time);
struct timespec node_timespec(int64_t time_us);
