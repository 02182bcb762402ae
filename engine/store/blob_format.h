/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A pack as it lies on the disk, version 1. Numbers are little endian; everything begins at a multiple of 8.
 *
 *	header     "fnfspack", u32 version, u32 0
 *	record...  u32 magic, u32 coding (0: as it is, 1: a zstd frame), u32 size of the content,
 *	           u32 stored bytes, id[32], u32 0, u32 check; then the stored bytes, and zeros up to the next
 *	           multiple of 8. `check` is the begin of the SHA-256 of what stands before it
 *	index      an entry for each record, sorted by id: id[32], u64 place of the record, u32 size, u32 stored
 *	footer     "fnfsindx", u32 version, u32 0, u64 place of the index, u64 count of entries,
 *	           SHA-256 of the index and of the footer up to here
 *
 * A pack gets its name (`NUMBER.pack`) only when all of it is on the disk; so one that has its name and no valid
 * footer was damaged later. Its records can still be found: each tells where the next one is, and behind a
 * damaged one the next is searched for at the multiples of 8. Content needs no checksum, its id is one.
 *
 * Every version has this footer, so that a newer one is recognised for sure, and refused, not repaired.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sha256.h"
#include "store/blob.h"

enum {
	PACK_VERSION = 1,
	PACK_HEADER_SIZE = 16,
	PACK_RECORD_SIZE = 56, /* without the stored bytes */
	PACK_ENTRY_SIZE = 48,
	PACK_FOOTER_SIZE = 64,
	PACK_OVERHEAD = PACK_HEADER_SIZE + PACK_FOOTER_SIZE,
};

enum blob_coding { BLOB_RAW, BLOB_ZSTD };

struct blob_entry {
	struct blob_id id;
	uint64_t place; /* of the record in the pack */
	uint32_t size;
	uint32_t stored;
};

struct blob_record {
	struct blob_id id;
	uint32_t coding;
	uint32_t size;
	uint32_t stored;
};

struct pack_footer {
	uint32_t version;
	uint64_t index_place;
	uint64_t count;
	unsigned char digest[SHA256_SIZE];
};

/* From the begin of a record to the begin of the next. */
static inline uint64_t record_length(uint32_t stored)
{
	return ((uint64_t)PACK_RECORD_SIZE + stored + 7) / 8 * 8;
}

/* What a blob costs in a pack. */
static inline uint64_t record_cost(uint32_t stored)
{
	return record_length(stored) + PACK_ENTRY_SIZE;
}

void header_put(unsigned char out[PACK_HEADER_SIZE]);

void record_put(unsigned char out[PACK_RECORD_SIZE], const struct blob_record *record,
        struct sha256 *sha256);
/* -EBADMSG when this is no record's beginning, or one that cannot be. */
int record_get(struct blob_record *out, const unsigned char bytes[PACK_RECORD_SIZE],
        struct sha256 *sha256);
/* Whether these four bytes may begin a record. */
bool record_begins(const unsigned char *bytes);

void entry_put(unsigned char out[PACK_ENTRY_SIZE], const struct blob_entry *entry);
void entry_get(struct blob_entry *out, const unsigned char bytes[PACK_ENTRY_SIZE]);

/* The digest is that of the index so far; the rest of the footer is added to it here. */
void footer_put(unsigned char out[PACK_FOOTER_SIZE], const struct pack_footer *footer,
        struct sha256 *index_digest);
int footer_get(struct pack_footer *out, const unsigned char bytes[PACK_FOOTER_SIZE]); /* -EBADMSG */
/* Whether the footer, as it was read, and the index that went into the digest are whole. */
bool footer_fits(const struct pack_footer *footer, struct sha256 *index_digest);

/* For sorting entries by id, and by place. */
int entry_compare_ids(const void *a, const void *b);
int entry_compare_places(const void *a, const void *b);
