/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 over all entries: a line of fixed form for each, its names ended by zeros, then its
 * content.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/sha256.h"
#include "tree.h"

struct tree_fingerprint {
	struct sha256 *sha256;
	bool begun;
};

struct tree_fingerprint *tree_fingerprint_new(void)
{
	struct tree_fingerprint *fingerprint = calloc(1, sizeof(*fingerprint));

	if (fingerprint)
		fingerprint->sha256 = sha256_new();
	return fingerprint && fingerprint->sha256 ? fingerprint
	                                          : tree_fingerprint_free(fingerprint);
}

struct tree_fingerprint *tree_fingerprint_free(struct tree_fingerprint *fingerprint)
{
	if (fingerprint)
		sha256_free(fingerprint->sha256);
	free(fingerprint);
	return NULL;
}

static void begin(struct tree_fingerprint *fingerprint)
{
	if (!fingerprint->begun)
		sha256_begin(fingerprint->sha256);
	fingerprint->begun = true;
}

/* Told apart from no text at all. */
static void add_text(struct tree_fingerprint *fingerprint, const char *text)
{
	sha256_add(fingerprint->sha256, text ? "=" : "-", 1);
	if (text)
		sha256_add(fingerprint->sha256, text, strlen(text) + 1);
}

void tree_fingerprint_entry(struct tree_fingerprint *fingerprint, const struct tree_entry *entry)
{
	char line[128];
	int length;

	begin(fingerprint);
	length = snprintf(line, sizeof(line), "%o %" PRId64 ".%09ld %" PRIu64 "\n", entry->mode,
	        (int64_t)entry->modified.tv_sec, entry->modified.tv_nsec, entry->size);
	sha256_add(fingerprint->sha256, line, (size_t)length);
	add_text(fingerprint, entry->path);
	add_text(fingerprint, entry->target);
	add_text(fingerprint, entry->same);
}

void tree_fingerprint_content(struct tree_fingerprint *fingerprint, const void *data, size_t length)
{
	sha256_add(fingerprint->sha256, data, length);
}

void tree_fingerprint_end(
        struct tree_fingerprint *fingerprint, unsigned char out[TREE_FINGERPRINT_SIZE])
{
	_Static_assert((int)TREE_FINGERPRINT_SIZE == (int)SHA256_SIZE, "it is one");
	begin(fingerprint);
	sha256_end(fingerprint->sha256, out);
	fingerprint->begun = false;
}

/* --- of a tree -------------------------------------------------------------------------------- */

static int visit(void *userdata, const struct tree_entry *entry, int fd)
{
	static char piece[1 << 16];
	struct tree_fingerprint *fingerprint = userdata;
	uint64_t length = 0;
	ssize_t got = 1;

	tree_fingerprint_entry(fingerprint, entry);
	while (fd >= 0 && got) {
		got = read(fd, piece, sizeof(piece));
		if (got < 0)
			return -errno;
		tree_fingerprint_content(fingerprint, piece, (size_t)got);
		length += (uint64_t)got;
	}
	return fd >= 0 && length != entry->size ? -ESTALE : 0;
}

int tree_fingerprint_of(int directory, unsigned char out[TREE_FINGERPRINT_SIZE], struct buf *where)
{
	struct tree_fingerprint *fingerprint = tree_fingerprint_new();
	int error = fingerprint ? tree_walk(directory, visit, fingerprint, where) : -ENOMEM;

	if (!error)
		tree_fingerprint_end(fingerprint, out);
	tree_fingerprint_free(fingerprint);
	return error;
}
