/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would publish something incomplete, or nothing ever again, after memory was short or the
 * disk was full. Every allocation fails once; disks of every size are filled. What fails says so,
 * and leaves nothing behind.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "heap.h"
#include "snapshot_fixture.h"
#include "store/snapshot_cache.h"
#include "test.h"

static void say_nothing(void *userdata, const char *line, size_t length)
{
}

static void change(struct snapshots *snapshots, unsigned long number)
{
	char text[64];

	snprintf(text, sizeof(text), "content %lu", number);
	fixture_save(&snapshots->fixture, "a/file", text);
	fixture_save(&snapshots->fixture, "a/b/other", text);
}

static void make_tree(struct snapshots *snapshots)
{
	fixture_mkdir(&snapshots->fixture, "a");
	fixture_mkdir(&snapshots->fixture, "a/b");
	fixture_mkdir(&snapshots->fixture, "c");
	fixture_symlink(&snapshots->fixture, "target", "c/link");
	change(snapshots, 0);
	fixture_link(&snapshots->fixture, "a/file", "c/hard");
}

static void compare(struct snapshots *snapshots, const struct blob_id *root)
{
	int fd = fixture_tree_fd(&snapshots->fixture);

	CHECK(snapshot_is(snapshots, root, fd, fd));
	close(fd);
}

static void without_memory(bool known)
{
	struct snapshots snapshots;
	struct snapshot_summary summary;
	unsigned long n;
	bool failed;
	int r;

	snapshots_open(&snapshots);
	make_tree(&snapshots);
	log_set_sink(say_nothing, NULL);
	for (n = 0, failed = true; failed; n++) {
		if (known)
			CHECK_INT(snapshots_take(&snapshots, &summary), 0);
		else
			snapshot_base_forget(snapshots.fixture.tree);
		change(&snapshots, n + 1);
		heap_fail(n, 1);
		r = snapshots_take(&snapshots, &summary);
		failed = heap_end();
		if (r == 0)
			compare(&snapshots, &summary.root);
		else
			CHECK_INT(r, -ENOMEM);
		if (n % 16 == 0) {
			CHECK_INT(snapshots_take(&snapshots, &summary), 0);
			compare(&snapshots, &summary.root);
		}
	}
	log_set_sink(NULL, NULL);
	CHECK(n > 20);
	snapshots_close(&snapshots);
}

static void memory_is_short_the_first_time(void)
{
	without_memory(false);
}

static void memory_is_short_with_a_base(void)
{
	without_memory(true);
}

static void memory_is_short_for_readers(void)
{
	struct snapshot_recent *recent;
	struct snapshot_summary summary;
	struct snapshots snapshots;
	struct snapshot_entry entry;
	struct snapshot_tree *tree;
	unsigned long n;
	bool failed = true;
	char text[32];
	int r;

	snapshots_open(&snapshots);
	make_tree(&snapshots);
	REQUIRE(snapshots_take(&snapshots, &summary) == 0);
	log_set_sink(say_nothing, NULL);
	for (n = 0; failed; n++) {
		heap_fail(n, 1);
		recent = snapshot_recent_new(snapshots.blobs, 1 << 20);
		r = recent ? snapshot_tree_open(&tree, recent, &summary.root, 3) : -ENOMEM;
		if (r == 0) {
			r = snapshot_find(tree, "a/b/other", &entry);
			if (r == 0) {
				r = (int)snapshot_read(entry.node, text, sizeof(text), 0, true);
				snapshot_forget(entry.node, 1);
			}
			snapshot_tree_close(tree);
		}
		failed = heap_end();
		CHECK(r == -ENOMEM || (r == 9 && memcmp(text, "content 0", 9) == 0));
		snapshot_recent_free(recent);
	}
	log_set_sink(NULL, NULL);
	CHECK(n > 10);
	snapshots_close(&snapshots);
}

struct wait {
	bool done;
	int status;
	struct checkout *checkout;
};

static void on_made(void *userdata, int status, struct checkout *checkout)
{
	*(struct wait *)userdata = (struct wait){true, status, checkout};
}

static int make_ready(
        struct snapshots *snapshots, struct snapshot_cache *cache, const struct blob_id *root)
{
	struct wait wait = {0};

	snapshot_cache_checkout(cache, root, on_made, &wait);
	while (!wait.done)
		uv_run(&snapshots->fixture.loop, UV_RUN_ONCE);
	checkout_unref(wait.checkout);
	return wait.status;
}

