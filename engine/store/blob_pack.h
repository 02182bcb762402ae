/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One pack, opened for reading: immutable, counted, used by any thread. It keeps its descriptor, so that who still
 * reads it when a sweep unlinks it reads on.
 *
 * Nothing is mapped: a page of a mapping that cannot be had (a file cut off behind our back, a bad sector) is a
 * SIGBUS for the daemon, with pread it is an error for who asked. A small index is kept in memory; of a large
 * one the first id of each block of 64 entries, so that a look-up costs one pread of 3 KiB.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compression.h"
#include "store/blob_format.h"

enum {
	PACK_BLOCK = 64,    /* entries */
	PACK_SMALL = 1024,  /* entries: so many at most are kept in memory */
	PACK_NAME_SIZE = 32 /* of `NUMBER.pack` */
};

struct pack {
	atomic_uint references;
	uint64_t number;
	int fd;
	uint64_t size; /* of the file */
	uint64_t index_place;
	size_t count;          /* of entries */
	unsigned char *index;  /* all of it, or NULL: it is read in blocks */
	uint64_t *firsts;      /* then: the begin of the first id of each block */
	bool rebuilt;          /* its index was damaged, and made anew from the records */
	bool gaps;             /* then: there are bytes that are no record; blobs may be missing */
	atomic_bool unhealthy; /* a sweep found a blob in it that no pack has whole */
};

/* What reading takes, used by one thread at a time. */
struct blob_reader {
	struct sha256 *sha256;
	struct decompressor *decompressor;
	struct buf record; /* the record read last: its fixed part and the stored bytes */
	struct buf content;
};

struct blob_reader *blob_reader_new(void); /* NULL: no memory */
struct blob_reader *blob_reader_free(struct blob_reader *reader);

void pack_name(char name[PACK_NAME_SIZE], uint64_t number);
bool pack_name_parse(const char *name, uint64_t *number);

/*
 * Takes the descriptor over, also on failure. A damaged index is made anew, and the log says so.
 * -EPROTO: of a newer version.
 */
int pack_open(struct pack **out, int fd, uint64_t number, struct blob_reader *reader);
struct pack *pack_ref(struct pack *pack);
struct pack *pack_unref(struct pack *pack);

/* 1 and the entry, 0 when it has none, or -errno, logged. */
int pack_find(const struct pack *pack, const struct blob_id *id, struct blob_entry *out);

/* All entries in the order of their places; the caller frees them. */
int pack_entries(const struct pack *pack, struct blob_entry **out);

/* A block of the index as it is on the disk. */
typedef unsigned char pack_block[PACK_BLOCK * PACK_ENTRY_SIZE];
int pack_read_block(const struct pack *pack, size_t block, pack_block bytes);

/*
 * Reads and verifies. The content is reader->content, the record as it is reader->record.
 * -EBADMSG: damaged or not readable, silently; -ENOMEM.
 */
int pack_read(const struct pack *pack, const struct blob_entry *entry, struct blob_reader *reader);

/* Reads the index again, as it is on the disk now. -EBADMSG: damaged; -ENOMEM. */
int pack_verify_index(const struct pack *pack, struct blob_reader *reader);

/* Makes the index from the records (blob_scan.c), in memory. */
int pack_scan(struct pack *pack, struct blob_reader *reader);
