/* SPDX-License-Identifier: Apache-2.0 */
#include "importing_triggers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "command.h"
#include "text.h"

static char *path_of(const struct bundle_part *trigger, const char *file)
{
	char *path;

	return asprintf(&path, "triggers/%s%s%s", trigger->name, *file ? "/" : "", file) < 0 ? NULL
	                                                                                     : path;
}

/* The mount's own sentence, which names the file. */
static int complain_refused(const struct importing *importing, const char *path, int error)
{
	CLEANUP(free_p) char *why = text_read_line(importing->function, "last_error");

	return complain(COMMAND_UNABLE, "%s (`fnfs import --without-triggers` has the rest)",
	        why && strstr(why, path) ? why : strerror(error));
}

static int write_value(const struct importing *importing, const struct bundle_part *trigger,
        const char *file, const char *text)
{
	CLEANUP(free_p) char *path = path_of(trigger, file);
	size_t length = strlen(text);
	int fd, error;

	if (!path)
		return complain(COMMAND_UNABLE, "out of memory");
	/* An empty payload is what a new trigger has. */
	if (!length)
		return 0;
	fd = openat(importing->function, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	error = fd < 0 ? errno : write(fd, text, length) == (ssize_t)length ? 0 : errno;
	if (fd >= 0 && close(fd) < 0 && !error)
		error = errno;
	return error ? complain_refused(importing, path, error) : 0;
}

static bool is_enabled(const struct bundle_text *text)
{
	return strcmp(text->path, "enabled") == 0;
}

static int make(struct importing *importing, struct bundle_part *trigger)
{
	CLEANUP(free_p) char *path = path_of(trigger, "");
	const struct bundle_text *text;
	int status;

	if (!path)
		return complain(COMMAND_UNABLE, "out of memory");
	if (mkdirat(importing->function, path, 0777) < 0)
		return errno == EEXIST ? 0 : complain_refused(importing, path, errno);
	trigger->made = true;
	importing->triggers++;
	status = write_value(importing, trigger, "enabled", "0\n");
	list_each(text, &trigger->texts, link)
		if (!status && !is_enabled(text))
			status = write_value(importing, trigger, text->path, text->text);
	return status;
}

int importing_make_triggers(struct importing *importing)
{
	struct bundle_part *trigger;
	int status = 0;

	list_each(trigger, &importing->bundle->triggers, link)
		if (!status)
			status = make(importing, trigger);
	return status;
}

int importing_enable_triggers(struct importing *importing)
{
	struct bundle_part *trigger;
	const struct bundle_text *text;
	int status = 0;

	list_each(trigger, &importing->bundle->triggers, link)
		list_each(text, &trigger->texts, link)
			if (!status && trigger->made && is_enabled(text))
				status = write_value(importing, trigger, text->path, text->text);
	return status;
}

static int compare(const struct importing *importing, const struct bundle_part *trigger)
{
	CLEANUP(free_p) char *directory = path_of(trigger, "");
	const struct bundle_text *text;

	if (!directory)
		return complain(COMMAND_UNABLE, "out of memory");
	if (faccessat(importing->function, directory, F_OK, 0) < 0)
		return 0;
	list_each(text, &trigger->texts, link) {
		CLEANUP(free_p) char *path = path_of(trigger, text->path);
		CLEANUP(free_p) char *found = path ? text_read(importing->function, path) : NULL;

		if (!is_enabled(text) && (!found || strcmp(found, text->text) != 0))
			return complain(COMMAND_FAILED,
			        "%s is there with another %s than in the archive: nothing was "
			        "changed; to have the rest, `fnfs import --without-triggers`",
			        importing->name, path ? path : directory);
	}
	return 0;
}

int importing_compare_triggers(const struct importing *importing)
{
	const struct bundle_part *trigger;
	int status = 0;

	list_each(trigger, &importing->bundle->triggers, link)
		if (!status)
			status = compare(importing, trigger);
	return status;
}
