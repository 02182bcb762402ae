/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: what mkdir, echo and chmod said was done, and the trust that an id means one thing. */
#include "store/store.h"

#include <errno.h>
#include <sqlite3.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "reference.h"
#include "store/store_schema.h"
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
	CHECK_INT(APPLY(&fixture, COMMAND_VERSION_BEGIN, .object = a, .name = "1"), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_ALIAS_CREATE, .object = a, .name = "p", .value = ""), 0);
	for (int row = 5; row < 9; row++) /* of the version, its variable, the alias */
		CHECK_INT(APPLY(&fixture, COMMAND_ATTRIBUTES_SET,
		                  .ino = (uint64_t)row << 48 | (k + (uint64_t)row - 4),
		                  .set = COMMAND_SET_MODE),
		        0);
	for (int row = 1; row < 4; row++) {
		CHECK_INT(APPLY(&fixture, COMMAND_ATTRIBUTES_SET,
		                  .ino = (uint64_t)row << 48 | (row == 1          ? a
		                                                       : row == 2 ? k
		                                                                  : b),
		                  .set = COMMAND_SET_MODE),
		        0);
	}
	CHECK_INT(APPLY(&fixture, COMMAND_FUNCTION_REMOVE, .object = a), 0);
	/* k + 4 is nobody: it stays */
	check_holds(&fixture, "attributes 3000000000002 mode 0\nattributes 8000000000007 mode 0\n"
	                      "function 2 b 7 8 9\n");
	fixture_close(&fixture);
}

static struct store_snapshot snapshot_of_something(void)
{
	struct store_snapshot snapshot = {.files = 1, .directories = 2, .bytes = 3};

	memcpy(snapshot.root, "0123456789abcdef0123456789abcdef", sizeof(snapshot.root));
	snapshot.added_bytes = UINT64_C(1) << 40;
	return snapshot;
}

static void publishes(void)
{
	struct fixture fixture = fixture_open();
	struct command_result result = {0};
	uint64_t a = create(&fixture, "a"), v;
	int i;

	for (i = 0; i < 2; i++)
		CHECK_INT(APPLY(&fixture, COMMAND_VARIABLE_SET, .object = a, .name = i ? "L" : "K",
		                  .value = i ? "2" : "1"),
		        0);
	CHECK_INT(APPLY(&fixture, COMMAND_SETTING_SET, .object = a, .name = "t", .value = "1"), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_SETTING_SET, .object = a, .name = "min_instances",
	                  .value = "9"),
	        0);
	CHECK_INT(
	        APPLY(&fixture, COMMAND_VERSION_BEGIN, .object = a, .name = "v", .time_us = 5), 0);
	v = result.object;
	CHECK_INT(v, a + 3);
	CHECK_INT(APPLY(&fixture, COMMAND_VERSION_BEGIN, .object = a, .name = "v"), -EEXIST);
	CHECK_INT(APPLY(&fixture, COMMAND_VERSION_BEGIN, .object = v, .name = "v"), -ENOENT);
	/* What changes now is not in the version any more. */
	CHECK_INT(APPLY(&fixture, COMMAND_VARIABLE_SET, .object = a, .name = "K", .value = "x"), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_SETTING_SET, .object = a, .name = "t", .value = "x"), 0);
	check_holds(&fixture, "function 1 a 7 8 9\n"
	                      "setting 1 min_instances 9\nsetting 1 t x\nsetting 4 t 1\n"
	                      "variable 1 2 K x\nvariable 1 3 L 2\n"
	                      "variable 4 5 K 1\nvariable 4 6 L 2\nversion 1 4 v 5\n");
	CHECK_INT(APPLY(&fixture, COMMAND_VERSION_FINISH, .object = a), -ENOENT);
	CHECK_INT(APPLY(&fixture, COMMAND_VERSION_FINISH, .object = v,
	                  .snapshot = snapshot_of_something(), .durable = 1),
	        0);
	CHECK_INT(APPLY(&fixture, COMMAND_VERSION_FINISH, .object = v), -ENOENT); /* only once */
	CHECK_INT(APPLY(&fixture, COMMAND_VERSION_BEGIN, .object = a, .name = "w"), 0);
	CHECK_INT(result.object, v + 3);
	CHECK_INT(APPLY(&fixture, COMMAND_VERSIONS_SWEEP), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_VERSION_FINISH, .object = v + 3), -ENOENT);
	fixture_reopen(&fixture);
	check_holds(&fixture, "function 1 a 7 8 9\n"
	                      "setting 1 min_instances 9\nsetting 1 t x\nsetting 4 t 1\n"
	                      "variable 1 2 K x\nvariable 1 3 L 2\n"
	                      "variable 4 5 K 1\nvariable 4 6 L 2\n"
	                      "version 1 4 v 5 "
	                      "30313233343536373839616263646566"
	                      "30313233343536373839616263646566 1 2 3 1099511627776\n");
	CHECK_INT(APPLY(&fixture, COMMAND_VERSION_REMOVE, .object = a), -ENOENT);
	CHECK_INT(APPLY(&fixture, COMMAND_VERSION_REMOVE, .object = v), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_VERSION_REMOVE, .object = v), -ENOENT);
	check_holds(&fixture, "function 1 a 7 8 9\n"
	                      "setting 1 min_instances 9\nsetting 1 t x\n"
	                      "variable 1 2 K x\nvariable 1 3 L 2\n");
	fixture_close(&fixture);
}

