/* SPDX-License-Identifier: Apache-2.0 */
#include "store/manifest_writer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void manifest_writer_init(struct manifest_writer *writer, struct blob_batch *batch)
{
	*writer = (struct manifest_writer){.batch = batch};
}

void manifest_writer_deinit(struct manifest_writer *writer)
{
	unsigned i;

	for (i = 0; i < MANIFEST_LEVELS_MAX && writer->levels[i]; i++) {
		buf_deinit(&writer->levels[i]->page);
		free(writer->levels[i]);
	}
}

static int level_of(struct manifest_writer *writer, unsigned number, struct manifest_level **out)
{
	if (number >= MANIFEST_LEVELS_MAX)
		return -EFBIG;
	if (!writer->levels[number]) {
		writer->levels[number] = calloc(1, sizeof(**out));
		if (!writer->levels[number])
			return -ENOMEM;
		manifest_page_begin(&writer->levels[number]->page, number);
	}
	*out = writer->levels[number];
	return 0;
}

static int put_page(
        struct manifest_writer *writer, const struct manifest_level *level, struct blob_id *id)
{
	if (level->page.failed)
		return -ENOMEM;
	return blob_batch_put(writer->batch, level->page.data, level->page.length, id);
}

static int end_page(struct manifest_writer *writer, unsigned number);

/* Behind each record: remembers its name, and ends the page where that is due. */
static int added(struct manifest_writer *writer, unsigned number, const char *name, uint64_t count)
{
	struct manifest_level *level = writer->levels[number];

	strcpy(level->last, name);
	level->records++;
	level->count += count;
	if (level->page.failed)
		return -ENOMEM;
	if (!manifest_page_ends(name, number, level->records, level->page.length))
		return 0;
	return end_page(writer, number);
}

/* The page becomes a blob, and a reference in the level above; an empty one takes its place. */
static int end_page(struct manifest_writer *writer, unsigned number)
{
	struct manifest_level *level = writer->levels[number], *above;
	struct manifest_reference reference = {.name = level->last, .count = level->count};
	int r = level_of(writer, number + 1, &above);

	if (r == 0)
		r = put_page(writer, level, &reference.id);
	if (r < 0)
		return r;
	manifest_put_reference(&above->page, above->last, &reference);
	above->below = reference.id;
	r = added(writer, number + 1, level->last, level->count);
	buf_clear(&level->page);
	manifest_page_begin(&level->page, number);
	level->records = 0;
	level->count = 0;
	level->last[0] = 0;
	level->sealed = true;
	return r;
}

int manifest_writer_add(struct manifest_writer *writer, const struct manifest_entry *entry)
{
	struct manifest_level *level;
	int r = level_of(writer, 0, &level);

	if (r < 0)
		return r;
	assert(!level->records || strcmp(level->last, entry->name) < 0);
	manifest_put_entry(&level->page, level->last, entry);
	return added(writer, 0, entry->name, 1);
}

/*
 * The last pages of all levels end here. The first level that never had another page holds the
 * whole; but one reference alone is no level: what it refers to is the whole.
 */
int manifest_writer_finish(struct manifest_writer *writer, struct blob_id *id)
{
	struct manifest_level *level;
	unsigned number;
	int r = level_of(writer, 0, &level);

	for (number = 0; r == 0; number++) {
		level = writer->levels[number];
		if (!level->sealed && number && level->records == 1) {
			*id = level->below;
			return 0;
		}
		if (!level->sealed)
			return put_page(writer, level, id);
		if (level->records)
			r = end_page(writer, number);
	}
	return r;
}
