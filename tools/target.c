/* SPDX-License-Identifier: Apache-2.0 */
/* Turns NAME[:VERSION|@ALIAS] into descriptors; a wrong one is answered with what to type instead. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "command.h"
#include "mountpoint.h"
#include "target.h"
#include "text.h"

#define NAME_LONGEST 255

/* One component of a path: whatever else it is, the mount judges. */
static bool plain(const char *name)
{
	return *name && strlen(name) <= NAME_LONGEST && !strchr(name, '/') &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int enter(int parent, const char *collection, const char *name)
{
	CLEANUP(close_p)
	int directory = openat(parent, collection, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (directory < 0)
		return -1;
	return openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int open_function(struct target *target, const char *name)
{
	target->root = mountpoint_open();
	if (target->root < 0)
		return COMMAND_UNABLE;
	target->function = enter(target->root, "functions", name);
	if (target->function >= 0)
		return 0;
	if (errno == ENOENT)
		return complain(COMMAND_UNABLE,
		        "there is no function %s: `fnfs ls` lists them, `fnfs new %s` makes it",
		        name, name);
	return complain(COMMAND_UNABLE, "%s: %s", name, strerror(errno));
}

static int open_part(struct target *target, char kind, const char *name, const char *part)
{
	const char *collection = kind == ':' ? "versions" : "aliases";

	if (!kind)
		target->directory = dup(target->function);
	else
		target->directory = enter(target->function, collection, part);
	if (target->directory >= 0)
		return 0;
	if (errno == ENOENT)
		return complain(COMMAND_UNABLE, "%s has no %s %s", name,
		        kind == ':' ? "version" : "alias", part);
	return complain(COMMAND_UNABLE, "%s: %s", target->name, strerror(errno));
}

int target_open(struct target *target, const char *typed)
{
	CLEANUP(free_p) char *name = strdup(typed);
	size_t length = strcspn(typed, ":@");
	char kind = typed[length];
	int status;

	if (!name)
		return complain(COMMAND_UNABLE, "out of memory");
	target->name = typed;
	name[length] = 0;
	if (!plain(name) || (kind && !plain(name + length + 1)))
		return complain(
		        COMMAND_UNABLE, "`%s` is no NAME, NAME:VERSION or NAME@ALIAS", typed);
	status = open_function(target, name);
	return status ? status : open_part(target, kind, name, kind ? name + length + 1 : "");
}

int target_open_function(struct target *target, const char *typed)
{
	if (strpbrk(typed, ":@"))
		return complain(COMMAND_UNABLE, "`%s` is no name of a function", typed);
	return target_open(target, typed);
}

void target_close(struct target *target)
{
	target->root = close_fd(target->root);
	target->directory = close_fd(target->directory);
	target->function = close_fd(target->function);
}

int target_complain(const struct target *target, int status, int error)
{
	CLEANUP(free_p) char *why = text_read_line(target->function, "last_error");

	return complain(status, "%s: %s", target->name, why && *why ? why : strerror(error));
}
