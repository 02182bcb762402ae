/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnfs logs: what `cat logs/current`, `cat logs/[0-9]*` and `cat logs/follow` show. Following begins with the
 * last lines of the file. The follower is opened before the file is read, so that no line falls between them,
 * and what both have is shown once.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/quantity.h"
#include "command.h"
#include "mountpoint.h"
#include "target.h"

#define PIECE (1 << 16)

struct reading {
	bool follow;
	bool all;
	int64_t lines; /* -1 = every line */
};

/* Reads what is there now to its end. 0 or -errno. */
static int read_to_end(int fd, struct buf *text)
{
	for (;;) {
		char *room = buf_reserve(text, PIECE);
		ssize_t got = room ? read(fd, room, PIECE) : 0;
		if (!room)
			return -ENOMEM;
		if (got == 0)
			return 0;
		if (got > 0)
			buf_added(text, (size_t)got);
		else if (errno != EINTR)
			return -errno;
	}
}

/* Where the last `lines` lines begin. */
static size_t tail_begin(const struct buf *text, int64_t lines)
{
	size_t at = text->length;

	if (lines < 0)
		return 0;
	while (at && lines >= 0) {
		at--;
		if (text->data[at] == '\n' && at + 1 < text->length && --lines == 0)
			return at + 1;
		if (lines == 0)
			return text->length;
	}
	return 0;
}

static int put(const char *data, size_t length)
{
	if (length && fwrite(data, 1, length, stdout) != length)
		return complain(COMMAND_UNABLE, "standard output: %s", strerror(errno));
	return fflush(stdout) ? COMMAND_UNABLE : 0;
}

static int show_tail(const struct buf *text, int64_t lines)
{
	size_t begin = tail_begin(text, lines);

	return text->length ? put(text->data + begin, text->length - begin) : 0;
}

/* How many bytes at the begin of `fresh` stand at the end of `shown` already. */
static size_t overlap(const struct buf *shown, const struct buf *fresh)
{
	size_t length = shown->length < fresh->length ? shown->length : fresh->length;

	while (length && memcmp(shown->data + shown->length - length, fresh->data, length) != 0)
		length--;
	return length;
}

/* What the follower has by now, without waiting. */
static int read_ready(int fd, struct buf *text)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	while (poll(&ready, 1, 0) > 0) {
		char *room = buf_reserve(text, PIECE);
		ssize_t got = room ? read(fd, room, PIECE) : 0;
		if (got <= 0)
			return got < 0 && errno != EAGAIN && errno != EINTR ? -errno : 0;
		buf_added(text, (size_t)got);
	}
	return 0;
}

static int follow(int follower, const struct buf *shown)
{
	static char piece[PIECE];
	CLEANUP(buf_deinit) struct buf fresh = BUF_INIT;
	int status = 0;
	ssize_t got;

	if (read_ready(follower, &fresh) == 0 && fresh.length) {
		size_t known = shown->length ? overlap(shown, &fresh) : 0;
		status = put(fresh.data + known, fresh.length - known);
	}
	while (!status) {
		got = read(follower, piece, sizeof(piece));
		if (got == 0)
			return COMMAND_DONE; /* the function is gone */
		if (got < 0 && errno != EINTR)
			return complain(COMMAND_UNABLE, "logs/follow: %s", strerror(errno));
		if (got > 0)
			status = put(piece, (size_t)got);
	}
	return status;
}

static int show_file(int directory, const char *name, int64_t lines, struct buf *text)
{
	CLEANUP(close_p) int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	int error = fd < 0 ? -errno : read_to_end(fd, text);

	if (error == -ENOENT)
		return 0; /* nothing was logged yet */
	if (error)
		return complain(COMMAND_UNABLE, "%s: %s", name, strerror(-error));
	return show_tail(text, lines);
}

static int show_and_follow(int directory, const struct reading *reading)
{
	CLEANUP(close_p) int follower = openat(directory, "logs/follow", O_RDONLY | O_CLOEXEC);
	CLEANUP(buf_deinit) struct buf shown = BUF_INIT;
	int status;

	if (follower < 0)
		return complain(COMMAND_UNABLE, "logs/follow: %s", strerror(errno));
	status = show_file(
	        directory, "logs/current", reading->lines < 0 ? 10 : reading->lines, &shown);
	return status ? status : follow(follower, &shown);
}

/* Segments are named by the time they begin at; `current` and `build` are none. */
static int show_all(int directory, int64_t lines)
{
	struct dirent **segments;
	CLEANUP(close_p) int logs = openat(directory, "logs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;
	int status = 0;
	int count = logs < 0 ? -1 : scandirat(logs, ".", &segments, NULL, alphasort);

	if (count < 0)
		return complain(COMMAND_UNABLE, "logs: %s", strerror(errno));
	for (int i = 0; i < count; i++) {
		if (!status && segments[i]->d_name[0] >= '0' && segments[i]->d_name[0] <= '9') {
			buf_clear(&text);
			status = show_file(logs, segments[i]->d_name, -1, &text);
		}
		free(segments[i]);
	}
	free(segments);
	return status;
}

static int show(int directory, const struct reading *reading)
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;

	if (reading->follow)
		return show_and_follow(directory, reading);
	if (reading->all)
		return show_all(directory, reading->lines);
	return show_file(directory, "logs/current", reading->lines, &text);
}

static int show_daemon(const struct reading *reading)
{
	CLEANUP(close_p) int root = mountpoint_open();
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;

	return root < 0 ? COMMAND_UNABLE : show_file(root, "log", reading->lines, &text);
}

static int parse(const struct command *command, int argc, char **argv, struct reading *reading)
{
	static const struct option options[] = {
	        {"follow", no_argument, NULL, 'f'},
	        {"all", no_argument, NULL, 'a'},
	        {"lines", required_argument, NULL, 'n'},
	        {},
	};
	int answer;

	while ((answer = getopt_long(argc, argv, ":fan:", options, NULL)) >= 0) {
		if (answer == 'f')
			reading->follow = true;
		else if (answer == 'a')
			reading->all = true;
		else if (answer != 'n')
			return complain_option(command, answer, argv);
		else if (quantity_parse_count(optarg, &reading->lines) < 0 || reading->lines < 0)
			return complain_usage(command, "logs: %s is no number of lines", optarg);
	}
	if (argc - optind > 1)
		return complain_usage(command, "logs: one function at a time");
	if (reading->all && (reading->follow || reading->lines >= 0))
		return complain_usage(command, "logs: --all goes with nothing else");
	if (reading->follow && optind == argc)
		return complain_usage(command, "logs: follow which function?");
	return 0;
}

static int logs_run(const struct command *command, int argc, char **argv)
{
	struct reading reading = {.lines = -1};
	struct target target = TARGET_INIT;
	int status = parse(command, argc, argv, &reading);

	if (status)
		return status;
	if (optind == argc)
		return show_daemon(&reading);
	status = target_open(&target, argv[optind]);
	if (!status)
		status = show(target.function, &reading);
	target_close(&target);
	return status;
}

const struct command command_logs = {
        .name = "logs",
        .usage = "logs [-f] [-n LINES] [--all] [NAME]",
        .summary = "print a function's log, or the daemon's",
        .details = "  -f, --follow       print new lines as they come, after the last ten\n"
                   "  -n, --lines LINES  only the last lines\n"
                   "  -a, --all          older segments too, oldest first\n",
        .run = logs_run,
};
