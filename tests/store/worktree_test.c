/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: code that runs being what was saved, whole, and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/worktree_code.h"
#include "test.h"
#include "worktree_fixture.h"

#define CHECK_CONTENT(checkout, path, expected) \
	do { \
		char *content_ = fixture_content(checkout, path); \
		CHECK_STR(content_, expected); \
		free(content_); \
	} while (0)

static void names_that_are_not_code(void)
{
	static const char *const not_code[] = {".git", "__pycache__", "a~", "~", ".a.swp", ".a.swx",
	        "..sw1", ".#lock", "#auto#", "##", "4913", ".DS_Store"};
	static const char *const code[] = {"a", ".gitignore", "a.swp", ".sw", ".aswp", "#a", "a#",
	        "#", "4914", ".git2", "__pycache", "~a", ".swp", ".a.sw", ".a.swpx"};
	size_t i;

	for (i = 0; i < sizeof(not_code) / sizeof(not_code[0]); i++)
		if (!CHECK(!worktree_name_is_code(not_code[i])))
			printf("%s\n", not_code[i]);
	for (i = 0; i < sizeof(code) / sizeof(code[0]); i++)
		if (!CHECK(worktree_name_is_code(code[i])))
			printf("%s\n", code[i]);
}

static void a_save_is_seen(void)
{
	struct fixture fixture;
	struct checkout *first, *second;

	fixture_open(&fixture);
	CHECK(worktree_empty(fixture.tree));
	fixture_save(&fixture, "a.py", "one");
	CHECK(!worktree_empty(fixture.tree));
	first = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(first, "a.py", "one");
	fixture_save(&fixture, "a.py", "two");
	CHECK(checkout_generation(first) != worktree_generation(fixture.tree));
	second = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(second, "a.py", "two");
	CHECK_CONTENT(first, "a.py", "one");
	CHECK(first != second);
	checkout_unref(first);
	checkout_unref(second);
	fixture_close(&fixture);
}

static void unchanged_is_the_same_checkout(void)
{
	struct fixture fixture;
	struct checkout *first, *second;

	fixture_open(&fixture);
	fixture_save(&fixture, "a.py", "one");
	first = fixture_checkout(&fixture, NULL);
	CHECK_INT(fixture_mkdir(&fixture, ".git"), 0);
	fixture_save(&fixture, ".git/index", "x");
	fixture_save(&fixture, "a.py~", "x");
	second = fixture_checkout(&fixture, NULL);
	CHECK(first == second);
	checkout_unref(first);
	checkout_unref(second);
	fixture_close(&fixture);
}

static void changed_is_told_once_a_turn(void)
{
	struct fixture fixture;

	fixture_open(&fixture);
	fixture_save(&fixture, "a", "1");
	fixture_save(&fixture, "b", "1");
	CHECK_INT(fixture.changes, 0);
	fixture_settle(&fixture);
	CHECK_INT(fixture.changes, 1);
	fixture_settle(&fixture);
	CHECK_INT(fixture.changes, 1);
	fixture_save(&fixture, "b", "2");
	fixture_settle(&fixture);
	CHECK_INT(fixture.changes, 2);
	fixture_close(&fixture);
}

static void an_open_file_counts_as_it_was_closed(void)
{
	struct fixture fixture;
	struct worktree_file *file;
	struct checkout *checkout;

	fixture_open(&fixture);
	fixture_save(&fixture, "a", "old content");
	REQUIRE(fixture_file(&fixture, "a", O_RDWR, &file) == 0);
	CHECK_INT(worktree_write(file, "NEW", 3, 4, &fixture.caller, false), 3);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "a", "old content");
	checkout_unref(checkout);
	worktree_flush(file);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "a", "old NEWtent");
	checkout_unref(checkout);
	CHECK_INT(worktree_write(file, "X", 1, 0, &fixture.caller, false), 1);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "a", "old NEWtent");
	checkout_unref(checkout);
	worktree_release(file);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "a", "Xld NEWtent");
	checkout_unref(checkout);
	fixture_close(&fixture);
}

