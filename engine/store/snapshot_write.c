/* SPDX-License-Identifier: Apache-2.0 */
#include "store/snapshot_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/manifest_reader.h"
#include "store/snapshot_cache.h"
#include "store/snapshot_content.h"
#include "store/snapshot_pool.h"
#include "store/worktree_copy.h"

#define RECENT_BYTES (8 << 20)

static int write_directory(
        struct snapshot_write *write, int fd, const struct manifest_entry *entry);

/* --- files --- */

static int put_whole(int fd, const char *bytes, size_t length, uint64_t offset)
{
	size_t done = 0;
	ssize_t put;

	while (done < length) {
		put = pwrite(fd, bytes + done, length - done, (off_t)(offset + done));
		if (put < 0)
			return -errno;
		done += (size_t)put;
	}
	return 0;
}

static int put_chunk(
        struct snapshot_write *write, int fd, const struct manifest_entry *entry, uint64_t number)
{
	uint64_t start = number * BLOB_MAX;
	size_t length = entry->size - start < BLOB_MAX ? entry->size - start : BLOB_MAX;
	struct recent_blob *blob;
	struct blob_id id;
	int r = content_find_chunk(write->recent, &entry->id, entry->size, number, true, &id);

	if (r < 0 || content_is_hole(&id))
		return r;
	if (write->canceled && atomic_load_explicit(write->canceled, memory_order_relaxed))
		return -ECANCELED;
	r = recent_get(write->recent, &id, &blob);
	if (r < 0)
		return r;
	r = blob->length == length ? put_whole(fd, blob->data, length, start)
	                           : fail(-EIO, "writing a snapshot: a chunk has a wrong size");
	recent_put(write->recent, blob);
	return r;
}

static int put_content(struct snapshot_write *write, int fd, const struct manifest_entry *entry)
{
	uint64_t chunks = entry->size / BLOB_MAX + (entry->size % BLOB_MAX != 0), number;
	int r = ftruncate(fd, (off_t)entry->size) < 0 ? -errno : 0;

	if (content_is_hole(&entry->id))
		return r;
	for (number = 0; r == 0 && number < chunks; number++)
		r = put_chunk(write, fd, entry, number);
	return r;
}

/* Who may not give away keeps it; the mode comes last, for giving away takes bits off. */
static int put_attributes(
        struct snapshot_write *write, int fd, const char *name, const struct manifest_entry *entry)
{
	struct timespec times[2] = {entry->mtime, entry->mtime};
	mode_t mode = write->pool ? copy_checkout_mode(manifest_mode(entry)) : entry->mode;

	if (!write->pool && fchownat(fd, name, entry->uid, entry->gid,
	                            AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0) {
		if (errno != EPERM)
			return -errno;
		mode &= ~(mode_t)(S_ISUID | S_ISGID);
	}
	if (entry->kind != MANIFEST_SYMLINK &&
	        (*name ? fchmodat(fd, name, mode, 0) : fchmod(fd, mode)) < 0)
		return -errno;
	if ((*name ? utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW) : futimens(fd, times)) < 0)
		return -errno;
	return 0;
}

int snapshot_write_file(
        struct snapshot_write *write, int directory, const struct manifest_entry *entry)
{
	CLEANUP(close_p)
	int fd = openat(
	        directory, entry->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = put_content(write, fd, entry);
	return r < 0 ? r : put_attributes(write, fd, "", entry);
}

/* --- hard links --- */

/*
 * The directory that a path from the root lies in, one name at a time: it may be longer than the
 * kernel likes.
 */
static int open_parent(int root, char *path, char **name)
{
	int at = dup(root), next;
	char *slash;

	for (*name = path; at >= 0 && (slash = strchr(*name, '/')); *name = slash + 1) {
		*slash = 0;
		next = copy_open_directory(at, *name);
		*slash = '/';
		close(at);
		at = next;
	}
	return at;
}

static int link_to_first(struct snapshot_write *write, char *first, int directory, const char *name)
{
	CLEANUP(close_p) int from = -1;
	char *first_name;

	from = open_parent(write->root, first, &first_name);
	if (from < 0)
		return from;
	return linkat(from, first_name, directory, name, 0) < 0 ? -errno : 0;
}

static int remember_first(struct snapshot_write *write, const struct manifest_entry *entry)
{
	char *path = NULL;
	int r;

	if (asprintf(&path, "%s%s", write->path.length ? write->path.data : "", entry->name) < 0)
		return -ENOMEM;
	r = map_put(&write->groups, entry->group, path);
	if (r < 0)
		free(path);
	return r;
}

/* --- entries --- */

static int write_symlink(int directory, const struct manifest_entry *entry)
{
	char target[MANIFEST_TARGET_MAX + 1];

	memcpy(target, entry->target, entry->size);
	target[entry->size] = 0;
	return symlinkat(target, directory, entry->name) < 0 ? -errno : 0;
}

static int write_node(
        struct snapshot_write *write, int directory, const struct manifest_entry *entry)
{
	int r = 0;

