/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: what mkdir, echo and chmod said was done, and the trust that an id means one thing. */
#include "store/store.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "reference.h"
#include "test.h"

static unsigned syncs; /* of SQLite, caught by standing before the C library's */

int fdatasync(int fd)
{
	syncs++;
	return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	syncs++;
	return (int)syscall(SYS_fsync, fd);
}

struct fixture {
	char *directory;
	struct store *store;
};

static struct fixture fixture_open(void)
{
	struct fixture fixture = {.directory = test_directory()};

	REQUIRE(store_open(&fixture.store, fixture.directory) == 0);
	return fixture;
}

static void fixture_reopen(struct fixture *fixture)
{
	fixture->store = store_close(fixture->store);
	REQUIRE(store_open(&fixture->store, fixture->directory) == 0);
}

static void fixture_close(struct fixture *fixture)
{
	fixture->store = store_close(fixture->store);
	fixture->directory = test_directory_remove(fixture->directory);
}

static uint64_t create(struct fixture *fixture, const char *name)
{
	struct command_result result;

	REQUIRE(store_apply(fixture->store,
	                &(struct command){COMMAND_FUNCTION_CREATE, .name = name, .uid = 7, .gid = 8,
	                        .time_us = 9},
	                &result) == 0);
	return result.object;
}

#define APPLY(fixture, ...) store_apply((fixture)->store, &(struct command){__VA_ARGS__}, &result)

static void check_holds(struct fixture *fixture, const char *expected)
{
	struct buf text = BUF_INIT;

	CHECK_INT(reference_dump_store(fixture->store, &text), 0);
	CHECK_STR(text.data ? text.data : "", expected);
	buf_deinit(&text);
}

static void belongs_to_one(void)
{
	struct fixture fixture = fixture_open();
	struct store *second = NULL;
	int status;
	pid_t child;

	CHECK_INT(store_open(&second, fixture.directory), -EBUSY);
	child = fork();
	if (child == 0)
		_exit(store_open(&second, fixture.directory) == -EBUSY ? 0 : 1);
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK_INT(status, 0);
	fixture_reopen(&fixture);
	fixture_close(&fixture);
}

static void keeps_functions(void)
{
	struct fixture fixture = fixture_open();
	struct command_result result = {0};
	uint64_t a = create(&fixture, "a"), b = create(&fixture, "b");

	CHECK(a && b > a);
	CHECK_INT(APPLY(&fixture, COMMAND_FUNCTION_CREATE, .name = "a"), -EEXIST);
	CHECK_INT(result.object, 0);
	CHECK_INT(APPLY(&fixture, COMMAND_FUNCTION_RENAME, .object = a, .name = "b"), -EEXIST);
	CHECK_INT(APPLY(&fixture, COMMAND_FUNCTION_RENAME, .object = a, .name = "a"), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_FUNCTION_RENAME, .object = a, .name = "c"), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_FUNCTION_OWN, .object = a, .uid = 4294967295u), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_FUNCTION_OWN, .object = 99), -ENOENT);
	CHECK_INT(APPLY(&fixture, COMMAND_FUNCTION_RENAME, .object = 99, .name = "d"), -ENOENT);
	fixture_reopen(&fixture);
	check_holds(&fixture, "function 1 c 4294967295 0 9\nfunction 2 b 7 8 9\n");
	fixture_close(&fixture);
}

static void never_reuses_an_id(void)
{
	struct fixture fixture = fixture_open();
	struct command_result result = {0};
	uint64_t a = create(&fixture, "a"), b;

	CHECK_INT(APPLY(&fixture, COMMAND_VARIABLE_SET, .object = a, .name = "K", .value = ""), 0);
	CHECK_INT(result.child, a + 1);
	CHECK_INT(APPLY(&fixture, COMMAND_FUNCTION_REMOVE, .object = a), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_FUNCTION_REMOVE, .object = a), -ENOENT);
	fixture_reopen(&fixture);
	b = create(&fixture, "a");
	CHECK_INT(b, a + 2);
	/* A function is not removed by the id of something else. */
	CHECK_INT(APPLY(&fixture, COMMAND_VARIABLE_SET, .object = b, .name = "K", .value = ""), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_FUNCTION_REMOVE, .object = result.child), -ENOENT);
	fixture_close(&fixture);
}

