/* SPDX-License-Identifier: Apache-2.0 */
#include "store/blob_pack.h"

#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/log.h"
#include "store/blob_disk.h"

static void pack_unref_p(struct pack **pack)
{
	pack_unref(*pack);
}

struct blob_reader *blob_reader_new(void)
{
	struct blob_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->sha256 = sha256_new();
	reader->decompressor = decompressor_new();
	if (!reader->sha256 || !reader->decompressor)
		return blob_reader_free(reader);
	return reader;
}

struct blob_reader *blob_reader_free(struct blob_reader *reader)
{
	if (!reader)
		return NULL;
	sha256_free(reader->sha256);
	decompressor_free(reader->decompressor);
	buf_deinit(&reader->record);
	buf_deinit(&reader->content);
	free(reader);
	return NULL;
}

void pack_name(char name[PACK_NAME_SIZE], uint64_t number)
{
	snprintf(name, PACK_NAME_SIZE, "%" PRIu64 ".pack", number);
}

bool pack_name_parse(const char *name, uint64_t *number)
{
	char again[PACK_NAME_SIZE];

	*number = strtoull(name, NULL, 10);
	pack_name(again, *number);
	return strcmp(name, again) == 0;
}

static size_t blocks_of(const struct pack *pack)
{
	return (pack->count + PACK_BLOCK - 1) / PACK_BLOCK;
}

static size_t entries_in(const struct pack *pack, size_t block)
{
	size_t before = block * PACK_BLOCK;

	return pack->count - before < PACK_BLOCK ? pack->count - before : PACK_BLOCK;
}

int pack_read_block(const struct pack *pack, size_t block, pack_block bytes)
{
	size_t place = block * sizeof(pack_block);
	size_t length = entries_in(pack, block) * PACK_ENTRY_SIZE;
	int r;

	if (pack->index) {
		memcpy(bytes, pack->index + place, length);
		return 0;
	}
	r = blob_disk_read(pack->fd, bytes, length, pack->index_place + place);
	if (r < 0)
		return fail(-EIO, "reading the index of pack %" PRIu64, pack->number);
	return 0;
}

static uint64_t key_of(const unsigned char *id)
{
	uint64_t key;

	memcpy(&key, id, sizeof(key));
	return be64toh(key);
}

/* Reads the index once, to know whether it is whole; keeps it, or the first ids of its blocks. */
static int load_blocks(
        struct pack *pack, const struct pack_footer *footer, struct blob_reader *reader)
{
	pack_block bytes;
	size_t block, length;
	int r;

	sha256_begin(reader->sha256);
	for (block = 0; block < blocks_of(pack); block++) {
		length = entries_in(pack, block) * PACK_ENTRY_SIZE;
		r = blob_disk_read(
		        pack->fd, bytes, length, pack->index_place + block * sizeof(pack_block));
		if (r < 0)
			return -EBADMSG;
		sha256_add(reader->sha256, bytes, length);
		if (pack->index)
			memcpy(pack->index + block * sizeof(pack_block), bytes, length);
		else
			pack->firsts[block] = key_of(bytes);
	}
	return footer_fits(footer, reader->sha256) ? 0 : -EBADMSG;
}

static int prepare_index(struct pack *pack)
{
	if (pack->count <= PACK_SMALL)
		pack->index = malloc(pack->count * PACK_ENTRY_SIZE + 1);
	else
		pack->firsts = malloc(blocks_of(pack) * sizeof(*pack->firsts));
	return pack->index || pack->firsts ? 0
	                                   : fail(-ENOMEM, "opening pack %" PRIu64, pack->number);
}

static void forget_index(struct pack *pack)
{
	free(take(pack->index));
	free(take(pack->firsts));
	pack->count = 0;
}

/* -EBADMSG when it is damaged. */
static int load_index(struct pack *pack, struct blob_reader *reader)
{
	unsigned char bytes[PACK_FOOTER_SIZE];
	struct pack_footer footer;
	uint64_t end = pack->size - PACK_FOOTER_SIZE;
	int r;

	if (pack->size < PACK_OVERHEAD || blob_disk_read(pack->fd, bytes, sizeof(bytes), end) < 0 ||
	        footer_get(&footer, bytes) < 0 || footer.count > end / PACK_ENTRY_SIZE ||
	        footer.index_place != end - footer.count * PACK_ENTRY_SIZE)
		return -EBADMSG;
	pack->index_place = footer.index_place;
	pack->count = footer.count;
	r = prepare_index(pack);
	if (r == 0)
		r = load_blocks(pack, &footer, reader);
	if (r == 0 && footer.version != PACK_VERSION)
		return fail(-EPROTO,
		        "pack %" PRIu64 " is of version %" PRIu32 ", this program knows %d",
		        pack->number, footer.version, PACK_VERSION);
	return r;
}

int pack_verify_index(const struct pack *pack, struct blob_reader *reader)
{
	struct pack again = {.number = pack->number, .fd = pack->fd};
	struct stat attr;
	int r;

	if (fstat(pack->fd, &attr) < 0)
		return -EBADMSG;
	again.size = (uint64_t)attr.st_size;
	r = load_index(&again, reader);
	forget_index(&again);
	return r;
}

static int repair_index(struct pack *pack, struct blob_reader *reader)
{
	int r;

	forget_index(pack);
	r = pack_scan(pack, reader);
	if (r < 0)
		return r;
	pack->rebuilt = true;
	log_line(LOG_WARNING,
	        "pack %" PRIu64 ": its index is damaged; made anew from %zu records%s",
	        pack->number, pack->count,
	        pack->gaps ? "; some of its bytes are no records, blobs may be missing" : "");
	return 0;
}