static void a_file_never_closed_is_absent(void)
{
	struct fixture fixture;
	struct worktree_file *file;
	struct checkout *checkout;

	fixture_open(&fixture);
	fixture_save(&fixture, "a", "a");
	REQUIRE(fixture_file(&fixture, "b", O_WRONLY | O_CREAT, &file) == 0);
	CHECK_INT(worktree_write(file, "half", 4, 0, &fixture.caller, false), 4);
	CHECK(!worktree_has(fixture.tree, "b"));
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "b", NULL);
	checkout_unref(checkout);
	CHECK_INT(fixture_rename(&fixture, "b", "a", 0), 0);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "a", NULL);
	checkout_unref(checkout);
	worktree_flush(file);
	CHECK(worktree_has(fixture.tree, "a"));
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "a", "half");
	checkout_unref(checkout);
	worktree_release(file);
	fixture_close(&fixture);
}

/* bash closes a copy of the descriptor before it writes: that is no save. */
static void closing_what_was_only_emptied_is_no_save(void)
{
	struct fixture fixture;
	struct worktree_file *file;
	struct checkout *checkout;

	fixture_open(&fixture);
	fixture_save(&fixture, "a", "old");
	REQUIRE(fixture_file(&fixture, "a", O_WRONLY | O_TRUNC, &file) == 0);
	worktree_flush(file);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "a", "old");
	checkout_unref(checkout);
	worktree_release(file);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "a", "");
	checkout_unref(checkout);
	fixture_close(&fixture);
}

static void all_hard_links_change(void)
{
	struct fixture fixture;
	struct checkout *checkout;

	fixture_open(&fixture);
	CHECK_INT(fixture_mkdir(&fixture, "d"), 0);
	fixture_save(&fixture, "a", "1");
	CHECK_INT(fixture_link(&fixture, "a", "d/b"), 0);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "d/b", "1");
	checkout_unref(checkout);
	fixture_reopen(&fixture); /* its names are forgotten */
	checkout = fixture_checkout(&fixture, NULL);
	checkout_unref(checkout);
	fixture_save(&fixture, "a", "2");
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "a", "2");
	CHECK_CONTENT(checkout, "d/b", "2");
	checkout_unref(checkout);
	fixture_close(&fixture);
}

static void an_unlinked_file_goes_on(void)
{
	struct fixture fixture;
	struct worktree_file *file;
	struct worktree_node *node;
	struct worktree_entry entry;
	struct stat attr;
	char bytes[8] = "";

	fixture_open(&fixture);
	fixture_save(&fixture, "a", "text");
	node = fixture_find(&fixture, "a");
	REQUIRE(fixture_file(&fixture, "a", O_RDWR, &file) == 0);
	CHECK_INT(fixture_unlink(&fixture, "a"), 0);
	fixture_save(&fixture, "a", "another");
	CHECK_INT(worktree_getattr(node, NULL, &attr), 0);
	CHECK_INT(attr.st_nlink, 0);
	CHECK_INT(attr.st_size, 4);
	CHECK_INT(worktree_setattr(node, NULL, WORKTREE_SET_MODE, &(struct stat){.st_mode = 0600},
	                  &fixture.caller, &attr),
	        0);
	CHECK_INT(attr.st_mode & 07777, 0600);
	CHECK_INT(worktree_read(file, bytes, 8, 0, true), 4);
	CHECK_STR(bytes, "text");
	CHECK_INT(worktree_link(node, worktree_root(fixture.tree), "again", &entry), -ENOENT);
	worktree_release(file);
	CHECK(worktree_forget(node, 1));
	fixture_close(&fixture);
}

/* O_TMPFILE, write, link: what is linked before it is closed is absent until then. */
static void a_nameless_file_can_be_linked(void)
{
	struct fixture fixture;
	struct worktree_entry made, linked;
	struct worktree_file *file;
	struct checkout *checkout;

	fixture_open(&fixture);
	fixture_save(&fixture, "a", "1");
	REQUIRE(worktree_tmpfile(worktree_root(fixture.tree), 0640, O_RDWR, &fixture.caller, &made,
	                &file) == 0);
	CHECK_INT(made.attr.st_mode & 07777, 0640);
	CHECK_INT(made.attr.st_nlink, 0);
	CHECK_INT(worktree_write(file, "text", 4, 0, &fixture.caller, false), 4);
	CHECK_INT(worktree_link(made.node, worktree_root(fixture.tree), "b", &linked), 0);
	CHECK(linked.node == made.node);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "b", NULL);
	checkout_unref(checkout);
	worktree_flush(file);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "b", "text");
	checkout_unref(checkout);
	worktree_release(file);
	worktree_forget(made.node, 2);
	REQUIRE(worktree_tmpfile(worktree_root(fixture.tree), 0640, O_RDWR, &fixture.caller, &made,
	                &file) == 0);
	worktree_release(file);
	worktree_forget(made.node, 1);
	fixture_close(&fixture);
}

