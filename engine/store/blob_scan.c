/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An index from the records of a pack whose own is damaged. Each record tells where the next one is; behind
 * one that is damaged the next is searched for at the multiples of 8. What is found there need not be one of
 * the pack's own (a blob may hold a pack), but it is verified when it is read as any other, and then it
 * is what its id says, wherever it came from.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/blob_disk.h"
#include "store/blob_pack.h"

enum { WINDOW = 64 * 1024 };

struct scan {
	struct pack *pack;
	struct sha256 *sha256;
	struct blob_entry *entries;
	size_t count, capacity;
	uint64_t skipped; /* bytes that are no record */
	uint64_t window_place;
	size_t window_length;
	unsigned char *window;
};

/* The beginning of a record at that place; NULL when it cannot be read. */
static const unsigned char *look(struct scan *scan, uint64_t place)
{
	size_t length = scan->pack->size - place < WINDOW ? scan->pack->size - place : WINDOW;

	if (length < PACK_RECORD_SIZE)
		return NULL;
	if (place < scan->window_place ||
	        place + PACK_RECORD_SIZE > scan->window_place + scan->window_length) {
		scan->window_place = place;
		scan->window_length = 0;
		if (blob_disk_read(scan->pack->fd, scan->window, length, place) < 0) {
			/* A bad sector in the window: as little as is needed. */
			length = PACK_RECORD_SIZE;
			if (blob_disk_read(scan->pack->fd, scan->window, length, place) < 0)
				return NULL;
		}
		scan->window_length = length;
	}
	return scan->window + (place - scan->window_place);
}

static int keep(struct scan *scan, const struct blob_record *record, uint64_t place)
{
	if (scan->count == scan->capacity) {
		size_t capacity = scan->capacity ? scan->capacity * 2 : 64;
		void *grown = realloc(scan->entries, capacity * sizeof(*scan->entries));
		if (!grown)
			return fail(-ENOMEM, "making an index anew");
		scan->entries = grown;
		scan->capacity = capacity;
	}
	scan->entries[scan->count++] =
	        (struct blob_entry){record->id, place, record->size, record->stored};
	return 0;
}

/* The length of the record at that place, which was noted; 0 when there is none; -ENOMEM. */
static int64_t step(struct scan *scan, uint64_t place)
{
	const unsigned char *bytes = look(scan, place);
	struct blob_record record;
	int r;

	if (!bytes || record_get(&record, bytes, scan->sha256) < 0 ||
	        record_length(record.stored) > scan->pack->size - place)
		return 0;
	r = keep(scan, &record, place);
	return r < 0 ? r : (int64_t)record_length(record.stored);
}

static int walk(struct scan *scan)
{
	uint64_t place = PACK_HEADER_SIZE;
	int64_t length;

	while (place < scan->pack->size) {
		length = step(scan, place);
		if (length < 0)
			return (int)length;
		if (length == 0) {
			length = 8;
			scan->skipped += 8;
		}
		place += (uint64_t)length;
	}
	return 0;
}

/* What is no record should be the index and the footer, and the size of these is known. */
static bool has_gaps(const struct scan *scan)
{
	const struct blob_entry *last = scan->count ? &scan->entries[scan->count - 1] : NULL;
	uint64_t rest = (uint64_t)scan->count * PACK_ENTRY_SIZE + PACK_FOOTER_SIZE;
	uint64_t end = last ? last->place + record_length(last->stored) : PACK_HEADER_SIZE;

	return scan->skipped != rest || end + rest != scan->pack->size;
}

static int lay_out(struct scan *scan)
{
	struct pack *pack = scan->pack;
	size_t i;

	pack->gaps = has_gaps(scan);
	pack->index = malloc(scan->count * PACK_ENTRY_SIZE + 1);
	if (!pack->index)
		return fail(-ENOMEM, "making an index anew");
	if (scan->count)
		qsort(scan->entries, scan->count, sizeof(*scan->entries), entry_compare_ids);
	for (i = 0; i < scan->count; i++)
		entry_put(pack->index + i * PACK_ENTRY_SIZE, &scan->entries[i]);
	pack->count = scan->count;
	pack->index_place = pack->size;
	return 0;
}

int pack_scan(struct pack *pack, struct blob_reader *reader)
{
	struct scan scan = {.pack = pack, .sha256 = reader->sha256, .window = malloc(WINDOW)};
	int r;

	if (!scan.window)
		return fail(-ENOMEM, "making an index anew");
	r = walk(&scan);
	if (r == 0)
		r = lay_out(&scan);
	free(scan.entries);
	free(scan.window);
	return r;
}
