/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads /proc/self/mountinfo, whose lines are
 *
 *	36 35 0:42 / /home/eva/fn rw,nosuid shared:1 - fuse.fnfs fnfs rw,user_id=1000,group_id=1000
 *
 * with blanks in paths written as \040. A path is compared as text: the kernel shows mount points
 * and working directories resolved.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "command.h"
#include "mountpoint.h"

#define TYPE "fuse.fnfs"

static bool octal(const char *text)
{
	for (int i = 0; i < 3; i++)
		if (text[i] < '0' || text[i] > '7')
			return false;
	return true;
}

static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from;)
		if (*from == '\\' && octal(from + 1)) {
			*to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 |
			               (from[3] - '0'));
			from += 4;
		} else {
			*to++ = *from++;
		}
	*to = 0;
}

static struct mountpoint *mountpoint_new(const char *path, const char *options)
{
	const char *user = strstr(options, "user_id=");
	struct mountpoint *mountpoint = calloc(1, sizeof(*mountpoint));

	if (!mountpoint || !(mountpoint->path = strdup(path))) {
		free(mountpoint);
		return NULL;
	}
	unescape(mountpoint->path);
	mountpoint->uid = user ? (uid_t)strtoul(user + 8, NULL, 10) : 0;
	return mountpoint;
}

/* One line; what is no fnfs mount is passed over. 0 or -ENOMEM. */
static int take_line(struct list *mountpoints, char *line)
{
	char *rest = strstr(line, " - ");
	char *at = NULL, *type, *options;

	if (!rest)
		return 0;
	*rest = 0;
	for (int i = 0; i < 5; i++)
		at = strsep(&line, " ");
	rest += 3;
	type = strsep(&rest, " ");
	strsep(&rest, " ");
	options = strsep(&rest, "\n");
	if (!at || !options || strcmp(type, TYPE) != 0)
		return 0;
	struct mountpoint *mountpoint = mountpoint_new(at, options);
	if (!mountpoint)
		return -ENOMEM;
	list_append(mountpoints, &mountpoint->link);
	return 0;
}

int mountpoints_read(struct list *mountpoints)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	CLEANUP(free_p) char *line = NULL;
	size_t size = 0;
	int error = 0;

	list_init(mountpoints);
	if (!file)
		return -errno;
	while (!error && getline(&line, &size, file) > 0)
		error = take_line(mountpoints, line);
	fclose(file);
	return error;
}

void mountpoints_free(struct list *mountpoints)
{
	struct mountpoint *mountpoint, *following;

	list_each_safe(mountpoint, following, mountpoints, link) {
		list_unlink(&mountpoint->link);
		free(mountpoint->path);
		free(mountpoint);
	}
}

struct mountpoint *mountpoints_at(const struct list *mountpoints, const char *path)
{
	struct mountpoint *mountpoint, *found = NULL;

	list_each(mountpoint, mountpoints, link)
		if (strcmp(mountpoint->path, path) == 0)
			found = mountpoint;
	return found;
}

struct mountpoint *mountpoints_holding(const struct list *mountpoints, const char *path)
{
	struct mountpoint *mountpoint, *found = NULL;
	size_t longest = 0;

	list_each(mountpoint, mountpoints, link) {
		size_t length = strlen(mountpoint->path);
		if (length >= longest && strncmp(mountpoint->path, path, length) == 0 &&
		        (path[length] == '/' || !path[length])) {
			found = mountpoint;
			longest = length;
		}
	}
	return found;
}