static void a_second_name_goes_on_when_the_first_is_gone(void)
{
	struct fixture fixture;
	struct worktree_node *node;
	struct stat attr;

	fixture_open(&fixture);
	fixture_save(&fixture, "a", "text");
	CHECK_INT(fixture_link(&fixture, "a", "b"), 0);
	fixture_reopen(&fixture);
	node = fixture_find(&fixture, "a"); /* `b` is not known */
	CHECK_INT(fixture_unlink(&fixture, "a"), 0);
	CHECK_INT(worktree_getattr(node, NULL, &attr), 0);
	CHECK_INT(attr.st_nlink, 1);
	CHECK_INT(worktree_setattr(node, NULL, WORKTREE_SET_SIZE, &(struct stat){.st_size = 1},
	                  &fixture.caller, &attr),
	        0);
	CHECK_INT(fixture_stat(&fixture, "b", &attr), 0);
	CHECK_INT(attr.st_size, 1);
	worktree_forget(node, 1);
	fixture_close(&fixture);
}

static void write_behind_the_back(struct fixture *fixture, const char *path, const char *text)
{
	CLEANUP(close_p) int fd = openat(fixture->fd, path, O_WRONLY | O_TRUNC | O_CREAT, 0600);

	CHECK_INT(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void a_clean_end_keeps_the_checkout(void)
{
	struct fixture fixture;
	struct checkout *checkout;

	fixture_open(&fixture);
	fixture_save(&fixture, "a", "text");
	checkout_unref(fixture_checkout(&fixture, NULL));
	write_behind_the_back(&fixture, "code/a", "changed");
	fixture_reopen(&fixture);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "a", "text"); /* the same, not made anew */
	checkout_unref(checkout);
	fixture_crash(&fixture);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "a", "changed");
	checkout_unref(checkout);
	fixture_close(&fixture);
}

static void an_unclean_end_is_not_trusted_twice(void)
{
	struct fixture fixture;
	struct checkout *checkout;

	fixture_open(&fixture);
	fixture_save(&fixture, "a", "1");
	checkout_unref(fixture_checkout(&fixture, NULL));
	fixture_reopen(&fixture); /* `clean` was read */
	fixture_save(&fixture, "a", "2");
	fixture_crash(&fixture);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "a", "2");
	checkout_unref(checkout);
	fixture_close(&fixture);
}

static void modes_are_readable_and_times_kept(void)
{
	struct fixture fixture;
	struct checkout *checkout;
	struct stat attr, there;

	fixture_open(&fixture);
	CHECK_INT(fixture_mkdir(&fixture, "d"), 0);
	fixture_save(&fixture, "d/a", "text");
	CHECK_INT(fixture_chmod(&fixture, "d/a", 0700), 0);
	CHECK_INT(fixture_chmod(&fixture, "d", 0700), 0);
	CHECK_INT(fixture_stat(&fixture, "d/a", &attr), 0);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_INT(fstatat(checkout_fd(checkout), "d/a", &there, 0), 0);
	CHECK_INT(there.st_mode & 07777, 0744);
	CHECK_INT(there.st_mtim.tv_nsec, attr.st_mtim.tv_nsec);
	CHECK_INT(fstatat(checkout_fd(checkout), "d", &there, 0), 0);
	CHECK_INT(there.st_mode & 07777, 0755);
	checkout_unref(checkout);
	CHECK_INT(fixture_chmod(&fixture, "d/a", 0755), 0);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_INT(fstatat(checkout_fd(checkout), "d/a", &there, 0), 0);
	CHECK_INT(there.st_mode & 07777, 0755);
	checkout_unref(checkout);
	fixture_close(&fixture);
}