static void keeps_settings(void)
{
	struct fixture fixture = fixture_open();
	struct command_result result = {0};
	uint64_t a = create(&fixture, "a");

	CHECK_INT(APPLY(&fixture, COMMAND_SETTING_SET, .object = a, .name = "t", .value = "1"), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_SETTING_SET, .object = a, .name = "t", .value = ""), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_SETTING_SET, .object = a, .name = "u", .value = "2"), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_SETTING_SET, .object = a, .name = "u"), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_SETTING_SET, .object = a, .name = "none"), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_SETTING_SET, .object = 5, .name = "t", .value = "1"),
	        -ENOENT);
	CHECK_INT(APPLY(&fixture, COMMAND_SETTING_SET, .object = 5, .name = "t"), -ENOENT);
	fixture_reopen(&fixture);
	check_holds(&fixture, "function 1 a 7 8 9\nsetting 1 t \n");
	fixture_close(&fixture);
}

static void keeps_variables(void)
{
	struct fixture fixture = fixture_open();
	struct command_result result = {0};
	uint64_t a = create(&fixture, "a"), b = create(&fixture, "b"), k;

	CHECK_INT(APPLY(&fixture, COMMAND_VARIABLE_SET, .object = a, .name = "K", .value = "1"), 0);
	k = result.child;
	CHECK_INT(APPLY(&fixture, COMMAND_VARIABLE_SET, .object = a, .name = "K",
	                  .value = "\xff\x01 '\"\n"),
	        0);
	CHECK_INT(result.child, k);
	CHECK_INT(APPLY(&fixture, COMMAND_VARIABLE_SET, .object = b, .name = "K", .value = ""), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_VARIABLE_SET, .object = a, .name = "L", .value = ""), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_VARIABLE_SET, .object = 77, .name = "K", .value = ""),
	        -ENOENT);
	CHECK_INT(APPLY(&fixture, COMMAND_VARIABLE_RENAME, .object = b, .child = k, .name = "M"),
	        -ENOENT);
	CHECK_INT(
	        APPLY(&fixture, COMMAND_VARIABLE_RENAME, .object = a, .child = k, .name = "M"), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_VARIABLE_UNSET, .object = b, .child = k), -ENOENT);
	fixture_reopen(&fixture);
	check_holds(&fixture, "function 1 a 7 8 9\nfunction 2 b 7 8 9\n"
	                      "variable 1 3 M \xff\x01 '\"\n"
	                      "variable 1 5 L \nvariable 2 4 K \n");
	CHECK_INT(
	        APPLY(&fixture, COMMAND_VARIABLE_RENAME, .object = a, .child = k, .name = "L"), 0);
	check_holds(&fixture, "function 1 a 7 8 9\nfunction 2 b 7 8 9\n"
	                      "variable 1 3 L \xff\x01 '\"\n"
	                      "variable 2 4 K \n");
	CHECK_INT(APPLY(&fixture, COMMAND_VARIABLE_UNSET, .object = a, .child = k), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_VARIABLE_UNSET, .object = a, .child = k), -ENOENT);
	fixture_close(&fixture);
}

static void keeps_attributes(void)
{
	struct fixture fixture = fixture_open();
	struct command_result result = {0};
	uint64_t high = UINT64_C(0xffff) << 48 | 5, root = UINT64_C(2) << 48;

	CHECK_INT(APPLY(&fixture, COMMAND_ATTRIBUTES_SET, .ino = high, .set = COMMAND_SET_MODE,
	                  .mode = 0640, .uid = 1),
	        0);
	CHECK_INT(APPLY(&fixture, COMMAND_ATTRIBUTES_SET, .ino = high,
	                  .set = COMMAND_SET_UID | COMMAND_SET_MTIME, .uid = 3, .time_us = -4),
	        0);
	CHECK_INT(APPLY(&fixture, COMMAND_ATTRIBUTES_SET, .ino = root, .set = COMMAND_SET_GID,
	                  .gid = 6),
	        0);
	fixture_reopen(&fixture);
	check_holds(&fixture, "attributes 2000000000000 gid 6\n"
	                      "attributes ffff000000000005 mode 640 uid 3 mtime -4\n");
	CHECK_INT(APPLY(&fixture, COMMAND_ATTRIBUTES_FORGET, .object = 5), 0);
	check_holds(&fixture, "attributes 2000000000000 gid 6\n");
	CHECK_INT(APPLY(&fixture, COMMAND_ATTRIBUTES_FORGET, .object = 0), 0);
	check_holds(&fixture, "");
	fixture_close(&fixture);
}