static void keeps_aliases(void)
{
	struct fixture fixture = fixture_open();
	struct command_result result = {0};
	uint64_t a = create(&fixture, "a"), p, q;

	CHECK_INT(APPLY(&fixture, COMMAND_ALIAS_CREATE, .object = a, .name = "p", .value = "1 100",
	                  .time_us = 5),
	        0);
	p = result.object;
	CHECK_INT(APPLY(&fixture, COMMAND_ALIAS_CREATE, .object = a, .name = "p", .value = ""),
	        -EEXIST);
	CHECK_INT(APPLY(&fixture, COMMAND_ALIAS_CREATE, .object = p, .name = "p", .value = ""),
	        -ENOENT);
	CHECK_INT(APPLY(&fixture, COMMAND_ALIAS_CREATE, .object = a, .name = "q", .value = "2"), 0);
	q = result.object;
	CHECK_INT(APPLY(&fixture, COMMAND_ALIAS_RENAME, .object = q, .name = "p"), -EEXIST);
	CHECK_INT(APPLY(&fixture, COMMAND_ALIAS_RENAME, .object = q, .name = "r"), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_ALIAS_RENAME, .object = a, .name = "x"), -ENOENT);
	CHECK_INT(APPLY(&fixture, COMMAND_ALIAS_ROUTE, .object = p, .value = "one two"), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_ALIAS_ROUTE, .object = p, .value = "3"), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_ALIAS_ROUTE, .object = a, .value = "3"), -ENOENT);
	CHECK_INT(APPLY(&fixture, COMMAND_SETTING_SET, .object = p, .name = "d", .value = "t"), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_VARIABLE_SET, .object = p, .name = "d", .value = "t"),
	        -ENOENT);
	CHECK_INT(APPLY(&fixture, COMMAND_ALIAS_REMOVE, .object = q), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_ALIAS_REMOVE, .object = q), -ENOENT);
	CHECK_INT(APPLY(&fixture, COMMAND_ALIAS_REMOVE, .object = a), -ENOENT);
	fixture_reopen(&fixture);
	check_holds(&fixture, "alias 1 2 p 5 '3' 'one two' 3\nfunction 1 a 7 8 9\n"
	                      "setting 2 d t\n");
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
	uint64_t seed = test_seed(), number, count = test_long() ? 10000 : 2500;
	unsigned done[COMMAND_KINDS] = {0};
	int kind;

	for (number = 0; number < count; number++) {
		struct command_result result = {0}, wanted = {0};
		struct command command;
		int r, should;

		random_command(seed, number, reference->last_id, &command, texts);
		if (number % 2)
			reference_aim(reference, &command, number * 7919);
		r = store_apply(fixture.store, &command, &result);
		should = reference_apply(reference, &command, &wanted);
		done[command.kind] += r == 0;
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
	/* Those of packages are the business of tests/model/package_test.c. */
	for (kind = 0; kind < COMMAND_PACKAGE_CREATE; kind++)
		if (!CHECK(done[kind] > 0))
			printf("no command of kind %d was accepted\n", kind);
	buf_deinit(&texts[0]);
	buf_deinit(&texts[1]);
	buf_deinit(&held);
	buf_deinit(&expected);
	reference_free(reference);
	fixture_close(&fixture);
}

/* As the first release left it. */
static void make_first_schema(const char *directory)
{
	struct store *store = NULL;
	sqlite3 *database = NULL;
	char *path = NULL;

	REQUIRE(store_open_with(&store, directory, store_migrations, 1) == 0);
	store_close(store);
	REQUIRE(asprintf(&path, "%s/fnfs.db", directory) > 0);
	REQUIRE(sqlite3_open(path, &database) == SQLITE_OK);
	REQUIRE(sqlite3_exec(database,
	                "INSERT INTO objects (id, kind) VALUES (3, 'function'), (5, 'variable');"
	                "INSERT INTO functions VALUES (3, 'a', 7, 8, 9);"
	                "INSERT INTO settings VALUES (3, 't', '1');"
	                "INSERT INTO variables VALUES (5, 3, 'K', 'v');"
	                "INSERT INTO attributes VALUES (281474976710659, 3, 1, NULL, NULL, NULL)",
	                NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(database);
	free(path);
}

static void brings_up_to_date(void)
{
	static const char before[] = "attributes 1000000000003 mode 1\nfunction 3 a 7 8 9\n"
	                             "setting 3 t 1\nvariable 3 5 K v\n";
	struct fixture fixture = {.directory = test_directory()};
	struct command_result result = {0};

	make_first_schema(fixture.directory);
	REQUIRE(store_open(&fixture.store, fixture.directory) == 0);
	check_holds(&fixture, before);
	CHECK_INT(APPLY(&fixture, COMMAND_VARIABLE_SET, .object = 3, .name = "K", .value = "w"), 0);
	CHECK_INT(result.child, 5);
	CHECK_INT(APPLY(&fixture, COMMAND_SETTING_SET, .object = 3, .name = "t"), 0);
	CHECK_INT(APPLY(&fixture, COMMAND_FUNCTION_REMOVE, .object = 3), 0);
	check_holds(&fixture, "");
	fixture_close(&fixture);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(belongs_to_one), TEST(keeps_functions),
	        TEST(never_reuses_an_id), TEST(keeps_settings), TEST(keeps_variables),
	        TEST(keeps_attributes), TEST(removal_takes_all), TEST(publishes),
	        TEST(keeps_aliases), TEST(brings_up_to_date), TEST(durable_means_synced),
	        TEST(walk_can_be_ended), TEST(agrees_with_the_reference), {}};

	return test_main(tests, argc, argv);
}
