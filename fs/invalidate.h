/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Tells the kernel that cached attributes are no longer true. From a thread of the pool, never from
 * the loop: the kernel may wait for answers of ours before it lets such a notification pass.
 */
#include "fs/node.h"

/* All nodes of the object whose attributes the kernel may hold. Best effort. */
void invalidate_object(struct fs *fs, const struct node *item);
