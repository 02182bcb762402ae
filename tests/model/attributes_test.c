/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: a chmod, chown or touch on a node of the tree. */
#include "model/attributes.h"

#include <errno.h>

#include "heap.h"
#include "heap_sqlite.h"
#include "store/store.h"
#include "test.h"

#define INO(row, object) ((uint64_t)(row) << 48 | (object))

struct fixture {
	char *directory;
	struct store *store;
	struct attributes *attributes;
};

static void fixture_load(struct fixture *fixture)
{
	REQUIRE(store_open(&fixture->store, fixture->directory) == 0);
	REQUIRE(attributes_new(&fixture->attributes, fixture->store) == 0);
}

static struct fixture fixture_open(void)
{
	struct fixture fixture = {.directory = test_directory()};

	fixture_load(&fixture);
	return fixture;
}

static void fixture_reopen(struct fixture *fixture)
{
	fixture->attributes = attributes_free(fixture->attributes);
	fixture->store = store_close(fixture->store);
	fixture_load(fixture);
}

static void fixture_close(struct fixture *fixture)
{
	attributes_free(fixture->attributes);
	store_close(fixture->store);
	test_directory_remove(fixture->directory);
}

static void check_is(struct fixture *fixture, uint64_t ino, unsigned set, mode_t mode, uid_t uid,
        int64_t mtime_us)
{
	const struct node_attributes *found = attributes_get(fixture->attributes, ino);

	if (!set) {
		CHECK(!found);
		return;
	}
	REQUIRE(found);
	CHECK_INT(found->set, set);
	if (set & ATTRIBUTE_MODE)
		CHECK_INT(found->mode, mode);
	if (set & ATTRIBUTE_UID)
		CHECK_INT(found->uid, uid);
	if (set & ATTRIBUTE_MTIME)
		CHECK_INT(found->mtime_us, mtime_us);
}

static void merges_and_keeps(void)
{
	struct fixture fixture = fixture_open();
	struct node_attributes mode = {.set = ATTRIBUTE_MODE, .mode = 0600, .uid = 9};
	struct node_attributes rest = {
	        .set = ATTRIBUTE_UID | ATTRIBUTE_MTIME, .uid = 4000000000u, .mtime_us = -1};
	int i;

	CHECK_INT(attributes_set(fixture.attributes, INO(0xffff, 3), &mode), 0);
	check_is(&fixture, INO(0xffff, 3), ATTRIBUTE_MODE, 0600, 0, 0);
	CHECK_INT(attributes_set(fixture.attributes, INO(0xffff, 3), &rest), 0);
	CHECK_INT(attributes_set(fixture.attributes, INO(1, 0), &rest), 0);
	CHECK_INT(attributes_set(fixture.attributes, INO(1, 1), &(struct node_attributes){0}), 0);
	for (i = 0; i < 2; i++, fixture_reopen(&fixture)) {
		check_is(&fixture, INO(0xffff, 3), 1 | 2 | 8, 0600, 4000000000u, -1);
		check_is(&fixture, INO(1, 0), 2 | 8, 0, 4000000000u, -1);
		check_is(&fixture, INO(1, 1), 0, 0, 0, 0);
		check_is(&fixture, INO(1, 3), 0, 0, 0, 0);
	}
	fixture_close(&fixture);
}

static void forgets_one_object(void)
{
	struct fixture fixture = fixture_open();
	struct node_attributes mode = {.set = ATTRIBUTE_MODE, .mode = 0600};
	unsigned row, object;
	int i;

	for (row = 1; row < 40; row++)
		for (object = 0; object < 10; object++)
			CHECK_INT(attributes_set(fixture.attributes, INO(row, object), &mode), 0);
	CHECK_INT(attributes_forget_object(fixture.attributes, 4), 0);
	CHECK_INT(attributes_forget_object(fixture.attributes, 0), 0);
	CHECK_INT(attributes_forget_object(fixture.attributes, 99), 0);
	for (i = 0; i < 2; i++, fixture_reopen(&fixture))
		for (row = 1; row < 40; row++)
			for (object = 0; object < 10; object++)
				check_is(&fixture, INO(row, object), object != 4 && object != 0,
				        0600, 0, 0);
	CHECK_INT(attributes_set(fixture.attributes, INO(1, 4), &mode), 0);
	check_is(&fixture, INO(1, 4), 1, 0600, 0, 0);
	fixture_close(&fixture);
}

static void survives_lack_of_memory(void)
{
	struct node_attributes mode = {.set = ATTRIBUTE_MODE, .mode = 0600};
	unsigned long n;

	for (n = 0; n < 1000; n++) {
		struct fixture fixture = fixture_open();
		bool reached;
		int r, i;

		heap_fail(n, 1);
		r = attributes_set(fixture.attributes, INO(1, 4), &mode);
		reached = heap_end();
		CHECK(r == 0 || (reached && r == -ENOMEM));
		for (i = 0; i < 2; i++, fixture_reopen(&fixture))
			check_is(&fixture, INO(1, 4), r == 0, 0600, 0, 0);
		CHECK_INT(attributes_set(fixture.attributes, INO(1, 4), &mode), 0);
		fixture_close(&fixture);
		if (!reached)
			break;
	}
	CHECK(n > 4 && n < 1000);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(merges_and_keeps), TEST(forgets_one_object),
	        TEST(survives_lack_of_memory), {}};

	heap_wrap_sqlite();
	return test_main(tests, argc, argv);
}
