/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would lose what was published: a name, a mode, a link, a byte. Trees of all kinds are
 * taken, written out again and read node by node, and compared with what they were.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "snapshot_fixture.h"
#include "test.h"

/* Takes the tree, which nobody has open, and compares. */
static struct snapshot_summary take_and_compare(struct snapshots *snapshots)
{
	int fd = fixture_tree_fd(&snapshots->fixture);
	struct snapshot_summary summary;

	REQUIRE(CHECK_INT(snapshots_take(snapshots, &summary), 0));
	CHECK(snapshot_is(snapshots, &summary.root, fd, fd));
	close(fd);
	return summary;
}

static void an_empty_tree(void)
{
	struct snapshots snapshots;
	struct snapshot_summary summary;

	snapshots_open(&snapshots);
	summary = take_and_compare(&snapshots);
	CHECK_INT(summary.files, 0);
	CHECK_INT(summary.directories, 1);
	snapshots_close(&snapshots);
}

static void make_hostile(struct fixture *fixture)
{
	char name[256], deep[2048] = "deep";
	int i;

	memset(name, 'n', 255);
	name[255] = 0;
	fixture_save(fixture, name, "a long name");
	fixture_save(fixture, "new\nline", "x");
	fixture_save(fixture, "\xff\xfe not text", "y");
	fixture_save(fixture, " ", "blank");
	fixture_save(fixture, "-rf", "");
	fixture_mkdir(fixture, "empty");
	fixture_chmod(fixture, "empty", 01777);
	fixture_mkdir(fixture, deep);
	for (i = 0; i < 60; i++) {
		strcat(deep, "/this is a long way down");
		fixture_mkdir(fixture, deep);
	}
	strcat(deep, "/file");
	fixture_save(fixture, deep, "at the bottom");
	fixture_link(fixture, deep, "shortcut");
	fixture_symlink(fixture, "../../../etc/passwd", "outside");
	fixture_symlink(fixture, "nowhere\n", "empty/dangling");
	fixture_link(fixture, "outside", "outside too");
	for (i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "mode %o", i * 01111 % 010000);
		fixture_save(fixture, name, "m");
		fixture_chmod(fixture, name, (mode_t)(i * 01111 % 010000));
	}
}

static void hostile_names_and_modes(void)
{
	struct snapshots snapshots;
	struct snapshot_summary first, second;
	char path[4096];

	snapshots_open(&snapshots);
	make_hostile(&snapshots.fixture);
	snprintf(path, sizeof(path), "%s/code/empty/fifo", snapshots.fixture.directory);
	CHECK_INT(mkfifo(path, 0640), 0);
	snprintf(path, sizeof(path), "%s/code/new\nline", snapshots.fixture.directory);
	if (geteuid() == 0)
		CHECK_INT(chown(path, 12345, 54321), 0);
	first = take_and_compare(&snapshots);
	second = take_and_compare(&snapshots);
	CHECK(blob_id_equal(&first.root, &second.root));
	CHECK_INT(second.added_bytes, 0);
	fixture_reopen(&snapshots.fixture);
	second = take_and_compare(&snapshots);
	CHECK(blob_id_equal(&first.root, &second.root));
	fixture_unlink(&snapshots.fixture, "shortcut");
	take_and_compare(&snapshots);
	snapshots_close(&snapshots);
}

static void links_come_and_go(void)
{
	struct snapshots snapshots;
	struct fixture *fixture = &snapshots.fixture;

	snapshots_open(&snapshots);
	fixture_mkdir(fixture, "a");
	fixture_mkdir(fixture, "b");
	fixture_save(fixture, "a/one", "text");
	fixture_save(fixture, "a/two", "text");
	take_and_compare(&snapshots);
	CHECK_INT(fixture_link(fixture, "a/one", "b/other"), 0);
	take_and_compare(&snapshots);
	fixture_save(fixture, "b/other", "changed by the other name");
	take_and_compare(&snapshots);
	CHECK_INT(fixture_unlink(fixture, "a/one"), 0);
	take_and_compare(&snapshots);
	CHECK_INT(fixture_link(fixture, "b/other", "a/three"), 0);
	CHECK_INT(fixture_rename(fixture, "b", "c", 0), 0);
	take_and_compare(&snapshots);
	snapshots_close(&snapshots);
}

