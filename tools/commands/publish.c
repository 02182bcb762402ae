/* SPDX-License-Identifier: Apache-2.0 */
/* fnfs publish: what `mkdir versions/VERSION` does, repeated until it is done (publishing.c). */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "command.h"
#include "publishing.h"

static int publish(const struct target *target, const char *version)
{
	int error = publishing_run(target, version);

	return error ? publishing_complain(target, version, error) : COMMAND_DONE;
}

/* Somebody else may publish the same number at that moment; then it is the one after. */
static int publish_next(const struct target *target)
{
	for (;;) {
		CLEANUP(free_p) char *version = publishing_next(target);
		int error = version ? publishing_run(target, version) : -errno;

		if (!version)
			return complain(
			        COMMAND_UNABLE, "%s/versions: %s", target->name, strerror(-error));
		if (!error)
			return puts(version) < 0 ? COMMAND_UNABLE : COMMAND_DONE;
		if (error != -EEXIST)
			return publishing_complain(target, version, error);
	}
}

static int publish_run(const struct command *command, int argc, char **argv)
{
	struct target target = TARGET_INIT;
	int answer = getopt(argc, argv, ":");
	int status;

	if (answer >= 0)
		return complain_option(command, answer, argv);
	if (argc - optind < 1)
		return complain_usage(command, "publish: which function?");
	if (argc - optind > 2)
		return complain_usage(command, "publish: one version at a time");
	status = target_open_function(&target, argv[optind]);
	if (!status && argc - optind == 2)
		status = publish(&target, argv[optind + 1]);
	else if (!status)
		status = publish_next(&target);
	target_close(&target);
	return status;
}

const struct command command_publish = {
        .name = "publish",
        .usage = "publish NAME [VERSION]",
        .summary = "keep code and settings as they are now as a version",
        .details = "What was published does not change any more. Without VERSION it is the number\n"
                   "after the highest one so far, which is printed. On a terminal a bar shows how\n"
                   "far it is. Exit status: 0 it is published, and on the disk; 1 it is refused\n"
                   "(the name is taken or out of rule); 3 it could not be done.\n",
        .run = publish_run,
};
