/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would run something else than what was published, lose disk to versions nobody runs, or
 * wait for each start: snapshots are made ready to run, share what they have in common, and go
 * when there is no room.
 */
#include "store/snapshot_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "snapshot_fixture.h"
#include "test.h"

#define PLENTY (UINT64_C(1) << 40)

struct caching {
	struct snapshots snapshots;
	struct snapshot_cache *cache;
};

static void cache_open(struct caching *caching, uint64_t most)
{
	REQUIRE(snapshot_cache_open(&caching->cache, &caching->snapshots.fixture.loop,
	                caching->snapshots.blobs, caching->snapshots.fixture.fd, "versions",
	                most) == 0);
	fixture_settle(&caching->snapshots.fixture);
}

static void cache_reopen(struct caching *caching, uint64_t most)
{
	caching->cache = snapshot_cache_close(caching->cache);
	fixture_settle(&caching->snapshots.fixture);
	cache_open(caching, most);
}

static void caching_open(struct caching *caching)
{
	snapshots_open(&caching->snapshots);
	cache_open(caching, PLENTY);
}

static void caching_close(struct caching *caching)
{
	snapshot_cache_close(caching->cache);
	snapshots_close(&caching->snapshots);
}

struct wait {
	bool done;
	int status;
	struct checkout *checkout;
};

static void on_made(void *userdata, int status, struct checkout *checkout)
{
	struct wait *wait = userdata;

	CHECK(!wait->done);
	CHECK((status == 0) == (checkout != NULL));
	*wait = (struct wait){true, status, checkout};
}

static struct checkout *make_ready(struct caching *caching, const struct blob_id *root, int *status)
{
	struct wait wait = {0};

	snapshot_cache_checkout(caching->cache, root, on_made, &wait);
	while (!wait.done)
		uv_run(&caching->snapshots.fixture.loop, UV_RUN_ONCE);
	if (status)
		*status = wait.status;
	else
		REQUIRE(wait.status == 0);
	return wait.checkout;
}

/* A version whose file `same` is in all of them, and `other` only in this. */
static struct blob_id publish_number(struct caching *caching, int number)
{
	struct snapshot_summary summary;
	char text[20001];

	memset(text, 'a' + number, sizeof(text));
	text[20000] = 0;
	fixture_save(&caching->snapshots.fixture, "other", text);
	if (number == 0) {
		fixture_mkdir(&caching->snapshots.fixture, "bin");
		memset(text, 'z', 15000);
		fixture_save(&caching->snapshots.fixture, "bin/same", text);
		fixture_chmod(&caching->snapshots.fixture, "bin/same", 0700);
		fixture_save(&caching->snapshots.fixture, "bin/empty", "");
		fixture_symlink(&caching->snapshots.fixture, "same", "bin/link");
	}
	REQUIRE(snapshots_take(&caching->snapshots, &summary) == 0);
	return summary.root;
}

static uint64_t inode(const struct checkout *checkout, const char *path, nlink_t *links)
{
	struct stat attr;

	REQUIRE(fstatat(checkout_fd(checkout), path, &attr, AT_SYMLINK_NOFOLLOW) == 0);
	if (links)
		*links = attr.st_nlink;
	return attr.st_ino;
}

static int count_entries(struct caching *caching)
{
	int fd = openat(caching->snapshots.fixture.fd, "versions", O_RDONLY | O_DIRECTORY),
	    count = 0;
	DIR *dir = fdopendir(fd);

	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 4; /* . .. boot files */
}

static void what_is_made_is_like_a_checkout(void)
{
	struct caching caching;
	struct checkout *checkout, *again;
	struct stat attr;
	struct blob_id root;
	char target[16] = "", *text;

	caching_open(&caching);
	root = publish_number(&caching, 0);
	CHECK(!snapshot_cache_has(caching.cache, &root));
	checkout = make_ready(&caching, &root, NULL);
	CHECK(snapshot_cache_has(caching.cache, &root));
	text = fixture_content(checkout, "other");
	CHECK(text && strlen(text) == 20000 && text[0] == 'a' && text[19999] == 'a');
	free(text);
	REQUIRE(fstatat(checkout_fd(checkout), "bin/same", &attr, 0) == 0);
	CHECK_INT(attr.st_mode, S_IFREG | 0744);
	CHECK(readlinkat(checkout_fd(checkout), "bin/link", target, 15) == 4);
	CHECK_STR(target, "same");
	CHECK_INT(stat(checkout_path(checkout), &attr), 0);
	CHECK(S_ISDIR(attr.st_mode) && checkout_generation(checkout) > 0);
	again = make_ready(&caching, &root, NULL);
	CHECK(again == checkout);
	checkout_unref(again);
	checkout_unref(checkout);
	caching_close(&caching);
}

