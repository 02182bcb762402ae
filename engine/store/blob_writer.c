/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order that makes a pack whole or absent: everything is written, the file synced, renamed, and
 * the directory synced. Only then anybody may refer to what is in it.
 */
#include "store/blob_writer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"

enum { WRITE_SIZE = 1024 * 1024 }; /* records are collected up to this */

void writer_init(struct blob_writer *writer, const struct blob_disk *disk, int directory,
        uint64_t number, struct sha256 *sha256)
{
	*writer = (struct blob_writer){
	        .disk = disk, .directory = directory, .fd = -1, .sha256 = sha256};
	snprintf(writer->name, sizeof(writer->name), "%" PRIu64 ".tmp", number);
	buf_init(&writer->waiting);
}

/* Nothing can be done about a file that cannot be removed: the next start does it. */
static void drop_file(struct blob_writer *writer)
{
	if (writer->fd < 0)
		return;
	writer->fd = close_fd(writer->fd);
	writer->disk->remove(writer->disk, writer->directory, writer->name);
}

void writer_deinit(struct blob_writer *writer)
{
	drop_file(writer);
	buf_deinit(&writer->waiting);
	free(take(writer->entries));
	writer->compressor = compressor_free(writer->compressor);
}

static int broken(struct blob_writer *writer, int error, const char *doing)
{
	drop_file(writer);
	buf_deinit(&writer->waiting);
	writer->error = fail(error, "%s a pack", doing);
	return writer->error;
}

static int flush(struct blob_writer *writer)
{
	uint64_t place = writer->place - writer->waiting.length;
	int r = writer->disk->write(
	        writer->disk, writer->fd, writer->waiting.data, writer->waiting.length, place);

	if (r < 0)
		return broken(writer, r, "writing");
	buf_clear(&writer->waiting);
	return 0;
}

static int begin_file(struct blob_writer *writer)
{
	unsigned char header[PACK_HEADER_SIZE];

	if (writer->fd >= 0)
		return 0;
	writer->fd = writer->disk->create(writer->disk, writer->directory, writer->name);
	if (writer->fd < 0)
		return broken(writer, writer->fd, "creating");
	header_put(header);
	buf_append(&writer->waiting, header, sizeof(header));
	writer->place = sizeof(header);
	return 0;
}

static int note_entry(struct blob_writer *writer, const struct blob_entry *entry)
{
	if (writer->count == writer->capacity) {
		size_t capacity = writer->capacity ? writer->capacity * 2 : 64;
		void *grown = realloc(writer->entries, capacity * sizeof(*writer->entries));
		if (!grown)
			return broken(writer, -ENOMEM, "writing");
		writer->entries = grown;
		writer->capacity = capacity;
	}
	writer->entries[writer->count] = *entry;
	writer->entries[writer->count++].place = writer->place;
	return 0;
}

/* The record is what was appended to `waiting` since the last one. */
static int end_record(struct blob_writer *writer, const struct blob_entry *entry)
{
	static const char zeros[8];
	uint64_t length = record_length(entry->stored);
	int r;

	buf_append(&writer->waiting, zeros, length - PACK_RECORD_SIZE - entry->stored);
	if (writer->waiting.failed)
		return broken(writer, -ENOMEM, "writing");
	r = note_entry(writer, entry);
	if (r < 0)
		return r;
	writer->place += length;
	return writer->waiting.length < WRITE_SIZE ? 0 : flush(writer);
}

static int begin_record(struct blob_writer *writer)
{
	if (writer->error)
		return writer->error;
	if (!writer->compressor)
		writer->compressor = compressor_new(false);
	if (!writer->compressor)
		return broken(writer, -ENOMEM, "writing");
	return begin_file(writer);
}

/* Puts the stored form at `to`, which has room for the content, and says how it is coded. */
static int encode(
        struct blob_writer *writer, char *to, const void *data, struct blob_record *record)
{
	ssize_t length = -EMSGSIZE;

