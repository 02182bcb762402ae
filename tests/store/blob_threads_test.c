/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would lose: what was published while something else was published, read or swept. Publishers, readers
 * and a sweeper for a while on as many threads; each publisher knows what must be there.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "blob_fixture.h"
#include "test.h"

enum { PUBLISHERS = 2, READERS = 2, EACH = 40, VERSIONS_KEPT = 5 };

/* What the rows of a database would be: which publishes are referred to. */
struct shelf {
	struct place place;
	pthread_mutex_t lock;
	uint64_t rows[PUBLISHERS][VERSIONS_KEPT]; /* the first number of each version, plus one */
	atomic_bool over;
	atomic_ulong wrong, published, reads, sweeps;
	uint64_t rounds;
};

struct publisher {
	struct shelf *shelf;
	size_t index;
	uint64_t random;
};

/* Versions overlap within a publisher and between both, and come again. */
static uint64_t pick_version(struct publisher *publisher)
{
	return test_random(&publisher->random) % 60 * 10 + 1000;
}

static bool publish_one(struct publisher *publisher, uint64_t round)
{
	struct shelf *shelf = publisher->shelf;
	uint64_t first = pick_version(publisher), i;
	struct blob_batch *batch = NULL;
	bool fine = blob_batch_begin(shelf->place.blobs, &batch) == 0;

	for (i = 0; fine && i < EACH; i++)
		fine = put_number(batch, first + i) == 0;
	if (test_random(&publisher->random) % 8 == 0) { /* given up */
		blob_batch_release(batch);
		return fine;
	}
	fine = fine && blob_batch_seal(batch) == 0;
	pthread_mutex_lock(&shelf->lock);
	shelf->rows[publisher->index][round % VERSIONS_KEPT] = first + 1;
	pthread_mutex_unlock(&shelf->lock);
	blob_batch_release(batch);
	atomic_fetch_add(&shelf->published, 1);
	return fine;
}

/* Only this publisher takes its rows away, so all of them are there. */
static bool own_rows_are_whole(struct publisher *publisher)
{
	struct shelf *shelf = publisher->shelf;
	size_t i;
	uint64_t n;

	for (i = 0; i < VERSIONS_KEPT; i++)
		for (n = 0; shelf->rows[publisher->index][i] && n < EACH; n += 7)
			if (has_content(shelf->place.blobs,
			            shelf->rows[publisher->index][i] - 1 + n) != 1)
				return false;
	return true;
}

static void *publish_on(void *userdata)
{
	struct publisher *publisher = userdata;
	uint64_t round;

	for (round = 0; round < publisher->shelf->rounds; round++)
		if (!publish_one(publisher, round) || !own_rows_are_whole(publisher))
			atomic_fetch_add(&publisher->shelf->wrong, 1);
	return NULL;
}

static void *read_on(void *userdata)
{
	struct publisher *reader = userdata;
	struct shelf *shelf = reader->shelf;
	int r;

	while (!atomic_load(&shelf->over)) {
		r = has_content(shelf->place.blobs, pick_version(reader) + 3);
		if (r != 0 && r != 1)
			atomic_fetch_add(&shelf->wrong, 1);
		atomic_fetch_add(&shelf->reads, 1);
	}
	return NULL;
}

static void mark(struct shelf *shelf, struct blob_set *live)
{
	size_t i, k;
	uint64_t n;

	pthread_mutex_lock(&shelf->lock);
	for (i = 0; i < PUBLISHERS; i++)
		for (k = 0; k < VERSIONS_KEPT; k++)
			for (n = 0; shelf->rows[i][k] && n < EACH; n++) {
				struct blob_id id = id_of(shelf->rows[i][k] - 1 + n);
				blob_set_add(live, &id);
			}
	pthread_mutex_unlock(&shelf->lock);
}

static void *sweep_on(void *userdata)
{
	struct shelf *shelf = userdata;
	struct blob_set *live;
	int r;

	while (!atomic_load(&shelf->over)) {
		live = blob_set_new();
		r = blobs_sweep_begin(shelf->place.blobs);
		mark(shelf, live);
		if (r == 0)
			r = blobs_sweep(shelf->place.blobs, live, NULL);
		blob_set_free(live);
		if (r < 0 ||
		        (atomic_load(&shelf->sweeps) % 8 == 0 && problems_of(shelf->place.blobs)))
			atomic_fetch_add(&shelf->wrong, 1);
		atomic_fetch_add(&shelf->sweeps, 1);
	}
	return NULL;
}

static void all_at_once(void)
{
	static struct shelf shelf = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct publisher publishers[PUBLISHERS], readers[READERS];
	pthread_t publishing[PUBLISHERS], reading[READERS], sweeping;
	uint64_t seed = test_seed();
	size_t i;

	shelf.rounds = test_long() ? 3000 : 100;
	shelf.place.state = test_directory();
	REQUIRE(blobs_open(&shelf.place.blobs, shelf.place.state) == 0);
	for (i = 0; i < PUBLISHERS; i++) {
		publishers[i] = (struct publisher){&shelf, i, seed + i};
		REQUIRE(pthread_create(&publishing[i], NULL, publish_on, &publishers[i]) == 0);
	}
	for (i = 0; i < READERS; i++) {
		readers[i] = (struct publisher){&shelf, i, seed + 100 + i};
		REQUIRE(pthread_create(&reading[i], NULL, read_on, &readers[i]) == 0);
	}
	REQUIRE(pthread_create(&sweeping, NULL, sweep_on, &shelf) == 0);
	for (i = 0; i < PUBLISHERS; i++)
		pthread_join(publishing[i], NULL);
	atomic_store(&shelf.over, true);
	for (i = 0; i < READERS; i++)
		pthread_join(reading[i], NULL);
	pthread_join(sweeping, NULL);
	printf("%lu publishes, %lu reads, %lu sweeps\n", shelf.published, shelf.reads,
	        shelf.sweeps);
	CHECK_INT(shelf.wrong, 0);
	CHECK(shelf.published > shelf.rounds && shelf.sweeps > 0);
	for (i = 0; i < PUBLISHERS; i++)
		CHECK(own_rows_are_whole(&publishers[i]));
	CHECK_INT(problems_of(shelf.place.blobs), 0);
	blobs_close(shelf.place.blobs);
	test_directory_remove(shelf.place.state);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(all_at_once), {}};

	return test_main(tests, argc, argv);
}
