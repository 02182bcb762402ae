/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would publish something else than what was there. Random changes are made to a tree,
 * files are left open, the daemon is restarted and killed; every now and then a snapshot is
 * taken, which must be what a plain copy would be, and the same as one taken by somebody who
 * knows nothing of those before.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "snapshot_fixture.h"
#include "test.h"

#define OPEN_MOST 4

struct random {
	struct snapshots snapshots;
	uint64_t seed;
	struct worktree_file *open[OPEN_MOST];
};

static unsigned pick(struct random *random, unsigned most)
{
	return (unsigned)(test_random(&random->seed) % most);
}

static const char *pick_name(struct random *random)
{
	static const char *const names[] = {
	        "a", "b", "c", "d", "e", "f", "g", "h", ".git", "x~", "__pycache__"};

	return names[pick(random, pick(random, 8) ? 8 : 11)];
}

static const char *pick_path(struct random *random, char path[64])
{
	unsigned depth = pick(random, 4), i;

	strcpy(path, pick_name(random));
	for (i = 0; i < depth; i++) {
		strcat(path, "/");
		strcat(path, pick_name(random));
	}
	return path;
}

static void write_somewhere(struct random *random, struct worktree_file *file)
{
	static char piece[3000];
	off_t offset = pick(random, 30) ? pick(random, 5000) : pick(random, 3 << 20);

	memset(piece, 'a' + (int)pick(random, 26), sizeof(piece));
	worktree_write(file, piece, pick(random, sizeof(piece)) + 1, offset,
	        &random->snapshots.fixture.caller, false);
}

static void open_or_close(struct random *random)
{
	struct worktree_file **file = &random->open[pick(random, OPEN_MOST)];
	char path[64];

	if (*file) {
		worktree_flush(*file);
		worktree_release(*file);
		*file = NULL;
	} else if (fixture_file(&random->snapshots.fixture, pick_path(random, path),
	                   O_WRONLY | O_CREAT, file) < 0) {
		*file = NULL;
	}
}

static void close_all(struct random *random)
{
	unsigned i;

	for (i = 0; i < OPEN_MOST; i++) {
		if (random->open[i]) {
			worktree_flush(random->open[i]);
			worktree_release(random->open[i]);
		}
		random->open[i] = NULL;
	}
}

static bool any_open(const struct random *random)
{
	unsigned i;

	for (i = 0; i < OPEN_MOST; i++)
		if (random->open[i])
			return true;
	return false;
}

static void save(struct random *random, const char *path)
{
	struct worktree_file *file;

	if (fixture_file(&random->snapshots.fixture, path,
	            O_WRONLY | O_CREAT | (pick(random, 2) ? O_TRUNC : 0), &file) < 0)
		return;
	write_somewhere(random, file);
	worktree_flush(file);
	worktree_release(file);
}

static void change_owner(struct random *random, const char *path)
{
	struct fixture *fixture = &random->snapshots.fixture;
	struct worktree_node *node = fixture_find(fixture, path);
	struct stat attr = {.st_uid = pick(random, 1000),
	        .st_gid = pick(random, 1000),
	        .st_mtim = {pick(random, 1 << 30), pick(random, 1000000000)}};

	if (!node)
		return;
	worktree_setattr(node, NULL,
	        pick(random, 2)  ? WORKTREE_SET_MTIME
	        : geteuid() == 0 ? WORKTREE_SET_UID | WORKTREE_SET_GID
	                         : WORKTREE_SET_ATIME_NOW,
	        &attr, &fixture->caller, &attr);
	worktree_forget(node, 1);
}

static void change(struct random *random)
{
	struct fixture *fixture = &random->snapshots.fixture;
	unsigned i = pick(random, OPEN_MOST);
	char path[64], other[64];

	pick_path(random, path);
	pick_path(random, other);
	switch (pick(random, 16)) {
	case 0 ... 2:
		save(random, path);
		break;
	case 3:
	case 4:
		fixture_mkdir(fixture, path);
		break;
	case 5:
		fixture_rmdir(fixture, path);
		break;
	case 6:
		fixture_unlink(fixture, path);
		break;
	case 7:
	case 8:
		fixture_rename(fixture, path, other, pick(random, 4) ? 0 : RENAME_EXCHANGE);
		break;
	case 9:
		fixture_link(fixture, path, other);
		break;
	case 10:
		fixture_symlink(fixture, other, path);
		break;
	case 11:
		fixture_chmod(fixture, path, 0700 | pick(random, 010000));
		break;
	case 12:
		fixture_truncate(fixture, path, pick(random, pick(random, 10) ? 5000 : 2 << 20));
		break;
	case 13:
		change_owner(random, path);
		break;
	case 14:
		open_or_close(random);
		break;
	default:
		if (random->open[i])
			write_somewhere(random, random->open[i]);
	}
}

/* Somebody who saw none of the changes comes to the same. */
static void compare_with_stranger(struct random *random, const struct snapshot_summary *summary)
{
	struct snapshot_summary other;

	CHECK_INT(snapshots_take_directory(&random->snapshots, "code", &other), 0);
	CHECK_INT(other.files, summary->files);
	CHECK_INT(other.directories, summary->directories);
	CHECK_INT(other.bytes, summary->bytes);
}

static void take_and_compare(struct random *random)
{
	struct snapshots *snapshots = &random->snapshots;
	struct checkout *checkout = NULL;
	struct snapshot_summary summary;
	int fd = fixture_tree_fd(&snapshots->fixture), content = fd;

	snapshot_ignore_times = any_open(random);
	if (!CHECK_INT(snapshots_take(snapshots, &summary), 0))
		fprintf(stderr, "%s\n", snapshots->why);
	if (any_open(random)) {
		checkout = fixture_checkout(&snapshots->fixture, NULL);
		content = checkout_fd(checkout);
	}
	REQUIRE(snapshot_is(snapshots, &summary.root, fd, content));
	if (!any_open(random))
		compare_with_stranger(random, &summary);
	checkout_unref(checkout);
	close(fd);
}

static void whatever_is_done_is_published(void)
{
	struct random random = {.seed = test_seed()};
	int rounds = test_long() ? 5000 : 100, round, i;

	snapshots_open(&random.snapshots);
	for (round = 0; round < rounds; round++) {
		for (i = (int)pick(&random, 40); i >= 0; i--)
			change(&random);
		if (pick(&random, 8) == 0)
			close_all(&random);
		if (pick(&random, 12) == 0) {
			close_all(&random);
			if (pick(&random, 2))
				fixture_crash(&random.snapshots.fixture);
			else
				fixture_reopen(&random.snapshots.fixture);
		}
		if (pick(&random, 20) == 0)
			worktree_changed_outside(random.snapshots.fixture.tree);
		take_and_compare(&random);
	}
	close_all(&random);
	snapshots_close(&random.snapshots);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(whatever_is_done_is_published), {}};

	return test_main(tests, argc, argv);
}