static void versions_share_files(void)
{
	struct caching caching;
	struct blob_id first, second;
	struct checkout *one, *two;
	uint64_t bytes;
	nlink_t links;

	caching_open(&caching);
	first = publish_number(&caching, 0);
	one = make_ready(&caching, &first, NULL);
	bytes = snapshot_cache_bytes(caching.cache);
	second = publish_number(&caching, 1);
	two = make_ready(&caching, &second, NULL);
	CHECK(inode(one, "bin/same", &links) == inode(two, "bin/same", NULL));
	CHECK_INT(links, 3); /* and the pool's */
	CHECK(inode(one, "other", NULL) != inode(two, "other", NULL));
	CHECK(snapshot_cache_bytes(caching.cache) < bytes + 30000);
	checkout_unref(one);
	snapshot_cache_drop(caching.cache, &first);
	fixture_settle(&caching.snapshots.fixture);
	CHECK_INT(snapshot_cache_bytes(caching.cache), bytes);
	CHECK_INT(count_entries(&caching), 1);
	inode(two, "bin/same", &links);
	CHECK_INT(links, 2);
	checkout_unref(two);
	caching_close(&caching);
}

/* Two files that look the same are two; two names of one file are one. */
static void equal_files_stay_two(void)
{
	struct caching caching;
	struct snapshot_summary summary;
	struct stat attr = {.st_mtim = {1000, 5}};
	struct checkout *checkout;
	const char *const names[] = {"a", "b", "c"};
	struct worktree_node *node;
	size_t i;

	caching_open(&caching);
	for (i = 0; i < 3; i++) {
		fixture_save(&caching.snapshots.fixture, names[i], "the same");
		node = fixture_find(&caching.snapshots.fixture, names[i]);
		worktree_setattr(node, NULL, WORKTREE_SET_MTIME, &attr,
		        &caching.snapshots.fixture.caller, &(struct stat){0});
		worktree_forget(node, 1);
	}
	fixture_link(&caching.snapshots.fixture, "a", "d");
	REQUIRE(snapshots_take(&caching.snapshots, &summary) == 0);
	checkout = make_ready(&caching, &summary.root, NULL);
	CHECK(inode(checkout, "a", NULL) != inode(checkout, "b", NULL));
	CHECK(inode(checkout, "a", NULL) != inode(checkout, "c", NULL));
	CHECK(inode(checkout, "b", NULL) != inode(checkout, "c", NULL));
	CHECK(inode(checkout, "a", NULL) == inode(checkout, "d", NULL));
	checkout_unref(checkout);
	caching_close(&caching);
}

static void what_nobody_holds_makes_room(void)
{
	struct blob_id roots[4];
	struct checkout *held, *checkout;
	struct caching caching;
	int i;

	caching_open(&caching);
	snapshot_cache_set_limit(
	        caching.cache, 65000); /* each has 20 000 bytes of its own, all share 15 000 */
	roots[0] = publish_number(&caching, 0);
	held = make_ready(&caching, &roots[0], NULL);
	for (i = 1; i < 4; i++) {
		roots[i] = publish_number(&caching, i);
		checkout = make_ready(&caching, &roots[i], NULL);
		checkout_unref(checkout);
		fixture_settle(&caching.snapshots.fixture);
	}
	CHECK(snapshot_cache_has(caching.cache, &roots[0])); /* held */
	CHECK(!snapshot_cache_has(caching.cache, &roots[1]));
	CHECK(!snapshot_cache_has(caching.cache, &roots[2]));
	CHECK(snapshot_cache_has(caching.cache, &roots[3]));
	CHECK(snapshot_cache_bytes(caching.cache) <= 65000);
	CHECK_INT(count_entries(&caching), 2);
	checkout_unref(held);
	snapshot_cache_set_limit(caching.cache, 0);
	fixture_settle(&caching.snapshots.fixture);
	CHECK_INT(count_entries(&caching), 0);
	CHECK_INT(snapshot_cache_bytes(caching.cache), 0);
	caching_close(&caching);
}

