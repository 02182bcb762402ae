/* SPDX-License-Identifier: Apache-2.0 */
#include "worktree_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

static void on_changed(void *userdata)
{
	struct fixture *fixture = userdata;

	fixture->changes++;
}

static void open_tree(struct fixture *fixture)
{
	REQUIRE(worktree_open(&fixture->tree, &fixture->loop, fixture->fd, "code", "cache",
	                on_changed, fixture) == 0);
}

void fixture_open(struct fixture *fixture)
{
	memset(fixture, 0, sizeof(*fixture));
	fixture->directory = test_directory();
	fixture->fd = open(fixture->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	REQUIRE(fixture->fd >= 0);
	fixture->caller = (struct caller){.uid = getuid(), .gid = getgid(), .pid = getpid()};
	uv_loop_init(&fixture->loop);
	open_tree(fixture);
}

void fixture_settle(struct fixture *fixture)
{
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
}

void fixture_reopen(struct fixture *fixture)
{
	worktree_close(fixture->tree);
	fixture_settle(fixture);
	open_tree(fixture);
}

void fixture_crash(struct fixture *fixture)
{
	char path[4096];

	worktree_close(fixture->tree);
	fixture_settle(fixture);
	snprintf(path, sizeof(path), "%s/cache/clean", fixture->directory);
	unlink(path);
	open_tree(fixture);
}

void fixture_close(struct fixture *fixture)
{
	worktree_close(fixture->tree);
	fixture_settle(fixture);
	CHECK_INT(uv_loop_close(&fixture->loop), 0);
	close(fixture->fd);
	fixture->directory = test_directory_remove(fixture->directory);
}

static struct worktree_node *step(struct worktree_node *directory, const char *name)
{
	struct worktree_entry entry;
	int r = worktree_lookup(directory, name, &entry);

	worktree_forget(directory, 1);
	return r < 0 ? NULL : entry.node;
}

struct worktree_node *fixture_find(struct fixture *fixture, const char *path)
{
	struct worktree_node *node = worktree_root(fixture->tree);
	char copy[4096], *rest = copy, *name;

	snprintf(copy, sizeof(copy), "%s", path);
	worktree_node_look_up(node);
	while (node && (name = strsep(&rest, "/")))
		if (*name)
			node = step(node, name);
	return node;
}

struct worktree_node *fixture_parent(struct fixture *fixture, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char copy[4096];

	*name = slash ? slash + 1 : path;
	snprintf(copy, sizeof(copy), "%.*s", slash ? (int)(slash - path) : 0, path);
	return fixture_find(fixture, copy);
}

static int made(struct worktree_node *parent, struct worktree_entry *entry, int r)
{
	if (r == 0)
		worktree_forget(entry->node, 1);
	if (parent)
		worktree_forget(parent, 1);
	return r;
}

int fixture_mkdir(struct fixture *fixture, const char *path)
{
	const char *name;
	struct worktree_node *parent = fixture_parent(fixture, path, &name);
	struct worktree_entry entry;

	return made(parent, &entry,
	        parent ? worktree_mkdir(parent, name, 0755, &fixture->caller, &entry) : -ENOENT);
}

int fixture_symlink(struct fixture *fixture, const char *target, const char *path)
{
	const char *name;
	struct worktree_node *parent = fixture_parent(fixture, path, &name);
	struct worktree_entry entry;

	return made(parent, &entry,
	        parent ? worktree_symlink(parent, name, target, &fixture->caller, &entry)
	               : -ENOENT);
}

int fixture_link(struct fixture *fixture, const char *from, const char *to)
{
	const char *name;
	struct worktree_node *node = fixture_find(fixture, from);
	struct worktree_node *parent = fixture_parent(fixture, to, &name);
	struct worktree_entry entry;
	int r = node && parent ? worktree_link(node, parent, name, &entry) : -ENOENT;

	r = made(parent, &entry, r);
	if (node)
		worktree_forget(node, 1);
	return r;
}

int fixture_unlink(struct fixture *fixture, const char *path)
{
	const char *name;
	struct worktree_node *parent = fixture_parent(fixture, path, &name);
	int r = parent ? worktree_unlink(parent, name) : -ENOENT;

	if (parent)
		worktree_forget(parent, 1);
	return r;
}

int fixture_rmdir(struct fixture *fixture, const char *path)
{
	const char *name;
	struct worktree_node *parent = fixture_parent(fixture, path, &name);
	int r = parent ? worktree_rmdir(parent, name) : -ENOENT;

	if (parent)
		worktree_forget(parent, 1);
	return r;
}

int fixture_rename(struct fixture *fixture, const char *from, const char *to, unsigned flags)
{
	const char *name, *to_name;
	struct worktree_node *parent = fixture_parent(fixture, from, &name);
	struct worktree_node *to_parent = fixture_parent(fixture, to, &to_name);
	int r = -ENOENT;

	if (parent && to_parent)
		r = worktree_rename(parent, name, to_parent, to_name, flags);
	if (parent)
		worktree_forget(parent, 1);
	if (to_parent)
		worktree_forget(to_parent, 1);
	return r;
}

static int set(struct fixture *fixture, const char *path, unsigned what, const struct stat *wanted)
{
	struct worktree_node *node = fixture_find(fixture, path);
	struct stat attr;
	int r = node ? worktree_setattr(node, NULL, what, wanted, &fixture->caller, &attr)
	             : -ENOENT;

	if (node)
		worktree_forget(node, 1);
	return r;
}

int fixture_chmod(struct fixture *fixture, const char *path, mode_t mode)
{
	return set(fixture, path, WORKTREE_SET_MODE, &(struct stat){.st_mode = mode});
}

int fixture_truncate(struct fixture *fixture, const char *path, off_t size)
{
	return set(fixture, path, WORKTREE_SET_SIZE, &(struct stat){.st_size = size});
}

int fixture_stat(struct fixture *fixture, const char *path, struct stat *attr)
{
	struct worktree_node *node = fixture_find(fixture, path);
	int r = node ? worktree_getattr(node, NULL, attr) : -ENOENT;

	if (node)
		worktree_forget(node, 1);
	return r;
}

int fixture_file(struct fixture *fixture, const char *path, int flags, struct worktree_file **file)
{
	const char *name;
	struct worktree_node *node = fixture_find(fixture, path);
	struct worktree_entry entry;
	int r;

	if (node) {
		r = worktree_open_file(node, flags & ~O_CREAT, &fixture->caller, file);
		worktree_forget(node, 1);
		return r;
	}
	if (!(flags & O_CREAT))
		return -ENOENT;
	node = fixture_parent(fixture, path, &name);
	r = node ? worktree_create(node, name, 0644, flags, &fixture->caller, &entry, file)
	         : -ENOENT;
	return made(node, &entry, r);
}

void fixture_save(struct fixture *fixture, const char *path, const char *text)
{
	struct worktree_file *file;

	REQUIRE(fixture_file(fixture, path, O_WRONLY | O_CREAT | O_TRUNC, &file) == 0);
	CHECK_INT(worktree_write(file, text, strlen(text), 0, &fixture->caller, false),
	        (ssize_t)strlen(text));
	worktree_flush(file);
	worktree_release(file);
}

struct wait {
	bool done;
	int status;
	struct checkout *checkout;
};

static void on_checkout(void *userdata, int status, struct checkout *checkout)
{
	struct wait *wait = userdata;

	CHECK(!wait->done);
	*wait = (struct wait){true, status, checkout};
}

struct checkout *fixture_checkout(struct fixture *fixture, int *status)
{
	struct wait wait = {0};
	struct checkout_request *request = worktree_checkout(fixture->tree, on_checkout, &wait);

	CHECK((request == NULL) == wait.done);
	while (!wait.done)
		uv_run(&fixture->loop, UV_RUN_ONCE);
	if (status)
		*status = wait.status;
	else
		CHECK_INT(wait.status, 0);
	return wait.checkout;
}

char *fixture_content(const struct checkout *checkout, const char *path)
{
	int fd = openat(checkout_fd(checkout), path, O_RDONLY | O_CLOEXEC);
	struct stat attr;
	char *text;

	if (fd < 0 || fstat(fd, &attr) < 0)
		return NULL;
	text = calloc(1, (size_t)attr.st_size + 1);
	CHECK_INT(read(fd, text, (size_t)attr.st_size), attr.st_size);
	close(fd);
	return text;
}
