/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of a mount fit into one page, and a colon, a comma or a backslash in a path would have to be
 * escaped in ways that differ between kernels. So the directories are opened and named by the numbers of
 * their descriptors, with /proc/self/fd as the working directory: a hundred of them take 500 bytes.
 */
#include "run/sandbox_overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

static int write_file(const char *path, const char *text)
{
	CLEANUP(close_p) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

static int map_self(const char *path, unsigned id)
{
	char text[40];

	snprintf(text, sizeof(text), "%u %u 1", id, id);
	return write_file(path, text);
}

int sandbox_overlay_unshare(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int error;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -errno;
	error = write_file("/proc/self/setgroups", "deny");
	if (!error)
		error = map_self("/proc/self/uid_map", uid);
	if (!error)
		error = map_self("/proc/self/gid_map", gid);
	return error;
}

static int add_layer(struct sandbox_overlay *overlay, const char *path)
{
	size_t length = strlen(overlay->options);
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int added;

	if (fd < 0) {
		overlay->culprit = path;
		return -errno;
	}
	added = snprintf(overlay->options + length, OVERLAY_OPTIONS_SIZE - length, "%s%d",
	        length ? ":" : "lowerdir=", fd);
	return (size_t)added < OVERLAY_OPTIONS_SIZE - length ? 0 : -E2BIG;
}

int sandbox_overlay_open(
        struct sandbox_overlay *overlay, const char *const *layers, const char *code)
{
	int error = 0;

	overlay->options[0] = 0;
	overlay->culprit = NULL;
	for (; *layers && !error; layers++)
		error = add_layer(overlay, *layers);
	return error ? error : add_layer(overlay, code);
}

int sandbox_overlay_mount(const struct sandbox_overlay *overlay, const char *target)
{
	const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV;

	if (chdir("/proc/self/fd") < 0 ||
	        mount("fnfs", target, "overlay", flags, overlay->options) < 0 || chdir("/") < 0)
		return -errno;
	return 0;
}

/* --- to be written to ------------------------------------------------------------------------- */

/* A descriptor, or -errno. */
static int make_layer(int target, const char *name, uid_t uid, gid_t gid)
{
	int fd;

	if (mkdirat(target, name, 0755) < 0 ||
	        fchownat(target, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	fd = openat(target, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* An ordinary user's overlay keeps its notes in attributes that ordinary users may have. */
int sandbox_overlay_write(
        int image, const char *target, int64_t bytes, uid_t uid, gid_t gid, bool is_root)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV;
	CLEANUP(close_p) int covered = -1;
	CLEANUP(close_p) int upper = -1;
	CLEANUP(close_p) int work = -1;
	CLEANUP(close_p) int merged = -1;
	char options[128], point[16];
	int error = 0;

	snprintf(options, sizeof(options), "size=%lld,mode=0711", (long long)bytes);
	if (mount("fnfs", target, "tmpfs", flags, options) < 0)
		return -errno;
	covered = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	upper = make_layer(covered, "upper", uid, gid);
	work = make_layer(covered, "work", uid, gid);
	merged = make_layer(covered, "merged", uid, gid);
	if (covered < 0 || upper < 0 || work < 0 || merged < 0)
		return -EIO;
	snprintf(options, sizeof(options), "lowerdir=%d,upperdir=%d,workdir=%d%s", image, upper,
	        work, is_root ? "" : ",userxattr");
	snprintf(point, sizeof(point), "%d", merged);
	if (chdir("/proc/self/fd") < 0 || mount("fnfs", point, "overlay", flags, options) < 0)
		error = -errno;
	return chdir("/") < 0 ? -errno : error;
}

/* --- is it possible? -------------------------------------------------------------------------- */

static int become_private(bool is_root)
{
	if (!is_root)
		return sandbox_overlay_unshare();
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return -errno;
	return 0;
}

/*
 * A directory of the file system where code and dependencies lie below one of the sandboxes' root, and whether both
 * are to be seen. The state directory itself will not do where the root lies in it: layers may not overlap.
 */
static bool try_mount(const struct sandbox_root *root, const char *state_dir, bool is_root)
{
	const size_t length = strlen(state_dir);
	const bool inside =
	        strncmp(root->path, state_dir, length) == 0 && root->path[length] == '/';
	char upper[PATH_MAX], lower[PATH_MAX], target[PATH_MAX], path[PATH_MAX + 8];
	const char *const layers[] = {upper, NULL};
	struct sandbox_overlay overlay;
	struct stat st;

	snprintf(upper, sizeof(upper), "%s/opt", root->path);
	snprintf(lower, sizeof(lower), "%s", state_dir);
	if (inside)
		snprintf(lower, sizeof(lower), "%s/var", root->path);
	snprintf(target, sizeof(target), "%s/run", root->path);
	if (become_private(is_root) < 0 || sandbox_overlay_open(&overlay, layers, lower) < 0 ||
	        sandbox_overlay_mount(&overlay, target) < 0)
		return false;
	snprintf(path, sizeof(path), "%s/task", target);
	if (inside && lstat(path, &st) < 0)
		return false;
	snprintf(path, sizeof(path), "%s/fnfs", target);
	return stat(path, &st) == 0;
}

bool sandbox_overlay_possible(const struct sandbox_root *root, const char *state_dir, bool is_root)
{
	const char *wanted = getenv("FNFS_OVERLAY");
	int status = -1;
	pid_t pid;

	if (!root->path || (wanted && strcmp(wanted, "no") == 0))
		return false;
	pid = fork();
	if (pid == 0)
		_exit(try_mount(root, state_dir, is_root) ? 0 : 1);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
