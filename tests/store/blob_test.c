/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: published code, or would get other bytes than were published. */
#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "blob_fixture.h"
#include "store/blob_private.h"
#include "test.h"

static void ids_are_sha256(void)
{
	static const char abc[] =
	        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	char text[BLOB_TEXT_SIZE];
	struct blob_batch *batch;
	struct blob_id id, again;
	struct place place;

	place_init(&place);
	REQUIRE(blob_batch_begin(place.blobs, &batch) == 0);
	CHECK_INT(blob_batch_put(batch, "abc", 3, &id), 0);
	blob_batch_release(batch);
	blob_id_format(text, &id);
	CHECK_STR(text, abc);
	CHECK_INT(blob_id_parse(&again, text), 0);
	CHECK(blob_id_equal(&id, &again));
	text[5] = 'G';
	CHECK_INT(blob_id_parse(&again, text), -EINVAL);
	CHECK_INT(blob_id_parse(&again, "ba78"), -EINVAL);
	place_deinit(&place);
}

static void put_sized(struct place *place, size_t size, bool noise)
{
	CLEANUP(buf_deinit) struct buf found = BUF_INIT;
	CLEANUP(free_p) char *data = malloc(size + 8);
	uint64_t random = size;
	struct blob_batch *batch;
	struct blob_id id;
	size_t i;

	for (i = 0; i < size; i += 8)
		memcpy(data + i, &(uint64_t){noise ? test_random(&random) : 7}, 8);
	REQUIRE(blob_batch_begin(place->blobs, &batch) == 0);
	CHECK_INT(blob_batch_put(batch, data, size, &id), 0);
	CHECK_INT(blob_read(place->blobs, &id, &found), -ENOENT);
	CHECK_INT(blob_batch_seal(batch), 0);
	CHECK_INT(blob_batch_added_blobs(batch), 1);
	CHECK(noise || size < 1000 || blob_batch_added_bytes(batch) < size / 2 + 300);
	blob_batch_release(batch);
	place_reopen(place);
	buf_puts(&found, "before ");
	CHECK_INT(blob_read(place->blobs, &id, &found), 0);
	CHECK_INT(found.length, size + 7);
	CHECK(memcmp(found.data, "before ", 7) == 0 && memcmp(found.data + 7, data, size) == 0);
}

static void reads_what_was_put(void)
{
	static const size_t sizes[] = {0, 1, 2, 7, 8, 9, 100, 4096, 65537, BLOB_MAX - 1, BLOB_MAX};
	CLEANUP(free_p) char *large = calloc(1, BLOB_MAX + 1);
	struct blob_batch *batch;
	struct place place;
	size_t i;

	place_init(&place);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		put_sized(&place, sizes[i], true);
		if (sizes[i])
			put_sized(&place, sizes[i], false);
	}
	REQUIRE(blob_batch_begin(place.blobs, &batch) == 0);
	CHECK_INT(blob_batch_put(batch, large, BLOB_MAX + 1, NULL), -EFBIG);
	CHECK_INT(blob_batch_put(batch, "x", 1, NULL), 0); /* the batch goes on */
	blob_batch_release(batch);
	CHECK_INT(problems_of(place.blobs), 0);
	place_deinit(&place);
}

static void known_content_costs_nothing(void)
{
	struct blob_batch *batch;
	struct blob_id id = id_of(3), absent = id_of(100);
	struct place place;

	place_init(&place);
	CHECK_INT(publish(place.blobs, 0, 10), 0);
	CHECK_INT(count_files(place.state, ".pack"), 1);
	CHECK_INT(publish(place.blobs, 0, 10), 0);
	place_reopen(&place);
	CHECK_INT(publish(place.blobs, 2, 5), 0);
	CHECK_INT(count_files(place.state, ".pack"), 1);
	REQUIRE(blob_batch_begin(place.blobs, &batch) == 0);
	CHECK_INT(blob_batch_pin(batch, &id), 0);
	CHECK_INT(blob_batch_pin(batch, &absent), -ENOENT);
	CHECK_INT(put_number(batch, 4), 0);
	CHECK_INT(blob_batch_added_bytes(batch), 0);
	CHECK_INT(put_number(batch, 100), 0);
	CHECK_INT(put_number(batch, 100), 0);
	CHECK_INT(blob_batch_pin(batch, &absent), 0);
	CHECK_INT(blob_batch_added_blobs(batch), 1);
	blob_batch_release(batch);
	CHECK(blob_exists(place.blobs, &id));
	CHECK(!blob_exists(place.blobs, &absent));
	place_deinit(&place);
}

