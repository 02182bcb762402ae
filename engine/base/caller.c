/* SPDX-License-Identifier: Apache-2.0 */
#include "base/caller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line of /proc/PID/status with the numbers of all other groups. */
static bool listed(const char *line, gid_t gid)
{
	const char *at = line;
	char *end;

	for (;;) {
		unsigned long number = strtoul(at, &end, 10);
		if (end == at)
			return false;
		if (number == gid)
			return true;
		at = end;
	}
}

bool caller_in_group(const struct caller *caller, gid_t gid)
{
	static const char name[] = "Groups:";
	char path[32], *line = NULL;
	size_t size = 0;
	bool found = false;
	FILE *status;

	if (caller->gid == gid)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)caller->pid);
	status = caller->pid ? fopen(path, "re") : NULL;
	if (!status)
		return false;
	while (!found && getline(&line, &size, status) > 0)
		if (strncmp(line, name, strlen(name)) == 0)
			found = listed(line + strlen(name), gid);
	free(line);
	fclose(status);
	return found;
}