	if (record->size > 1)
		length = frame_compress(
		        writer->compressor, to, record->size - 1, data, record->size);
	if (length >= 0) {
		record->coding = BLOB_ZSTD;
		record->stored = (uint32_t)length;
		return 0;
	}
	if (length != -EMSGSIZE)
		return (int)length;
	record->coding = BLOB_RAW;
	record->stored = record->size;
	if (record->size)
		memcpy(to, data, record->size);
	return 0;
}

int writer_add(
        struct blob_writer *writer, const struct blob_id *id, const void *data, size_t length)
{
	struct blob_record record = {.id = *id, .size = (uint32_t)length};
	char *place;
	int r = begin_record(writer);

	if (r < 0)
		return r;
	place = buf_reserve(&writer->waiting, PACK_RECORD_SIZE + length);
	r = place ? encode(writer, place + PACK_RECORD_SIZE, data, &record) : -ENOMEM;
	if (r < 0)
		return broken(writer, r, "writing");
	record_put((unsigned char *)place, &record, writer->sha256);
	buf_added(&writer->waiting, PACK_RECORD_SIZE + record.stored);
	return end_record(writer, &(struct blob_entry){record.id, 0, record.size, record.stored});
}

int writer_copy(struct blob_writer *writer, const struct blob_entry *entry, const void *record)
{
	int r = begin_record(writer);

	if (r < 0)
		return r;
	buf_append(&writer->waiting, record, PACK_RECORD_SIZE + entry->stored);
	return end_record(writer, entry);
}

uint64_t writer_size(const struct blob_writer *writer)
{
	return writer->count ? writer->place + writer->count * PACK_ENTRY_SIZE + PACK_FOOTER_SIZE
	                     : 0;
}

static int write_index(struct blob_writer *writer)
{
	struct pack_footer footer = {PACK_VERSION, writer->place, writer->count, {0}};
	unsigned char bytes[PACK_FOOTER_SIZE];
	size_t i;
	int r;

	qsort(writer->entries, writer->count, sizeof(*writer->entries), entry_compare_ids);
	sha256_begin(writer->sha256);
	for (i = 0; i < writer->count; i++) {
		entry_put(bytes, &writer->entries[i]);
		sha256_add(writer->sha256, bytes, PACK_ENTRY_SIZE);
		buf_append(&writer->waiting, bytes, PACK_ENTRY_SIZE);
		writer->place += PACK_ENTRY_SIZE;
		if (writer->waiting.length >= WRITE_SIZE) {
			r = flush(writer);
			if (r < 0)
				return r;
		}
	}
	footer_put(bytes, &footer, writer->sha256);
	buf_append(&writer->waiting, bytes, PACK_FOOTER_SIZE);
	writer->place += PACK_FOOTER_SIZE;
	return writer->waiting.failed ? broken(writer, -ENOMEM, "writing") : flush(writer);
}

static int make_durable(struct blob_writer *writer, uint64_t number)
{
	const struct blob_disk *disk = writer->disk;
	char name[PACK_NAME_SIZE];
	int r = disk->sync(disk, writer->fd);

	if (r < 0)
		return broken(writer, r, "syncing");
	pack_name(name, number);
	r = disk->rename(disk, writer->directory, writer->name, name);
	if (r < 0)
		return broken(writer, r, "renaming");
	strcpy(writer->name, name);
	r = disk->sync_directory(disk, writer->directory);
	return r < 0 ? broken(writer, r, "syncing the directory of") : 0;
}

int writer_finish(struct blob_writer *writer, uint64_t number, int *fd)
{
	int r = writer->error;

	assert(writer->error || writer->count);
	if (r == 0)
		r = write_index(writer);
	if (r == 0)
		r = make_durable(writer, number);
	if (r == 0)
		*fd = take_fd(writer->fd);
	return r;
}
