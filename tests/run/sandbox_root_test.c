/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree that every sandbox has as its root: made once, made anew when the machine's settings change,
 * without secrets, and gone with its guardian.
 */
#include "run/sandbox_root.h"

#include <errno.h>
#include <ftw.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>

#include "test.h"

static struct {
	int entries, secrets;
} seen;

static int see(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	seen.entries++;
	seen.secrets += type == FTW_F && !(st->st_mode & 0004);
	return 0;
}

static bool has(const struct sandbox_root *root, const char *name)
{
	char path[4096];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", root->path, name);
	return lstat(path, &st) == 0;
}

/* The state directory, with a tree made for it. */
static char *root_open(struct sandbox_root *root, bool in_memory)
{
	char *state = test_directory();

	REQUIRE(sandbox_root_init(root, state, in_memory) == 0);
	REQUIRE(sandbox_root_refresh(root) == 0);
	return state;
}

/* Nothing is left but the empty state directory. */
static void root_close(struct sandbox_root *root, char *state)
{
	sandbox_root_deinit(root);
	CHECK_INT(rmdir(state), 0);
	free(state);
}

static void is_made_once(void)
{
	struct sandbox_root root;
	char *state = root_open(&root, false), *first = strdup(root.path);

	CHECK_INT(sandbox_root_refresh(&root), 0);
	CHECK_STR(root.path, first);
	CHECK(has(&root, "etc/passwd") && has(&root, "var/task") && has(&root, "dev/null"));
	CHECK(has(&root, "opt/function/runtime/python3.10/rtsp/python/bin"));
	CHECK(!has(&root, "etc/shadow") && !has(&root, "etc/ssl/private"));
	nftw(root.path, see, 16, FTW_PHYS);
	CHECK(seen.entries > 50);
	CHECK_INT(seen.secrets, 0);
	root_close(&root, state);
	CHECK(access(first, F_OK) < 0);
	free(first);
}

/* Sandboxes that run keep the tree they have. */
static void is_made_anew_when_settings_change(void)
{
	struct sandbox_root root;
	char *state = root_open(&root, false), *first = strdup(root.path);

	root.signature ^= 1;
	CHECK_INT(sandbox_root_refresh(&root), 0);
	CHECK(strcmp(root.path, first) != 0);
	CHECK(access(first, F_OK) == 0 && has(&root, "etc/passwd"));
	root_close(&root, state);
	free(first);
}

static void is_removed_after_a_dead_guardian(void)
{
	char *state = test_directory();
	struct sandbox_root root;
	pid_t pid = fork();

	if (pid == 0) {
		REQUIRE(sandbox_root_init(&root, state, false) == 0);
		_exit(sandbox_root_refresh(&root) ? 1 : 0);
	}
	waitpid(pid, NULL, 0);
	CHECK_INT(rmdir(state), -1);
	REQUIRE(sandbox_root_init(&root, state, false) == 0);
	root_close(&root, state);
}

/* That of a guardian which lives is left to it. */
static void is_not_taken_from_another(void)
{
	struct sandbox_root first, second;
	char *state = root_open(&first, false);

	REQUIRE(sandbox_root_init(&second, state, false) == 0);
	REQUIRE(sandbox_root_refresh(&second) == 0);
	CHECK(strcmp(first.path, second.path) != 0);
	CHECK(has(&first, "etc/passwd"));
	sandbox_root_deinit(&second);
	CHECK(has(&first, "etc/passwd"));
	root_close(&first, state);
}

static void is_made_anew_when_it_was_removed(void)
{
	struct sandbox_root root;
	char *state = root_open(&root, false);

	sandbox_place_remove_tree(root.place.home);
	CHECK_INT(sandbox_root_refresh(&root), 0);
	CHECK(has(&root, "etc/passwd"));
	root_close(&root, state);
}

static bool has_memory(void)
{
	struct statfs fs;

	return geteuid() == 0 && statfs("/dev/shm", &fs) == 0 && fs.f_type == TMPFS_MAGIC &&
	       fs.f_bavail * (uint64_t)fs.f_bsize > 64 << 20;
}

/* Root's lies in memory where there is some, an ordinary user's never; the same is in it. */
static void is_in_memory(void)
{
	struct sandbox_root root;
	char *state = root_open(&root, true), *first = strdup(root.path);
	bool is_elsewhere = strncmp(root.path, state, strlen(state)) != 0;

	CHECK(is_elsewhere || !has_memory());
	CHECK(!is_elsewhere || geteuid() == 0);
	CHECK(has(&root, "etc/passwd") && has(&root, "var/task"));
	root_close(&root, state);
	CHECK(access(first, F_OK) < 0);
	free(first);
}

/* A home that others can write into is left for the state directory, or not used at all. */
static void nobody_elses_home_is_used(void)
{
	char *state = test_directory();
	struct sandbox_root root;

	REQUIRE(sandbox_root_init(&root, state, false) == 0);
	free(root.place.home);
	REQUIRE(asprintf(&root.place.home, "%s/elsewhere", state) > 0);
	CHECK_INT(mkdir(root.place.home, 0755), 0);
	CHECK_INT(chmod(root.place.home, 0777), 0);
	CHECK_INT(sandbox_place_provide(&root.place), -EPERM);
	CHECK_INT(sandbox_root_refresh(&root), 0);
	CHECK_STR(root.place.home, root.place.state);
	CHECK(has(&root, "etc/passwd"));
	CHECK_INT(chmod(root.place.home, 0777), 0);
	sandbox_place_remove_tree(root.place.path);
	CHECK_INT(sandbox_root_refresh(&root), -EPERM);
	CHECK(!root.path);
	root_close(&root, state);
}

static void tells_when_there_is_no_room(void)
{
	struct sandbox_root root;

	REQUIRE(sandbox_root_init(&root, "/proc/nothing/there", false) == 0);
	CHECK(sandbox_root_refresh(&root) < 0);
	CHECK(!root.path);
	sandbox_root_deinit(&root);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(is_made_once),
	        TEST(is_made_anew_when_settings_change), TEST(is_removed_after_a_dead_guardian),
	        TEST(is_not_taken_from_another), TEST(is_made_anew_when_it_was_removed),
	        TEST(is_in_memory), TEST(nobody_elses_home_is_used),
	        TEST(tells_when_there_is_no_room), {}};

	return test_main(tests, argc, argv);
}
