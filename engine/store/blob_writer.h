/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A pack in the making: a file `NUMBER.tmp`, which is there from the first record on and is renamed to the pack's
 * name when all of it is on the disk. Any failure removes it, and every later call gives the same error. Used
 * by one thread at a time.
 */
#include <stdbool.h>

#include "base/compression.h"
#include "store/blob_disk.h"
#include "store/blob_format.h"
#include "store/blob_pack.h"

struct blob_writer {
	const struct blob_disk *disk;
	int directory;             /* borrowed */
	char name[PACK_NAME_SIZE]; /* of the temporary file */
	int fd;                    /* -1: there is no file */
	int error;                 /* what broke it, or 0 */
	uint64_t place;            /* where the next record begins */
	struct buf waiting;        /* what is not yet in the file: its end */
	struct blob_entry *entries;
	size_t count, capacity;
	struct sha256 *sha256;         /* borrowed */
	struct compressor *compressor; /* made when needed */
};

/* `number` tells temporary files apart. */
void writer_init(struct blob_writer *writer, const struct blob_disk *disk, int directory,
        uint64_t number, struct sha256 *sha256);
void writer_deinit(struct blob_writer *writer); /* removes the file unless it was finished */

/* Adds content, compressed when that is shorter. */
int writer_add(
        struct blob_writer *writer, const struct blob_id *id, const void *data, size_t length);

/* Adds a record as another pack has it. */
int writer_copy(struct blob_writer *writer, const struct blob_entry *entry, const void *record);

/* How large the pack would be. */
uint64_t writer_size(const struct blob_writer *writer);

/*
 * Makes the pack durable under its number, and hands over a descriptor of it. There must be a record.
 */
int writer_finish(struct blob_writer *writer, uint64_t number, int *fd);
