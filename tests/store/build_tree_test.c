/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would get an old result for new code, or wait for a build of code he had before; and what a build
 * leaves behind, however it looks, would stay on the disk.
 */
#include "store/build_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/sha256.h"
#include "store/worktree_copy.h"
#include "test.h"

#define DEEP 600

static const atomic_bool never;

struct tree {
	char *path;
	int fd;
};

static void tree_open(struct tree *tree)
{
	tree->path = test_directory();
	tree->fd = open(tree->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	REQUIRE(tree->fd >= 0);
}

static void tree_close(struct tree *tree)
{
	char *name = strrchr(tree->path, '/');
	int parent;

	*name = 0;
	parent = open(tree->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(copy_remove(parent, name + 1), 0);
	CHECK(faccessat(parent, name + 1, F_OK, 0) < 0);
	close(parent);
	close(tree->fd);
	free(tree->path);
}

static void put(int directory, const char *name, const char *text)
{
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	REQUIRE(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void digest(const struct tree *tree, unsigned char out[SHA256_SIZE])
{
	struct sha256 *sha256 = sha256_new();

	sha256_begin(sha256);
	REQUIRE(build_tree_digest(tree->fd, sha256, &never) == 0);
	sha256_end(sha256, out);
	sha256_free(sha256);
}

/* Whether the digest is another one than it was; `last` becomes the new one. */
static bool differs(const struct tree *tree, unsigned char last[SHA256_SIZE])
{
	unsigned char now[SHA256_SIZE];
	bool changed;

	digest(tree, now);
	changed = memcmp(now, last, SHA256_SIZE) != 0;
	memcpy(last, now, SHA256_SIZE);
	return changed;
}

static void fill(const struct tree *tree)
{
	const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000, .tv_nsec = 5}};

	put(tree->fd, "a.c", "int a;\n");
	REQUIRE(mkdirat(tree->fd, "sub", 0755) == 0);
	put(tree->fd, "sub/b.c", "int b;\n");
	put(tree->fd, "sub/empty", "");
	REQUIRE(symlinkat("a.c", tree->fd, "link") == 0);
	REQUIRE(utimensat(tree->fd, "a.c", times, 0) == 0);
	REQUIRE(utimensat(tree->fd, "sub", times, 0) == 0);
}

static void tells_what_matters(void)
{
	unsigned char first[SHA256_SIZE], last[SHA256_SIZE] = {0};
	struct tree tree;

	tree_open(&tree);
	fill(&tree);
	differs(&tree, last);
	memcpy(first, last, sizeof(first));
	put(tree.fd, "a.c", "int A;\n");
	CHECK(differs(&tree, last));
	put(tree.fd, "a.c", "int a;\n"); /* at another time */
	CHECK(differs(&tree, last) && memcmp(first, last, sizeof(first)) == 0);
	fchmodat(tree.fd, "a.c", 0600, 0);
	CHECK(!differs(&tree, last));
	fchmodat(tree.fd, "a.c", 0700, 0);
	CHECK(differs(&tree, last));
	CHECK_INT(renameat(tree.fd, "sub/b.c", tree.fd, "sub/c.c"), 0);
	CHECK(differs(&tree, last));
	CHECK_INT(renameat(tree.fd, "sub/c.c", tree.fd, "c.c"), 0);
	CHECK(differs(&tree, last));
	CHECK_INT(mkdirat(tree.fd, "none", 0755), 0);
	CHECK(differs(&tree, last));
	CHECK_INT(unlinkat(tree.fd, "link", 0), 0);
	CHECK_INT(symlinkat("b.c", tree.fd, "link"), 0);
	CHECK(differs(&tree, last));
	CHECK_INT(unlinkat(tree.fd, "link", 0), 0);
	put(tree.fd, "link", "b.c"); /* a file with the same words is no link */
	CHECK(differs(&tree, last));
	tree_close(&tree);
}

/* What moves over the border between two files, or between a name and its content, is seen. */
static void tells_borders(void)
{
	unsigned char last[SHA256_SIZE] = {0};
	struct tree tree;

	tree_open(&tree);
	put(tree.fd, "a", "12");
	put(tree.fd, "b", "3");
	differs(&tree, last);
	put(tree.fd, "a", "1");
	put(tree.fd, "b", "23");
	CHECK(differs(&tree, last));
	unlinkat(tree.fd, "a", 0);
	unlinkat(tree.fd, "b", 0);
	put(tree.fd, "a", "");
	REQUIRE(mkdirat(tree.fd, "d", 0755) == 0);
	put(tree.fd, "d/e", "");
	differs(&tree, last);
	unlinkat(tree.fd, "d/e", 0);
	put(tree.fd, "e", "");
	CHECK(differs(&tree, last));
	tree_close(&tree);
}

static void copies(void)
{
	const struct build_tree_copy copy = {.uid = (uid_t)-1, .canceled = &never};
	unsigned char from[SHA256_SIZE] = {0}, to[SHA256_SIZE] = {0};
	struct tree source, target;
	struct stat a, b;
	char text[8] = "";

	tree_open(&source);
	tree_open(&target);
	fill(&source);
	fchmodat(source.fd, "sub/b.c", 0444, 0);
	CHECK_INT(build_tree_copy(&copy, source.fd, target.fd), 0);
	digest(&source, from);
	digest(&target, to);
	CHECK(memcmp(from, to, sizeof(from)) == 0);
	CHECK(fstatat(source.fd, "a.c", &a, 0) == 0 && fstatat(target.fd, "a.c", &b, 0) == 0);
	CHECK_INT(b.st_mtim.tv_sec, 2000);
	CHECK_INT(b.st_mtim.tv_nsec, a.st_mtim.tv_nsec);
	CHECK(a.st_ino != b.st_ino);
	CHECK(fstatat(target.fd, "sub", &b, 0) == 0 && b.st_mtim.tv_sec == 2000);
	CHECK(fstatat(target.fd, "sub/b.c", &b, 0) == 0 && (b.st_mode & 0600) == 0600);
	CHECK_INT(readlinkat(target.fd, "link", text, sizeof(text)), 3);
	put(target.fd, "a.c", "other");
	digest(&source, to);
	CHECK(memcmp(from, to, sizeof(from)) == 0);
	tree_close(&source);
	tree_close(&target);
}

static void settles(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct build_tree_weight weight;
	struct tree tree;
	struct stat attr;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	tree_open(&tree);
	fill(&tree);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", tree.path);
	REQUIRE(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	REQUIRE(mkfifoat(tree.fd, "sub/fifo", 0644) == 0);
	REQUIRE(fchmodat(tree.fd, "sub", 0, 0) == 0);
	CHECK_INT(build_tree_settle(tree.fd, &weight, &never), 0);
	CHECK_INT(weight.entries, 7);
	CHECK(weight.bytes > 0 && !weight.too_deep);
	CHECK(fstatat(tree.fd, "sock", &attr, 0) < 0 && errno == ENOENT);
	CHECK(fstatat(tree.fd, "sub/fifo", &attr, 0) < 0 && errno == ENOENT);
	CHECK(fstatat(tree.fd, "sub/b.c", &attr, 0) == 0);
	close(fd);
	tree_close(&tree);
}

static void bounds_depth(void)
{
	struct sha256 *sha256 = sha256_new();
	struct build_tree_weight weight;
	struct tree tree;
	int fd, below;

	tree_open(&tree);
	fd = dup(tree.fd);
	for (int i = 0; i < DEEP; i++) {
		REQUIRE(mkdirat(fd, "d", 0755) == 0);
		put(fd, "f", "x");
		below = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = below;
	}
	close(fd);
	sha256_begin(sha256);
	CHECK_INT(build_tree_digest(tree.fd, sha256, &never), -ELOOP);
	CHECK_INT(build_tree_settle(tree.fd, &weight, &never), -ELOOP);
	build_tree_weigh(tree.fd, &weight, &never);
	CHECK(weight.too_deep);
	sha256_free(sha256);
	tree_close(&tree); /* says whether all of it could be removed */
}

static void stops(void)
{
	const atomic_bool now = true;
	const struct build_tree_copy copy = {.uid = (uid_t)-1, .canceled = &now};
	struct build_tree_weight weight;
	struct tree source, target;

	tree_open(&source);
	tree_open(&target);
	fill(&source);
	CHECK_INT(build_tree_copy(&copy, source.fd, target.fd), -ECANCELED);
	CHECK_INT(build_tree_settle(source.fd, &weight, &now), -ECANCELED);
	tree_close(&source);
	tree_close(&target);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(tells_what_matters), TEST(tells_borders),
	        TEST(copies), TEST(settles), TEST(bounds_depth), TEST(stops), {}};

	return test_main(tests, argc, argv);
}