/* Git keeps it open from the first to the last of what it does. */
static void git_lock_is_seen(void)
{
	struct fixture fixture;
	struct worktree_file *file;
	uint64_t first;

	fixture_open(&fixture);
	CHECK_INT(fixture_mkdir(&fixture, ".git"), 0);
	CHECK(!worktree_git_lock(fixture.tree));
	CHECK_INT(fixture_file(&fixture, ".git/index.lock", O_RDWR | O_CREAT | O_EXCL, &file), 0);
	first = worktree_git_lock(fixture.tree);
	CHECK(first);
	CHECK(worktree_git_lock(fixture.tree) == first);
	worktree_release(file);
	CHECK(worktree_git_lock(fixture.tree) == first);
	CHECK_INT(fixture_rename(&fixture, ".git/index.lock", ".git/index", 0), 0);
	CHECK(!worktree_git_lock(fixture.tree));
	fixture_save(&fixture, ".git/index.lock", "");
	CHECK(worktree_git_lock(fixture.tree));
	CHECK(worktree_git_lock(fixture.tree) != first);
	fixture_close(&fixture);
}

static void nodes_outlive_the_tree(void)
{
	struct fixture fixture;
	struct worktree_node *node, *directory;
	struct worktree_file *file;
	struct worktree_entry entry;
	struct checkout *checkout;
	struct stat attr;

	fixture_open(&fixture);
	CHECK_INT(fixture_mkdir(&fixture, "d"), 0);
	fixture_save(&fixture, "d/a", "text");
	directory = fixture_find(&fixture, "d");
	node = fixture_find(&fixture, "d/a");
	REQUIRE(fixture_file(&fixture, "d/a", O_RDWR, &file) == 0);
	CHECK_INT(worktree_write(file, "X", 1, 0, &fixture.caller, false), 1);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "d/a", "text");
	fixture_reopen(&fixture);
	CHECK_INT(worktree_getattr(node, NULL, &attr), -ESTALE);
	CHECK_INT(worktree_lookup(directory, "a", &entry), -ESTALE);
	CHECK_INT(worktree_write(file, "Y", 1, 0, &fixture.caller, false), 1);
	worktree_flush(file);
	worktree_release(file);
	CHECK(worktree_forget(node, 1));
	CHECK(worktree_forget(directory, 1));
	checkout_unref(checkout);
	fixture_close(&fixture);
}

/* A checkout that wrote out the holes would fill any disk. */
static void holes_stay_holes(void)
{
	const off_t far = (off_t)1 << 40;
	struct worktree_file *file;
	struct checkout *checkout;
	struct fixture fixture;
	struct stat attr;
	char *content;

	fixture_open(&fixture);
	fixture_save(&fixture, "sparse", "beginning");
	fixture_truncate(&fixture, "sparse", far);
	REQUIRE(fixture_file(&fixture, "sparse", O_RDWR, &file) == 0);
	CHECK_INT(worktree_write(file, "end", 3, far - 3, &fixture.caller, false), 3);
	worktree_flush(file);
	worktree_release(file);
	checkout = fixture_checkout(&fixture, NULL);
	REQUIRE(checkout != NULL);
	CHECK_INT(fstatat(checkout_fd(checkout), "sparse", &attr, 0), 0);
	CHECK_INT(attr.st_size, far);
	CHECK(attr.st_blocks < 1024);
	checkout_unref(checkout);
	fixture_truncate(&fixture, "sparse", 3);
	fixture_truncate(&fixture, "sparse", 12);
	checkout = fixture_checkout(&fixture, NULL);
	content = fixture_content(checkout, "sparse");
	CHECK(memcmp(content, "beg\0\0\0\0\0\0\0\0", 12) == 0);
	free(content);
	checkout_unref(checkout);
	fixture_close(&fixture);
}

static void on_kept(void *userdata, ssize_t status)
{
	ssize_t *kept = userdata;

	*kept = status;
}

/* What is cut off is copied by a worker first; what is written meanwhile is not taken for old. */
static void a_large_file_is_kept_before_it_is_cut_off(void)
{
	enum { LARGE = 10 << 20 };
	char *text = malloc(LARGE + 1);
	struct fixture fixture;
	struct worktree_file *writer, *file;
	struct worktree_node *node;
	struct checkout *checkout;
	ssize_t kept = 1;

	memset(text, 'a', LARGE);
	text[LARGE] = 0;
	fixture_open(&fixture);
	fixture_save(&fixture, "a", text);
	node = fixture_find(&fixture, "a");
	REQUIRE(fixture_file(&fixture, "a", O_RDWR, &writer) == 0);
	CHECK_INT(worktree_keep(node, 0, on_kept, &kept), 1);
	CHECK_INT(worktree_write(writer, "X", 1, 5 << 20, &fixture.caller, false), 1);
	while (kept > 0)
		uv_run(&fixture.loop, UV_RUN_ONCE);
	CHECK_INT(kept, 0);
	CHECK_INT(worktree_write(writer, "Y", 1, 6 << 20, &fixture.caller, false), 1);
	CHECK_INT(worktree_keep(node, 0, on_kept, &kept), 0);
	REQUIRE(fixture_file(&fixture, "a", O_WRONLY | O_TRUNC, &file) == 0);
	CHECK_INT(worktree_write(file, "new", 3, 0, &fixture.caller, false), 3);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "a", text);
	checkout_unref(checkout);
	worktree_flush(file);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "a", "new");
	checkout_unref(checkout);
	worktree_release(file);
	worktree_release(writer);
	worktree_forget(node, 1);
	fixture_close(&fixture);
	free(text);
}

