/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would lose a save because memory was short for a moment: every allocation fails once, in a
 * day of work on a tree. Operations may fail then; but what the next checkout shows has to be what is on
 * the disk, and nothing may be lost or leak (run this with a sanitizer).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "heap.h"
#include "store/worktree_code.h"
#include "test.h"
#include "worktree_fixture.h"

static bool same_content(int a, int b, const char *name)
{
	CLEANUP(close_p) int from = openat(a, name, O_RDONLY | O_CLOEXEC);
	CLEANUP(close_p) int to = openat(b, name, O_RDONLY | O_CLOEXEC);
	char one[4096], other[4096];
	ssize_t got;

	if (from < 0 || to < 0)
		return false;
	do {
		got = read(from, one, sizeof(one));
		if (read(to, other, sizeof(other)) != got || memcmp(one, other, (size_t)got) != 0)
			return false;
	} while (got > 0);
	return true;
}

static bool same_tree(int tree, int checkout);

static bool same_entry(int tree, int checkout, const struct dirent *entry)
{
	CLEANUP(close_p) int below = -1;
	CLEANUP(close_p) int below_checkout = -1;

	if (entry->d_type == DT_REG)
		return same_content(tree, checkout, entry->d_name);
	if (entry->d_type != DT_DIR)
		return true;
	below = openat(tree, entry->d_name, O_RDONLY | O_DIRECTORY);
	below_checkout = openat(checkout, entry->d_name, O_RDONLY | O_DIRECTORY);
	return below_checkout >= 0 && same_tree(below, below_checkout);
}

/* Counts only what is code; a checkout has nothing else. */
static int count(int fd)
{
	DIR *dir = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY));
	struct dirent *entry;
	int found = 0;

	while ((entry = readdir(dir)))
		found += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		         worktree_name_is_code(entry->d_name);
	closedir(dir);
	return found;
}

static bool same_tree(int tree, int checkout)
{
	DIR *dir = fdopendir(openat(tree, ".", O_RDONLY | O_DIRECTORY));
	struct dirent *entry;
	bool same = count(tree) == count(checkout);

	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		        !worktree_name_is_code(entry->d_name))
			continue;
		if (!same_entry(tree, checkout, entry)) {
			fprintf(stderr, "%s differs\n", entry->d_name);
			same = false;
		}
	}
	closedir(dir);
	return same;
}

static void save(struct fixture *fixture, const char *path, char letter, size_t size)
{
	struct worktree_file *file;
	char bytes[70000];

	memset(bytes, letter, size);
	if (fixture_file(fixture, path, O_WRONLY | O_CREAT | O_TRUNC, &file) < 0)
		return;
	worktree_write(file, bytes, size, 0, &fixture->caller, false);
	worktree_flush(file);
	worktree_release(file);
}

static void on_checkout(void *userdata, int status, struct checkout *checkout)
{
	checkout_unref(checkout);
}

static void look(struct fixture *fixture)
{
	worktree_checkout(fixture->tree, on_checkout, NULL);
}

static void morning(struct fixture *fixture)
{
	save(fixture, "index.py", 'a', 100);
	fixture_mkdir(fixture, "d");
	save(fixture, "d/part.py", 'b', 70000);
	save(fixture, "d/other.py", 'c', 10);
	look(fixture);
}

static void day(struct fixture *fixture)
{
	struct worktree_file *file = NULL;

	fixture_file(fixture, "d/part.py", O_RDWR, &file);
	if (file)
		worktree_write(file, "new", 3, 5, &fixture->caller, false);
	look(fixture);
	fixture_rename(fixture, "d", "e", 0);
	if (file)
		worktree_flush(file);
	save(fixture, "e/other.py", 'd', 20);
	fixture_link(fixture, "index.py", "again.py");
	save(fixture, "index.py", 'e', 50);
	fixture_symlink(fixture, "index.py", "link");
	look(fixture);
	fixture_mkdir(fixture, "x~");
	save(fixture, "x~/kept.py", 'f', 5);
	fixture_rename(fixture, "x~", "kept", 0);
	fixture_chmod(fixture, "again.py", 0755);
	fixture_unlink(fixture, "index.py");
	if (file)
		worktree_write(file, "newer", 5, 9000, &fixture->caller, false);
	look(fixture);
	if (file)
		worktree_release(file);
	fixture_rename(fixture, "e/part.py", "kept/kept.py", RENAME_EXCHANGE);
}

static bool one_day(unsigned long n, unsigned long repeat)
{
	struct fixture fixture;
	struct checkout *checkout;
	CLEANUP(close_p) int tree = -1;
	bool reached;

	fixture_open(&fixture);
	morning(&fixture);
	heap_fail(n, repeat);
	day(&fixture);
	reached = heap_end();
	checkout = fixture_checkout(&fixture, NULL);
	tree = openat(fixture.fd, "code", O_RDONLY | O_DIRECTORY);
	if (!CHECK(same_tree(tree, checkout_fd(checkout))))
		fprintf(stderr, "allocation %lu and %lu more\n", n, repeat - 1);
	checkout_unref(checkout);
	fixture_close(&fixture);
	return reached;
}

static void every_allocation_fails_once(void)
{
	unsigned long n = 0;

	while (one_day(n, 1))
		n++;
	printf("%lu allocations\n", n);
	CHECK(n > 50);
}

static void memory_is_short_for_a_while(void)
{
	unsigned long n = 0;

	while (one_day(n, 20))
		n += 3;
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(every_allocation_fails_once), TEST(memory_is_short_for_a_while), {}};

	log_set_level(LOG_ERROR + 1);
	return test_main(tests, argc, argv);
}
