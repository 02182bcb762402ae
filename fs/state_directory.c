/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/state_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LOG_BYTES_MOST (8 << 20)

static int refuse(int error, const char *what, struct buf *why)
{
	buf_printf(why, "%s: %s", what, strerror(-error));
	return error;
}

/* Missing parents too: ~/.local/state need not be there. */
static int make_directories(const char *path)
{
	CLEANUP(free_p) char *copy = strdup(path);
	char *slash;

	if (!copy)
		return -ENOMEM;
	for (slash = copy + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = 0;
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return mkdir(copy, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int state_directory_open(struct state_directory *state, const char *path, struct buf *why)
{
	int r;

	*state = (struct state_directory){.fd = -1, .lock_fd = -1, .log_fd = -1, .echo_fd = -1};
	r = make_directories(path);
	if (r < 0)
		return refuse(r, path, why);
	state->path = realpath(path, NULL);
	state->fd = state->path ? open(state->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	return state->fd < 0 ? refuse(-errno, path, why) : 0;
}

static int name_holder(const struct state_directory *state, struct buf *why)
{
	char text[4096 + 32], *space;
	ssize_t n = pread(state->lock_fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	space = strchr(text, ' ');
	if (space)
		*space++ = 0;
	buf_printf(why, "%s belongs to the daemon with process id %s", state->path,
	        *text ? text : "unknown");
	if (space)
		buf_printf(why, ", mounted at %s", space);
	buf_puts(why, ": unmount that one, or choose another directory with --state");
	return -EBUSY;
}

/*
 * A lock of the process, not of the open file: what a daemon forked and had no time to exec would keep
 * the other kind alive. One that was killed a moment ago may still be dying, so it is given a while.
 */
static int lock(int fd)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};
	int tries;

	for (tries = 0; fcntl(fd, F_SETLK, &whole) < 0; tries++) {
		if (errno != EAGAIN && errno != EACCES)
			return -errno;
		if (tries == 50)
			return -EBUSY;
		nanosleep(&moment, NULL);
	}
	return 0;
}

int state_directory_lock(struct state_directory *state, const char *mount_point, struct buf *why)
{
	CLEANUP(buf_deinit) struct buf holder = BUF_INIT;
	int r;

	state->lock_fd = openat(state->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (state->lock_fd < 0)
		return refuse(-errno, state->path, why);
	r = lock(state->lock_fd);
	if (r < 0)
		return r == -EBUSY ? name_holder(state, why) : refuse(r, state->path, why);
	buf_printf(&holder, "%d %s\n", (int)getpid(), mount_point);
	if (ftruncate(state->lock_fd, 0) < 0 ||
	        pwrite(state->lock_fd, holder.data, holder.length, 0) < 0)
		return refuse(-errno, state->path, why);
	return 0;
}

static int open_log(struct state_directory *state)
{
	struct stat st;

	state->log_fd = openat(
	        state->fd, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (state->log_fd < 0 || fstat(state->log_fd, &st) < 0)
		return -errno;
	state->log_size = st.st_size;
	return 0;
}

int state_directory_open_log(struct state_directory *state, struct buf *why)
{
	int r = open_log(state);

	return r < 0 ? refuse(r, state->path, why) : 0;
}

void state_directory_log(void *userdata, const char *line, size_t length)
{
	struct state_directory *state = userdata;

	if (state->log_size > LOG_BYTES_MOST &&
	        renameat(state->fd, "log", state->fd, "log.1") == 0) {
		state->log_fd = close_fd(state->log_fd);
		open_log(state);
	}
	/* On a full disk lines are lost; there is nowhere to say so. */
	if (write(state->log_fd, line, length) > 0)
		state->log_size += (off_t)length;
	if (state->echo_fd >= 0 && write(state->echo_fd, line, length) < 0)
		state->echo_fd = -1;
}

void state_directory_deinit(struct state_directory *state)
{
	close_fd(state->log_fd);
	close_fd(state->lock_fd);
	close_fd(state->fd);
	free(state->path);
}
