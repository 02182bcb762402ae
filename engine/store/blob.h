/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Content by its SHA-256: what is published is put here once, whoever and however many refer to it.
 * Blobs lie in immutable packs, `STATE/packs/NUMBER.pack` (blob_format.h draws one). Nothing is ever changed in
 * place: publishing adds a pack, sweeping writes a new one and removes those it stands for.
 *
 * Any thread may call anything here; a batch is used by one thread at a time. What was sealed is
 * there after a crash and after a power cut. What is read was verified: the content, or -EIO, never other bytes.
 * Whoever opens the directory must be alone in it (the store's lock sees to that).
 *
 * Who refers to a blob is not known here. A blob is kept while somebody may still come to refer to it:
 *
 *	batch = begin, put..., seal        what it found and what it wrote is *pinned*
 *	store the version's row            (durable: the pack already is)
 *	release                            from here the row keeps it
 *
 *	sweep_begin, mark from the rows, sweep
 *
 * A batch that is released between sweep_begin and the end of the sweep stays pinned until that end, so that
 * its row may be stored before, during or after the marking. A pin holds one blob, not what it lists:
 * who reuses a manifest pins everything below it, too.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum {
	BLOB_ID_SIZE = 32,
	BLOB_TEXT_SIZE = 65,   /* an id in hexadecimal digits, and a zero */
	BLOB_MAX = 1024 * 1024 /* a blob's content is at most so long */
};

struct blob_id {
	unsigned char bytes[BLOB_ID_SIZE]; /* SHA-256 of the content */
};

struct blobs;
struct blob_batch;

void blob_id_format(char text[BLOB_TEXT_SIZE], const struct blob_id *id);
int blob_id_parse(struct blob_id *out, const char *text); /* 64 digits, else -EINVAL */
bool blob_id_equal(const struct blob_id *a, const struct blob_id *b);

/* Opens or creates `packs` in the state directory, and removes what a crash left there. */
int blobs_open(struct blobs **out, const char *state_dir);
struct blobs *blobs_close(struct blobs *blobs); /* no batch, read or sweep may be under way; NULL */

/*
 * Appends the content. -ENOENT; -EIO when every copy is damaged, with a line in the log that names the blob and
 * its pack; -ENOMEM. On an error nothing was appended.
 */
int blob_read(struct blobs *blobs, const struct blob_id *id, struct buf *out);
bool blob_exists(
        struct blobs *blobs, const struct blob_id *id); /* now, and unpinned; not verified */

/* -ENOMEM. No file is made before there is something to write. */
int blob_batch_begin(struct blobs *blobs, struct blob_batch **out);

/*
 * Content that is here already is pinned, and costs its hash; new content is written. `out` is its id.
 * -EFBIG beyond BLOB_MAX; -ENOSPC, -EIO, -ENOMEM: the batch is lost, its file is gone, and every later put and seal
 * gives the same error. `out` may be NULL.
 */
int blob_batch_put(struct blob_batch *batch, const void *data, size_t length, struct blob_id *out);

/* Pins what is here by its id. -ENOENT: it is not here (or known to be damaged): put it. */
int blob_batch_pin(struct blob_batch *batch, const struct blob_id *id);

/* What it added so far: bytes in its pack, and blobs. What was known counts nothing. */
uint64_t blob_batch_added_bytes(const struct blob_batch *batch);
uint64_t blob_batch_added_blobs(const struct blob_batch *batch);

/* Makes durable what was put, then readable. Waits for the disk. Once; afterwards only release. */
int blob_batch_seal(struct blob_batch *batch);

/* Ends the pins. Unsealed, what it wrote is thrown away. NULL is fine; returns NULL. */
struct blob_batch *blob_batch_release(struct blob_batch *batch);

/* A set of ids, used by one thread at a time. */
struct blob_set;
struct blob_set *blob_set_new(void); /* NULL: no memory */
struct blob_set *blob_set_free(struct blob_set *set);
int blob_set_add(struct blob_set *set, const struct blob_id *id); /* 1 when new, 0, -ENOMEM */
bool blob_set_has(const struct blob_set *set, const struct blob_id *id);
bool blob_set_remove(struct blob_set *set, const struct blob_id *id); /* whether it was in */
size_t blob_set_count(const struct blob_set *set);

struct blob_sweep_result {
	uint64_t packs_before, packs_after;
	uint64_t bytes_before, bytes_after; /* of packs */
	uint64_t blobs_dropped;             /* records of dead blobs, and second copies */
	uint64_t packs_damaged;             /* left as they are: something in them cannot be read */
};

/*
 * Takes out what is dead and merges small packs: a pack with nothing live goes; packs of which a quarter
 * is dead, and eight of about one size, are written anew. Whole at every moment: a crash leaves the old packs, or
 * both. `live` holds every blob to keep besides those pinned, and must not change meanwhile; NULL: all, only merge.
 * -ENOSPC: what needs no room was done. Reads and batches go on.
 *
 * sweep_begin comes before the marking: -EBUSY when one has begun. Then sweep ends it, whatever it returns; or
 * abandon, when there is nothing to sweep with. stop, from another thread, makes it end soon with -ECANCELED.
 */
int blobs_sweep_begin(struct blobs *blobs);
int blobs_sweep(struct blobs *blobs, const struct blob_set *live, struct blob_sweep_result *out);
void blobs_sweep_abandon(struct blobs *blobs);
void blobs_sweep_stop(struct blobs *blobs);

/* Whether merging is due. Each pack costs every lookup a step and the process a descriptor. */
bool blobs_want_sweep(struct blobs *blobs);

struct blob_check_result {
	uint64_t packs, records;
	uint64_t bytes;    /* of packs */
	uint64_t content;  /* bytes of content, unpacked */
	uint64_t problems; /* sentences said */
};

/*
 * Reads every record of every pack, and says in a sentence each thing that is wrong. 0 also when there
 * were some; -ENOMEM. Stopped, from another thread, checks end soon with -ECANCELED, until they are
 * allowed again; those of snapshots, too.
 */
typedef void (*blobs_bad_fn)(void *userdata, const char *sentence);
int blobs_check(
        struct blobs *blobs, blobs_bad_fn bad, void *userdata, struct blob_check_result *counts);
void blobs_check_stop(struct blobs *blobs, bool stop);
bool blobs_check_stopped(struct blobs *blobs);