static void removal_takes_all(void)
{
	struct fixture fixture = fixture_open();
	struct command_result result = {0};
	uint64_t a = create(&fixture, "a"), b = create(&fixture, "b"), k;

	CHECK_INT(APPLY(&fixture, COMMAND_SETTING_SET, .object = a, .name = "t", .value = "1"), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_VARIABLE_SET, .object = a, .name = "K", .value = "1"), 0);
	k = result.child;
	for (int row = 1; row < 4; row++) {
		CHECK_INT(APPLY(&fixture, COMMAND_ATTRIBUTES_SET,
		                  .ino = (uint64_t)row << 48 | (row == 1          ? a
		                                                       : row == 2 ? k
		                                                                  : b),
		                  .set = COMMAND_SET_MODE),
		        0);
	}
	CHECK_INT(APPLY(&fixture, COMMAND_FUNCTION_REMOVE, .object = a), 0);
	check_holds(&fixture, "attributes 3000000000002 mode 0\nfunction 2 b 7 8 9\n");
	fixture_close(&fixture);
}

static void durable_means_synced(void)
{
	struct fixture fixture = fixture_open();
	struct command_result result = {0};
	uint64_t a = create(&fixture, "a");

	syncs = 0;
	CHECK_INT(APPLY(&fixture, COMMAND_FUNCTION_OWN, .object = a, .uid = 1), 0);
	CHECK_INT(syncs, 0);
	CHECK_INT(APPLY(&fixture, COMMAND_FUNCTION_OWN, .object = a, .uid = 2, .durable = 1), 0);
	CHECK_INT(syncs, 1);
	CHECK_INT(APPLY(&fixture, COMMAND_FUNCTION_OWN, .object = a, .uid = 3), 0);
	CHECK_INT(syncs, 1);
	fixture_close(&fixture);
}

static int stop_at_two(void *seen, const struct store_function_row *row)
{
	return ++*(int *)seen == 2 ? -ECANCELED : 0;
}

static void walk_can_be_ended(void)
{
	struct fixture fixture = fixture_open();
	int seen = 0;

	create(&fixture, "a");
	create(&fixture, "b");
	create(&fixture, "c");
	CHECK_INT(store_each_function(fixture.store, stop_at_two, &seen), -ECANCELED);
	CHECK_INT(seen, 2);
	create(&fixture, "d"); /* the walk holds nothing */
	fixture_close(&fixture);
}

static void agrees_with_the_reference(void)
{
	struct fixture fixture = fixture_open();
	struct reference *reference = reference_new();
	struct buf texts[2] = {BUF_INIT, BUF_INIT}, held = BUF_INIT, expected = BUF_INIT;
	uint64_t seed = test_seed(), number, count = test_long() ? 10000 : 1500;

	for (number = 0; number < count; number++) {
		struct command_result result = {0}, wanted = {0};
		struct command command;
		int r, should;

		random_command(seed, number, reference->last_id, &command, texts);
		r = store_apply(fixture.store, &command, &result);
		should = reference_apply(reference, &command, &wanted);
		if (!CHECK_INT(r, should) || !CHECK_INT(result.object, wanted.object) ||
		        !CHECK_INT(result.child, wanted.child))
			break;
		if (number % 4 == 0)
			fixture_reopen(&fixture);
		reference_dump(reference, &expected);
		CHECK_INT(reference_dump_store(fixture.store, &held), 0);
		if (!CHECK(strcmp(held.data, expected.data) == 0)) {
			printf("after command %" PRIu64 ": %s\nnot: %s", number, held.data,
			        expected.data);
			break;
		}
	}
	CHECK(expected.length > 1000); /* else it compared nothing with nothing */
	buf_deinit(&texts[0]);
	buf_deinit(&texts[1]);
	buf_deinit(&held);
	buf_deinit(&expected);
	reference_free(reference);
	fixture_close(&fixture);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(belongs_to_one), TEST(keeps_functions),
	        TEST(never_reuses_an_id), TEST(keeps_settings), TEST(keeps_variables),
	        TEST(keeps_attributes), TEST(removal_takes_all), TEST(durable_means_synced),
	        TEST(walk_can_be_ended), TEST(agrees_with_the_reference), {}};

	return test_main(tests, argc, argv);
}