static void memory_is_short_for_the_cache(void)
{
	struct snapshot_summary summary;
	struct snapshot_cache *cache;
	struct snapshots snapshots;
	unsigned long n;
	bool failed = true;
	int r;

	snapshots_open(&snapshots);
	make_tree(&snapshots);
	REQUIRE(snapshots_take(&snapshots, &summary) == 0);
	log_set_sink(say_nothing, NULL);
	for (n = 0; failed; n++) {
		heap_fail(n, 1);
		r = snapshot_cache_open(&cache, &snapshots.fixture.loop, snapshots.blobs,
		        snapshots.fixture.fd, "versions", 0);
		if (r == 0) {
			r = make_ready(&snapshots, cache, &summary.root);
			snapshot_cache_close(cache);
		}
		uv_run(&snapshots.fixture.loop, UV_RUN_DEFAULT);
		failed = heap_end();
		CHECK(r == 0 || r == -ENOMEM || r == -EIO);
		CHECK(r == 0 || failed);
	}
	log_set_sink(NULL, NULL);
	snapshots_close(&snapshots);
}

/* --- a full disk, in a mount namespace of the test's own --- */

static bool small_disk(char *path, unsigned kilobytes)
{
	char options[32];

	snprintf(options, sizeof(options), "size=%uk", kilobytes);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	return mount("fnfs-test", path, "tmpfs", 0, options) == 0;
}

static uint64_t used(const char *path)
{
	struct statvfs disk;

	REQUIRE(statvfs(path, &disk) == 0);
	return (uint64_t)(disk.f_blocks - disk.f_bfree) * disk.f_frsize;
}

static void save_noise(struct fixture *fixture, const char *path, size_t size, uint64_t seed)
{
	struct worktree_file *file;
	uint64_t piece[512];
	size_t at, i;

	REQUIRE(fixture_file(fixture, path, O_WRONLY | O_CREAT, &file) == 0);
	for (at = 0; at < size; at += sizeof(piece)) {
		for (i = 0; i < 512; i++)
			piece[i] = test_random(&seed);
		REQUIRE(worktree_write(file, piece, sizeof(piece), (off_t)at, &fixture->caller,
		                false) == sizeof(piece));
	}
	worktree_flush(file);
	worktree_release(file);
}

/* Takes up all but `left` bytes of the disk. */
static void fill_up(struct snapshots *snapshots, uint64_t left)
{
	int fd = openat(snapshots->fixture.fd, "ballast", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct statvfs disk;
	uint64_t available;

	REQUIRE(fd >= 0 && ftruncate(fd, 0) == 0 && fstatvfs(fd, &disk) == 0);
	available = (uint64_t)disk.f_bavail * disk.f_frsize;
	REQUIRE(available > left);
	CHECK_INT(posix_fallocate(fd, 0, (off_t)(available - left)), 0);
	close(fd);
}

static void the_disk_is_full(void)
{
	char *mount_point = test_directory();
	struct snapshots snapshots;
	struct snapshot_summary summary;
	struct snapshot_cache *cache;
	uint64_t before, left;
	int r, fitted = 0, full = 0;

	if (!small_disk(mount_point, 16384)) {
		printf("     (no mount namespace to be had: skipped)\n");
		CHECK(true);
		test_directory_remove(mount_point);
		return;
	}
	setenv("TMPDIR", mount_point, 1);
	log_set_sink(say_nothing, NULL);
	snapshots_open(&snapshots);
	save_noise(&snapshots.fixture, "noise", 2 << 20, 5);
	checkout_unref(fixture_checkout(&snapshots.fixture, NULL));
	for (left = 0; left < (3 << 20); left += 300000) {
		snapshot_base_forget(snapshots.fixture.tree);
		fill_up(&snapshots, left);
		before = used(mount_point);
		r = snapshots_take(&snapshots, &summary);
		fitted += r == 0;
		full += r == -ENOSPC;
		if (r == 0)
			break;
		CHECK_INT(r, -ENOSPC);
		CHECK_STR(snapshots.why, "the disk is full");
		CHECK_INT(used(mount_point), before);
	}
	CHECK(fitted == 1 && full > 3);
	fill_up(&snapshots, 1 << 20);
	REQUIRE(snapshot_cache_open(&cache, &snapshots.fixture.loop, snapshots.blobs,
	                snapshots.fixture.fd, "versions", 0) == 0);
	fixture_settle(&snapshots.fixture);
	before = used(mount_point);
	CHECK_INT(make_ready(&snapshots, cache, &summary.root), -ENOSPC);
	fixture_settle(&snapshots.fixture);
	CHECK(used(mount_point) <= before + 4096);
	unlinkat(snapshots.fixture.fd, "ballast", 0);
	CHECK_INT(make_ready(&snapshots, cache, &summary.root), 0);
	snapshot_cache_close(cache);
	compare(&snapshots, &summary.root);
	snapshots_close(&snapshots);
	log_set_sink(NULL, NULL);
	umount2(mount_point, MNT_DETACH);
	test_directory_remove(mount_point);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(memory_is_short_the_first_time),
	        TEST(memory_is_short_with_a_base), TEST(memory_is_short_for_readers),
	        TEST(memory_is_short_for_the_cache), TEST(the_disk_is_full), {}};

	return test_main(tests, argc, argv);
}
