/* SPDX-License-Identifier: Apache-2.0 */
#include "store/manifest_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

static int broken(const struct blob_id *id)
{
	char text[BLOB_TEXT_SIZE];

	blob_id_format(text, id);
	return fail(-EIO, "reading manifest %s: it makes no sense", text);
}

static struct manifest_step *top(struct manifest_reader *reader)
{
	return &reader->steps[reader->depth - 1];
}

/* A page goes on the stack; its level must be one less than that of the page it hangs on. */
static int push(struct manifest_reader *reader, const struct blob_id *id)
{
	struct manifest_step *step = &reader->steps[reader->depth];
	int r = recent_get(reader->recent, id, &step->page);

	if (r < 0)
		return r;
	r = manifest_begin(&step->cursor, step->page->data, step->page->length);
	if (r < 0 || (reader->depth && step->cursor.level + 1 != step[-1].cursor.level)) {
		recent_put(reader->recent, step->page);
		return broken(id);
	}
	reader->depth++;
	return 0;
}

static void pop(struct manifest_reader *reader)
{
	recent_put(reader->recent, top(reader)->page);
	reader->depth--;
}

static int start(struct manifest_reader *reader)
{
	while (reader->depth)
		pop(reader);
	reader->place = 0;
	return push(reader, &reader->root);
}

int manifest_reader_open(struct manifest_reader *reader, struct snapshot_recent *recent,
        const struct blob_id *directory)
{
	*reader = (struct manifest_reader){.recent = recent, .root = *directory};
	reader->steps = calloc(MANIFEST_LEVELS_MAX + 1, sizeof(*reader->steps));
	if (!reader->steps)
		return -ENOMEM;
	return start(reader);
}

void manifest_reader_close(struct manifest_reader *reader)
{
	while (reader->depth)
		pop(reader);
	free(reader->steps);
	reader->steps = NULL;
}

/* Down to a page of entries that is not used up: 1, 0 at the end of all, -errno. */
static int descend(struct manifest_reader *reader)
{
	struct manifest_reference reference;
	int r;

	while (reader->depth) {
		struct manifest_step *step = top(reader);
		if (!step->cursor.level && step->cursor.at != step->cursor.end)
			return 1;
		r = step->cursor.level ? manifest_next_reference(&step->cursor, &reference) : 0;
		if (r < 0)
			return broken(&step->page->id);
		if (r == 0 && reader->depth == 1)
			return 0; /* stays, for a seek */
		if (r == 0)
			pop(reader);
		else if ((r = push(reader, &reference.id)) < 0)
			return r;
	}
	return 0;
}

int manifest_reader_next(struct manifest_reader *reader, struct manifest_entry *entry)
{
	int r = descend(reader);

	if (r <= 0)
		return r;
	r = manifest_next_entry(&top(reader)->cursor, entry);
	if (r < 0)
		return broken(&top(reader)->page->id);
	reader->place++;
	return r;
}

/* Steps over references as long as all below them lies before the place. */
static int skip_pages(struct manifest_reader *reader, uint64_t place)
{
	struct manifest_reference reference;
	int r;

	while (top(reader)->cursor.level) {
		r = manifest_next_reference(&top(reader)->cursor, &reference);
		if (r < 0)
			return broken(&top(reader)->page->id);
		if (r == 0)
			return 0;
		if (reference.count <= place - reader->place)
			reader->place += reference.count;
		else if ((r = push(reader, &reference.id)) < 0)
			return r;
	}
	return 0;
}

int manifest_reader_seek(struct manifest_reader *reader, uint64_t place)
{
	struct manifest_entry entry;
	int r = 0;

	if (place == reader->place)
		return 0;
	r = start(reader);
	if (r == 0)
		r = skip_pages(reader, place);
	while (r == 0 && reader->place < place) {
		r = manifest_reader_next(reader, &entry);
		if (r == 0)
			return 0;
		r = r < 0 ? r : 0;
	}
	return r;
}

/* Steps over references whose last name lies before the one wanted. */
static int skip_names(struct manifest_reader *reader, const char *name)
{
	struct manifest_reference reference;
	int r;

	while (top(reader)->cursor.level) {
		r = manifest_next_reference(&top(reader)->cursor, &reference);
		if (r < 0)
			return broken(&top(reader)->page->id);
		if (r == 0)
			return 0;
		if (strcmp(reference.name, name) < 0)
			reader->place += reference.count;
		else if ((r = push(reader, &reference.id)) < 0)
			return r;
	}
	return 1;
}

int manifest_reader_find(
        struct manifest_reader *reader, const char *name, struct manifest_entry *entry)
{
	int r = start(reader), order;

	if (r == 0)
		r = skip_names(reader, name);
	while (r > 0) {
		r = manifest_reader_next(reader, entry);
		order = r > 0 ? strcmp(entry->name, name) : 1;
		if (r > 0 && order >= 0)
			return order == 0;
	}
	return r;
}

int manifest_load_root(
        struct snapshot_recent *recent, const struct blob_id *root, struct manifest_entry *entry)
{
	struct recent_blob *blob;
	int r = recent_get(recent, root, &blob);

	if (r < 0)
		return r;
	r = manifest_read_root(blob->data, blob->length, entry);
	recent_put(recent, blob);
	return r < 0 ? broken(root) : 0;
}
