/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/invalidate.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "fs/behaviour.h"
#include "fs/fs.h"
#include "fs/teller.h"

struct invalidation {
	struct telling telling;
	struct fs *fs;
	struct fuse_session *fuse;
	struct buf nodes; /* uint64_t each */
};

static void collect(
        struct invalidation *invalidation, const struct subject *subject, const struct row *row);

static void collect_items(
        struct invalidation *invalidation, const struct subject *subject, const struct row *row)
{
	struct each_entry entry = {};

	while (row->each->next(subject, entry.object, &entry)) {
		struct node node = node_of(row, entry.object);
		struct subject item;

		if (node_subject(invalidation->fs, &node, &subject->caller, &item) == 0)
			collect(invalidation, &item, row);
	}
}

/* What the kernel may remember of all that belongs to the object. */
static void collect(
        struct invalidation *invalidation, const struct subject *subject, const struct row *row)
{
	uint64_t ino = node_of(row, subject->object).ino;
	const struct row *child;

	if (row->behaviour->attr_timeout > 0)
		buf_append(&invalidation->nodes, &ino, sizeof(ino));
	for (child = row->children; child && child->id; child++) {
		if (child->each)
			collect_items(invalidation, subject, child);
		else
			collect(invalidation, subject, child);
	}
}

static void notify(struct telling *telling)
{
	struct invalidation *invalidation = container_of(telling, struct invalidation, telling);
	uint64_t ino;
	size_t i;

	for (i = 0; i < invalidation->nodes.length; i += sizeof(ino)) {
		memcpy(&ino, invalidation->nodes.data + i, sizeof(ino));
		fuse_lowlevel_notify_inval_inode(invalidation->fuse, ino, -1, 0);
	}
}

static void invalidation_free(struct invalidation *invalidation)
{
	buf_deinit(&invalidation->nodes);
	free(invalidation);
}

static void notified(struct telling *telling)
{
	invalidation_free(container_of(telling, struct invalidation, telling));
}

void invalidate_object(struct fs *fs, const struct node *item)
{
	static const struct caller nobody = {.uid = (uid_t)-1, .gid = (gid_t)-1};
	struct invalidation *invalidation;
	struct subject subject;

	if (!fs->fuse)
		return;
	invalidation = calloc(1, sizeof(*invalidation));
	if (!invalidation) {
		fail(-ENOMEM, "telling the kernel of a new owner");
		return;
	}
	invalidation->fs = fs;
	invalidation->fuse = fs->fuse;
	invalidation->telling = (struct telling){.tell = notify, .told = notified};
	list_init(&invalidation->telling.link);
	if (node_subject(fs, item, &nobody, &subject) == 0)
		collect(invalidation, &subject, item->row);
	if (invalidation->nodes.failed || teller_add(fs->teller, &invalidation->telling) < 0)
		invalidation_free(invalidation);
}