/* Names that are not code stay away, and the times of their directory come along all the same. */
static void what_is_not_code(void)
{
	struct snapshots snapshots;
	struct snapshot_summary summary;

	snapshots_open(&snapshots);
	fixture_mkdir(&snapshots.fixture, "src");
	fixture_save(&snapshots.fixture, "src/a.py", "code");
	take_and_compare(&snapshots);
	fixture_save(&snapshots.fixture, "src/.a.py.swp", "none");
	fixture_mkdir(&snapshots.fixture, ".git");
	fixture_save(&snapshots.fixture, ".git/HEAD", "none");
	summary = take_and_compare(&snapshots);
	CHECK_INT(summary.files, 1);
	fixture_unlink(&snapshots.fixture, "src/.a.py.swp");
	take_and_compare(&snapshots);
	snapshots_close(&snapshots);
}

static void sockets_are_refused(void)
{
	struct snapshots snapshots;
	struct snapshot_summary summary;
	struct worktree_entry entry;
	struct worktree_node *node;

	snapshots_open(&snapshots);
	fixture_mkdir(&snapshots.fixture, "run");
	take_and_compare(&snapshots);
	node = fixture_find(&snapshots.fixture, "run");
	CHECK_INT(
	        worktree_mknod(node, "it", S_IFSOCK | 0600, &snapshots.fixture.caller, &entry), 0);
	worktree_forget(entry.node, 1);
	worktree_forget(node, 1);
	CHECK_INT(snapshots_take(&snapshots, &summary), -EINVAL);
	CHECK_STR(snapshots.why, "run/it is a socket, which cannot be published");
	CHECK_INT(fixture_unlink(&snapshots.fixture, "run/it"), 0);
	take_and_compare(&snapshots);
	snapshots_close(&snapshots);
}

/* --- large files --- */

static void put(struct fixture *fixture, const char *path, const char *text, off_t offset)
{
	struct worktree_file *file;

	REQUIRE(fixture_file(fixture, path, O_WRONLY | O_CREAT, &file) == 0);
	CHECK_INT(worktree_write(file, text, strlen(text), offset, &fixture->caller, false),
	        (ssize_t)strlen(text));
	worktree_flush(file);
	worktree_release(file);
}

static void fill(struct fixture *fixture, const char *path, size_t pieces)
{
	static char piece[1 << 18];
	struct worktree_file *file;
	uint64_t seed = 1;
	size_t i, at;

	REQUIRE(fixture_file(fixture, path, O_WRONLY | O_CREAT, &file) == 0);
	for (i = 0; i < pieces; i++) {
		for (at = 0; at < sizeof(piece); at += 8)
			*(uint64_t *)(piece + at) = test_random(&seed);
		worktree_write(file, piece, sizeof(piece), (off_t)(i * sizeof(piece)),
		        &fixture->caller, false);
	}
	worktree_flush(file);
	worktree_release(file);
}

static void a_large_file_changes_in_place(void)
{
	struct snapshots snapshots;
	struct fixture *fixture = &snapshots.fixture;
	struct snapshot_summary summary;

	snapshots_open(&snapshots);
	fill(fixture, "large", 41); /* 10.25 MiB that cannot be compressed */
	summary = take_and_compare(&snapshots);
	CHECK(summary.added_bytes > 41 << 18);
	put(fixture, "large", "patch", (5 << 20) + 77);
	summary = take_and_compare(&snapshots);
	CHECK(summary.added_bytes < (1 << 20) + 10000);
	put(fixture, "large", "longer", (11 << 20) + 1);
	take_and_compare(&snapshots);
	fixture_truncate(fixture, "large", (2 << 20) + 1);
	summary = take_and_compare(&snapshots);
	CHECK(summary.added_bytes < 10000);
	fixture_truncate(fixture, "large", 1 << 20);
	summary = take_and_compare(&snapshots);
	CHECK(summary.added_bytes < 10000);
	snapshots_close(&snapshots);
}

/* 40 GiB of nothing: more chunks than one list holds, and no room on the disk. */
static void holes_cost_nothing(void)
{
	struct snapshots snapshots;
	struct snapshot_summary summary;
	struct snapshot_recent *recent;
	struct snapshot_entry entry;
	struct snapshot_tree *tree;
	struct stat attr;
	char text[32];
	int fd;

	snapshots_open(&snapshots);
	put(&snapshots.fixture, "sparse", "the end", ((off_t)40 << 30) - 7);
	CHECK_INT(snapshots_take(&snapshots, &summary), 0);
	CHECK_INT(summary.bytes, (off_t)40 << 30);
	CHECK(summary.added_bytes < 100000);
	fd = snapshots_write(&snapshots, &summary.root, "copy");
	CHECK_INT(fstatat(fd, "sparse", &attr, 0), 0);
	CHECK_INT(attr.st_size, (off_t)40 << 30);
	CHECK(attr.st_blocks < 10000);
	close(fd);
	snapshots_remove(&snapshots, "copy");
	recent = snapshot_recent_new(snapshots.blobs, 1 << 20);
	REQUIRE(snapshot_tree_open(&tree, recent, &summary.root, 1) == 0);
	REQUIRE(snapshot_find(tree, "/sparse", &entry) == 0);
	CHECK_INT(snapshot_read(entry.node, text, 10, ((off_t)40 << 30) - 9, true), 9);
	CHECK_INT(memcmp(text, "\0\0the end", 9), 0);
	CHECK_INT(snapshot_read(entry.node, text, 10, (off_t)40 << 30, true), 0);
	snapshot_forget(entry.node, 1);
	snapshot_tree_close(tree);
	snapshot_recent_free(recent);
	snapshots_close(&snapshots);
}

