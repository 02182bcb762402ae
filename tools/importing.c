/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For each version that is not there its tree and settings are put in place and published. While
 * that goes on the function itself is disabled, so that what passes through its code/ is neither
 * tried nor called; its versions are called as ever. At last code and settings are its own again.
 */
#include "importing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "command.h"
#include "importing_compare.h"
#include "importing_triggers.h"
#include "publishing.h"
#include "settings.h"
#include "text.h"

/* The sentence of the function, where there is one. */
static int complain_why(const struct importing *importing, const char *what, int error)
{
	CLEANUP(free_p)
	char *why = importing->function < 0 ? text_read_line(importing->root, "last_error")
	                                    : text_read_line(importing->function, "last_error");

	return complain(COMMAND_UNABLE, "%s: %s", what, why && *why ? why : strerror(error));
}

/* These are set when all is there. */
static bool waits(const char *path)
{
	return strcmp(path, "min_instances") == 0 || strcmp(path, "max_instances") == 0;
}

/* --- one version after the other -------------------------------------------------------------- */

static int apply_settings(const struct importing *importing, const struct bundle_part *part)
{
	CLEANUP(buf_deinit) struct buf where = BUF_INIT;
	int error = settings_apply(importing->function, &part->texts, waits, &where);

	return error ? complain_why(importing, where.length ? where.data : "config", -error) : 0;
}

static int publish(const struct importing *importing, const struct bundle_part *part)
{
	const struct target target = {.name = importing->name,
	        .root = -1,
	        .directory = -1,
	        .function = importing->function};
	int error = publishing_run(&target, part->name);

	return error ? publishing_complain(&target, part->name, error) : 0;
}

