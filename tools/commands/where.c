/* SPDX-License-Identifier: Apache-2.0 */
/* fnfs where: `cd "$(fnfs where)"`. */
#include <getopt.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "command.h"
#include "mountpoint.h"

static int where_run(const struct command *command, int argc, char **argv)
{
	CLEANUP(free_p) char *path = NULL;
	int answer = getopt(argc, argv, ":");

	if (answer >= 0)
		return complain_option(command, answer, argv);
	if (argc > 1)
		return complain_usage(command, "where: wants nothing more");
	CLEANUP(close_p) int root = mountpoint_open();
	if (root < 0 || mountpoint_find(&path) < 0)
		return COMMAND_UNABLE;
	return puts(path) < 0 ? COMMAND_UNABLE : COMMAND_DONE;
}

const struct command command_where = {
        .name = "where",
        .usage = "where",
        .summary = "say where it is mounted",
        .details = "It is $FNFS; else the mount you stand in; else the only one you have; "
                   "else ~/fn.\n",
        .run = where_run,
};
