/* SPDX-License-Identifier: Apache-2.0 */
#include "base/caller.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* The line of /proc/PID/status with the numbers of all other groups, to be freed, or NULL. */
static char *read_groups(pid_t pid)
{
	static const char name[] = "Groups:";
	char path[32], *line = NULL, *found = NULL;
	size_t size = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status = pid ? fopen(path, "re") : NULL;
	while (status && !found && getline(&line, &size, status) > 0)
		if (strncmp(line, name, strlen(name)) == 0)
			found = strdup(line + strlen(name));
	free(line);
	if (status)
		fclose(status);
	return found;
}

/* The next number of the line; false at its end. */
static bool next_group(const char **at, gid_t *gid)
{
	char *end;
	unsigned long number = strtoul(*at, &end, 10);

	if (end == *at)
		return false;
	*at = end;
	*gid = (gid_t)number;
	return true;
}

bool caller_in_group(const struct caller *caller, gid_t gid)
{
	CLEANUP(free_p) char *line = NULL;
	const char *at;
	bool found = false;
	gid_t each;

	if (caller->gid == gid)
		return true;
	line = read_groups(caller->pid);
	for (at = line; at && !found && next_group(&at, &each);)
		found = each == gid;
	return found;
}

int caller_groups(const struct caller *caller, gid_t **groups, size_t *count)
{
	CLEANUP(free_p) char *line = read_groups(caller->pid);
	const char *at = line;
	gid_t each;

	*count = 0;
	/* A number and a blank take two bytes. */
	*groups = calloc(line ? strlen(line) / 2 + 1 : 1, sizeof(**groups));
	if (!*groups)
		return -ENOMEM;
	while (at && next_group(&at, &each))
		(*groups)[(*count)++] = each;
	return 0;
}
