/* SPDX-License-Identifier: Apache-2.0 */
/* A walk over /proc/PID/{cwd,root,exe} and /proc/PID/fd, whose links are read and never followed. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "holders.h"
#include "text.h"

static const struct {
	const char *link;
	const char *verb;
} ties[] = {
        {"cwd", "works in"},
        {"root", "has its root in"},
        {"exe", "runs"},
};

static bool below(const char *mount, const char *path)
{
	size_t length = strlen(mount);

	return strncmp(path, mount, length) == 0 && (path[length] == '/' || !path[length]);
}

static bool is_call(const char *path)
{
	size_t length = strlen(path);

	return length > 7 && strcmp(path + length - 7, "/invoke") == 0;
}

/* Where the link points, when that is in the mount. */
static bool points_below(int directory, const char *link, const char *mount, char path[PATH_MAX])
{
	ssize_t length = readlinkat(directory, link, path, PATH_MAX - 1);

	if (length <= 0)
		return false;
	path[length] = 0;
	return below(mount, path);
}

static bool has_open(int process, const char *mount, char path[PATH_MAX])
{
	int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool found = false;

	if (!directory) {
		close_fd(fd);
		return false;
	}
	while (!found && (entry = readdir(directory)) != NULL)
		found = points_below(fd, entry->d_name, mount, path) && !is_call(path);
	closedir(directory);
	return found;
}

/* How this process holds the mount, in a word; NULL when it does not. */
static const char *how(int process, const char *mount, char path[PATH_MAX])
{
	for (size_t i = 0; i < ARRAY_SIZE(ties); i++)
		if (points_below(process, ties[i].link, mount, path))
			return ties[i].verb;
	return has_open(process, mount, path) ? "has open" : NULL;
}

static bool look_at(int proc, const char *pid, const char *mount, struct buf *out)
{
	CLEANUP(close_p) int process = openat(proc, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(free_p) char *name = process < 0 ? NULL : text_read_line(process, "comm");
	char path[PATH_MAX];
	const char *verb = name ? how(process, mount, path) : NULL;

	if (!verb)
		return false;
	if (out->length)
		buf_puts(out, "\n");
	buf_printf(out, "  %s (pid %s) %s %s", name, pid, verb, path);
	return true;
}

size_t holders_find(const char *mount, pid_t except, struct buf *out)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	size_t count = 0;

	if (!proc)
		return 0;
	while ((entry = readdir(proc)) != NULL) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
		if (pid && pid != except && pid != getpid())
			count += look_at(dirfd(proc), entry->d_name, mount, out);
	}
	closedir(proc);
	return count;
}
