/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnfs-watch: watches one directory with the rights of the user who asked for it, so that the daemon touches no path of
 * anybody's. The guardian starts it for the daemon (events/source_watch.c), which reads what it says, a line each:
 *
 *	watching                    it begins; what there is follows
 *	begin ... end               all files there are, between them
 *	file NAME INODE BYTES MTIME CTIME
 *	                            a whole one is there: found, closed after it was written, or renamed into place
 *	busy NAME                   one is there that somebody writes
 *	gone NAME                   removed, or renamed away
 *	overflow                    some was lost; it looks again at all of it
 *	missing SENTENCE            it is not there, or not to be read; it tries again
 *	refused SENTENCE            it never may be watched; this is the last line
 *
 * Names are escaped (base/escape.h), times are nanoseconds since 1970. It knows nothing of what it said before: who reads
 * compares. When nobody reads it waits; the kernel keeps so many changes, and then says that it lost some.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "watcher/place.h"

enum { INPUT = 0, OUTPUT = 1, AGAIN_MS = 1000, QUIET_S = 2, EVENTS_SIZE = 64 << 10 };

#define CHANGES (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)
#define ENDS    (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)

/* --- saying --- */

static void say(const struct buf *line)
{
	const char *data = line->data;
	size_t left = line->length;

	if (line->failed)
		_exit(ENOMEM);
	while (left) {
		ssize_t n = write(OUTPUT, data, left);

		if (n < 0 && errno != EINTR)
			_exit(0); /* nobody reads any more */
		data += n > 0 ? n : 0;
		left -= n > 0 ? (size_t)n : 0;
	}
}

static void say_word(const char *word, const char *text)
{
	CLEANUP(buf_deinit) struct buf line = BUF_INIT;

	buf_puts(&line, word);
	if (text)
		buf_printf(&line, " %s", text);
	for (size_t i = 0; i < line.length; i++)
		if (line.data[i] == '\n')
			line.data[i] = '?';
	buf_puts(&line, "\n");
	say(&line);
}

/* The same is not said again and again. */
static void say_missing(char **said, const char *why)
{
	if (*said && why && strcmp(*said, why) == 0)
		return;
	free(*said);
	*said = why ? strdup(why) : NULL;
	if (why)
		say_word("missing", why);
}

