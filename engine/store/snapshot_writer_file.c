/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a snapshot: how little of one has to be read. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/snapshot_writer.h"
#include "store/worktree_copy.h"

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/*
 * Whether what stat said belongs to what counts: nothing came after the moment, nobody has begun
 * to write. Whole seconds in the time of change: the disk may not count finer.
 */
bool writer_is_settled(const struct snapshot_writer *writer, const struct stat *attr)
{
	const struct timespec *change = &attr->st_ctim, *moment = &writer->moment;
	uint64_t ino = attr->st_ino;

	if (change->tv_nsec == 0 ? change->tv_sec + 2 >= moment->tv_sec
	                         : change->tv_sec > moment->tv_sec ||
	                                   (change->tv_sec == moment->tv_sec &&
	                                           change->tv_nsec >= moment->tv_nsec))
		return false;
	return !writer->draft_count ||
	       !bsearch(&ino, writer->drafts, writer->draft_count, sizeof(ino), compare);
}

static int pin(void *userdata, const struct blob_id *id, unsigned depth)
{
	return blob_batch_pin(userdata, id);
}

/* By the index: 1 when the content is known and all there. */
static int from_index(
        struct snapshot_writer *writer, const struct stat *attr, struct manifest_entry *entry)
{
	const struct blob_id *id;
	int r;

	if (!writer->index || attr->st_size == 0 || !writer_is_settled(writer, attr))
		return 0;
	id = snapshot_index_find(writer->index, attr);
	if (!id)
		return 0;
	entry->id = *id;
	entry->size = (uint64_t)attr->st_size;
	r = content_visit(writer->recent, id, entry->size, pin, writer->batch);
	if (r == -ENOENT || r == -EIO)
		return 0;
	if (r == 0)
		atomic_fetch_add_explicit(
		        &writer->counts->bytes, entry->size, memory_order_relaxed);
	return r < 0 ? r : 1;
}

static bool only_attributes(const struct snapshot_writer *writer, const struct survey_entry *seen,
        const struct manifest_entry *before)
{
	return before && before->kind == MANIFEST_FILE && !seen->whole && seen->mark &&
	       !((seen->mark->self | seen->mark->deep | seen->mark->partly) & writer->slots);
}

/* The ranges of a large file that changed, when nothing else did. */
static const struct ranges *only_ranges(const struct snapshot_writer *writer,
        const struct survey_entry *seen, const struct manifest_entry *before)
{
	if (!before || before->kind != MANIFEST_FILE || before->size <= BLOB_MAX || seen->whole ||
	        !seen->mark || !(seen->mark->partly & writer->slots))
		return NULL;
	return mark_ranges(seen->mark, (unsigned)__builtin_ctzll(writer->slots));
}

static int read_content(struct snapshot_writer *writer, int fd, const struct ranges *ranges,
        const struct manifest_entry *before, struct manifest_entry *entry)
{
	struct content_before old;

	if (!ranges)
		return content_write(&writer->content_writer, fd, entry->size, &entry->id);
	old = (struct content_before){writer->recent, before->id, before->size, ranges};
	return content_write_changed(&writer->content_writer, fd, entry->size, &old, &entry->id);
}

/*
 * A checkout lacks what nobody has closed yet: it does not count. Without a survey it may also be
 * that the name came later, and is marked.
 */
static int open_content(const struct writer_place *place, const char *name, struct stat *attr)
{
	int fd = copy_open_file(place->content, name);

	if (fd < 0)
		return fd;
	if (fstat(fd, attr) == 0 && S_ISREG(attr->st_mode))
		return fd;
	close(fd);
	return -ENOENT;
}

int writer_file(struct snapshot_writer *writer, const struct writer_place *place,
        const struct survey_entry *seen, const struct stat *attr,
        const struct manifest_entry *before, struct manifest_entry *entry)
{
	CLEANUP(close_p) int fd = -1;
	bool settled = writer_is_settled(writer, attr);
	struct stat content;
	int r;

	if (only_attributes(writer, seen, before)) {
		entry->size = before->size;
		entry->id = before->id;
		return 1;
	}
	r = from_index(writer, attr, entry);
	if (r == 0) {
		fd = open_content(place, seen->name, &content);
		if (fd == -ENOENT || fd == -ELOOP || fd == -ENOTDIR)
			return 0;
		if (fd < 0)
			return fail(fd, "opening a file to publish");
		entry->size = (uint64_t)content.st_size;
		if (!settled)
			entry->mtime = content.st_mtim;
		r = read_content(writer, fd, only_ranges(writer, seen, before), before, entry);
		settled = settled && content.st_size == attr->st_size;
	} else if (!writer->whole)
		return r < 0 ? r : 1; /* the index goes on */
	if (r >= 0 && settled && writer->index && entry->size)
		snapshot_index_note(writer->index, attr, &entry->id);
	return r < 0 ? r : 1;
}
