/* SPDX-License-Identifier: Apache-2.0 */
/* Says what is wrong with a snapshot, by the paths in it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/manifest_reader.h"
#include "store/snapshot.h"
#include "store/snapshot_content.h"

#define RECENT_BYTES (4 << 20)

struct checking {
	struct blobs *blobs;
	struct snapshot_recent *recent;
	bool content;
	struct blob_set *seen;
	void (*bad)(void *userdata, const char *sentence);
	void *userdata;
	char root[BLOB_TEXT_SIZE];
	struct buf path;
	uint64_t problems;
};

static int check_directory(struct checking *checking, const struct manifest_entry *entry);

/* 0, so that the checking goes on; -ENOMEM ends it. */
static int say(struct checking *checking, const struct blob_id *id, const char *what, int error)
{
	CLEANUP(buf_deinit) struct buf sentence = BUF_INIT;
	char text[BLOB_TEXT_SIZE];

	if (error == -ENOMEM)
		return error;
	blob_id_format(text, id);
	buf_printf(&sentence, "snapshot %s: %s %s of /%s %s", checking->root, what, text,
	        checking->path.length ? checking->path.data : "",
	        error == -ENOENT ? "is missing" : "is damaged");
	if (sentence.failed)
		return -ENOMEM;
	checking->problems++;
	checking->bad(checking->userdata, sentence.data);
	return 0;
}

static int check_blob(void *userdata, const struct blob_id *id, unsigned depth)
{
	struct checking *checking = userdata;
	struct recent_blob *blob = NULL;
	int r;

	if (blobs_check_stopped(checking->blobs))
		return -ECANCELED;
	if (blob_set_has(checking->seen, id))
		return 0;
	r = checking->content || depth         ? recent_get(checking->recent, id, &blob)
	    : blob_exists(checking->blobs, id) ? 0
	                                       : -ENOENT;
	recent_put(checking->recent, blob);
	if (r < 0)
		return say(checking, id, depth ? "the list" : "the content", r);
	r = depth ? 0 : blob_set_add(checking->seen, id);
	return r < 0 ? r : 0;
}

static int check_file(struct checking *checking, const struct manifest_entry *entry)
{
	int r = content_visit(checking->recent, &entry->id, entry->size, check_blob, checking);

	return r == -ENOMEM || r == -ECANCELED ? r : 0; /* a list that cannot be read was told of */
}

static int check_entry(struct checking *checking, const struct manifest_entry *entry)
{
	size_t length = checking->path.length;
	int r = 0;

	buf_puts(&checking->path, entry->name);
	if (entry->kind == MANIFEST_DIRECTORY) {
		buf_puts(&checking->path, "/");
		r = check_directory(checking, entry);
	} else if (entry->kind == MANIFEST_FILE) {
		r = check_file(checking, entry);
	}
	if (checking->path.failed)
		return -ENOMEM;
	checking->path.length = length;
	if (checking->path.data)
		checking->path.data[length] = 0;
	return r;
}

static void add_up(struct manifest_entry *total, const struct manifest_entry *entry)
{
	bool directory = entry->kind == MANIFEST_DIRECTORY;

	total->files += directory ? entry->files : 1;
	total->directories += directory ? entry->directories + 1 : 0;
	total->bytes += directory ? entry->bytes : entry->kind == MANIFEST_FILE ? entry->size : 0;
}

/* Names in order over all pages, and the sums that the entry above promises. */
static int check_entries(struct checking *checking, struct manifest_reader *reader,
        const struct manifest_entry *promised)
{
	struct manifest_entry entry, total = {0};
	char last[MANIFEST_NAME_MAX + 1] = "";
	int r, more;

	while ((more = manifest_reader_next(reader, &entry)) > 0) {
		if (strcmp(last, entry.name) >= 0)
			return say(checking, &promised->id, "the manifest", -EIO);
		strcpy(last, entry.name);
		add_up(&total, &entry);
		r = check_entry(checking, &entry);
		if (r < 0)
			return r;
	}
	if (more < 0)
		return say(checking, &promised->id, "a page of the manifest", more);
	if (total.files != promised->files || total.directories != promised->directories ||
	        total.bytes != promised->bytes)
		return say(checking, &promised->id, "the manifest", -EIO);
	return 0;
}

static int check_directory(struct checking *checking, const struct manifest_entry *entry)
{
	uint64_t problems = checking->problems;
	struct manifest_reader reader;
	int r;

	if (blob_set_has(checking->seen, &entry->id))
		return 0;
	r = manifest_reader_open(&reader, checking->recent, &entry->id);
	if (r < 0)
		r = say(checking, &entry->id, "the manifest", r);
	else
		r = check_entries(checking, &reader, entry);
	manifest_reader_close(&reader);
	if (r == 0 && problems == checking->problems)
		r = blob_set_add(checking->seen, &entry->id);
	return r < 0 ? r : 0;
}

int snapshot_check(struct blobs *blobs, const struct blob_id *root, bool content,
        struct blob_set *seen, void (*bad)(void *userdata, const char *sentence), void *userdata)
{
	struct checking checking = {
	        .blobs = blobs, .content = content, .seen = seen, .bad = bad, .userdata = userdata};
	struct manifest_entry entry;
	int r;

	blob_id_format(checking.root, root);
	checking.recent = snapshot_recent_new(blobs, RECENT_BYTES);
	if (!checking.recent)
		return -ENOMEM;
	r = manifest_load_root(checking.recent, root, &entry);
	r = r < 0 ? say(&checking, root, "the root", r) : check_directory(&checking, &entry);
	buf_deinit(&checking.path);
	snapshot_recent_free(checking.recent);
	return r;
}