/* --- many entries --- */

static void one_of_many(void)
{
	struct snapshots snapshots;
	struct snapshot_summary first, summary;
	char path[64];
	int i;

	snapshots_open(&snapshots);
	for (i = 0; i < 1200; i++) {
		snprintf(path, sizeof(path), "file %d", i);
		fixture_save(&snapshots.fixture, path, path);
	}
	first = take_and_compare(&snapshots);
	CHECK_INT(first.files, 1200);
	fixture_save(&snapshots.fixture, "file 1034", "other");
	summary = take_and_compare(&snapshots);
	CHECK(summary.added_bytes < 12000);
	CHECK(!blob_id_equal(&first.root, &summary.root));
	/* A snapshot is what it is, however one came to it. */
	fixture_reopen(&snapshots.fixture);
	CHECK_INT(snapshots_take(&snapshots, &first), 0);
	CHECK(blob_id_equal(&first.root, &summary.root));
	CHECK_INT(snapshots_take_directory(&snapshots, "code", &first), 0);
	CHECK(blob_id_equal(&first.root, &summary.root));
	snapshots_close(&snapshots);
}

/* --- not looking twice is right only when nothing changed --- */

static void two_changes_in_one_tick(void)
{
	struct snapshots snapshots;
	struct snapshot_summary summary;
	char text[32];
	int i;

	snapshots_open(&snapshots);
	for (i = 0; i < 60; i++) {
		snprintf(text, sizeof(text), "%04d before", i);
		fixture_save(&snapshots.fixture, "file", text);
		CHECK_INT(snapshots_take(&snapshots, &summary), 0);
		snprintf(text, sizeof(text), "%04d behind", i);
		fixture_save(&snapshots.fixture, "file", text);
		fixture_reopen(&snapshots.fixture); /* now there is only the index */
		take_and_compare(&snapshots);
	}
	snapshots_close(&snapshots);
}

/*
 * Written to but not closed: the stat is new, the content old; and the index must not believe it.
 */
static void an_open_file_over_a_restart(void)
{
	struct snapshots snapshots;
	struct snapshot_summary summary;
	struct worktree_file *file;
	struct checkout *checkout;
	int fd, i;

	snapshots_open(&snapshots);
	for (i = 0; i < 5; i++) {
		fixture_save(&snapshots.fixture, "file", "before");
		fixture_save(&snapshots.fixture, "else", i % 2 ? "odd" : "even");
		REQUIRE(fixture_file(&snapshots.fixture, "file", O_WRONLY, &file) == 0);
		worktree_write(file, "behind", 6, 0, &snapshots.fixture.caller, false);
		uv_sleep(30); /* so that the times are old enough to be believed */
		CHECK_INT(snapshots_take(&snapshots, &summary), 0);
		fd = snapshots_write(&snapshots, &summary.root, "copy");
		checkout = fixture_checkout(&snapshots.fixture, NULL);
		CHECK(same_trees(fd, checkout_fd(checkout), fd));
		checkout_unref(checkout);
		close(fd);
		snapshots_remove(&snapshots, "copy");
		worktree_flush(file);
		worktree_release(file);
		fixture_crash(&snapshots.fixture);
		take_and_compare(&snapshots);
	}
	snapshots_close(&snapshots);
}

static void the_index_is_believed_when_it_may_be(void)
{
	struct snapshots snapshots;
	struct snapshot_summary summary;
	struct snapshot_wait wait;
	struct snapshot_progress progress = {0};
	char path[64];
	int i;

	snapshots_open(&snapshots);
	for (i = 0; i < 600; i++) {
		snprintf(path, sizeof(path), "file %d", i);
		fixture_save(&snapshots.fixture, path, path);
	}
	uv_sleep(30);
	snapshots_begin(&snapshots, &wait);
	while (!wait.done) {
		uv_run(&snapshots.fixture.loop, UV_RUN_ONCE);
		if (wait.taking)
			snapshot_taking_progress(wait.taking, &progress);
	}
	CHECK_INT(wait.status, 0);
	/* Break the store: what is believed to be known is not read and written again. */
	fixture_crash(&snapshots.fixture);
	CHECK_INT(snapshots_take(&snapshots, &summary), 0);
	CHECK_INT(summary.added_bytes, 0);
	CHECK(blob_id_equal(&summary.root, &wait.summary.root));
	snapshots_close(&snapshots);
}

