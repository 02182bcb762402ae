/* SPDX-License-Identifier: Apache-2.0 */
/* The places where `fnfsd` may stand, most particular first. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "command.h"
#include "daemon.h"

/* Relative to the directory of this command; an absolute one stands for itself. */
static const char *const places[] = {
        "../fs/fnfsd",           /* the build tree */
        "../libexec/fnfs/fnfsd", /* an installation that was moved */
        FNFS_LIBEXEC "/fnfsd",
};

static char *own_directory(void)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (length < 0)
		return NULL;
	path[length] = 0;
	slash = strrchr(path, '/');
	if (slash)
		*slash = 0;
	return strdup(path);
}

static char *at_place(const char *directory, const char *place)
{
	char *path, *resolved;

	if (*place == '/')
		path = strdup(place);
	else if (asprintf(&path, "%s/%s", directory, place) < 0)
		path = NULL;
	resolved = path && access(path, X_OK) == 0 ? realpath(path, NULL) : NULL;
	free(path);
	return resolved;
}

char *daemon_program(void)
{
	const char *named = getenv("FNFS_DAEMON");
	CLEANUP(free_p) char *directory = own_directory();
	char *found = NULL;

	if (named && *named)
		return strdup(named);
	for (size_t i = 0; directory && !found && i < ARRAY_SIZE(places); i++)
		found = at_place(directory, places[i]);
	if (!found)
		complain(COMMAND_UNABLE, "the daemon is missing: there is no " FNFS_LIBEXEC
		                         "/fnfsd; install fnfs again");
	return found;
}
