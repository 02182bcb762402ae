/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk. In each directory the entries that were seen are merged, in the order of names, with
 * those of the base; what was seen stands for what the base has, or takes it away.
 */
#include "store/snapshot_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/manifest_reader.h"
#include "store/manifest_writer.h"

/* A directory being written: its totals, and what the base has of it. */
struct merge {
	struct snapshot_writer *writer;
	struct writer_place place;
	struct manifest_writer out;
	struct manifest_reader base;
	bool has_base;
	int ahead; /* 1: `next` is the base's next entry; 0: it has no more */
	struct manifest_entry next;
	struct manifest_entry *total;
};

static int write_directory(struct snapshot_writer *writer, const struct writer_place *place,
        struct survey_entries *seen, const struct blob_id *base, struct manifest_entry *total);

/* --- sentences --- */

static void say_path(struct buf *why, const struct writer_place *place)
{
	if (!place->above)
		return;
	say_path(why, place->above);
	buf_puts(why, place->name);
	buf_puts(why, "/");
}

static int refuse(struct snapshot_writer *writer, const struct writer_place *place,
        const char *name, mode_t mode)
{
	say_path(&writer->why, place);
	buf_printf(&writer->why, "%s is a %s, which cannot be published", name,
	        S_ISSOCK(mode) ? "socket" : "device");
	return -EINVAL;
}

/* --- putting entries --- */

static int put(struct merge *merge, const struct manifest_entry *entry)
{
	struct manifest_entry *total = merge->total;

	if (entry->kind == MANIFEST_DIRECTORY) {
		total->files += entry->files;
		total->directories += entry->directories + 1;
		total->bytes += entry->bytes;
	} else {
		total->files++;
		total->bytes += entry->kind == MANIFEST_FILE ? entry->size : 0;
	}
	return manifest_writer_add(&merge->out, entry);
}

static int step(struct merge *merge)
{
	merge->ahead = merge->has_base ? manifest_reader_next(&merge->base, &merge->next) : 0;
	return merge->ahead < 0 ? merge->ahead : 0;
}

/* All that the base has before this name (NULL: at all) goes through as it is. */
static int copy_before(struct merge *merge, const char *name)
{
	int r = 0;

	while (r == 0 && merge->ahead > 0 && (!name || strcmp(merge->next.name, name) < 0)) {
		r = put(merge, &merge->next);
		if (r == 0)
			r = step(merge);
	}
	return r;
}

/* --- one entry --- */

static void describe(const struct stat *attr, const char *name, struct manifest_entry *entry)
{
	*entry = (struct manifest_entry){.name = name,
	        .kind = S_ISDIR(attr->st_mode)    ? MANIFEST_DIRECTORY
	                : S_ISLNK(attr->st_mode)  ? MANIFEST_SYMLINK
	                : S_ISFIFO(attr->st_mode) ? MANIFEST_FIFO
	                                          : MANIFEST_FILE,
	        .mode = attr->st_mode & 07777,
	        .uid = attr->st_uid,
	        .gid = attr->st_gid,
	        .mtime = attr->st_mtim};
	if (!S_ISDIR(attr->st_mode) && attr->st_nlink > 1)
		entry->group = attr->st_ino;
}

/* -EACCES: its owner has shut it, and there is nothing to be seen in it. */
static int open_below(const struct merge *merge, const char *name, struct writer_place *below)
{
	if (!merge->writer->exact) {
		below->tree = survey_open(merge->place.tree, name);
		if (below->tree < 0)
			return below->tree;
	}
	below->content = survey_open(merge->place.content, name);
	if (below->content < 0 && below->content != -EACCES && merge->writer->exact)
		return fail(-EIO, "publishing: the checkout lacks directory %s", name);
	return below->content < 0 ? below->content : 0;
}

static int write_below(struct merge *merge, struct survey_entry *seen, struct survey_sight *sight,
        const struct manifest_entry *before, struct manifest_entry *entry)
{
	struct writer_place below = {&merge->place, seen->name, -1, -1};
	const struct blob_id *base = before && !seen->whole ? &before->id : NULL;
	int r;

	if (before && before->kind != MANIFEST_DIRECTORY)
		base = NULL;
	if (!base && !seen->whole)
		return -ESTALE;
	r = open_below(merge, seen->name, &below);
	if (r == 0 && !merge->writer->exact)
		r = survey_list(below.tree, seen->mark, merge->writer->slots, seen->whole, SIZE_MAX,
		        &sight->entries);
	if (r == -EACCES)
		r = 0;
	if (r == 0)
		r = write_directory(merge->writer, &below, &sight->entries, base, entry);
	close_fd(below.tree);
	close_fd(below.content);
	return r < 0 ? r : 1;
}

