/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "base/map.h"
#include "store/snapshot_cache.h"
#include "store/worktree_code.h"
#include "store/worktree_copy.h"
#include "test.h"

void snapshots_open(struct snapshots *snapshots)
{
	fixture_open(&snapshots->fixture);
	REQUIRE(blobs_open(&snapshots->blobs, snapshots->fixture.directory) == 0);
}

void snapshots_close(struct snapshots *snapshots)
{
	fixture_settle(&snapshots->fixture);
	blobs_close(snapshots->blobs);
	fixture_close(&snapshots->fixture);
}

static void on_done(void *userdata, int status, const struct snapshot_summary *summary,
        struct snapshot_pins *pins, const char *why)
{
	struct snapshot_wait *wait = userdata;

	CHECK(!wait->done);
	CHECK((status == 0) == (summary && pins && !why));
	wait->done = true;
	wait->status = status;
	wait->taking = NULL;
	if (status == 0)
		wait->summary = *summary;
	snprintf(wait->snapshots->why, sizeof(wait->snapshots->why), "%s", why ? why : "");
	snapshot_pins_release(pins);
}

void snapshots_begin(struct snapshots *snapshots, struct snapshot_wait *wait)
{
	*wait = (struct snapshot_wait){.snapshots = snapshots};
	wait->taking = snapshot_take(snapshots->fixture.tree, snapshots->blobs, on_done, wait);
	CHECK(!wait->done);
	if (!wait->taking) {
		wait->done = true;
		wait->status = -ENOMEM;
	}
}

int snapshots_end(struct snapshot_wait *wait)
{
	while (!wait->done)
		uv_run(&wait->snapshots->fixture.loop, UV_RUN_ONCE);
	return wait->status;
}

int snapshots_take(struct snapshots *snapshots, struct snapshot_summary *summary)
{
	struct snapshot_wait wait;
	int r;

	snapshots_begin(snapshots, &wait);
	r = snapshots_end(&wait);
	*summary = wait.summary;
	return r;
}

