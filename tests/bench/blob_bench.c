/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What publishing asks of the store of blobs, by command: blob_bench DIRECTORY [BLOBS [PACKS]]. Makes a state
 * directory's `packs` there, which the caller removes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/blob.h"

enum { SIZE = 1024 };

static int64_t now(void)
{
	return clock_monotonic_us(&clock_system);
}

/* Compresses to about two thirds, as source code does. */
static void fill(char content[SIZE], uint64_t number)
{
	uint64_t x = number * UINT64_C(0x9e3779b97f4a7c15) + 1;
	size_t i;

	for (i = 0; i < SIZE; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		content[i] = "etaoin shrdlu\n{}"[x >> 33 & 15];
	}
}

static void say(const char *what, uint64_t count, int64_t since)
{
	int64_t took = now() - since;

	printf("%-44s %8.1f ms %8.2f us each\n", what, (double)took / 1000,
	        (double)took / (double)count);
}

static void must(int r, const char *what)
{
	if (r < 0) {
		fprintf(stderr, "%s: %s\n", what, strerror(-r));
		exit(1);
	}
}

static void put(struct blobs *blobs, uint64_t first, uint64_t count, const char *what)
{
	struct blob_batch *batch;
	char content[SIZE];
	int64_t since = now(), sealing;
	uint64_t i;

	must(blob_batch_begin(blobs, &batch), "begin");
	for (i = 0; i < count; i++) {
		fill(content, first + i);
		must(blob_batch_put(batch, content, SIZE, NULL), "put");
	}
	sealing = now();
	must(blob_batch_seal(batch), "seal");
	if (what) {
		say(what, count, since);
		printf("  of it sealing %.1f ms; %.2f MB added\n", (double)(now() - sealing) / 1000,
		        (double)blob_batch_added_bytes(batch) / 1e6);
	}
	blob_batch_release(batch);
}

static void pin(struct blobs *blobs, const struct blob_id *ids, uint64_t count, const char *what)
{
	struct blob_batch *batch;
	int64_t since = now();
	uint64_t i;

	must(blob_batch_begin(blobs, &batch), "begin");
	for (i = 0; i < count; i++)
		must(blob_batch_pin(batch, &ids[i]), "pin");
	say(what, count, since);
	blob_batch_release(batch);
}

static void read_each(struct blobs *blobs, const struct blob_id *ids, uint64_t count)
{
	struct buf content = BUF_INIT;
	int64_t since = now();
	uint64_t i;

	for (i = 0; i < count; i++) {
		buf_clear(&content);
		must(blob_read(blobs, &ids[i], &content), "read");
	}
	say("read and verify each", count, since);
	buf_deinit(&content);
}

static struct blob_id *make_ids(struct blobs *blobs, uint64_t count)
{
	struct blob_id *ids = calloc(count, sizeof(*ids));
	struct blob_batch *batch;
	char content[SIZE];
	uint64_t i;

	must(blob_batch_begin(blobs, &batch), "begin");
	for (i = 0; i < count; i++) {
		fill(content, i);
		must(blob_batch_put(batch, content, SIZE, &ids[i]), "put");
	}
	blob_batch_release(batch);
	return ids;
}

static void sweep(struct blobs *blobs)
{
	struct blob_sweep_result result;
	int64_t since = now();

	must(blobs_sweep_begin(blobs), "sweep");
	must(blobs_sweep(blobs, NULL, &result), "sweep");
	say("merge", 1, since);
	printf("  %llu packs became %llu\n", (unsigned long long)result.packs_before,
	        (unsigned long long)result.packs_after);
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000, i;
	uint64_t packs = argc > 3 ? strtoull(argv[3], NULL, 10) : 100;
	struct blobs *blobs;
	struct blob_id *ids;
	int64_t since;

	if (argc < 2)
		return fprintf(stderr, "usage: blob_bench DIRECTORY [BLOBS [PACKS]]\n"), 2;
	must(blobs_open(&blobs, argv[1]), argv[1]);
	printf("%llu blobs of %d bytes\n", (unsigned long long)count, SIZE);
	put(blobs, 0, count, "put and seal, new");
	put(blobs, 0, count, "put again, known (with its hash)");
	ids = make_ids(blobs, count);
	pin(blobs, ids, count, "look up and pin, one pack");
	read_each(blobs, ids, count);
	since = now();
	for (i = 0; i < packs; i++)
		put(blobs, 1000000000 + i, 1, NULL);
	say("publish one blob each", packs, since);
	pin(blobs, ids, count, "look up and pin, with these packs");
	sweep(blobs);
	pin(blobs, ids, count, "look up and pin, merged");
	since = now();
	blobs_close(blobs);
	must(blobs_open(&blobs, argv[1]), argv[1]);
	say("close and open", 1, since);
	blobs_close(blobs);
	free(ids);
	return 0;
}