/* --- while others write --- */

/* A tree too large to be looked at in one go; two of its files are always written one after the
 * other, and one is always there, by one name or another. */
static void one_moment_while_the_tree_changes(void)
{
	struct snapshots snapshots;
	struct snapshot_wait wait;
	char path[64], first[16], second[16];
	int i, round, number = 0, fd, one, two;

	snapshots_open(&snapshots);
	for (i = 0; i < 500; i++) {
		snprintf(path, sizeof(path), "file %d", i);
		fixture_save(&snapshots.fixture, path, path);
	}
	fixture_save(&snapshots.fixture, "a", "0");
	fixture_save(&snapshots.fixture, "z", "0");
	fixture_save(&snapshots.fixture, "here", "always");
	for (round = 0; round < 12; round++) {
		if (round % 3 == 2)
			fixture_crash(&snapshots.fixture); /* forget: look at all of it again */
		snapshots_begin(&snapshots, &wait);
		for (i = 0; !wait.done; i++) {
			uv_run(&snapshots.fixture.loop, UV_RUN_NOWAIT);
			snprintf(path, sizeof(path), "%d", number + !(i % 2));
			fixture_save(&snapshots.fixture, i % 2 ? "z" : "a", path);
			number += i % 2 ? 0 : 1;
			fixture_rename(&snapshots.fixture, i % 2 ? "there" : "here",
			        i % 2 ? "here" : "there", 0);
		}
		if (i % 2) {
			snprintf(path, sizeof(path), "%d", number);
			fixture_save(&snapshots.fixture, "z", path);
			fixture_rename(&snapshots.fixture, "there", "here", 0);
		}
		CHECK_INT(wait.status, 0);
		fd = snapshots_write(&snapshots, &wait.summary.root, "copy");
		one = openat(fd, "a", O_RDONLY);
		two = openat(fd, "z", O_RDONLY);
		memset(first, 0, sizeof(first));
		memset(second, 0, sizeof(second));
		CHECK(read(one, first, 15) > 0 && read(two, second, 15) > 0);
		CHECK(atoi(first) == atoi(second) || atoi(first) == atoi(second) + 1);
		CHECK((faccessat(fd, "here", F_OK, 0) == 0) !=
		        (faccessat(fd, "there", F_OK, 0) == 0));
		close(one);
		close(two);
		close(fd);
		snapshots_remove(&snapshots, "copy");
		take_and_compare(&snapshots);
	}
	snapshots_close(&snapshots);
}

static void several_at_once_and_one_canceled(void)
{
	struct snapshots snapshots;
	struct snapshot_wait waits[3];
	int i;

	snapshots_open(&snapshots);
	fixture_save(&snapshots.fixture, "file", "text");
	for (i = 0; i < 3; i++)
		snapshots_begin(&snapshots, &waits[i]);
	CHECK_INT(snapshot_base_forget(snapshots.fixture.tree), -EBUSY);
	snapshot_taking_cancel(waits[1].taking);
	CHECK_INT(snapshots_end(&waits[0]), 0);
	CHECK_INT(snapshots_end(&waits[1]), -ECANCELED);
	CHECK_INT(snapshots_end(&waits[2]), 0);
	CHECK(blob_id_equal(&waits[0].summary.root, &waits[2].summary.root));
	CHECK_INT(snapshot_base_forget(snapshots.fixture.tree), 0);
	take_and_compare(&snapshots);
	snapshots_begin(&snapshots, &waits[0]);
	fixture_reopen(&snapshots.fixture);
	CHECK(waits[0].done);
	snapshots_close(&snapshots);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(an_empty_tree), TEST(hostile_names_and_modes),
	        TEST(links_come_and_go), TEST(what_is_not_code), TEST(sockets_are_refused),
	        TEST(a_large_file_changes_in_place), TEST(holes_cost_nothing), TEST(one_of_many),
	        TEST(two_changes_in_one_tick), TEST(an_open_file_over_a_restart),
	        TEST(the_index_is_believed_when_it_may_be), TEST(one_moment_while_the_tree_changes),
	        TEST(several_at_once_and_one_canceled), {}};

	return test_main(tests, argc, argv);
}