int snapshots_take_directory(
        struct snapshots *snapshots, const char *path, struct snapshot_summary *summary)
{
	int fd = openat(snapshots->fixture.fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct snapshot_wait wait = {.snapshots = snapshots};
	int r;

	wait.taking = snapshot_take_directory(
	        &snapshots->fixture.loop, fd, snapshots->blobs, on_done, &wait);
	close(fd);
	r = wait.taking ? snapshots_end(&wait) : -ENOMEM;
	*summary = wait.summary;
	return r;
}

int snapshots_write(struct snapshots *snapshots, const struct blob_id *root, const char *name)
{
	int fd;

	REQUIRE(mkdirat(snapshots->fixture.fd, name, 0700) == 0);
	fd = openat(snapshots->fixture.fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(snapshot_write(snapshots->blobs, root, fd), 0);
	return fd;
}

void snapshots_remove(struct snapshots *snapshots, const char *name)
{
	CHECK_INT(copy_remove(snapshots->fixture.fd, name), 0);
}

int fixture_tree_fd(struct fixture *fixture)
{
	return openat(fixture->fd, "code", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* --- comparing --- */

bool snapshot_ignore_times;

struct comparison {
	struct map links; /* inode here to inode there */
	struct map back;
};

static bool differs(const char *path, const char *what)
{
	fprintf(stderr, "%s: %s differs\n", path, what);
	return false;
}

static bool same_attributes(const char *path, const struct stat *a, const struct stat *b)
{
	if (a->st_mode != b->st_mode) {
		fprintf(stderr, "mode %o, not %o: ", b->st_mode, a->st_mode);
		return differs(path, "the mode");
	}
	if (a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		return differs(path, "the owner");
	if (snapshot_ignore_times)
		return true;
	if (a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec)
		return differs(path, "the time of change");
	return true;
}

static bool same_links(
        struct comparison *comparison, const char *path, const struct stat *a, const struct stat *b)
{
	uint64_t there = (uintptr_t)map_get(&comparison->links, a->st_ino);
	uint64_t here = (uintptr_t)map_get(&comparison->back, b->st_ino);

	if (S_ISDIR(a->st_mode))
		return true;
	if ((there && there != b->st_ino) || (here && here != a->st_ino))
		return differs(path, "what it is linked with");
	map_put(&comparison->links, a->st_ino, (void *)(uintptr_t)b->st_ino);
	map_put(&comparison->back, b->st_ino, (void *)(uintptr_t)a->st_ino);
	return true;
}

static bool same_files(const char *path, int a, int b)
{
	static char left[65536], right[65536];
	off_t at = 0;
	ssize_t got, other;

	do {
		got = pread(a, left, sizeof(left), at);
		other = pread(b, right, sizeof(right), at);
		if (got < 0 || got != other || memcmp(left, right, (size_t)got) != 0)
			return differs(path, "the content");
		at += got;
	} while (got > 0);
	return true;
}

static bool same_content(const char *path, const char *name, int from, int to)
{
	int a = copy_open_file(from, name), b = copy_open_file(to, name);
	bool same = a >= 0 && b >= 0 && same_files(path, a, b);

	if (a < 0 || b < 0)
		differs(path, "whether it can be opened");
	if (a >= 0)
		close(a);
	if (b >= 0)
		close(b);
	return same;
}

static bool same_target(const char *path, const char *name, int from, int to)
{
	char a[PATH_MAX] = "", b[PATH_MAX] = "";

	if (readlinkat(from, name, a, sizeof(a) - 1) < 0 ||
	        readlinkat(to, name, b, sizeof(b) - 1) < 0 || strcmp(a, b) != 0)
		return differs(path, "the target");
	return true;
}

static bool is_entry(const char *name)
{
	return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && worktree_name_is_code(name);
}

/* Files that nobody has closed yet are in no checkout, and do not count. */
static bool counts(int content, const char *name, mode_t mode)
{
	struct stat attr;

	return !S_ISREG(mode) || fstatat(content, name, &attr, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool same_directories(
        struct comparison *comparison, const char *path, int from, int content, int to);

static bool same_entry(struct comparison *comparison, const char *directory, const char *name,
        int from, int content, int to)
{
	char path[8192];
	struct stat a, b;
	bool same;
	int fds[3];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (fstatat(from, name, &a, AT_SYMLINK_NOFOLLOW) < 0 ||
	        fstatat(to, name, &b, AT_SYMLINK_NOFOLLOW) < 0)
		return differs(path, "whether it is there");
	same = same_attributes(path, &a, &b) && same_links(comparison, path, &a, &b);
	if (S_ISREG(a.st_mode))
		return same && same_content(path, name, content, to);
	if (S_ISLNK(a.st_mode))
		return same && same_target(path, name, from, to);
	if (!S_ISDIR(a.st_mode))
		return same;
	fds[0] = copy_open_directory(from, name);
	fds[1] = copy_open_directory(content, name);
	fds[2] = copy_open_directory(to, name);
	same = same_directories(comparison, path, fds[0], fds[1], fds[2]) && same;
	close(fds[0]);
	close(fds[1]);
	close(fds[2]);
	return same;
}

static bool same_directories(
        struct comparison *comparison, const char *path, int from, int content, int to)
{
	DIR *dir = fdopendir(openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;
	struct stat attr;
	int here = 0, there = 0;
	bool same = true;

	if (!dir)
		return differs(path, "whether it can be listed");
	while ((entry = readdir(dir))) {
		if (!is_entry(entry->d_name))
			continue;
		fstatat(from, entry->d_name, &attr, AT_SYMLINK_NOFOLLOW);
		if (!counts(content, entry->d_name, attr.st_mode))
			continue;
		here++;
		same = same_entry(comparison, path, entry->d_name, from, content, to) && same;
	}
	closedir(dir);
	dir = fdopendir(openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	while (dir && (entry = readdir(dir)))
		there += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return here == there ? same : differs(path, "the number of entries");
}

bool same_trees(int from, int content, int to)
{
	struct comparison comparison = {0};
	struct stat a, b;
	bool same;

	fstat(from, &a);
	fstat(to, &b);
	same = same_directories(&comparison, "", from, content, to) && same_attributes("/", &a, &b);
	map_deinit(&comparison.links);
	map_deinit(&comparison.back);
	return same;
}

/* --- node by node --- */

static bool same_node_content(
        const char *path, int fd, const struct snapshot_node *node, const struct stat *attr)
{
	static char left[100003], right[100003];
	off_t at = 0;
	ssize_t got, other;

	do {
		got = pread(fd, left, sizeof(left), at);
		other = snapshot_read(node, right, sizeof(right), at, true);
		if (got < 0 || got != other || memcmp(left, right, (size_t)got) != 0)
			return differs(path, "the content of the node");
		at += got;
	} while (got > 0);
	return at == attr->st_size ? true : differs(path, "the size of the node");
}

static bool same_node(struct comparison *comparison, const char *path, struct snapshot_node *node,
        int from, int content, const char *name);

static bool same_below(struct comparison *comparison, const char *path, int from, int content,
        struct snapshot_node *above, const struct snapshot_item *item)
{
	struct snapshot_entry entry;
	char below[8192];
	bool same;

	snprintf(below, sizeof(below), "%s/%s", path, item->name);
	if (snapshot_lookup(above, item->name, &entry) < 0)
		return differs(below, "whether it can be looked up");
	same = CHECK_INT(entry.attr.st_ino, item->ino) &&
	       CHECK_INT(entry.attr.st_mode & S_IFMT, item->type) &&
	       same_node(comparison, below, entry.node, from, content, item->name);
	snapshot_forget(entry.node, 1);
	return same;
}

static int count_entries(int from, int content)
{
	DIR *dir = fdopendir(openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;
	struct stat attr;
	int count = 0;

	while (dir && (entry = readdir(dir))) {
		fstatat(from, entry->d_name, &attr, AT_SYMLINK_NOFOLLOW);
		count += is_entry(entry->d_name) && counts(content, entry->d_name, attr.st_mode);
	}
	closedir(dir);
	return count;
}

static bool same_node_directory(struct comparison *comparison, const char *path,
        struct snapshot_node *node, int from, int content)
{
	struct snapshot_directory *directory;
	struct snapshot_item item;
	off_t after = 0;
	bool same = true;
	int count = 0;

	if (snapshot_open_directory(node, &directory) < 0)
		return differs(path, "whether the node can be listed");
	for (; snapshot_next(directory, after, &item) > 0; after = item.next, count++) {
		char name[256];
		snprintf(name, sizeof(name), "%s", item.name);
		same = same_below(comparison, path, from, content, node, &item) && same;
		/* Any cursor will do, in any order. */
		CHECK_INT(snapshot_next(directory, after / 2, &item), 1);
		CHECK_INT(snapshot_next(directory, after, &item), 1);
		CHECK_STR(item.name, name);
	}
	snapshot_close_directory(directory);
	return CHECK_INT(count, count_entries(from, content)) && same;
}

static bool same_node_typed(struct comparison *comparison, const char *path,
        struct snapshot_node *node, int from, int content, const char *name, mode_t mode)
{
	char a[PATH_MAX] = "", b[PATH_MAX] = "";
	struct stat attr;
	bool same = true;
	int fd, below;

	if (S_ISLNK(mode)) {
		CHECK(readlinkat(from, name, a, sizeof(a) - 1) > 0);
		CHECK_INT(snapshot_readlink(node, b, sizeof(b)), 0);
		return CHECK_STR(b, a);
	}
	if (S_ISREG(mode)) {
		fd = copy_open_file(content, name);
		snapshot_getattr(node, &attr);
		same = fd >= 0 && same_node_content(path, fd, node, &attr);
		close(fd);
	} else if (S_ISDIR(mode)) {
		fd = copy_open_directory(from, name);
		below = copy_open_directory(content, name);
		same = same_node_directory(comparison, path, node, fd, below);
		close(fd);
		close(below);
	}
	return same;
}

static bool same_node(struct comparison *comparison, const char *path, struct snapshot_node *node,
        int from, int content, const char *name)
{
	struct stat a, b;

	if (fstatat(from, name, &a, AT_SYMLINK_NOFOLLOW) < 0)
		return differs(path, "whether it is there");
	snapshot_getattr(node, &b);
	return same_attributes(path, &a, &b) && same_links(comparison, path, &a, &b) &&
	       same_node_typed(comparison, path, node, from, content, name, a.st_mode);
}

bool same_nodes(int from, int content, struct blobs *blobs, const struct blob_id *root)
{
	struct snapshot_recent *recent = snapshot_recent_new(blobs, 300000);
	struct comparison comparison = {0};
	struct snapshot_tree *tree;
	bool same;

	if (!CHECK_INT(snapshot_tree_open(&tree, recent, root, 7), 0))
		return false;
	same = same_node_directory(&comparison, "", snapshot_tree_root(tree), from, content);
	snapshot_tree_close(tree);
	snapshot_recent_free(recent);
	map_deinit(&comparison.links);
	map_deinit(&comparison.back);
	return same;
}

static void on_bad(void *userdata, const char *sentence)
{
	fprintf(stderr, "%s\n", sentence);
	++*(int *)userdata;
}

bool snapshot_is(struct snapshots *snapshots, const struct blob_id *root, int from, int content)
{
	struct blob_set *seen = blob_set_new();
	int fd = snapshots_write(snapshots, root, "copy"), bad = 0;
	bool same = same_trees(from, content, fd);

	close(fd);
	snapshots_remove(snapshots, "copy");
	same = same_nodes(from, content, snapshots->blobs, root) && same;
	CHECK_INT(snapshot_check(snapshots->blobs, root, true, seen, on_bad, &bad), 0);
	blob_set_free(seen);
	return CHECK_INT(bad, 0) && same;
}
