/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would lose: what is read from a file that is still open, whatever became of its name, and what is
 * written while the disk is slow.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "test.h"
#include "worktree_fixture.h"

static unsigned descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static bool reads(struct worktree_file *file, const char *expected)
{
	char text[64];
	ssize_t n = worktree_read(file, text, sizeof(text), 0, true);

	return n == (ssize_t)strlen(expected) && memcmp(text, expected, (size_t)n) == 0;
}

/* Root is not kept out by modes, so it may ask the disk later. */
static void opening_to_read_takes_no_descriptor(void)
{
	struct worktree_file *files[50];
	struct fixture fixture;
	unsigned before, i;
	struct stat attr;

	fixture_open(&fixture);
	fixture_save(&fixture, "a", "text");
	before = descriptors();
	for (i = 0; i < 50; i++)
		REQUIRE(fixture_file(&fixture, "a", O_RDONLY, &files[i]) == 0);
	CHECK_INT(descriptors(), before + (geteuid() == 0 ? 0 : 50));
	CHECK_INT(worktree_getattr(NULL, files[1], &attr), 0);
	CHECK_INT(attr.st_size, 4);
	CHECK_INT(worktree_seek(files[2], 0, SEEK_HOLE), 4);
	CHECK(reads(files[0], "text"));
	for (i = 0; i < 50; i++)
		worktree_release(files[i]);
	CHECK_INT(descriptors(), before);
	fixture_close(&fixture);
}

static void what_is_open_is_read_whatever_becomes_of_its_name(void)
{
	struct worktree_file *moved, *removed, *replaced, *below, *closed;
	struct fixture fixture;

	fixture_open(&fixture);
	CHECK_INT(fixture_mkdir(&fixture, "d"), 0);
	fixture_save(&fixture, "moved", "1");
	fixture_save(&fixture, "removed", "2");
	fixture_save(&fixture, "replaced", "3");
	fixture_save(&fixture, "other", "other");
	fixture_save(&fixture, "d/below", "4");
	fixture_save(&fixture, "closed", "5");
	REQUIRE(fixture_file(&fixture, "moved", O_RDONLY, &moved) == 0);
	REQUIRE(fixture_file(&fixture, "removed", O_RDONLY, &removed) == 0);
	REQUIRE(fixture_file(&fixture, "replaced", O_RDONLY, &replaced) == 0);
	REQUIRE(fixture_file(&fixture, "d/below", O_RDONLY, &below) == 0);
	REQUIRE(fixture_file(&fixture, "closed", O_RDONLY, &closed) == 0);
	CHECK_INT(fixture_rename(&fixture, "moved", "d/moved", 0), 0);
	CHECK_INT(fixture_unlink(&fixture, "removed"), 0);
	CHECK_INT(fixture_rename(&fixture, "other", "replaced", 0), 0);
	CHECK_INT(fixture_rename(&fixture, "d", "e", 0), 0);
	fixture_save(&fixture, "removed", "new");
	CHECK(reads(moved, "1"));
	CHECK(reads(removed, "2"));
	CHECK(reads(replaced, "3"));
	CHECK(reads(below, "4"));
	fixture_reopen(&fixture); /* the tree they are of goes out of reach */
	CHECK(reads(closed, "5"));
	CHECK(reads(removed, "2"));
	worktree_release(moved);
	worktree_release(removed);
	worktree_release(replaced);
	worktree_release(below);
	worktree_release(closed);
	fixture_close(&fixture);
}

#define MUCH (1 << 20)

static void on_written(void *userdata, ssize_t status)
{
	*(ssize_t *)userdata = status;
}

static char *much(void)
{
	char *text = malloc(MUCH + 1);

	REQUIRE(text);
	memset(text, 'x', MUCH);
	text[MUCH] = 0;
	return text;
}

static void write_later(
        struct fixture *fixture, struct worktree_file *file, char *text, ssize_t *written)
{
	*written = 0;
	CHECK_INT(worktree_write_later(
	                  file, text, MUCH, 0, &fixture->caller, false, on_written, written),
	        0);
}

static void wait_until(struct fixture *fixture, const ssize_t *written)
{
	while (!*written)
		uv_run(&fixture->loop, UV_RUN_ONCE);
	CHECK_INT(*written, MUCH);
}

static void check_counts(struct fixture *fixture, const char *text)
{
	struct checkout *checkout = fixture_checkout(fixture, NULL);
	CLEANUP(free_p) char *content = fixture_content(checkout, "a");

	CHECK_STR(content, text);
	checkout_unref(checkout);
}

/* What counted before counts until the close, and the write is whole then. */
static void a_write_of_a_worker_counts_as_any_other(void)
{
	CLEANUP(free_p) char *text = much();
	struct fixture fixture;
	struct worktree_file *file;
	ssize_t written;

	fixture_open(&fixture);
	fixture_save(&fixture, "a", "old");
	REQUIRE(fixture_file(&fixture, "a", O_WRONLY, &file) == 0);
	write_later(&fixture, file, text, &written);
	check_counts(&fixture, "old");
	wait_until(&fixture, &written);
	worktree_flush(file);
	check_counts(&fixture, text);
	worktree_release(file);
	fixture_close(&fixture);
}

/* It was closed while a worker wrote: what it wrote counts, too. */
static void a_close_while_a_worker_writes_loses_nothing(void)
{
	CLEANUP(free_p) char *text = much();
	struct fixture fixture;
	struct worktree_file *file;
	ssize_t written;

	fixture_open(&fixture);
	REQUIRE(fixture_file(&fixture, "a", O_WRONLY | O_CREAT, &file) == 0);
	write_later(&fixture, file, text, &written);
	worktree_flush(file);
	worktree_release(file);
	wait_until(&fixture, &written);
	check_counts(&fixture, text);
	fixture_close(&fixture);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(opening_to_read_takes_no_descriptor),
	        TEST(what_is_open_is_read_whatever_becomes_of_its_name),
	        TEST(a_write_of_a_worker_counts_as_any_other),
	        TEST(a_close_while_a_worker_writes_loses_nothing), {}};

	return test_main(tests, argc, argv);
}
