/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/mount_point.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#define STACKED_MOST 64

static int refuse(int error, const char *what, struct buf *why)
{
	buf_printf(why, "%s: %s", what, strerror(-error));
	return error;
}

/* The path of a dead mount cannot be resolved itself: its parent can. */
static char *resolve_by_parent(const char *directory)
{
	CLEANUP(free_p) char *copy = strdup(directory);
	CLEANUP(free_p) char *parent = NULL;
	char *slash, *path = NULL;
	size_t length = copy ? strlen(copy) : 0;

	while (length > 1 && copy[length - 1] == '/')
		copy[--length] = 0;
	slash = copy ? strrchr(copy, '/') : NULL;
	if (!slash || !slash[1] || !strcmp(slash + 1, "..") || !strcmp(slash + 1, "."))
		return NULL;
	*slash = 0;
	parent = realpath(*copy ? copy : "/", NULL);
	if (!parent || asprintf(&path, "%s/%s", strcmp(parent, "/") ? parent : "", slash + 1) < 0)
		return NULL;
	return path;
}

int mount_point_find(const char *directory, char **path, struct buf *why)
{
	struct stat st;

	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return refuse(-errno, directory, why);
	*path = realpath(directory, NULL);
	if (!*path && (errno == ENOTCONN || errno == ECONNABORTED || errno == EACCES))
		*path = resolve_by_parent(directory);
	if (!*path)
		return refuse(errno ? -errno : -ENOMEM, directory, why);
	if (stat(*path, &st) == 0 && !S_ISDIR(st.st_mode))
		return refuse(-ENOTDIR, directory, why);
	return 0;
}

/* --- dead mounts --- */

/* Octal escapes of mountinfo(5), in place. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] && text[3]) {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
			               (text[3] - '0'));
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = 0;
}

/* Whether the mount on top at this path is one of ours: the last one listed is on top. */
static int ours_on_top(const char *path, bool *ours)
{
	FILE *table = fopen("/proc/self/mountinfo", "re");
	CLEANUP(free_p) char *line = NULL;
	size_t size = 0;

	if (!table)
		return -errno;
	*ours = false;
	while (getline(&line, &size, table) > 0) {
		char point[PATH_MAX], type[64], *behind = strstr(line, " - ");

		if (!behind || sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1 ||
		        sscanf(behind + 3, "%63s", type) != 1)
			continue;
		unescape(point);
		if (strcmp(point, path) == 0)
			*ours = strcmp(type, "fuse.fnfs") == 0;
	}
	fclose(table);
	return 0;
}

static int detach(const char *path)
{
	const char *const arguments[] = {"fusermount3", "-u", "-q", "-z", "--", path, NULL};
	pid_t child;
	int status;

	if (geteuid() == 0)
		return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
	child = fork();
	if (child == 0) {
		execvp(arguments[0], (char **)arguments);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -errno;
	return status ? -EPERM : 0;
}

int mount_point_clear(const char *path, struct buf *why)
{
	int i, r;

	for (i = 0; i < STACKED_MOST; i++) {
		struct statfs statfs_now;
		bool ours;

		r = ours_on_top(path, &ours);
		if (r < 0 || !ours)
			return r < 0 ? refuse(r, "/proc/self/mountinfo", why) : 0;
		/* statfs and not stat: the kernel answers that one from its cache. */
		if (statfs(path, &statfs_now) == 0 ||
		        (errno != ENOTCONN && errno != ECONNABORTED)) {
			buf_printf(why, "%s is mounted already", path);
			return -EBUSY;
		}
		r = detach(path);
		if (r < 0) {
			buf_printf(why, "a dead mount at %s cannot be removed: %s", path,
			        strerror(-r));
			return r;
		}
	}
	return -ELOOP;
}

int mount_point_check_empty(const char *path, struct buf *why)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	bool empty = true;

	if (!directory)
		return refuse(-errno, path, why);
	while (empty && (entry = readdir(directory)))
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	closedir(directory);
	if (empty)
		return 0;
	buf_printf(why,
	        "%s is not empty, and what is in it would be hidden: choose an empty "
	        "directory, or say -o nonempty",
	        path);
	return -ENOTEMPTY;
}

static bool contains(const char *outer, const char *inner)
{
	size_t length = strlen(outer);

	if (length == 1) /* the root */
		return true;
	return strncmp(outer, inner, length) == 0 && (!inner[length] || inner[length] == '/');
}

bool mount_point_overlaps(const char *a, const char *b)
{
	return contains(a, b) || contains(b, a);
}
