/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/forget.h"

#include <string.h>

#include "engine/engine.h"
#include "fs/fs.h"

static bool has_attributes(struct fs *fs, const struct row *row, uint64_t object)
{
	const struct row *child;

	if (attributes_get(engine_attributes(fs->engine), node_of(row, object).ino))
		return true;
	for (child = row->children; child && child->id; child++)
		if (!child->each && has_attributes(fs, child, object))
			return true;
	return false;
}

/* Everything below `row`, of the object the subject stands for. */
static void collect_inside(struct forget *forget, struct fs *fs, const struct subject *subject)
{
	const struct row *child;

	for (child = subject->row->children; child && child->id; child++) {
		struct subject inside = *subject;
		struct each_entry entry = {};

		inside.row = child;
		if (child->flags & ROW_MOVES)
			continue; /* nothing of them is stored by number */
		if (!child->each) {
			collect_inside(forget, fs, &inside);
			continue;
		}
		inside.row = subject->row;
		while (child->each->next(&inside, entry.object, &entry))
			if (has_attributes(fs, child, entry.object))
				buf_append(&forget->objects, &entry.object, sizeof(entry.object));
	}
}

void forget_collect(struct forget *forget, struct fs *fs, const struct subject *subject)
{
	if (has_attributes(fs, subject->row, subject->object))
		buf_append(&forget->objects, &subject->object, sizeof(subject->object));
	collect_inside(forget, fs, subject);
}

static void forget_rows(struct fs *fs, const struct row *row, uint64_t object)
{
	uint64_t ino = node_of(row, object).ino;
	const struct row *child;

	map_remove(&fs->generations, ino);
	map_remove(&fs->changed_us, ino);
	for (child = row->children; child && child->id; child++)
		if (!child->each)
			forget_rows(fs, child, object);
}

void forget_apply(struct forget *forget, struct fs *fs, const struct node *removed)
{
	size_t i;

	for (i = 0; i + sizeof(uint64_t) <= forget->objects.length; i += sizeof(uint64_t)) {
		uint64_t object;

		memcpy(&object, forget->objects.data + i, sizeof(object));
		attributes_forget_object(engine_attributes(fs->engine), object);
	}
	forget_rows(fs, removed->row, removed->object);
}

void forget_deinit(struct forget *forget)
{
	buf_deinit(&forget->objects);
}