/* 1: the entry is made; 0: there is nothing that counts; -errno. */
static int make_entry(struct merge *merge, struct survey_entry *seen, struct survey_sight *sight,
        const struct manifest_entry *before, struct manifest_entry *entry)
{
	mode_t mode = sight->attr.st_mode;

	describe(&sight->attr, seen->name, entry);
	if (S_ISDIR(mode))
		return write_below(merge, seen, sight, before, entry);
	atomic_fetch_add_explicit(&merge->writer->counts->files, 1, memory_order_relaxed);
	if (S_ISREG(mode))
		return writer_file(merge->writer, &merge->place, seen, &sight->attr, before, entry);
	if (S_ISLNK(mode)) {
		entry->target = sight->target;
		entry->size = strlen(sight->target);
		entry->mode = 0777;
		return 1;
	}
	return S_ISFIFO(mode) ? 1 : refuse(merge->writer, &merge->place, seen->name, mode);
}

/* Something may become something else under a worker's hands: then it is marked. */
static bool changed_meanwhile(const struct snapshot_writer *writer, int error)
{
	return !writer->exact && (error == -ENOENT || error == -ENOTDIR || error == -ELOOP);
}

static int write_sight(struct merge *merge, struct survey_entry *seen, struct survey_sight *sight,
        const struct manifest_entry *before)
{
	struct manifest_entry entry;
	int r;

	if (!sight->attr.st_mode)
		return 0;
	r = make_entry(merge, seen, sight, before, &entry);
	if (r < 0)
		return changed_meanwhile(merge->writer, r) ? 0 : r;
	return r ? put(merge, &entry) : 0;
}

static int write_seen(struct merge *merge, struct survey_entry *seen)
{
	const struct manifest_entry *before = NULL;
	struct survey_sight sight = {0};
	int r = copy_before(merge, seen->name);

	if (r < 0)
		return r;
	if (atomic_load_explicit(merge->writer->canceled, memory_order_relaxed))
		return -ECANCELED;
	if (merge->ahead > 0 && strcmp(merge->next.name, seen->name) == 0)
		before = &merge->next;
	if (!seen->sight)
		r = survey_look(merge->place.tree, seen->name, &sight);
	if (r == 0)
		r = write_sight(merge, seen, seen->sight ? seen->sight : &sight, before);
	survey_sight_free(&sight);
	if (r == 0 && before)
		r = step(merge);
	return r;
}

/* --- a directory --- */

static int write_entries(struct merge *merge, struct survey_entries *seen)
{
	size_t i;
	int r = step(merge);

	for (i = 0; r == 0 && i < seen->count; i++)
		r = write_seen(merge, &seen->items[i]);
	return r == 0 ? copy_before(merge, NULL) : r;
}

static int write_directory(struct snapshot_writer *writer, const struct writer_place *place,
        struct survey_entries *seen, const struct blob_id *base, struct manifest_entry *total)
{
	struct merge merge = {.writer = writer, .place = *place, .total = total};
	int r = 0;

	manifest_writer_init(&merge.out, writer->batch);
	if (base) {
		merge.has_base = true;
		r = manifest_reader_open(&merge.base, writer->recent, base);
		if (r == -ENOENT || r == -EIO)
			r = -ESTALE;
	}
	if (r == 0)
		r = write_entries(&merge, seen);
	if (r == 0)
		r = manifest_writer_finish(&merge.out, &total->id);
	if (base)
		manifest_reader_close(&merge.base);
	manifest_writer_deinit(&merge.out);
	return r;
}

static int write_root(struct snapshot_writer *writer, const struct blob_id *base)
{
	struct writer_place place = {.tree = writer->tree, .content = writer->content};
	struct buf root = BUF_INIT;
	struct stat attr;
	int r = 0;

	if (!writer->exact) {
		if (fstat(writer->tree, &writer->root.attr) < 0)
			return -errno;
		r = survey_list(writer->tree, writer->marks, writer->slots, writer->whole, SIZE_MAX,
		        &writer->root.entries);
	}
	attr = writer->root.attr;
	describe(&attr, "", &writer->total);
	if (r == 0)
		r = write_directory(writer, &place, &writer->root.entries, base, &writer->total);
	if (r < 0)
		return r;
	manifest_put_root(&root, &writer->total);
	r = root.failed ? -ENOMEM
	                : blob_batch_put(writer->batch, root.data, root.length, &writer->id);
	buf_deinit(&root);
	return r;
}

int snapshot_writer_run(struct snapshot_writer *writer)
{
	struct manifest_entry base;
	int r;

	writer->content_writer.batch = writer->batch;
	writer->content_writer.canceled = writer->canceled;
	writer->content_writer.bytes_done = &writer->counts->bytes;
	if (writer->whole)
		return write_root(writer, NULL);
	r = manifest_load_root(writer->recent, &writer->base, &base);
	if (r < 0)
		return r == -ENOMEM ? r : -ESTALE;
	return write_root(writer, &base.id);
}

void snapshot_writer_deinit(struct snapshot_writer *writer)
{
	survey_sight_free(&writer->root);
	content_writer_deinit(&writer->content_writer);
	buf_deinit(&writer->why);
}