static void unsealed_is_thrown_away(void)
{
	struct blob_batch *batches[2];
	struct place place;
	uint64_t i;

	place_init(&place);
	REQUIRE(blob_batch_begin(place.blobs, &batches[0]) == 0);
	REQUIRE(blob_batch_begin(place.blobs, &batches[1]) == 0);
	for (i = 0; i < 20; i++) /* the same in both: neither may rely on the other */
		CHECK_INT(put_number(batches[i % 2], i / 2), 0);
	CHECK_INT(count_files(place.state, ".tmp"), 2);
	blob_batch_release(batches[0]);
	CHECK_INT(blob_batch_seal(batches[1]), 0);
	blob_batch_release(batches[1]);
	CHECK_INT(count_files(place.state, ".tmp"), 0);
	for (i = 0; i < 10; i++)
		CHECK_INT(has_content(place.blobs, i), 1);
	place_deinit(&place);
}

static void leftovers_are_removed(void)
{
	CLEANUP(free_p) char *temporary = NULL, *other = NULL;
	struct place place;

	place_init(&place);
	REQUIRE(asprintf(&temporary, "%s/packs/17.tmp", place.state) > 0);
	REQUIRE(asprintf(&other, "%s/packs/notes", place.state) > 0);
	close(open(temporary, O_CREAT | O_WRONLY, 0600));
	close(open(other, O_CREAT | O_WRONLY, 0600));
	place_reopen(&place);
	CHECK(access(temporary, F_OK) < 0);
	CHECK(access(other, F_OK) == 0);
	place_deinit(&place);
}

static void a_sweep_takes_what_is_dead(void)
{
	struct blob_sweep_result result;
	struct place place;
	uint64_t i;

	place_init(&place);
	CHECK_INT(publish(place.blobs, 100, 30), 0);
	CHECK_INT(publish(place.blobs, 130, 30), 0);
	CHECK_INT(publish(place.blobs, 160, 30), 0);
	CHECK_INT(sweep_keeping(place.blobs, 145, 45, &result), 0);
	CHECK_INT(result.packs_before, 3);
	CHECK_INT(result.packs_after, 2);
	CHECK_INT(result.blobs_dropped, 45);
	CHECK(result.bytes_after < result.bytes_before);
	CHECK_INT(count_files(place.state, ".pack"), 2);
	for (i = 100; i < 190; i++)
		CHECK_INT(has_content(place.blobs, i), i >= 145);
	place_reopen(&place);
	for (i = 100; i < 190; i++)
		CHECK_INT(has_content(place.blobs, i), i >= 145);
	CHECK_INT(problems_of(place.blobs), 0);
	CHECK_INT(sweep_keeping(place.blobs, 145, 45, &result), 0); /* nothing left to do */
	CHECK_INT(result.bytes_after, result.bytes_before);
	CHECK_INT(sweep_keeping(place.blobs, 0, 0, &result), 0);
	CHECK_INT(result.packs_after, 0);
	CHECK_INT(count_files(place.state, ""), 2); /* `.` and `..` */
	place_deinit(&place);
}

