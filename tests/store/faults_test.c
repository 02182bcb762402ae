/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would lose: everything, when the disk is full, the file is damaged or memory is short, or when a
 * newer fnfs wrote the store.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "heap.h"
#include "heap_sqlite.h"
#include "reference.h"
#include "store/store_schema.h"
#include "test.h"

struct pair { /* a store and what it should hold */
	char *directory;
	struct store *store;
	struct reference *reference;
	struct buf texts[2];
	uint64_t seed;
	uint64_t number;
};

static struct pair *pair_open(const char *directory)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	pair->directory = directory ? strdup(directory) : test_directory();
	pair->reference = reference_new();
	pair->seed = test_seed();
	REQUIRE(store_open(&pair->store, pair->directory) == 0);
	return pair;
}

static void pair_close(struct pair *pair)
{
	store_close(pair->store);
	test_directory_remove(pair->directory);
	reference_free(pair->reference);
	buf_deinit(&pair->texts[0]);
	buf_deinit(&pair->texts[1]);
	free(pair);
}

static void pair_reopen(struct pair *pair)
{
	pair->store = store_close(pair->store);
	REQUIRE(store_open(&pair->store, pair->directory) == 0);
}

static void pair_check(struct pair *pair)
{
	struct buf held = BUF_INIT, expected = BUF_INIT;

	reference_dump(pair->reference, &expected);
	CHECK_INT(reference_dump_store(pair->store, &held), 0);
	CHECK_STR(held.data, expected.data);
	buf_deinit(&held);
	buf_deinit(&expected);
}

static void pair_next(struct pair *pair, struct command *command)
{
	random_command(pair->seed, pair->number++, pair->reference->last_id, command, pair->texts);
}

/* Applies random commands to both. */
static void pair_grow(struct pair *pair, int count)
{
	struct command_result result;
	struct command command;

	while (count-- > 0) {
		pair_next(pair, &command);
		CHECK_INT(store_apply(pair->store, &command, &result),
		        reference_apply(pair->reference, &command, &result));
	}
}

static void leaves_nothing_without_memory(void)
{
	struct pair *pair = pair_open(NULL);
	unsigned long failed = 0, n;
	int i, r;

	for (i = 0; i < 120; i++) {
		struct command_result result = {0};
		struct command command;

		pair_next(pair, &command);
		if (i % 10 == 0)
			pair_reopen(pair); /* statements are prepared anew */
		for (n = 0;; n++) {
			heap_fail(n, n % 3 ? 1 : 50);
			r = store_apply(pair->store, &command, &result);
			if (!heap_end())
				break;
			failed++;
			if (r != -ENOMEM)
				break; /* it found another way */
			CHECK_INT(result.object, 0);
			CHECK_INT(result.child, 0);
			pair_check(pair);
		}
		CHECK_INT(r, reference_apply(pair->reference, &command, &result));
		pair_check(pair);
	}
	printf("%lu allocations failed\n", failed);
	CHECK(failed > 500);
	pair_reopen(pair);
	pair_check(pair);
	pair_close(pair);
}

/* In a mount namespace of its own, so that nothing is left whatever happens. */
static bool small_disk(const char *directory)
{
	if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return false;
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return mount("small", directory, "tmpfs", 0, "size=1m") == 0;
}

static void fill(const char *directory, int *fd)
{
	static char block[4096];
	char *path;

	if (asprintf(&path, "%s/filler", directory) < 0)
		abort();
	*fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	free(path);
	REQUIRE(*fd >= 0);
	memset(block, 'x', sizeof(block));
	while (write(*fd, block, sizeof(block)) > 0)
		;
	CHECK_INT(errno, ENOSPC);
}