/* The last component is kept unless it is a link: to resolve it might ask a dead mount. */
char *mountpoint_absolute(const char *path)
{
	char link[1];
	CLEANUP(free_p) char *copy = strdup(path);
	CLEANUP(free_p) char *parent = NULL;
	const char *name;
	char *slash, *absolute;

	if (!copy)
		return NULL;
	for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
		copy[n - 1] = 0;
	slash = strrchr(copy, '/');
	name = slash ? slash + 1 : copy;
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	        readlink(copy, link, sizeof(link)) >= 0)
		return realpath(copy, NULL);
	if (slash)
		*slash = 0;
	parent = realpath(!slash ? "." : *copy ? copy : "/", NULL);
	if (!parent)
		return NULL;
	if (asprintf(&absolute, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name) < 0)
		return NULL;
	return absolute;
}

char *mountpoint_default(void)
{
	const char *home = getenv("HOME");
	const struct passwd *user = home && *home ? NULL : getpwuid(getuid());
	char *path;

	if (user)
		home = user->pw_dir;
	if (!home || !*home || asprintf(&path, "%s/fn", home) < 0)
		return NULL;
	return path;
}

static struct mountpoint *enclosing(const struct list *mountpoints)
{
	CLEANUP(free_p) char *here = getcwd(NULL, 0);

	return here ? mountpoints_holding(mountpoints, here) : NULL;
}

/* The mount this user made; -ENOENT when there is none, -EEXIST with a sentence when several. */
static int only_one(const struct list *mountpoints, const struct mountpoint **out)
{
	struct mountpoint *mountpoint;

	*out = NULL;
	list_each(mountpoint, mountpoints, link) {
		if (mountpoint->uid != getuid())
			continue;
		if (*out && strcmp((*out)->path, mountpoint->path) != 0) {
			complain(COMMAND_UNABLE,
			        "you have several mounts: say which with `export FNFS=%s` "
			        "or `export FNFS=%s`",
			        (*out)->path, mountpoint->path);
			return -EEXIST;
		}
		*out = mountpoint;
	}
	return *out ? 0 : -ENOENT;
}

static int find_among(const struct list *mountpoints, char **path)
{
	const struct mountpoint *found = enclosing(mountpoints);
	int error = found ? 0 : only_one(mountpoints, &found);

	if (error == -EEXIST)
		return error;
	*path = found ? strdup(found->path) : mountpoint_default();
	if (!*path)
		complain(COMMAND_UNABLE, "there is no mount: type `fnfs mount DIR`");
	return *path ? 0 : -ENOENT;
}

int mountpoint_find(char **path)
{
	const char *named = getenv("FNFS");
	struct list mountpoints;
	int error;

	if (named && *named) {
		*path = mountpoint_absolute(named);
		if (!*path)
			complain(COMMAND_UNABLE, "$FNFS says %s: %s", named, strerror(errno));
		return *path ? 0 : -ENOENT;
	}
	error = mountpoints_read(&mountpoints);
	if (error)
		complain(COMMAND_UNABLE, "/proc/self/mountinfo: %s", strerror(-error));
	else
		error = find_among(&mountpoints, path);
	mountpoints_free(&mountpoints);
	return error;
}

static void say_why_not(const char *path, int error)
{
	if (error == ENOTCONN || error == ECONNABORTED)
		complain(COMMAND_UNABLE,
		        "the daemon of %s is gone: type `fnfs mount %s` to start it again", path,
		        path);
	else if (error == EACCES)
		complain(COMMAND_UNABLE,
		        "%s belongs to another user and was mounted without `-o allow_other`",
		        path);
	else
		complain(COMMAND_UNABLE, "%s: %s", path, strerror(error));
}

int mountpoint_open(void)
{
	CLEANUP(free_p) char *path = NULL;
	struct list mountpoints;
	bool mounted;
	int fd;

	if (mountpoint_find(&path) < 0 || mountpoints_read(&mountpoints) < 0)
		return -1;
	mounted = mountpoints_at(&mountpoints, path) != NULL;
	mountpoints_free(&mountpoints);
	if (!mounted) {
		complain(COMMAND_UNABLE, "nothing is mounted at %s: type `fnfs mount %s`", path,
		        path);
		return -1;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		say_why_not(path, errno);
	return fd;
}
