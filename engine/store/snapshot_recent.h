/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Blobs read lately, by their id: bounded, the longest unused go first. Any thread may ask; what
 * was got stays until it is put back, whatever happens meanwhile.
 */
#include "base/list.h"
#include "store/snapshot_tree.h"

struct recent_blob {
	struct blob_id id;
	struct list link;         /* the latest first */
	struct recent_blob *next; /* of the same hash */
	unsigned references;
	size_t length;
	char *data;
};

/* 0, -ENOENT, -EIO, -ENOMEM. */
int recent_get(struct snapshot_recent *recent, const struct blob_id *id, struct recent_blob **out);
/* The same without asking the disk: NULL when it is not here. */
struct recent_blob *recent_peek(struct snapshot_recent *recent, const struct blob_id *id);
void recent_put(struct snapshot_recent *recent, struct recent_blob *blob); /* NULL is fine */
