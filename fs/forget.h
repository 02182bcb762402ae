/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * When an object goes, so does what chmod, chown and utimens left on its nodes, and on those of the
 * objects inside it. Collected before it is removed, for afterwards nobody can name them.
 */
#include "base/buf.h"
#include "fs/node.h"

struct forget {
	struct buf objects; /* of uint64_t: those that have attributes of their own */
};

void forget_collect(struct forget *forget, struct fs *fs, const struct subject *subject);
void forget_apply(struct forget *forget, struct fs *fs, const struct node *removed);
void forget_deinit(struct forget *forget);
