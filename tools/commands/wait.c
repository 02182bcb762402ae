/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnfs wait: looks at `status`, which never waits, until the code is known to load or not to. For a call it asks
 * results/.wait, which answers when the call has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/quantity.h"
#include "command.h"
#include "target.h"
#include "text.h"

#define LOOK_AGAIN_US 20000

/* What a state means to one who waits; states not named here pass. */
static const struct {
	const char *state;
	int status;
} final[] = {
        {"ready", COMMAND_DONE},
        {"broken", COMMAND_FAILED},
        {"disabled", COMMAND_FAILED},
        {"empty", COMMAND_FAILED},
};

static int judge(const char *state)
{
	for (size_t i = 0; i < ARRAY_SIZE(final); i++)
		if (strcmp(final[i].state, state) == 0)
			return final[i].status;
	return -1;
}

/* One look: an exit status, or -1 to look again. The status of what is not ready is printed. */
static int look(const struct target *target)
{
	CLEANUP(free_p) char *text = text_read(target->directory, "status");
	CLEANUP(free_p) char *state = text_value(text, "state");
	int status;

	if (!text)
		return complain(COMMAND_UNABLE, "%s: %s", target->name, strerror(errno));
	if (!state)
		return complain(COMMAND_UNABLE, "%s: its status has no state", target->name);
	status = judge(state);
	if (status > 0)
		fputs(text, stdout);
	return status;
}

static int wait_until(const struct target *target, int64_t timeout_ms)
{
	const struct timespec pause = {.tv_nsec = LOOK_AGAIN_US * 1000};
	int64_t begin_us = clock_monotonic_us(&clock_system);
	int status;

	while ((status = look(target)) < 0) {
		if (timeout_ms >= 0 &&
		        clock_monotonic_us(&clock_system) - begin_us >= timeout_ms * 1000)
			return complain(COMMAND_EXPIRED, "%s: not ready yet", target->name);
		nanosleep(&pause, NULL);
	}
	return status;
}

/* --- calls ------------------------------------------------------------------------------------ */

/* Opens what tells of the end and asks it. The descriptor, or -1 and an exit status. */
static int ask(const struct target *target, const char *call, int *status)
{
	CLEANUP(close_p)
	int fd = openat(target->directory, "results/.wait", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && write(fd, call, strlen(call)) >= 0)
		return take_fd(fd);
	*status = fd >= 0 && errno == ENOENT
	                  ? complain(COMMAND_UNABLE, "%s: there is no call %s", target->name, call)
	                  : complain(COMMAND_UNABLE, "%s: %s", target->name, strerror(errno));
	return -1;
}

static int show(const struct target *target, const char *path, FILE *out)
{
	int fd = openat(target->directory, path, O_RDONLY | O_CLOEXEC);
	char data[65536];
	ssize_t n;

	if (fd < 0)
		return complain(COMMAND_UNABLE, "%s/%s: %s", target->name, path, strerror(errno));
	while ((n = read(fd, data, sizeof(data))) > 0)
		fwrite(data, 1, (size_t)n, out);
	close(fd);
	return n < 0 ? complain(COMMAND_UNABLE, "%s/%s: %s", target->name, path, strerror(errno))
	             : COMMAND_DONE;
}

/* `results/NAME`, `failed/NAME` or `gone`. */
static int show_end(const struct target *target, char *place)
{
	char error[320];
	int status;

	place[strcspn(place, "\n")] = 0;
	if (strncmp(place, "results/", 8) == 0)
		return show(target, place, stdout);
	if (strncmp(place, "failed/", 7) != 0)
		return complain(COMMAND_FAILED, "%s: the call was cancelled", target->name);
	snprintf(error, sizeof(error), "%s.error", place);
	status = show(target, error, stderr);
	fputc('\n', stderr);
	return status ? status : COMMAND_FAILED;
}

static int wait_for_call(const struct target *target, const char *call, int64_t timeout_ms)
{
	struct pollfd waiting = {.events = POLLIN};
	char place[300];
	int status = 0;
	ssize_t n;

	CLEANUP(close_p) int fd = ask(target, call, &status);
	if (fd < 0)
		return status;
	waiting.fd = fd;
	if (timeout_ms > INT32_MAX)
		timeout_ms = INT32_MAX;
	if (poll(&waiting, 1, (int)timeout_ms) == 0)
		return complain(COMMAND_EXPIRED, "%s: %s has not ended yet", target->name, call);
	n = read(fd, place, sizeof(place) - 1);
	if (n <= 0)
		return complain(COMMAND_UNABLE, "%s: %s", target->name, strerror(errno));
	place[n] = 0;
	return show_end(target, place);
}

static int parse(const struct command *command, int argc, char **argv, int64_t *timeout_ms)
{
	static const struct option options[] = {
	        {"timeout", required_argument, NULL, 't'},
	        {},
	};
	int answer;

	while ((answer = getopt_long(argc, argv, ":t:", options, NULL)) >= 0) {
		if (answer != 't')
			return complain_option(command, answer, argv);
		if (quantity_parse_duration_ms(optarg, timeout_ms) < 0 || *timeout_ms < 0)
			return complain_usage(command, "wait: %s is no duration", optarg);
	}
	if (argc - optind != 1 && argc - optind != 2)
		return complain_usage(command, "wait: for which function, or which call of it?");
	return 0;
}

static int wait_run(const struct command *command, int argc, char **argv)
{
	struct target target = TARGET_INIT;
	int64_t timeout_ms = -1;
	int status = parse(command, argc, argv, &timeout_ms);

	if (!status)
		status = target_open(&target, argv[optind]);
	if (!status)
		status = optind + 1 < argc ? wait_for_call(&target, argv[optind + 1], timeout_ms)
		                           : wait_until(&target, timeout_ms);
	target_close(&target);
	return status;
}

const struct command command_wait = {
        .name = "wait",
        .usage = "wait NAME[:VERSION|@ALIAS] [CALL] [--timeout TIME]",
        .summary = "wait until a function's code is loaded, or an asynchronous call has ended",
        .details =
                "Exit status: 0 it is ready; 1 it is broken, disabled or has no code (its\n"
                "status is printed); 124 the time passed. With CALL, a name in its queue: 0 the\n"
                "result is printed; 1 it failed (the error is printed) or was cancelled.\n",
        .run = wait_run,
};
