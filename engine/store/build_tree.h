/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Trees that a build works on: a private, writable copy of a checkout, that strangers' programs then change.
 * All of it is for worker threads, and follows no symbolic link. A tree that is deeper than
 * BUILD_TREE_DEPTH is refused (-ELOOP).
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sha256;

#define BUILD_TREE_DEPTH 128

/*
 * Adds names, kinds, contents and whether files are executable; not times, owners or other modes: what is
 * saved again as it was before has the digest it had. 0, -EIO, -ELOOP, -ENOMEM, -ECANCELED.
 */
int build_tree_digest(int fd, struct sha256 *sha256, const atomic_bool *canceled);

/* Where a copy goes, and whose it is to be (uid -1: nobody is asked). */
struct build_tree_copy {
	uid_t uid;
	gid_t gid;
	const atomic_bool *canceled;
};

/* All of `from` into the empty directory `to`, with times; what its owner may not write he may. -ENOSPC ... */
int build_tree_copy(const struct build_tree_copy *copy, int from, int to);

/* How much there is, as far as it can be seen: somebody may be changing it at the moment. */
struct build_tree_weight {
	uint64_t bytes; /* on disk */
	uint64_t entries;
	bool too_deep;
};
void build_tree_weigh(int fd, struct build_tree_weight *weight, const atomic_bool *canceled);

/*
 * Once nobody changes it any more: sockets, devices and fifos go, and every directory can be read. Weighs it on
 * the way. 0, -EIO, -ELOOP, -ECANCELED.
 */
int build_tree_settle(int fd, struct build_tree_weight *weight, const atomic_bool *canceled);