static int64_t nanoseconds(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static void say_file(const char *name, const struct stat *st)
{
	CLEANUP(buf_deinit) struct buf line = BUF_INIT;

	buf_puts(&line, "file ");
	escape_name(&line, name);
	buf_printf(&line, " %" PRIu64 " %" PRId64 " %" PRId64 " %" PRId64 "\n",
	        (uint64_t)st->st_ino, (int64_t)st->st_size, nanoseconds(&st->st_mtim),
	        nanoseconds(&st->st_ctim));
	say(&line);
}

static void say_name(const char *word, const char *name)
{
	CLEANUP(buf_deinit) struct buf line = BUF_INIT;

	buf_printf(&line, "%s ", word);
	escape_name(&line, name);
	buf_puts(&line, "\n");
	say(&line);
}

/* --- looking --- */

static bool is_file(const struct place *place, const char *name, struct stat *st)
{
	return fstatat(place->fd, name, st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st->st_mode);
}

/*
 * Whether somebody still writes: a lease is only to be had where nobody does. Where we may have none, a file that
 * was not touched for a while is taken for whole.
 */
static bool is_being_written(const struct place *place, const char *name, const struct stat *st)
{
	int fd = openat(place->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool leased = fd >= 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == 0;
	int error = fd < 0 ? EACCES : errno;
	struct timespec now;

	if (leased)
		fcntl(fd, F_SETLEASE, F_UNLCK);
	close_fd(fd);
	if (leased || error == EAGAIN)
		return !leased;
	clock_gettime(CLOCK_REALTIME, &now);
	return nanoseconds(&now) - nanoseconds(&st->st_mtim) < QUIET_S * INT64_C(1000000000);
}

/* True: some are still being written, by whom we may hear nothing; it is to be looked at again. */
static bool scan(const struct place *place)
{
	int fd = openat(place->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool again = false;
	struct stat st;

	say_word("begin", NULL);
	while (directory && (entry = readdir(directory))) {
		if (!place_wants(place, entry->d_name) || !is_file(place, entry->d_name, &st))
			continue;
		if (is_being_written(place, entry->d_name, &st)) {
			again = true;
			say_name("busy", entry->d_name);
			continue;
		}
		say_file(entry->d_name, &st);
	}
	say_word("end", NULL);
	if (directory)
		closedir(directory);
	else
		close_fd(fd);
	return again;
}

/* --- hearing --- */

struct heard {
	bool ends, lost;
};

static void hear_one(
        const struct place *place, const struct inotify_event *event, struct heard *heard)
{
	struct stat st;

	heard->lost |= event->mask & IN_Q_OVERFLOW;
	heard->ends |= event->mask & ENDS;
	if (!event->len || event->mask & IN_ISDIR || !place_wants(place, event->name))
		return;
	if (event->mask & (IN_DELETE | IN_MOVED_FROM))
		say_name("gone", event->name);
	else if (is_file(place, event->name, &st))
		say_file(event->name, &st);
}

static void hear(const struct place *place, int events, struct heard *heard)
{
	static char data[EVENTS_SIZE] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t length = read(events, data, sizeof(data));

	for (ssize_t at = 0; at < length;) {
		const struct inotify_event *event = (const void *)(data + at);

		hear_one(place, event, heard);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

/* Nobody is left who reads: the daemon is gone, or has another one. */
static void end_with_reader(const struct pollfd *output)
{
	if (output->revents & (POLLERR | POLLHUP))
		_exit(0);
}

static void watch(const struct place *place, int events)
{
	bool again = scan(place);
	struct heard heard = {};

	while (!heard.ends) {
		struct pollfd polled[2] = {{events, POLLIN, 0}, {OUTPUT, 0, 0}};
		int ready = poll(polled, 2, AGAIN_MS * (again ? QUIET_S : 5));

		end_with_reader(&polled[1]);
		if (polled[0].revents)
			hear(place, events, &heard);
		if (heard.lost)
			say_word("overflow", NULL);
		if (heard.lost || (again && ready == 0))
			again = scan(place);
		heard.lost = false;
		/* A directory above it may have been renamed, of which nobody tells. */
		if (ready == 0)
			heard.ends |= !place_stands(place);
	}
}

static int begin(const struct place *place)
{
	char path[64];
	int events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", place->fd);
	if (events >= 0 && inotify_add_watch(events, path, CHANGES | ENDS | IN_ONLYDIR) < 0) {
		int error = errno;

		close(events);
		errno = error;
		return -1;
	}
	return events;
}

static void pause_and_look(void)
{
	struct pollfd output = {OUTPUT, 0, 0};

	poll(&output, 1, AGAIN_MS);
	end_with_reader(&output);
}

/* Watches while it is there. */
static void attend(struct place *place, char **said)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	int r = place_open(place, &why), events;

	if (r < 0) {
		say_word("refused", why.data ? why.data : strerror(-r));
		_exit(-r);
	}
	events = r == 0 ? begin(place) : -1;
	if (r == 0 && events < 0)
		buf_printf(&why, "%s: %s", place->path, strerror(errno));
	if (events < 0) {
		say_missing(said, why.data ? why.data : "no memory");
	} else {
		say_missing(said, NULL);
		say_word("watching", NULL);
		watch(place, events);
	}
	close_fd(events);
	place_close(place);
}

int main(void)
{
	struct place place;
	char *said = NULL;

	signal(SIGIO, SIG_IGN); /* somebody writes what we have a lease on */
	signal(SIGPIPE, SIG_IGN);
	if (place_read(&place, INPUT) < 0) {
		say_word("refused", "fnfs-watch does not understand its job");
		return EINVAL;
	}
	for (;;) {
		attend(&place, &said);
		pause_and_look();
	}
}