int pack_open(struct pack **out, int fd, uint64_t number, struct blob_reader *reader)
{
	CLEANUP(pack_unref_p) struct pack *pack = calloc(1, sizeof(*pack));
	struct stat attr;
	int r;

	if (!pack) {
		close_fd(fd);
		return fail(-ENOMEM, "opening pack %" PRIu64, number);
	}
	atomic_init(&pack->references, 1);
	pack->number = number;
	pack->fd = fd;
	if (fstat(fd, &attr) < 0)
		return fail(-errno, "opening pack %" PRIu64, number);
	pack->size = (uint64_t)attr.st_size;
	r = load_index(pack, reader);
	if (r == -EBADMSG)
		r = repair_index(pack, reader);
	if (r < 0)
		return r;
	*out = take(pack);
	return 0;
}

struct pack *pack_ref(struct pack *pack)
{
	atomic_fetch_add(&pack->references, 1);
	return pack;
}

struct pack *pack_unref(struct pack *pack)
{
	if (!pack || atomic_fetch_sub(&pack->references, 1) > 1)
		return NULL;
	close_fd(pack->fd);
	free(pack->index);
	free(pack->firsts);
	free(pack);
	return NULL;
}

/* 1 and the entry, or 0. */
static int find_in(const unsigned char *entries, size_t count, const struct blob_id *id,
        struct blob_entry *out)
{
	size_t low = 0, high = count, middle;
	int order;

	while (low < high) {
		middle = low + (high - low) / 2;
		order = memcmp(entries + middle * PACK_ENTRY_SIZE, id->bytes, BLOB_ID_SIZE);
		if (order == 0) {
			entry_get(out, entries + middle * PACK_ENTRY_SIZE);
			return 1;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

/* The last block that begins below the key: the first that may have it. */
static size_t first_block(const struct pack *pack, uint64_t key)
{
	size_t low = 0, high = blocks_of(pack), middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (pack->firsts[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? low - 1 : 0;
}

int pack_find(const struct pack *pack, const struct blob_id *id, struct blob_entry *out)
{
	uint64_t key = key_of(id->bytes);
	pack_block bytes;
	size_t block;
	int r;

	if (pack->index)
		return find_in(pack->index, pack->count, id, out);
	/* More than one only when ids of two blocks begin with the same eight bytes. */
	for (block = first_block(pack, key); block < blocks_of(pack) && pack->firsts[block] <= key;
	        block++) {
		r = pack_read_block(pack, block, bytes);
		if (r == 0)
			r = find_in(bytes, entries_in(pack, block), id, out);
		if (r != 0)
			return r;
	}
	return 0;
}

int pack_entries(const struct pack *pack, struct blob_entry **out)
{
	CLEANUP(free_p) struct blob_entry *entries = malloc((pack->count + 1) * sizeof(*entries));
	pack_block bytes;
	size_t block, i;
	int r;

	if (!entries)
		return fail(-ENOMEM, "reading the index of pack %" PRIu64, pack->number);
	for (block = 0; block < blocks_of(pack); block++) {
		r = pack_read_block(pack, block, bytes);
		if (r < 0)
			return r;
		for (i = 0; i < entries_in(pack, block); i++)
			entry_get(&entries[block * PACK_BLOCK + i], bytes + i * PACK_ENTRY_SIZE);
	}
	qsort(entries, pack->count, sizeof(*entries), entry_compare_places);
	*out = take(entries);
	return 0;
}

/* Reads the record and compares it with what the index says of it. */
static int read_record(const struct pack *pack, const struct blob_entry *entry,
        struct blob_record *record, struct blob_reader *reader)
{
	uint64_t length = (uint64_t)PACK_RECORD_SIZE + entry->stored;
	char *bytes;
	int r;

	if (entry->stored > BLOB_MAX || entry->place > pack->size ||
	        pack->size - entry->place < length)
		return -EBADMSG;
	buf_clear(&reader->record);
	bytes = buf_reserve(&reader->record, length);
	if (!bytes)
		return fail(-ENOMEM, "reading pack %" PRIu64, pack->number);
	r = blob_disk_read(pack->fd, bytes, length, entry->place);
	if (r < 0)
		return -EBADMSG;
	buf_added(&reader->record, length);
	r = record_get(record, (const unsigned char *)bytes, reader->sha256);
	if (r < 0)
		return r;
	return record->size == entry->size && record->stored == entry->stored &&
	                       blob_id_equal(&record->id, &entry->id)
	               ? 0
	               : -EBADMSG;
}

static int decode(const struct blob_record *record, struct blob_reader *reader)
{
	const char *stored = reader->record.data + PACK_RECORD_SIZE;
	ssize_t length;
	char *place;

	buf_clear(&reader->content);
	place = buf_reserve(&reader->content, record->size);
	if (!place)
		return fail(-ENOMEM, "reading a blob");
	if (record->coding == BLOB_RAW) {
		buf_append(&reader->content, stored, record->stored);
		return 0;
	}
	length =
	        frame_decompress(reader->decompressor, place, record->size, stored, record->stored);
	if (length != (ssize_t)record->size)
		return length == -ENOMEM ? fail(-ENOMEM, "reading a blob") : -EBADMSG;
	buf_added(&reader->content, record->size);
	return 0;
}

int pack_read(const struct pack *pack, const struct blob_entry *entry, struct blob_reader *reader)
{
	struct blob_record record;
	struct blob_id id;
	int r = read_record(pack, entry, &record, reader);

	if (r == 0)
		r = decode(&record, reader);
	if (r < 0)
		return r;
	sha256_of(reader->sha256, reader->content.data, reader->content.length, id.bytes);
	return blob_id_equal(&id, &entry->id) ? 0 : -EBADMSG;
}
