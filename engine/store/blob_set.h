/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Sets of ids as members of something else: all zero is an empty one. The verbs are in store/blob.h. */
#include "store/blob.h"

struct blob_set {
	struct blob_id *ids;
	size_t capacity; /* 0 or a power of two */
	size_t count;
	bool has_zeros;
};

void blob_set_deinit(struct blob_set *set);
int blob_set_add_all(struct blob_set *set, const struct blob_set *from); /* -ENOMEM: some of them */
