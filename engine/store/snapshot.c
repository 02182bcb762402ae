/* SPDX-License-Identifier: Apache-2.0 */
/* Everything a snapshot refers to, marked for those who sweep; and what the root alone says. */
#include "store/snapshot.h"

#include <errno.h>
#include <string.h>

#include "base/fail.h"
#include "store/manifest_reader.h"
#include "store/snapshot_content.h"

#define RECENT_BYTES (4 << 20)

int snapshot_summarise(
        struct blobs *blobs, const struct blob_id *root, struct snapshot_summary *summary)
{
	struct buf data = BUF_INIT;
	struct manifest_entry entry;
	int r = blob_read(blobs, root, &data);

	if (r == 0 && manifest_read_root(data.data, data.length, &entry) < 0)
		r = fail(-EIO, "reading a snapshot: its root makes no sense");
	if (r == 0)
		*summary = (struct snapshot_summary){.root = *root,
		        .files = entry.files,
		        .directories = entry.directories + 1,
		        .bytes = entry.bytes};
	buf_deinit(&data);
	return r;
}

struct marking {
	struct snapshot_recent *recent;
	struct blob_set *live;
};

/* What is in the set already has all below it in the set, or will have: it is not visited again. */
static int mark_page(struct marking *marking, const struct blob_id *id);

static int mark_list(struct marking *marking, const struct blob_id *id, unsigned depth)
{
	struct recent_blob *list;
	struct blob_id below;
	size_t at;
	int r;

	if (content_is_hole(id))
		return 0;
	r = blob_set_add(marking->live, id);
	if (r <= 0 || depth == 0)
		return r < 0 ? r : 0;
	r = recent_get(marking->recent, id, &list);
	if (r < 0)
		return r;
	for (at = 0; r == 0 && at + BLOB_ID_SIZE <= list->length; at += BLOB_ID_SIZE) {
		memcpy(below.bytes, list->data + at, BLOB_ID_SIZE);
		r = mark_list(marking, &below, depth - 1);
	}
	recent_put(marking->recent, list);
	return r;
}

static int mark_entries(struct marking *marking, struct manifest_cursor *cursor)
{
	struct manifest_entry entry;
	int r;

	while ((r = manifest_next_entry(cursor, &entry)) > 0) {
		if (entry.kind == MANIFEST_DIRECTORY)
			r = mark_page(marking, &entry.id);
		else if (entry.kind == MANIFEST_FILE && entry.size)
			r = mark_list(marking, &entry.id, content_depth(entry.size));
		if (r < 0)
			return r;
	}
	return r;
}

static int mark_references(struct marking *marking, struct manifest_cursor *cursor)
{
	struct manifest_reference reference;
	int r;

	while ((r = manifest_next_reference(cursor, &reference)) > 0) {
		r = mark_page(marking, &reference.id);
		if (r < 0)
			return r;
	}
	return r;
}

static int mark_page(struct marking *marking, const struct blob_id *id)
{
	struct manifest_cursor cursor;
	struct recent_blob *page;
	int r = blob_set_add(marking->live, id);

	if (r <= 0)
		return r;
	r = recent_get(marking->recent, id, &page);
	if (r < 0)
		return r;
	r = manifest_begin(&cursor, page->data, page->length);
	if (r == 0)
		r = cursor.level ? mark_references(marking, &cursor)
		                 : mark_entries(marking, &cursor);
	recent_put(marking->recent, page);
	return r == -EBADMSG ? fail(-EIO, "marking a snapshot: a manifest makes no sense") : r;
}

int snapshot_mark(struct blobs *blobs, const struct blob_id *root, struct blob_set *live)
{
	struct marking marking = {.live = live};
	struct manifest_entry entry;
	int r;

	marking.recent = snapshot_recent_new(blobs, RECENT_BYTES);
	if (!marking.recent)
		return -ENOMEM;
	r = blob_set_add(live, root);
	if (r > 0) {
		r = manifest_load_root(marking.recent, root, &entry);
		if (r == 0)
			r = mark_page(&marking, &entry.id);
	}
	snapshot_recent_free(marking.recent);
	return r;
}
