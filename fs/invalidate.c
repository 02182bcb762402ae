/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/invalidate.h"

#include <stdlib.h>

#include "base/fail.h"
#include "fs/behaviour.h"
#include "fs/fs.h"

#define NODES_MOST 64

struct invalidation {
	struct fs *fs;
	struct fuse_session *fuse;
	uint64_t nodes[NODES_MOST];
	unsigned count;
	uv_work_t work;
};

static void collect(struct invalidation *invalidation, const struct row *row, uint64_t object)
{
	const struct row *child;

	if (row->behaviour->attr_timeout > 0 && invalidation->count < NODES_MOST)
		invalidation->nodes[invalidation->count++] = node_of(row, object).ino;
	for (child = row->children; child && child->id; child++)
		if (!child->each)
			collect(invalidation, child, object);
}

static void notify(uv_work_t *work)
{
	struct invalidation *invalidation = work->data;
	unsigned i;

	for (i = 0; i < invalidation->count; i++)
		fuse_lowlevel_notify_inval_inode(invalidation->fuse, invalidation->nodes[i], -1, 0);
}

static void notified(uv_work_t *work, int status)
{
	struct invalidation *invalidation = work->data;

	invalidation->fs->works--;
	free(invalidation);
}

void invalidate_object(struct fs *fs, const struct node *item)
{
	struct invalidation *invalidation;

	if (!fs->fuse)
		return;
	invalidation = calloc(1, sizeof(*invalidation));
	if (!invalidation) {
		fail(-ENOMEM, "telling the kernel of a new owner");
		return;
	}
	invalidation->fs = fs;
	invalidation->fuse = fs->fuse;
	invalidation->work.data = invalidation;
	collect(invalidation, item->row, item->object);
	if (uv_queue_work(fs->loop, &invalidation->work, notify, notified) < 0) {
		free(invalidation);
		return;
	}
	fs->works++;
}
