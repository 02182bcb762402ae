/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: what was published before, when the disk is full, or memory is. */
#include <errno.h>

#include "base/log.h"
#include "blob_fixture.h"
#include "heap.h"
#include "store/blob_private.h"
#include "test.h"

static void say_nothing(void *userdata, const char *line, size_t length)
{
}

static void all_there(struct place *place)
{
	uint64_t i;

	for (i = 100; i < 140; i++)
		CHECK_INT(has_content(place->blobs, i), 1);
	CHECK_INT(problems_of(place->blobs), 0);
	CHECK_INT(count_files(place->state, ".tmp"), 0);
}

/* Ten publishes, of which some is garbage, so that a sweep merges and drops. */
static void prepare(struct place *place)
{
	uint64_t i;

	place_init(place);
	for (i = 0; i < 10; i++)
		REQUIRE(publish(place->blobs, 100 + i * 5, 5) == 0);
}

/* Larger than what is collected before it is written, so that a put already meets the full disk. */
static int publish_much(struct blobs *blobs)
{
	struct blob_batch *batch;
	static char noise[BLOB_MAX];
	uint64_t random = 1, i, k;
	int r = blob_batch_begin(blobs, &batch);

	for (i = 0; r == 0 && i < 4; i++) {
		for (k = 0; k < sizeof(noise); k += 8)
			memcpy(noise + k, &(uint64_t){test_random(&random)}, 8);
		r = blob_batch_put(batch, noise, sizeof(noise), NULL);
	}
	if (r < 0)
		CHECK_INT(blob_batch_put(batch, "x", 1, NULL), r);
	if (r < 0)
		CHECK_INT(blob_batch_seal(batch), r);
	else
		r = blob_batch_seal(batch);
	blob_batch_release(batch);
	return r;
}

static void try_with_disk(int error, int (*what)(struct blobs *blobs), bool sweeps)
{
	struct place place;
	int64_t n;
	int r;

	for (n = 0;; n++) {
		prepare(&place);
		place.disk.error = error;
		place.disk.failing_in = n;
		r = what(place.blobs);
		if (!place.disk.failed) {
			CHECK_INT(r, 0);
			break;
		}
		place.disk.failing_in = -1;
		CHECK_INT(r, error);
		if (!sweeps)
			CHECK_INT(count_files(place.state, ".pack"), 10);
		all_there(&place);
		CHECK_INT(what(place.blobs), 0); /* with room again */
		all_there(&place);
		place_reopen(&place);
		all_there(&place);
		place_deinit(&place);
	}
	place.disk.failing_in = -1;
	place_deinit(&place);
	CHECK(n > 4);
}

static int sweep_some(struct blobs *blobs)
{
	return sweep_keeping(blobs, 100, 40, NULL);
}

static void a_full_disk_harms_nothing(void)
{
	try_with_disk(-ENOSPC, publish_much, false);
	try_with_disk(-EIO, publish_much, false);
}

static void a_full_disk_harms_no_sweep(void)
{
	try_with_disk(-ENOSPC, sweep_some, true);
	try_with_disk(-EIO, sweep_some, true);
}

/* The fixture's own allocations cannot fail: contents are made before. */
struct prepared {
	struct buf contents[8];
	struct blob_id ids[8];
};

static int use_all(struct blobs *blobs, const struct prepared *prepared)
{
	struct blob_batch *batch = NULL;
	struct buf found = BUF_INIT;
	size_t i;
	int r = blob_batch_begin(blobs, &batch);

	for (i = 0; r == 0 && i < 8; i++)
		r = blob_batch_put(
		        batch, prepared->contents[i].data, prepared->contents[i].length, NULL);
	if (r == 0)
		r = blob_batch_seal(batch);
	blob_batch_release(batch);
	for (i = 0; r == 0 && i < 8; i++)
		r = blob_read(blobs, &prepared->ids[i], &found);
	buf_deinit(&found);
	return r;
}

static int use_and_sweep(const char *state, struct test_disk *disk, const struct prepared *prepared)
{
	struct blob_check_result counts;
	struct blobs *blobs = NULL;
	struct blob_set *live;
	size_t i;
	int r = blobs_open_on(&blobs, state, &disk->disk);

	if (r < 0)
		return r;
	r = use_all(blobs, prepared);
	live = blob_set_new();
	for (i = 0; live && r == 0 && i < 8; i++)
		r = blob_set_add(live, &prepared->ids[i]) < 0 ? -ENOMEM : 0;
	if (!live)
		r = -ENOMEM;
	if (r == 0)
		r = blobs_sweep_begin(blobs);
	if (r == 0)
		r = blobs_sweep(blobs, live, NULL);
	if (r == 0)
		r = blobs_check(blobs, NULL, NULL, &counts);
	if (r == 0)
		CHECK_INT(counts.problems, 0);
	blob_set_free(live);
	blobs_close(blobs);
	return r;
}

static void little_memory_harms_nothing(void)
{
	struct prepared prepared = {0};
	struct place place;
	unsigned long n;
	size_t i;
	int r;

	for (i = 0; i < 8; i++) {
		content_of(200 + i, &prepared.contents[i]);
		content_id(&prepared.contents[i], &prepared.ids[i]);
	}
	for (n = 0;; n++) {
		prepare(&place);
		place.blobs = blobs_close(place.blobs);
		heap_fail(n, 1);
		r = use_and_sweep(place.state, &place.disk, &prepared);
		if (!heap_end())
			break;
		CHECK_INT(r, -ENOMEM);
		REQUIRE(blobs_open(&place.blobs, place.state) == 0);
		CHECK_INT(problems_of(place.blobs), 0);
		CHECK_INT(count_files(place.state, ".tmp"), 0);
		place_deinit(&place);
	}
	CHECK_INT(r, 0);
	CHECK(n > 40);
	printf("%lu allocations\n", n);
	place_deinit(&place);
	for (i = 0; i < 8; i++)
		buf_deinit(&prepared.contents[i]);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(a_full_disk_harms_nothing),
	        TEST(a_full_disk_harms_no_sweep),
	        TEST(little_memory_harms_nothing),
	        {},
	};

	log_set_sink(say_nothing, NULL);
	return test_main(tests, argc, argv);
}
