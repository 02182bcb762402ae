/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnfs call: one conversation on `invoke`. The event is written, the first read starts the call, and what
 * is read goes to standard output as it comes. Where the response would have ended, a read that fails says
 * how the call ended; the error's body has been read, and printed, by then. Ctrl-C ends this process, which
 * closes the conversation, which cancels the call.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "command.h"
#include "target.h"

static const struct {
	int error;
	int status;
	const char *sentence;
} ends[] = {
        {EREMOTEIO, COMMAND_FAILED, "the function raised an error"},
        {ETIMEDOUT, COMMAND_FAILED, "the call took longer than config/timeout"},
        {ENOMEM, COMMAND_FAILED, "the instance was killed at its memory limit, config/memory"},
        {ENOEXEC, COMMAND_FAILED, "the code does not start: see status"},
        {EBADMSG, COMMAND_FAILED, "the event is not what the runtime takes: JSON"},
        {EFBIG, COMMAND_FAILED, "the event or the response is larger than 6 MiB"},
        {ECANCELED, COMMAND_FAILED, "the call was cancelled"},
        {ESTALE, COMMAND_FAILED, "the version was removed"},
        {EAGAIN, COMMAND_UNABLE, "all instances are busy, or the function is disabled"},
        {EIO, COMMAND_UNABLE, "the platform failed: see its log with `fnfs logs`"},
        {ENOTCONN, COMMAND_UNABLE, "the daemon is gone: `fnfs mount` starts it again"},
        {ECONNABORTED, COMMAND_UNABLE, "the daemon is gone: `fnfs mount` starts it again"},
};

static int say_end(const struct target *target, int error)
{
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (ends[i].error == error)
			return complain(ends[i].status, "%s: %s", target->name, ends[i].sentence);
	return complain(COMMAND_UNABLE, "%s: %s", target->name, strerror(error));
}

/* All of it. 0 or -errno. */
static int write_whole(int fd, const char *data, size_t length)
{
	while (length) {
		ssize_t wrote = write(fd, data, length);
		if (wrote < 0 && errno != EINTR)
			return -errno;
		if (wrote > 0) {
			data += wrote;
			length -= (size_t)wrote;
		}
	}
	return 0;
}

static int send_text(const struct target *target, int invoke, const char *event)
{
	if (!*event)
		event = "{}";
	int error = write_whole(invoke, event, strlen(event));
	return error ? say_end(target, -error) : 0;
}

static int send_stream(const struct target *target, int invoke, int from, const char *name)
{
	static char piece[1 << 16];
	bool any = false;

	for (;;) {
		ssize_t got = read(from, piece, sizeof(piece));
		if (got == 0)
			return any ? 0 : send_text(target, invoke, "");
		if (got < 0 && errno != EINTR)
			return complain(COMMAND_UNABLE, "%s: %s", name, strerror(errno));
		int error = got > 0 ? write_whole(invoke, piece, (size_t)got) : 0;
		if (error)
			return say_end(target, -error);
		any = true;
	}
}

static int send_event(const struct target *target, int invoke, const char *event)
{
	if (strcmp(event, "-") == 0)
		return send_stream(target, invoke, STDIN_FILENO, "standard input");
	if (*event != '@')
		return send_text(target, invoke, event);
	CLEANUP(close_p) int file = open(event + 1, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return complain(COMMAND_UNABLE, "%s: %s", event + 1, strerror(errno));
	return send_stream(target, invoke, file, event + 1);
}

/* On a terminal the prompt shall not stick to the response. */
static void end_line(char last)
{
	if (last != '\n' && isatty(STDOUT_FILENO))
		write_whole(STDOUT_FILENO, "\n", 1);
}

static int receive(const struct target *target, int invoke)
{
	static char piece[1 << 16];
	char last = '\n';

	for (;;) {
		ssize_t got = read(invoke, piece, sizeof(piece));
		int error = got < 0 ? errno : 0;
		if (error == EINTR)
			continue;
		if (got <= 0) {
			end_line(last);
			return error ? say_end(target, error) : COMMAND_DONE;
		}
		last = piece[got - 1];
		error = -write_whole(STDOUT_FILENO, piece, (size_t)got);
		if (error)
			return complain(COMMAND_UNABLE, "standard output: %s", strerror(error));
	}
}

static int call(const struct target *target, const char *event)
{
	CLEANUP(close_p) int invoke = openat(target->directory, "invoke", O_RDWR | O_CLOEXEC);
	int status;

	if (invoke < 0)
		return target_complain(target, COMMAND_UNABLE, errno);
	status = send_event(target, invoke, event);
	return status ? status : receive(target, invoke);
}

static int call_run(const struct command *command, int argc, char **argv)
{
	struct target target = TARGET_INIT;
	int answer = getopt(argc, argv, "+:");
	int status;

	if (answer >= 0)
		return complain_option(command, answer, argv);
	argc -= optind;
	argv += optind;
	if (argc < 1)
		return complain_usage(command, "call: which function?");
	if (argc > 2)
		return complain_usage(command, "call: the event is one word: put it in quotes");
	status = target_open(&target, argv[0]);
	if (!status)
		status = call(&target, argc > 1 ? argv[1] : "");
	target_close(&target);
	return status;
}

const struct command command_call = {
        .name = "call",
        .usage = "call NAME[:VERSION|@ALIAS] [EVENT|-|@FILE]",
        .summary = "call a function and print its response",
        .details = "EVENT is passed on as it is; `-` reads it from standard input, `@FILE` from a\n"
                   "file; without one it is {}. The response is printed as it comes; Ctrl-C\n"
                   "cancels. Exit status: 0 there was a response; 1 the function failed (the body\n"
                   "of the error is printed, the reason said on standard error); 3 it was not\n"
                   "called (no such function, busy, disabled, no mount).\n",
        .run = call_run,
};
