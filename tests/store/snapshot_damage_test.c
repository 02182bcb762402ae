/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would get wrong bytes from a damaged disk, or lose a version to those who sweep: packs
 * are damaged byte by byte and swept, and what is read is right or refused, with a sentence.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "snapshot_fixture.h"
#include "store/snapshot_cache.h"
#include "store/worktree_copy.h"
#include "test.h"

static void say_nothing(void *userdata, const char *line, size_t length)
{
}

static void make_tree(struct snapshots *snapshots)
{
	char path[64], text[4000];
	int i;

	fixture_mkdir(&snapshots->fixture, "a");
	fixture_mkdir(&snapshots->fixture, "a/b");
	for (i = 0; i < 60; i++) {
		snprintf(path, sizeof(path), "a/b/file %d", i);
		memset(text, 'a' + i % 26, sizeof(text));
		snprintf(text + 3000, 1000, "%s", path);
		fixture_save(&snapshots->fixture, path, text);
	}
	fixture_symlink(&snapshots->fixture, "a", "link");
}

static char *find_pack(struct snapshots *snapshots, off_t *size)
{
	char path[4096], *found = NULL;
	struct dirent *entry;
	struct stat attr;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/packs", snapshots->fixture.directory);
	dir = opendir(path);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !strstr(entry->d_name, ".pack"))
			continue;
		REQUIRE(!found);
		REQUIRE(asprintf(&found, "%s/%s", path, entry->d_name) > 0);
	}
	closedir(dir);
	REQUIRE(found && stat(found, &attr) == 0);
	*size = attr.st_size;
	return found;
}

static void count_bad(void *userdata, const char *sentence)
{
	CHECK(strncmp(sentence, "snapshot ", 9) == 0);
	++*(int *)userdata;
}

static int check(struct snapshots *snapshots, const struct blob_id *root)
{
	struct blob_set *seen = blob_set_new();
	int bad = 0;

	CHECK_INT(snapshot_check(snapshots->blobs, root, true, seen, count_bad, &bad), 0);
	blob_set_free(seen);
	return bad;
}

/* Written out it is the same, or there is an error. */
static bool is_right_or_refused(
        struct snapshots *snapshots, const struct blob_id *root, int *refused)
{
	int fd, tree = fixture_tree_fd(&snapshots->fixture), r;
	bool right = true;

	REQUIRE(mkdirat(snapshots->fixture.fd, "copy", 0700) == 0);
	fd = openat(snapshots->fixture.fd, "copy", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = snapshot_write(snapshots->blobs, root, fd);
	if (r < 0)
		++*refused;
	else
		right = same_trees(tree, tree, fd);
	close(fd);
	close(tree);
	snapshots_remove(snapshots, "copy");
	return right && (r == 0) == (check(snapshots, root) == 0);
}

static void flip(const char *path, off_t at)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	unsigned char byte;

	REQUIRE(pread(fd, &byte, 1, at) == 1);
	byte ^= 0x40;
	REQUIRE(pwrite(fd, &byte, 1, at) == 1);
	close(fd);
}

static void wrong_bytes_are_never_read(void)
{
	struct snapshots snapshots;
	struct snapshot_summary summary;
	off_t size, at, step;
	int refused = 0, tried = 0;
	char *pack;

	snapshots_open(&snapshots);
	make_tree(&snapshots);
	REQUIRE(snapshots_take(&snapshots, &summary) == 0);
	CHECK_INT(check(&snapshots, &summary.root), 0);
	pack = find_pack(&snapshots, &size);
	step = test_long() ? 1 : size / 150 + 1;
	log_set_sink(say_nothing, NULL);
	for (at = 0; at < size; at += step, tried++) {
		blobs_close(snapshots.blobs);
		flip(pack, at);
		if (!CHECK_INT(blobs_open(&snapshots.blobs, snapshots.fixture.directory), 0))
			break;
		REQUIRE(access(pack, F_OK) == 0);
		CHECK(is_right_or_refused(&snapshots, &summary.root, &refused));
		flip(pack, at);
	}
	log_set_sink(NULL, NULL);
	printf("%d of %d refused\n", refused, tried);
	CHECK(refused > tried / 2);
	free(pack);
	snapshots_close(&snapshots);
}

static void only_what_is_dead_is_swept(void)
{
	struct snapshots snapshots;
	struct snapshot_summary first, second;
	struct blob_sweep_result result;
	struct blob_set *live;
	struct blob_id base;
	int fd;

	snapshots_open(&snapshots);
	make_tree(&snapshots);
	REQUIRE(snapshots_take(&snapshots, &first) == 0);
	fixture_save(&snapshots.fixture, "a/b/file 7", "something else");
	REQUIRE(snapshots_take(&snapshots, &second) == 0);
	CHECK(snapshot_base(snapshots.fixture.tree, &base) && blob_id_equal(&base, &second.root));
	REQUIRE(blobs_sweep_begin(snapshots.blobs) == 0);
	CHECK_INT(snapshot_base_forget(snapshots.fixture.tree), 0);
	live = blob_set_new();
	CHECK_INT(snapshot_mark(snapshots.blobs, &first.root, live), 0);
	CHECK_INT(blobs_sweep(snapshots.blobs, live, &result), 0);
	blob_set_free(live);
	CHECK_INT(check(&snapshots, &first.root), 0);
	CHECK(check(&snapshots, &second.root) > 0);
	/* What the index knows may be gone, too: it is asked for, and put again. */
	fd = fixture_tree_fd(&snapshots.fixture);
	REQUIRE(snapshots_take(&snapshots, &second) == 0);
	CHECK(snapshot_is(&snapshots, &second.root, fd, fd));
	close(fd);
	snapshots_close(&snapshots);
}

/* The store was emptied under the tree: whoever takes it for known takes it whole. */
static void a_lost_base_is_made_up_for(void)
{
	struct snapshots snapshots;
	struct snapshot_summary summary;
	char path[4096];
	int fd;

	snapshots_open(&snapshots);
	make_tree(&snapshots);
	REQUIRE(snapshots_take(&snapshots, &summary) == 0);
	blobs_close(snapshots.blobs);
	snprintf(path, sizeof(path), "%s/packs", snapshots.fixture.directory);
	CHECK_INT(copy_remove(AT_FDCWD, path), 0);
	REQUIRE(blobs_open(&snapshots.blobs, snapshots.fixture.directory) == 0);
	REQUIRE(snapshots_take(&snapshots, &summary) == 0);
	fd = fixture_tree_fd(&snapshots.fixture);
	CHECK(snapshot_is(&snapshots, &summary.root, fd, fd));
	close(fd);
	snapshots_close(&snapshots);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(wrong_bytes_are_never_read),
	        TEST(only_what_is_dead_is_swept), TEST(a_lost_base_is_made_up_for), {}};

	return test_main(tests, argc, argv);
}