static void suffer_full_disk(const char *directory)
{
	struct pair *pair = pair_open(directory);
	int round, filler, r, refused = 0;

	pair_grow(pair, 60);
	for (round = 0; round < 20; round++) {
		struct command_result result = {0};
		struct command command;
		int tries = 200;

		fill(directory, &filler);
		do { /* the log may have room from before */
			pair_next(pair, &command);
			r = store_apply(pair->store, &command, &result);
			if (r == -ENOSPC)
				break;
			CHECK_INT(r, reference_apply(pair->reference, &command, &result));
		} while (tries-- > 0);
		refused += r == -ENOSPC;
		pair_check(pair);
		REQUIRE(ftruncate(filler, round % 2 ? 0 : lseek(filler, 0, SEEK_END) - 20480) == 0);
		close(filler);
		if (round % 4 == 1) {
			pair_reopen(pair);
			pair_check(pair);
		}
		if (r == -ENOSPC) { /* what was refused can be done later */
			r = store_apply(pair->store, &command, &result);
			if (r != -ENOSPC) /* unless it is one of the large ones */
				CHECK_INT(r, reference_apply(pair->reference, &command, &result));
		}
	}
	CHECK(refused > 10);
	pair_reopen(pair);
	pair_check(pair);
	fill(directory, &filler);
	pair->store = store_close(pair->store); /* with no room to fold the log back */
	close(filler);
	r = store_open(&pair->store, directory);
	CHECK(r == 0 || r == -ENOSPC);
	if (r < 0) {
		char *path;

		if (asprintf(&path, "%s/filler", directory) < 0 || unlink(path) < 0)
			abort();
		free(path);
		REQUIRE(store_open(&pair->store, directory) == 0);
	}
	pair_check(pair);
	store_close(pair->store);
	pair->store = NULL;
	CHECK_INT(mount(NULL, directory, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	CHECK_INT(store_open(&pair->store, directory), -EROFS);
	_exit(test_failures ? 1 : 0); /* the disk goes with its namespace */
}

static void survives_full_disk(void)
{
	char *directory = test_directory();
	pid_t child = fork();
	int status;

	if (child == 0) {
		if (!small_disk(directory))
			_exit(77);
		suffer_full_disk(directory);
	}
	REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
	REQUIRE(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		printf("skipped: mounting a small disk is not allowed here\n");
	else
		CHECK_INT(WEXITSTATUS(status), 0);
	test_directory_remove(directory);
}

static void needs_a_directory(void)
{
	struct store *store = NULL;
	char *directory = test_directory(), *path;

	REQUIRE(asprintf(&path, "%s/none", directory) > 0);
	CHECK_INT(store_open(&store, path), -ENOENT);
	CHECK(!store);
	free(path);
	REQUIRE(asprintf(&path, "%s/fnfs.db", directory) > 0);
	REQUIRE(mkdir(path, 0700) == 0);
	CHECK(store_open(&store, directory) < 0);
	CHECK(!store);
	free(path);
	test_directory_remove(directory);
}

/* Overwrites `length` bytes of the closed database, or cuts it in half when that is 0. */
static void damage(const char *directory, off_t offset, size_t length)
{
	char *path, junk[4096];
	struct stat status;
	int fd;

	REQUIRE(asprintf(&path, "%s/fnfs.db", directory) > 0);
	fd = open(path, O_RDWR);
	REQUIRE(fd >= 0 && fstat(fd, &status) == 0);
	memset(junk, 0xa5, sizeof(junk));
	if (length)
		REQUIRE(pwrite(fd, junk, length, offset) == (ssize_t)length);
	else
		REQUIRE(ftruncate(fd, status.st_size / 2) == 0);
	close(fd);
	free(path);
}

static void says_that_it_is_damaged(void)
{
	static const struct {
		off_t offset;
		size_t length;
	} wounds[] = {{0, 16}, {0, 4096}, {4096, 4096}, {0, 0}};
	size_t i;

	for (i = 0; i < sizeof(wounds) / sizeof(*wounds); i++) {
		struct pair *pair = pair_open(NULL);

		pair_grow(pair, 400);
		pair->store = store_close(pair->store);
		damage(pair->directory, wounds[i].offset, wounds[i].length);
		if (!CHECK_INT(store_open(&pair->store, pair->directory), -EIO))
			printf("wound %zu\n", i);
		pair_close(pair);
	}
}

/* What the store brings along, and one script more. */
enum { COUNT = 8 };
#define RELEASED \
	store_migrations[0], store_migrations[1], store_migrations[2], store_migrations[3], \
	        store_migrations[4], store_migrations[5], store_migrations[6], \
	        store_migrations[COUNT - 1]
#define MORE \
	"ALTER TABLE functions ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';" \
	"CREATE TABLE more (id INTEGER PRIMARY KEY);"

static void migrates(void)
{
	const char *migrations[] = {RELEASED, MORE, "INSERT INTO more VALUES (1)"};
	struct pair *pair = pair_open(NULL);
	const char *const *list = migrations;

	REQUIRE(store_migrations_count == COUNT);
	pair_grow(pair, 300);
	pair->store = store_close(pair->store);
	CHECK_INT(store_open_with(&pair->store, pair->directory, list, COUNT + 1), 0);
	pair_check(pair);
	pair_grow(pair, 50);
	pair->store = store_close(pair->store);
	CHECK_INT(store_open_with(&pair->store, pair->directory, list, COUNT + 2), 0);
	pair_check(pair);
	pair->store = store_close(pair->store);
	CHECK_INT(
	        store_open_with(&pair->store, pair->directory, list, COUNT + 2), 0); /* once only */
	pair_check(pair);
	pair->store = store_close(pair->store);
	CHECK_INT(store_open_with(&pair->store, pair->directory, list, COUNT + 1), -EPROTO);
	CHECK(!pair->store);
	CHECK_INT(store_open_with(&pair->store, pair->directory, list, COUNT + 2), 0);
	pair_check(pair);
	pair_close(pair);
}

/* The second statement of the script fails: neither the first nor the new version is there. */
static void migrates_whole_or_not(void)
{
	const char *broken[] = {RELEASED, MORE "INSERT INTO nowhere VALUES (1);"};
	const char *mended[] = {RELEASED, MORE};
	struct pair *pair = pair_open(NULL);

	pair_grow(pair, 300);
	pair->store = store_close(pair->store);
	CHECK_INT(store_open_with(&pair->store, pair->directory, broken, COUNT + 1), -EIO);
	CHECK_INT(store_open_with(&pair->store, pair->directory, broken, COUNT), 0);
	pair_check(pair);
	pair->store = store_close(pair->store);
	CHECK_INT(store_open_with(&pair->store, pair->directory, mended, COUNT + 1), 0);
	pair_check(pair);
	pair_close(pair);
}

static void migrates_without_memory(void)
{
	const char *migrations[] = {RELEASED, MORE};
	struct pair *pair = pair_open(NULL);
	unsigned long n;
	int r;

	pair_grow(pair, 100);
	pair->store = store_close(pair->store);
	for (n = 0;; n++) {
		heap_fail(n, 1);
		r = store_open_with(&pair->store, pair->directory, migrations, COUNT + 1);
		if (!heap_end() || r == 0)
			break;
		CHECK_INT(r, -ENOMEM);
		CHECK(!pair->store);
	}
	CHECK_INT(r, 0);
	CHECK(n > 50);
	pair_check(pair);
	pair_close(pair);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(leaves_nothing_without_memory),
	        TEST(survives_full_disk), TEST(needs_a_directory), TEST(says_that_it_is_damaged),
	        TEST(migrates), TEST(migrates_whole_or_not), TEST(migrates_without_memory), {}};

	heap_wrap_sqlite();
	return test_main(tests, argc, argv);
}
