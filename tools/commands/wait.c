/* SPDX-License-Identifier: Apache-2.0 */
/* fnfs wait: looks at `status`, which never waits, until the code is known to load or not to. */
#include <errno.h>
#include <getopt.h>
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
	if (argc - optind != 1)
		return complain_usage(command, "wait: for which function?");
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
		status = wait_until(&target, timeout_ms);
	target_close(&target);
	return status;
}

const struct command command_wait = {
        .name = "wait",
        .usage = "wait NAME[:VERSION|@ALIAS] [--timeout TIME]",
        .summary = "wait until a function's code is loaded, or known not to load",
        .details = "Exit status: 0 it is ready; 1 it is broken, disabled or has no code (its\n"
                   "status is printed); 124 the time passed.\n",
        .run = wait_run,
};
