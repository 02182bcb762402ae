/* SPDX-License-Identifier: Apache-2.0 */
#include "store/snapshot_index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define NEW         SNAPSHOT_INDEX ".new"
#define RECORDS_FEW 100000 /* a log of fewer is never cleaned up */

struct record {
	uint64_t ino;
	uint64_t size;
	int64_t mtime_ns;
	int64_t ctime_ns;
	struct blob_id id;
	uint64_t check;
};

static int64_t nanoseconds(const struct timespec *time)
{
	return (int64_t)((uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec);
}

static uint64_t checksum(const struct record *record)
{
	const unsigned char *bytes = (const void *)record;
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	size_t i;

	for (i = 0; i < offsetof(struct record, check); i++)
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

void snapshot_index_deinit(struct snapshot_index *index)
{
	buf_deinit(&index->known);
	buf_deinit(&index->fresh);
	map_deinit(&index->by_inode);
}

static int read_all(int fd, struct buf *out)
{
	struct stat attr;
	ssize_t got = 1;
	char *place;

	if (fstat(fd, &attr) < 0)
		return -errno;
	place = buf_reserve(out, (size_t)attr.st_size);
	if (!place)
		return -ENOMEM;
	while ((off_t)out->length < attr.st_size && got > 0) {
		got = read(fd, out->data + out->length, (size_t)attr.st_size - out->length);
		if (got > 0)
			buf_added(out, (size_t)got);
	}
	return 0;
}

int snapshot_index_load(struct snapshot_index *index, int directory)
{
	CLEANUP(close_p) int fd = openat(directory, SNAPSHOT_INDEX, O_RDONLY | O_CLOEXEC);
	size_t at;
	int r = fd < 0 ? 0 : read_all(fd, &index->known);

	for (at = 0; r == 0 && at + sizeof(struct record) <= index->known.length;
	        at += sizeof(struct record)) {
		struct record *record = (void *)(index->known.data + at);
		if (record->check == checksum(record))
			r = map_put(&index->by_inode, record->ino, record);
	}
	return r == -ENOMEM ? r : 0;
}

const struct blob_id *snapshot_index_find(
        const struct snapshot_index *index, const struct stat *attr)
{
	const struct record *record = map_get(&index->by_inode, attr->st_ino);

	if (!record || record->size != (uint64_t)attr->st_size ||
	        record->mtime_ns != nanoseconds(&attr->st_mtim) ||
	        record->ctime_ns != nanoseconds(&attr->st_ctim))
		return NULL;
	return &record->id;
}

void snapshot_index_note(
        struct snapshot_index *index, const struct stat *attr, const struct blob_id *id)
{
	struct record record = {.ino = attr->st_ino,
	        .size = (uint64_t)attr->st_size,
	        .mtime_ns = nanoseconds(&attr->st_mtim),
	        .ctime_ns = nanoseconds(&attr->st_ctim),
	        .id = *id};

	record.check = checksum(&record);
	buf_append(&index->fresh, &record, sizeof(record));
}

static bool write_all(int fd, const struct buf *bytes)
{
	size_t done = 0;
	ssize_t put = 1;

	while (done < bytes->length && put > 0) {
		put = write(fd, bytes->data + done, bytes->length - done);
		done += put > 0 ? (size_t)put : 0;
	}
	return done == bytes->length;
}

static void replace(const struct buf *records, int directory)
{
	CLEANUP(close_p)
	int fd = openat(directory, NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || !write_all(fd, records) ||
	        renameat(directory, NEW, directory, SNAPSHOT_INDEX) < 0)
		unlinkat(directory, NEW, 0);
}

/* Of a log half of which says nothing any more, only what counts stays. */
static void clean_up(int directory)
{
	struct snapshot_index index = {0};
	const struct record *record;

	if (snapshot_index_load(&index, directory) == 0) {
		map_each(record, &index.by_inode, cursor)
			buf_append(&index.fresh, record, sizeof(*record));
		if (index.fresh.length * 2 <= index.known.length)
			replace(&index.fresh, directory);
	}
	snapshot_index_deinit(&index);
}

/* A torn end would shift all that is added behind it. */
static void add(const struct buf *records, int directory)
{
	CLEANUP(close_p)
	int fd = openat(directory, SNAPSHOT_INDEX, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (end < 0 || lseek(fd, end - end % (off_t)sizeof(struct record), SEEK_SET) < 0)
		return;
	if (write_all(fd, records) && end > (off_t)(RECORDS_FEW * sizeof(struct record)) &&
	        end % (1 << 20) < (off_t)records->length)
		clean_up(directory);
}

void snapshot_index_save(struct snapshot_index *index, int directory, bool whole)
{
	if (index->fresh.failed)
		return;
	if (whole)
		replace(&index->fresh, directory);
	else if (index->fresh.length)
		add(&index->fresh, directory);
}