/* What a publish does not take along, or took from the function while that was disabled. */
static int open_version(const struct importing *importing, const struct bundle_part *part)
{
	static const char *const late[] = {"max_instances", "min_instances"};
	CLEANUP(free_p) char *path = NULL;
	CLEANUP(close_p) int version = -1;
	int error = 0;

	if (asprintf(&path, "versions/%s", part->name) < 0)
		return complain(COMMAND_UNABLE, "out of memory");
	version = openat(importing->function, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (version < 0)
		return complain_why(importing, path, errno);
	for (size_t i = 0; i < ARRAY_SIZE(late) && !error; i++) {
		const char *text = settings_find(&part->texts, late[i]);

		error = text ? settings_write(version, late[i], text) : 0;
	}
	return error ? complain_why(importing, path, -error) : 0;
}

static bool is_published(const struct importing *importing, const struct bundle_part *part)
{
	const struct target target = {.function = importing->function};

	return publishing_is_there(&target, part->name);
}

static int prepare(void *userdata, const struct bundle_part *part)
{
	struct importing *importing = userdata;
	int error;

	if (part->name && is_published(importing, part))
		return -1;
	close_fd(importing->code);
	importing->code = openat(importing->function, "code", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	error = importing->code < 0 || fchmod(importing->code, 0755) < 0
	                ? -errno
	                : tree_empty(importing->code);
	if (!error)
		return importing->code;
	complain_why(importing, "code", -error);
	return -2;
}

/* One that a destination leads to; its routes come when all versions are there. */
static int need_alias(struct importing *importing, struct bundle_alias *alias)
{
	CLEANUP(free_p) char *path = NULL;

	if (asprintf(&path, "aliases/%s", alias->name) < 0)
		return complain(COMMAND_UNABLE, "out of memory");
	if (mkdirat(importing->function, path, 0777) < 0)
		return errno == EEXIST ? 0 : complain_why(importing, path, errno);
	importing->aliases++;
	alias->early = true;
	return 0;
}

static int need_aliases(struct importing *importing, const struct bundle_part *part)
{
	const struct bundle_text *text;
	struct bundle_alias *alias;
	int status = 0;

	list_each(text, &part->texts, link)
		list_each(alias, &importing->bundle->aliases, link)
			if (!status && text->is_link &&
			        settings_leads_to_alias(text->text, alias->name))
				status = need_alias(importing, alias);
	return status;
}

static int unpacked(void *userdata, const struct bundle_part *part)
{
	struct importing *importing = userdata;
	int status = need_aliases(importing, part);

	if (!status)
		status = apply_settings(importing, part);
	if (!status && part->name)
		status = publish(importing, part);
	if (!status && part->name) {
		status = open_version(importing, part);
		importing->published++;
	}
	return status;
}

/* --- the function ----------------------------------------------------------------------------- */

static int disable(const struct importing *importing)
{
	int error = settings_write(importing->function, "min_instances", "0\n");

	if (!error)
		error = settings_write(importing->function, "max_instances", "0\n");
	return error ? complain_why(importing, "config", -error) : 0;
}

static int enable(const struct importing *importing)
{
	CLEANUP(buf_deinit) struct buf where = BUF_INIT;
	int error = settings_apply(
	        importing->function, &importing->bundle->function.texts, NULL, &where);

	return error ? complain_why(importing, where.length ? where.data : "config", -error) : 0;
}

static bool always(void)
{
	return true;
}

static int prepare_function(void *userdata, const struct bundle_part *part)
{
	return part->name ? -1 : prepare(userdata, part);
}

/* Code and settings of a function that was there are again what they were: those of the archive. */
static void restore(struct importing *importing)
{
	const struct bundle_unpacking unpacking = {.prepare = prepare_function,
	        .unpacked = unpacked,
	        .go_on = always,
	        .userdata = importing};
	int status = bundle_unpack(importing->bundle, &unpacking);

	if (status || enable(importing))
		complain(COMMAND_UNABLE,
		        "the code of %s could not be put back: do it with `fnfs import`, or from "
		        "the "
		        "archive",
		        importing->name);
}

static int write_alias_file(
        const struct importing *importing, const char *alias, const char *file, const char *text)
{
	CLEANUP(free_p) char *path = NULL;
	size_t length = strlen(text);
	int fd, error;

	if (asprintf(&path, "aliases/%s/%s", alias, file) < 0)
		return complain(COMMAND_UNABLE, "out of memory");
	fd = openat(importing->function, path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	error = fd < 0 ? -errno : write(fd, text, length) == (ssize_t)length ? 0 : -errno;
	if (fd >= 0 && close(fd) < 0 && !error)
		error = -errno;
	return error ? complain_why(importing, path, -error) : 0;
}

static int make_alias(struct importing *importing, struct bundle_alias *alias)
{
	int status = need_alias(importing, alias);

	if (status || !alias->early)
		return status;
	status = write_alias_file(importing, alias->name, "routes", alias->routes);
	if (!status && alias->description && strcmp(alias->description, "\n") != 0)
		status =
		        write_alias_file(importing, alias->name, "description", alias->description);
	return status;
}

static int put_together(struct importing *importing)
{
	const struct bundle_unpacking unpacking = {.prepare = prepare,
	        .unpacked = unpacked,
	        .go_on = importing->go_on,
	        .userdata = importing};
	struct bundle_alias *alias;
	int status;

	importing->touched = true;
	status = disable(importing);
	if (!status)
		status = bundle_unpack(importing->bundle, &unpacking);
	list_each(alias, &importing->bundle->aliases, link)
		if (!status)
			status = make_alias(importing, alias);
	if (!status && !importing->without_triggers)
		status = importing_make_triggers(importing);
	return status ? status : enable(importing);
}

/* --- one that is not there yet ---------------------------------------------------------------- */

static int make_function(struct importing *importing)
{
	CLEANUP(free_p) char *path = NULL;
	unsigned number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number) ||
	        asprintf(&importing->made, "import-%08x", number) < 0 ||
	        asprintf(&path, "functions/%s", importing->made) < 0)
		return complain(COMMAND_UNABLE, "out of memory");
	if (mkdirat(importing->root, path, 0777) < 0)
		return complain_why(importing, path, errno);
	importing->function = openat(importing->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return importing->function < 0 ? complain_why(importing, path, errno) : 0;
}

static int give_name(struct importing *importing)
{
	CLEANUP(free_p) char *from = NULL;
	CLEANUP(free_p) char *to = NULL;

	if (asprintf(&from, "functions/%s", importing->made) < 0 ||
	        asprintf(&to, "functions/%s", importing->name) < 0)
		return complain(COMMAND_UNABLE, "out of memory");
	if (renameat2(importing->root, from, importing->root, to, RENAME_NOREPLACE) < 0) {
		importing->function = close_fd(importing->function); /* the mount has said why */
		return complain_why(importing, to, errno);
	}
	return 0;
}

static void remove_each(int function, const char *collection)
{
	struct dirent **names;
	CLEANUP(close_p) int fd = openat(function, collection, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int count = fd < 0 ? -1 : scandirat(fd, ".", &names, NULL, NULL);

	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.')
			unlinkat(fd, names[i]->d_name, AT_REMOVEDIR);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
}

/* Of what was begun nothing stays. */
static void discard(struct importing *importing)
{
	CLEANUP(free_p) char *path = NULL;
	CLEANUP(close_p) int function = -1;
	CLEANUP(close_p) int code = -1;

	if (asprintf(&path, "functions/%s", importing->made) < 0)
		return;
	function = openat(importing->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (function < 0)
		return;
	remove_each(function, "triggers");
	remove_each(function, "aliases");
	remove_each(function, "versions");
	code = openat(function, "code", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (code >= 0 && fchmod(code, 0755) == 0)
		tree_empty(code);
	if (unlinkat(importing->root, path, AT_REMOVEDIR) < 0)
		complain(COMMAND_UNABLE, "%s: %s: remove it with rm -rf", path, strerror(errno));
}

/* --- all of it -------------------------------------------------------------------------------- */

static int import_new(struct importing *importing)
{
	int status = importing_check_packages(importing);

	if (!status)
		status = make_function(importing);
	if (!status)
		status = put_together(importing);
	if (!status)
		status = give_name(importing);
	if (status && importing->made)
		discard(importing);
	return status ? status : importing_enable_triggers(importing);
}

static int import_missing(struct importing *importing)
{
	int status = importing_compare(importing);

	if (status || importing_is_complete(importing))
		return status;
	status = importing_check_packages(importing);
	if (!status)
		status = put_together(importing);
	if (status && importing->touched)
		restore(importing);
	return status ? status : importing_enable_triggers(importing);
}

int importing_run(struct importing *importing)
{
	CLEANUP(free_p) char *path = NULL;

	importing->function = importing->code = -1;
	if (asprintf(&path, "functions/%s", importing->name) < 0)
		return complain(COMMAND_UNABLE, "out of memory");
	importing->function = openat(importing->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (importing->function >= 0)
		return import_missing(importing);
	return errno == ENOENT ? import_new(importing) : complain_why(importing, path, errno);
}

void importing_deinit(struct importing *importing)
{
	importing->function = close_fd(importing->function);
	importing->code = close_fd(importing->code);
	free(importing->made);
}
