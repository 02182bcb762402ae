/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of a mount of fnfs would feed itself: whoever handles an event by writing a file makes the next one. It
 * is told by the type of the mount it lies on; the state directory by walking up.
 */
#include "watcher/place.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"

enum { JOB_MOST = 64 << 10, DEPTH_MOST = 4096 };

/* --- the job --- */

static int take_word(char **place, const char *word)
{
	*place = strdup(word);
	return *place ? escape_decode(*place) : -ENOMEM;
}

static int take_line(struct place *place, const char *line)
{
	if (strncmp(line, "directory ", 10) == 0)
		return take_word(&place->path, line + 10);
	if (strncmp(line, "glob ", 5) == 0)
		return take_word(&place->glob, line + 5);
	if (sscanf(line, "state %lu %lu", &place->state_device, &place->state_inode) == 2)
		return 0;
	return -EINVAL;
}

int place_read(struct place *place, int input)
{
	CLEANUP(free_p) char *text = calloc(1, JOB_MOST + 1);
	char *line, *rest = text;
	ssize_t length = text ? read(input, text, JOB_MOST) : -1;
	int r = length < 0 ? -EIO : 0;

	*place = (struct place){.fd = -1};
	while (r == 0 && (line = strsep(&rest, "\n")) && *line)
		r = take_line(place, line);
	return r < 0 ? r : place->path && *place->path == '/' ? 0 : -EINVAL;
}

/* --- whether it may be --- */

static int find_mount_id(int fd)
{
	char path[64], line[256];
	FILE *file;
	int id = -1;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && id < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "mnt_id: %d", &id) != 1)
			id = -1;
	if (file)
		fclose(file);
	return id;
}

/* `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [FIELDS...] - TYPE SOURCE ...` */
static bool is_of_ours(const char *line, int id)
{
	const char *type = strstr(line, " - ");

	return atoi(line) == id && type && strncmp(type + 3, "fuse.fnfs ", 10) == 0;
}

static bool lies_on_mount(int fd)
{
	FILE *table = fopen("/proc/self/mountinfo", "re");
	CLEANUP(free_p) char *line = NULL;
	int id = find_mount_id(fd);
	size_t size = 0;
	bool found = false;

	while (table && !found && getline(&line, &size, table) > 0)
		found = is_of_ours(line, id);
	if (table)
		fclose(table);
	return found;
}

static bool lies_in_state(const struct place *place)
{
	int fd = fcntl(place->fd, F_DUPFD_CLOEXEC, 3), above;
	struct stat st, last = {};
	bool found = false;

	for (int depth = 0; fd >= 0 && depth < DEPTH_MOST && fstat(fd, &st) == 0; depth++) {
		found = st.st_dev == place->state_device && st.st_ino == place->state_inode;
		if (found || (st.st_dev == last.st_dev && st.st_ino == last.st_ino))
			break;
		last = st;
		above = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = above;
	}
	close_fd(fd);
	return found;
}

static int judge(const struct place *place, struct buf *why)
{
	struct statfs fs;

	if (fstatfs(place->fd, &fs) < 0)
		return -errno;
	if ((fs.f_type == FUSE_SUPER_MAGIC && lies_on_mount(place->fd))) {
		buf_printf(why, "%s is in a mount of fnfs: what it changes would call it again",
		        place->path);
		return -ELOOP;
	}
	if (lies_in_state(place)) {
		buf_printf(why, "%s is in the state directory of the daemon", place->path);
		return -ELOOP;
	}
	if (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC) {
		buf_printf(why, "%s: the kernel does not tell of changes there", place->path);
		return -EOPNOTSUPP;
	}
	return 0;
}

int place_open(struct place *place, struct buf *why)
{
	int r;

	place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	if (place->fd < 0) {
		buf_printf(why, "%s: %s", place->path, strerror(errno));
		return 1;
	}
	r = judge(place, why);
	if (r < 0)
		place_close(place);
	return r;
}

void place_close(struct place *place)
{
	place->fd = close_fd(place->fd);
}

bool place_stands(const struct place *place)
{
	struct stat open_one, named;

	return fstat(place->fd, &open_one) == 0 && stat(place->path, &named) == 0 &&
	       open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

bool place_wants(const struct place *place, const char *name)
{
	if (!place->glob)
		return *name != '.';
	return fnmatch(place->glob, name, FNM_PERIOD) == 0;
}