static void a_sweep_leaves_what_is_pinned(void)
{
	struct blob_batch *found, *written, *late;
	struct place place;
	uint64_t i;

	place_init(&place);
	CHECK_INT(publish(place.blobs, 0, 10), 0);
	REQUIRE(blob_batch_begin(place.blobs, &found) == 0);
	CHECK_INT(put_number(found, 1), 0);
	REQUIRE(blob_batch_begin(place.blobs, &written) == 0);
	CHECK_INT(put_number(written, 20), 0);
	CHECK_INT(blob_batch_seal(written), 0);
	REQUIRE(blob_batch_begin(place.blobs, &late) == 0);
	CHECK_INT(put_number(late, 2), 0);
	CHECK_INT(put_number(late, 21), 0);
	CHECK_INT(blobs_sweep_begin(place.blobs), 0);
	CHECK_INT(blobs_sweep_begin(place.blobs), -EBUSY);
	/* Its row might have been stored behind the marking. */
	CHECK_INT(blob_batch_seal(late), 0);
	blob_batch_release(late);
	struct blob_set *none = blob_set_new();
	CHECK_INT(blobs_sweep(place.blobs, none, NULL), 0);
	for (i = 0; i < 22; i++)
		CHECK_INT(has_content(place.blobs, i), i == 1 || i == 2 || i >= 20);
	CHECK_INT(blob_batch_seal(found), 0);
	blob_batch_release(found);
	blob_batch_release(written);
	CHECK_INT(blobs_sweep_begin(place.blobs), 0);
	blobs_sweep_abandon(place.blobs);
	CHECK_INT(has_content(place.blobs, 1), 1);
	CHECK_INT(blobs_sweep_begin(place.blobs), 0);
	CHECK_INT(blobs_sweep(place.blobs, none, NULL), 0);
	for (i = 0; i < 22; i++)
		CHECK_INT(has_content(place.blobs, i), 0);
	blob_set_free(none);
	place_deinit(&place);
}

struct meanwhile {
	struct place *place;
	struct blob_batch *batch;
};

/* While a sweep that keeps 0 to 4 is about to name its new pack. */
static void put_meanwhile(void *userdata)
{
	struct meanwhile *meanwhile = userdata;

	REQUIRE(blob_batch_begin(meanwhile->place->blobs, &meanwhile->batch) == 0);
	CHECK_INT(put_number(meanwhile->batch, 2), 0);
	CHECK_INT(blob_batch_added_blobs(meanwhile->batch), 0);
	CHECK_INT(put_number(meanwhile->batch, 7), 0); /* is there, and about to go */
	CHECK_INT(blob_batch_added_blobs(meanwhile->batch), 1);
	CHECK_INT(has_content(meanwhile->place->blobs, 7), 1);
}

static void a_put_during_a_sweep_is_safe(void)
{
	struct place place;
	struct meanwhile meanwhile = {.place = &place};

	place_init(&place);
	CHECK_INT(publish(place.blobs, 0, 10), 0);
	place.disk.before_rename = put_meanwhile;
	place.disk.userdata = &meanwhile;
	CHECK_INT(sweep_keeping(place.blobs, 0, 5, NULL), 0);
	REQUIRE(meanwhile.batch);
	CHECK_INT(has_content(place.blobs, 7), 0);
	CHECK_INT(blob_batch_seal(meanwhile.batch), 0);
	blob_batch_release(meanwhile.batch);
	CHECK_INT(has_content(place.blobs, 7), 1);
	CHECK_INT(has_content(place.blobs, 2), 1);
	place_deinit(&place);
}

/* A whole sweep between the look and the decision: what was seen may be gone. */
static void a_look_before_a_sweep_does_not_count(void)
{
	struct blob_id dead = id_of(7), live = id_of(2);
	struct blob_batch *batch;
	struct pin_look look;
	struct place place;

	place_init(&place);
	CHECK_INT(publish(place.blobs, 0, 10), 0);
	REQUIRE(blob_batch_begin(place.blobs, &batch) == 0);
	pin_look(place.blobs, &dead, &look);
	CHECK(look.pack);
	CHECK_INT(sweep_keeping(place.blobs, 0, 5, NULL), 0);
	CHECK_INT(pin_decide(batch, &dead, &look), -EAGAIN);
	pin_look(place.blobs, &dead, &look);
	CHECK_INT(pin_decide(batch, &dead, &look), -ENOENT);
	pin_look(place.blobs, &live, &look);
	CHECK_INT(pin_decide(batch, &live, &look), 0);
	blob_batch_release(batch);
	place_deinit(&place);
}

