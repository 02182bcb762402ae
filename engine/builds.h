/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What builds have made: a snapshot for each input, named by the digest of all that went into it. Those of a
 * function are a cache: its latest stays, of older ones as many as there is room for. What a version was
 * built into is the version's own, and stays as long as it does; so does the word that it failed.
 * In the store and in memory; loop thread only. Internal to engine/.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "store/blob.h"

struct snapshot_cache;
struct store;

#define BUILD_DIGEST_SIZE 65 /* of its text, with the zero */

struct built {
	struct list link;  /* builds.all, by use: the latest used is last */
	uint64_t owner;    /* a function or version */
	uint64_t function; /* whose it is; 0: a version's */
	char digest[BUILD_DIGEST_SIZE];
	struct blob_id root;
	uint64_t bytes;
	char *error; /* JSON: it failed, and has no root. Only of versions. */
	bool latest; /* the one its owner used last */
};

struct builds {
	struct store *store;
	struct list all;
	uint64_t most_bytes;  /* of functions, beside the latest of each */
	unsigned most_of_one; /* function */
	void (*dropped)(void *userdata, const struct blob_id *root); /* nothing refers to it now */
	void *userdata;
};

/* What `each` build is of is told by `is_version`. 0 or -errno. */
int builds_init(struct builds *builds, struct store *store,
        bool (*is_version)(void *userdata, uint64_t owner),
        void (*dropped)(void *userdata, const struct blob_id *root), void *userdata);
void builds_deinit(struct builds *builds);

/* Of a function: noted as used now. NULL: there is none. */
struct built *builds_use(struct builds *builds, uint64_t function, const char *digest);
/* What became of a version. NULL: it was not built yet. */
struct built *builds_of_version(const struct builds *builds, uint64_t version);

/* 0 or -errno; then it is not kept. */
int builds_keep(struct builds *builds, uint64_t function, const char *digest,
        const struct blob_id *root, uint64_t bytes);
/* Durable. `error` NULL: it was built. */
int builds_keep_version(struct builds *builds, uint64_t version, const char *digest,
        const struct blob_id *root, uint64_t bytes, const char *error);

void builds_drop(struct builds *builds, struct built *built); /* it turned out to be damaged */
void builds_forget(struct builds *builds, uint64_t owner);    /* which is gone from the store */
