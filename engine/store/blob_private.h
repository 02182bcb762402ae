/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the files of the blob store share.
 *
 * The packs there are stand in a *table* that never changes: who adds or removes one makes a new table. A reader
 * takes a reference to the table of the moment and looks on without a lock. The lock guards which table is the
 * current one, the lists of batches with what these have pinned, and the sweep. It is not held while a disk is waited for.
 *
 * How a sweep and the batches agree: with the lock held once, the sweep fixes its table and copies all pins
 * (`pinned`). All packs numbered below `boundary` are then under judgement: of them just what is live or in `pinned`
 * will stay. So a batch that finds something else there treats it as absent, and writes it again; all it finds
 * otherwise it may pin. A batch that looked into a table from which something was taken out meanwhile
 * (`swept` tells) looks again.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "store/blob.h"
#include "store/blob_disk.h"
#include "store/blob_pack.h"
#include "store/blob_set.h"
#include "store/blob_writer.h"

struct pack_table {
	atomic_uint references;
	size_t count;
	struct pack *packs[]; /* newest first */
};

enum { READERS_KEPT = 4 };

struct blobs {
	const struct blob_disk *disk;
	int directory;
	pthread_mutex_t lock;
	struct pack_table *table;
	uint64_t next_number;    /* of packs and temporary files */
	uint64_t swept;          /* how often packs were taken out */
	struct blob_set damaged; /* found damaged by a read or a check: a put writes them again */
	struct blob_reader *readers[READERS_KEPT];
	size_t readers_count;

	struct list batches;  /* open */
	struct list retained; /* released since the sweep began */
	bool sweep_begun;
	bool judging;                /* the next three are in force */
	const struct blob_set *live; /* NULL: all is */
	struct blob_set pinned;
	uint64_t boundary;
	atomic_bool stop;

	atomic_bool check_stop;
};

struct blob_batch {
	struct list link;
	struct blobs *blobs;
	struct sha256 *sha256;
	struct blob_set
	        pins; /* what it found and wrote; changed by its thread, with the lock held */
	struct blob_writer writer;
	uint64_t added_bytes, added_blobs;
	int error; /* what broke it */
	bool sealed;
};

/* As blobs_open, on a disk of the caller's, which is borrowed. */
int blobs_open_on(struct blobs **out, const char *state_dir, const struct blob_disk *disk);

struct pack_table *blobs_table(struct blobs *blobs); /* a reference to the current one */
struct pack_table *table_unref(struct pack_table *table);

/*
 * Replaces, in one step, the packs marked in `gone` (as many as `count`) by `added` (or NULL), which is
 * referenced. -ENOMEM: nothing changed.
 */
int blobs_replace(struct blobs *blobs, struct pack *added, struct pack *const *gone, size_t count);

/* A number that no pack has. */
uint64_t blobs_number(struct blobs *blobs);

/* Finishes the writer and takes its pack in, in place of the others. 0 or what broke it. */
int blobs_adopt(struct blobs *blobs, struct blob_writer *writer, struct blob_reader *reader,
        struct pack *const *gone, size_t count);

struct blob_reader *blobs_reader(struct blobs *blobs); /* NULL, logged: no memory */
void blobs_reader_done(struct blobs *blobs, struct blob_reader *reader);

/* The first pack that has it; what cannot be read is passed over (and logged). */
struct pack *table_find(const struct pack_table *table, const struct blob_id *id);

/* Reads any whole copy into the reader. -ENOENT, -EIO with `damaged` a pack that has it damaged, -ENOMEM. */
int table_read(const struct pack_table *table, const struct blob_id *id, struct blob_reader *reader,
        struct blob_entry *entry, struct pack **damaged);

/* Whether the sweep keeps it; with the lock, or on the sweep's thread. */
bool sweep_keeps(const struct blobs *blobs, const struct blob_id *id);

/*
 * Pinning what is there: a look without the lock, then the decision with it. 0; -ENOENT: it is not here, or
 * will not stay; -EAGAIN: a sweep came between, look again; -ENOMEM.
 */
struct pin_look {
	struct pack_table *table;
	struct pack *pack;
	uint64_t swept;
};

void pin_look(struct blobs *blobs, const struct blob_id *id, struct pin_look *look);
int pin_decide(struct blob_batch *batch, const struct blob_id *id, struct pin_look *look);

/* Frees batches that were kept for a sweep. */
void batches_end_retention(struct list *retained);

/* Notes that no whole copy of it is here. */
void blobs_note_damage(struct blobs *blobs, const struct blob_id *id);