	if (entry->kind == MANIFEST_FILE)
		return write->pool ? snapshot_pool_file(write, directory, entry)
		                   : snapshot_write_file(write, directory, entry);
	if (entry->kind == MANIFEST_SYMLINK)
		r = write_symlink(directory, entry);
	else if (write->pool)
		return 0; /* checkouts have no fifos */
	else if (mkfifoat(directory, entry->name, 0600) < 0)
		r = -errno;
	return r < 0 ? r : put_attributes(write, directory, entry->name, entry);
}

static int write_below(
        struct snapshot_write *write, int directory, const struct manifest_entry *entry)
{
	CLEANUP(close_p) int fd = -1;
	size_t length = write->path.length;
	int r;

	if (mkdirat(directory, entry->name, 0700) < 0)
		return -errno;
	fd = copy_open_directory(directory, entry->name);
	if (fd < 0)
		return fd;
	buf_printf(&write->path, "%s/", entry->name);
	r = write->path.failed ? -ENOMEM : write_directory(write, fd, entry);
	write->path.length = length;
	if (write->path.data)
		write->path.data[length] = 0;
	return r;
}

static int write_entry(
        struct snapshot_write *write, int directory, const struct manifest_entry *entry)
{
	char *first;
	int r;

	if (write->canceled && atomic_load_explicit(write->canceled, memory_order_relaxed))
		return -ECANCELED;
	if (entry->kind == MANIFEST_DIRECTORY)
		return write_below(write, directory, entry);
	first = entry->group ? map_get(&write->groups, entry->group) : NULL;
	if (first && !(write->pool && entry->kind == MANIFEST_FIFO)) {
		r = link_to_first(write, first, directory, entry->name);
		if (r != -EMLINK)
			return r;
	}
	r = write_node(write, directory, entry);
	return r == 0 && entry->group && !first ? remember_first(write, entry) : r;
}

static int write_directory(struct snapshot_write *write, int fd, const struct manifest_entry *entry)
{
	struct manifest_reader reader;
	struct manifest_entry below;
	int r = manifest_reader_open(&reader, write->recent, &entry->id), more = 1;

	while (r == 0 && (more = manifest_reader_next(&reader, &below)) > 0)
		r = write_entry(write, fd, &below);
	manifest_reader_close(&reader);
	if (r < 0 || more < 0)
		return r < 0 ? r : more;
	return put_attributes(write, fd, "", entry);
}

int snapshot_write_run(struct snapshot_write *write, const struct blob_id *root)
{
	struct manifest_entry entry;
	char *path;
	int r = manifest_load_root(write->recent, root, &entry);

	map_init(&write->groups);
	if (r == 0)
		r = write_directory(write, write->root, &entry);
	map_each(path, &write->groups, cursor)
		free(path);
	map_deinit(&write->groups);
	buf_deinit(&write->path);
	return r == -ENOENT ? -EIO : r;
}

int snapshot_write(struct blobs *blobs, const struct blob_id *root, int fd)
{
	struct snapshot_write write = {.root = fd};
	int r;

	write.recent = snapshot_recent_new(blobs, RECENT_BYTES);
	if (!write.recent)
		return -ENOMEM;
	r = snapshot_write_run(&write, root);
	snapshot_recent_free(write.recent);
	return r;
}