static void write_text(struct caching *caching, const char *path, const char *text)
{
	int fd = openat(caching->snapshots.fixture.fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK_INT(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void what_an_earlier_daemon_left(void)
{
	struct checkout *checkout;
	struct caching caching;
	struct blob_id root;
	uint64_t bytes;

	caching_open(&caching);
	root = publish_number(&caching, 0);
	checkout_unref(make_ready(&caching, &root, NULL));
	bytes = snapshot_cache_bytes(caching.cache);
	/* A crash left something half-made, and something that is none of ours. */
	mkdirat(caching.snapshots.fixture.fd, "versions/new", 0700);
	write_text(&caching, "versions/new/file", "half");
	mkdirat(caching.snapshots.fixture.fd, "versions/trash-5", 0700);
	write_text(&caching, "versions/strange", "?");
	cache_reopen(&caching, PLENTY);
	CHECK(snapshot_cache_has(caching.cache, &root));
	CHECK_INT(snapshot_cache_bytes(caching.cache), bytes);
	CHECK_INT(count_entries(&caching), 1);
	checkout = make_ready(&caching, &root, NULL);
	CHECK(inode(checkout, "other", NULL) != 0);
	checkout_unref(checkout);
	/* The machine was restarted: nobody knows what reached the disk. */
	write_text(&caching, "versions/boot", "another boot");
	cache_reopen(&caching, PLENTY);
	CHECK(!snapshot_cache_has(caching.cache, &root));
	CHECK_INT(count_entries(&caching), 0);
	CHECK_INT(snapshot_cache_bytes(caching.cache), 0);
	checkout_unref(make_ready(&caching, &root, NULL));
	caching_close(&caching);
}

static void say_nothing(void *userdata, const char *line, size_t length)
{
}

static void on_idle(void *userdata)
{
	*(bool *)userdata = true;
}

static void many_ask_and_some_go(void)
{
	struct snapshot_cache_request *request;
	struct wait waits[4] = {0};
	struct caching caching;
	struct blob_id root, other;
	bool idle = false;
	int i, status;

	caching_open(&caching);
	root = publish_number(&caching, 0);
	memset(&other, 7, sizeof(other));
	log_set_sink(say_nothing, NULL);
	CHECK(make_ready(&caching, &other, &status) == NULL);
	log_set_sink(NULL, NULL);
	CHECK(status == -ENOENT || status == -EIO);
	for (i = 0; i < 3; i++) {
		request = snapshot_cache_checkout(caching.cache, &root, on_made, &waits[i]);
		CHECK(request != NULL);
	}
	snapshot_cache_request_cancel(request);
	fixture_settle(&caching.snapshots.fixture);
	CHECK(waits[0].done && waits[1].done && !waits[2].done);
	CHECK(waits[0].checkout == waits[1].checkout);
	/* Closed while somebody holds one and somebody waits. */
	root = publish_number(&caching, 1);
	snapshot_cache_checkout(caching.cache, &root, on_made, &waits[3]);
	CHECK(!snapshot_cache_stop(caching.cache, on_idle, &idle));
	CHECK(waits[3].done);
	CHECK_INT(waits[3].status, -ECANCELED);
	CHECK(!idle);
	fixture_settle(&caching.snapshots.fixture);
	CHECK(idle);
	CHECK(snapshot_cache_stop(caching.cache, on_idle, &idle));
	caching.cache = snapshot_cache_close(caching.cache);
	CHECK(inode(waits[0].checkout, "other", NULL) != 0);
	checkout_unref(waits[0].checkout);
	checkout_unref(waits[1].checkout);
	snapshots_close(&caching.snapshots);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(what_is_made_is_like_a_checkout),
	        TEST(versions_share_files), TEST(equal_files_stay_two),
	        TEST(what_nobody_holds_makes_room), TEST(what_an_earlier_daemon_left),
	        TEST(many_ask_and_some_go), {}};

	return test_main(tests, argc, argv);
}