/* While it is copied the file is committed: then the copy is of no use. */
static void a_commit_outdates_what_is_being_kept(void)
{
	enum { LARGE = 10 << 20 };
	char *text = malloc(LARGE + 1);
	struct fixture fixture;
	struct worktree_file *file;
	struct worktree_node *node;
	struct checkout *checkout;
	ssize_t kept = 1;

	memset(text, 'a', LARGE);
	text[LARGE] = 0;
	fixture_open(&fixture);
	fixture_save(&fixture, "a", text);
	node = fixture_find(&fixture, "a");
	REQUIRE(fixture_file(&fixture, "a", O_RDWR, &file) == 0);
	CHECK_INT(worktree_keep(node, 0, on_kept, &kept), 1);
	text[5 << 20] = 'X';
	CHECK_INT(worktree_write(file, "X", 1, 5 << 20, &fixture.caller, false), 1);
	worktree_flush(file);
	while (kept > 0)
		uv_run(&fixture.loop, UV_RUN_ONCE);
	kept = 1;
	CHECK_INT(worktree_keep(node, 0, on_kept, &kept), 1);
	while (kept > 0)
		uv_run(&fixture.loop, UV_RUN_ONCE);
	CHECK_INT(worktree_setattr(node, file, WORKTREE_SET_SIZE, &(struct stat){.st_size = 7},
	                  &fixture.caller, &(struct stat){0}),
	        0);
	checkout = fixture_checkout(&fixture, NULL);
	CHECK_CONTENT(checkout, "a", text);
	checkout_unref(checkout);
	worktree_release(file);
	worktree_forget(node, 1);
	fixture_close(&fixture);
	free(text);
}

static void few_descriptors_are_enough(void)
{
	struct fixture fixture;
	struct worktree_node *nodes[800];
	struct stat attr;
	char path[64];
	unsigned i;

	fixture_open(&fixture);
	for (i = 0; i < 800; i++) {
		snprintf(path, sizeof(path), "d%u", i);
		CHECK_INT(fixture_mkdir(&fixture, path), 0);
		snprintf(path, sizeof(path), "d%u/f", i);
		fixture_save(&fixture, path, "text");
		nodes[i] = fixture_find(&fixture, path);
	}
	for (i = 0; i < 800; i++)
		CHECK_INT(worktree_getattr(nodes[(i * 7) % 800], NULL, &attr), 0);
	for (i = 0; i < 800; i++)
		worktree_forget(nodes[i], 1);
	fixture_close(&fixture);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(names_that_are_not_code), TEST(a_save_is_seen),
	        TEST(unchanged_is_the_same_checkout), TEST(changed_is_told_once_a_turn),
	        TEST(an_open_file_counts_as_it_was_closed), TEST(a_file_never_closed_is_absent),
	        TEST(closing_what_was_only_emptied_is_no_save), TEST(all_hard_links_change),
	        TEST(an_unlinked_file_goes_on), TEST(a_nameless_file_can_be_linked),
	        TEST(a_second_name_goes_on_when_the_first_is_gone),
	        TEST(a_clean_end_keeps_the_checkout), TEST(an_unclean_end_is_not_trusted_twice),
	        TEST(modes_are_readable_and_times_kept), TEST(git_lock_is_seen),
	        TEST(nodes_outlive_the_tree), TEST(a_large_file_is_kept_before_it_is_cut_off),
	        TEST(a_commit_outdates_what_is_being_kept), TEST(few_descriptors_are_enough),
	        TEST(holes_stay_holes), {}};

	return test_main(tests, argc, argv);
}
