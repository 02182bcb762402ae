/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would lose what was saved before when the disk is full: a write that does not fit has to fail,
 * and nothing else. The disk is a small one in memory, in a mount namespace of the test's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"
#include "worktree_fixture.h"
#include "worktree_model.h"

#define DISK_MIB 8
#define PIECE    65536

static char *mount_point;

static void write_at(struct fixture *fixture, struct worktree_file *file, char letter, off_t offset,
        ssize_t *result)
{
	char piece[PIECE];

	memset(piece, letter, sizeof(piece));
	*result = worktree_write(file, piece, sizeof(piece), offset, &fixture->caller, false);
}

/* Fills the disk with one file; returns how much went in. */
static off_t fill(struct fixture *fixture, const char *path)
{
	struct worktree_file *file;
	off_t size = 0;
	ssize_t put;

	REQUIRE(fixture_file(fixture, path, O_WRONLY | O_CREAT | O_TRUNC, &file) == 0);
	while (write_at(fixture, file, 'f', size, &put), put > 0)
		size += put;
	CHECK_INT(put, -ENOSPC);
	worktree_flush(file);
	worktree_release(file);
	return size;
}

static void save_of_size(struct fixture *fixture, const char *path, char letter, off_t size)
{
	struct worktree_file *file;
	off_t done = 0;
	ssize_t put;

	REQUIRE(fixture_file(fixture, path, O_WRONLY | O_CREAT | O_TRUNC, &file) == 0);
	for (; done < size; done += put) {
		write_at(fixture, file, letter, done, &put);
		REQUIRE(put == PIECE);
	}
	worktree_flush(file);
	worktree_release(file);
}

static void check_whole(const struct checkout *checkout, const char *path, char letter, off_t size)
{
	char *text = fixture_content(checkout, path);
	off_t i = 0;

	REQUIRE(text);
	while (text[i] == letter)
		i++;
	CHECK_INT(i, size);
	CHECK_INT(text[i], 0);
	free(text);
}

static void a_checkout_that_does_not_fit_fails_alone(void)
{
	struct fixture fixture;
	struct checkout *held, *checkout;
	unsigned long digest;
	int status;

	fixture_open(&fixture);
	fixture_save(&fixture, "a.py", "one");
	save_of_size(&fixture, "b", 'b', 1 << 20);
	held = fixture_checkout(&fixture, NULL);
	digest = model_digest(checkout_fd(held));
	save_of_size(&fixture, "b", 'c', 2 << 20);
	CHECK(fill(&fixture, "large") > 0);
	checkout = fixture_checkout(&fixture, &status);
	CHECK_INT(status, -ENOSPC);
	CHECK(!checkout);
	CHECK(model_digest(checkout_fd(held)) == digest);
	CHECK_INT(fixture_unlink(&fixture, "large"), 0);
	fixture_settle(&fixture);
	checkout = fixture_checkout(&fixture, NULL);
	check_whole(checkout, "b", 'c', 2 << 20);
	CHECK(model_digest(checkout_fd(held)) == digest);
	checkout_unref(held);
	checkout_unref(checkout);
	fixture_close(&fixture);
}

/* The old bytes of an open file cannot be kept: then it must not be overwritten either. */
static void what_cannot_be_kept_is_not_overwritten(void)
{
	struct fixture fixture;
	struct worktree_file *file;
	struct checkout *checkout;
	ssize_t put = PIECE;
	off_t offset;
	int status;

	fixture_open(&fixture);
	save_of_size(&fixture, "b", 'b', 2 << 20);
	CHECK(fill(&fixture, "large") > 0);
	REQUIRE(fixture_file(&fixture, "b", O_RDWR, &file) == 0);
	for (offset = 0; put > 0 && offset < 2 << 20; offset += PIECE)
		write_at(&fixture, file, 'X', offset, &put);
	CHECK_INT(put, -ENOSPC);
	CHECK(offset > 1 << 20); /* some is kept in memory */
	CHECK_INT(fixture_truncate(&fixture, "large", 0), 0);
	checkout = fixture_checkout(&fixture, &status);
	REQUIRE(status == 0);
	check_whole(checkout, "b", 'b', 2 << 20);
	checkout_unref(checkout);
	for (offset = 0; offset < 2 << 20; offset += PIECE)
		write_at(&fixture, file, 'X', offset, &put);
	worktree_release(file);
	checkout = fixture_checkout(&fixture, NULL);
	check_whole(checkout, "b", 'X', 2 << 20);
	checkout_unref(checkout);
	fixture_close(&fixture);
}

/* What fills the disk can be emptied by `: >`, even where its old content cannot be kept. */
static void what_fills_the_disk_can_be_cut_off(void)
{
	struct fixture fixture;
	struct worktree_file *file;
	struct checkout *checkout;

	fixture_open(&fixture);
	fixture_save(&fixture, "a.py", "one");
	CHECK(fill(&fixture, "large") > 4 << 20);
	REQUIRE(fixture_file(&fixture, "large", O_WRONLY | O_TRUNC, &file) == 0);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK(!fixture_content(checkout, "large")); /* neither old nor new */
	checkout_unref(checkout);
	worktree_release(file);
	checkout = fixture_checkout(&fixture, NULL);
	check_whole(checkout, "large", 'f', 0);
	checkout_unref(checkout);
	fixture_close(&fixture);
}

static void a_file_can_be_emptied_on_a_full_disk(void)
{
	struct fixture fixture;
	struct checkout *checkout;

	fixture_open(&fixture);
	fixture_save(&fixture, "a.py", "one");
	CHECK(fill(&fixture, "large") > 0);
	fixture_save(&fixture, "a.py", "two"); /* its block is there */
	CHECK_INT(fixture_truncate(&fixture, "large", 0), 0);
	checkout = fixture_checkout(&fixture, NULL);
	check_whole(checkout, "large", 'f', 0);
	checkout_unref(checkout);
	fixture_close(&fixture);
}

static bool make_disk(void)
{
	char options[32];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	mount_point = test_directory();
	snprintf(options, sizeof(options), "size=%dm", DISK_MIB);
	if (mount("fnfs-test", mount_point, "tmpfs", 0, options) < 0)
		return false;
	return setenv("TMPDIR", mount_point, 1) == 0;
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(a_checkout_that_does_not_fit_fails_alone),
	        TEST(what_cannot_be_kept_is_not_overwritten),
	        TEST(what_fills_the_disk_can_be_cut_off),
	        TEST(a_file_can_be_emptied_on_a_full_disk), {}};
	int status;

	if (!make_disk()) {
		printf("skipped: a disk of its own needs root\n");
		return 77;
	}
	status = test_main(tests, argc, argv);
	umount2(mount_point, MNT_DETACH);
	test_directory_remove(mount_point);
	return status;
}