static void a_stopped_sweep_changes_nothing(void)
{
	struct place place;
	uint64_t i;

	place_init(&place);
	CHECK_INT(publish(place.blobs, 0, 10), 0);
	CHECK_INT(blobs_sweep_begin(place.blobs), 0);
	blobs_sweep_stop(place.blobs);
	CHECK_INT(blobs_sweep(place.blobs, NULL, NULL), -ECANCELED);
	for (i = 0; i < 10; i++)
		CHECK_INT(has_content(place.blobs, i), 1);
	CHECK_INT(sweep_keeping(place.blobs, 0, 5, NULL), 0);
	CHECK_INT(has_content(place.blobs, 9), 0);
	place_deinit(&place);
}

static void merge_while_wanted(struct blobs *blobs)
{
	int rounds = 0;

	while (blobs_want_sweep(blobs) && CHECK(rounds++ < 10)) {
		CHECK_INT(blobs_sweep_begin(blobs), 0);
		CHECK_INT(blobs_sweep(blobs, NULL, NULL), 0);
	}
}

static void many_publishes_make_few_packs(void)
{
	uint64_t i, count = test_long() ? 5000 : 500;
	struct place place;
	int packs, most = 0;

	place_init(&place);
	for (i = 0; i < count; i++) {
		CHECK_INT(publish(place.blobs, i * 2, 2), 0);
		merge_while_wanted(place.blobs);
		packs = count_files(place.state, ".pack");
		most = packs > most ? packs : most;
	}
	CHECK(most >= 7 && most < 30);
	CHECK(place.disk.changes < count * 12); /* each publish is written again a few times only */
	place_reopen(&place);
	for (i = 0; i < count * 2; i++)
		CHECK_INT(has_content(place.blobs, i), 1);
	CHECK_INT(problems_of(place.blobs), 0);
	place_deinit(&place);
}

/* A set beside a plain array of what should be in it. */
static void sets_hold_what_was_added(void)
{
	struct blob_set *set = blob_set_new();
	uint64_t seed = test_seed();
	bool in[300] = {false};
	size_t count = 0, i;

	for (i = 0; i < 20000; i++) {
		uint64_t n = test_random(&seed) % ARRAY_SIZE(in);
		struct blob_id id = {{(unsigned char)(n % 4)}}; /* collisions, and the zeros */
		id.bytes[9] = (unsigned char)(n / 4);
		if (test_random(&seed) % 2) {
			CHECK_INT(blob_set_add(set, &id), !in[n]);
			count += !in[n];
			in[n] = true;
		} else {
			CHECK_INT(blob_set_remove(set, &id), in[n]);
			count -= in[n];
			in[n] = false;
		}
		CHECK_INT(blob_set_has(set, &id), in[n]);
		CHECK_INT(blob_set_count(set), count);
	}
	blob_set_free(set);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(ids_are_sha256),
	        TEST(reads_what_was_put),
	        TEST(known_content_costs_nothing),
	        TEST(unsealed_is_thrown_away),
	        TEST(leftovers_are_removed),
	        TEST(a_sweep_takes_what_is_dead),
	        TEST(a_sweep_leaves_what_is_pinned),
	        TEST(a_put_during_a_sweep_is_safe),
	        TEST(a_look_before_a_sweep_does_not_count),
	        TEST(a_stopped_sweep_changes_nothing),
	        TEST(many_publishes_make_few_packs),
	        TEST(sets_hold_what_was_added),
	        {},
	};

	return test_main(tests, argc, argv);
}
