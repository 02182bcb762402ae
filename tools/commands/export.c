/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnfs export: a function, read file by file from the mount, in one archive (bundle.h) on standard
 * output.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bundle.h"
#include "command.h"
#include "settings.h"
#include "target.h"
#include "text.h"

/* Where a version's or the function's own things stand, in the mount and in the archive alike. */
static int write_settings(struct bundle_writer *writer, int directory, const char *prefix)
{
	CLEANUP(buf_deinit) struct buf where = BUF_INIT;
	const struct bundle_text *text;
	struct list texts;
	int error = settings_read(directory, &texts, &where);
	int status =
	        error ? complain(COMMAND_UNABLE, "%s%s: %s", prefix, where.data, strerror(-error))
	              : 0;

	list_each(text, &texts, link) {
		CLEANUP(free_p) char *path = NULL;

		if (!status && asprintf(&path, "%sconfig/%s", prefix, text->path) < 0)
			status = complain(COMMAND_UNABLE, "out of memory");
		if (!status)
			status = text->is_link ? bundle_write_link(writer, path, text->text)
			                       : bundle_write_text(writer, path, text->text);
	}
	settings_free(&texts);
	return status;
}

static int write_code(struct bundle_writer *writer, int directory, const char *prefix)
{
	CLEANUP(close_p) int code = openat(directory, "code", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(free_p) char *path = NULL;

	if (code < 0)
		return complain(COMMAND_UNABLE, "%scode: %s", prefix, strerror(errno));
	if (asprintf(&path, "%scode", prefix) < 0)
		return complain(COMMAND_UNABLE, "out of memory");
	return bundle_write_tree(writer, path, code);
}

static int write_version(struct bundle_writer *writer, int versions, const char *name)
{
	CLEANUP(close_p)
	int version = openat(versions, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	CLEANUP(free_p) char *prefix = NULL;
	int status;

	if (version < 0)
		return complain(COMMAND_UNABLE, "versions/%s: %s", name, strerror(errno));
	if (asprintf(&prefix, "versions/%s/", name) < 0)
		return complain(COMMAND_UNABLE, "out of memory");
	status = write_settings(writer, version, prefix);
	return status ? status : write_code(writer, version, prefix);
}

static int write_alias_file(
        struct bundle_writer *writer, int aliases, const char *name, const char *file)
{
	CLEANUP(free_p) char *path = NULL;
	CLEANUP(free_p) char *text = NULL;

	if (asprintf(&path, "aliases/%s/%s", name, file) < 0)
		return complain(COMMAND_UNABLE, "out of memory");
	text = text_read(aliases, path + strlen("aliases/"));
	if (!text)
		return complain(COMMAND_UNABLE, "%s: %s", path, strerror(errno));
	return bundle_write_text(writer, path, text);
}

static int write_alias(struct bundle_writer *writer, int aliases, const char *name)
{
	int status = write_alias_file(writer, aliases, name, "routes");

	return status ? status : write_alias_file(writer, aliases, name, "description");
}

/* In the order of readdir, which for versions is that of publishing; `latest` is a link. */
static int write_each(struct bundle_writer *writer, int function, const char *collection,
        int (*write_one)(struct bundle_writer *writer, int directory, const char *name))
{
	struct dirent **names;
	int status = 0;
	CLEANUP(close_p) int fd = openat(function, collection, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int count = fd < 0 ? -1 : scandirat(fd, ".", &names, NULL, NULL);

	if (count < 0)
		return complain(COMMAND_UNABLE, "%s: %s", collection, strerror(errno));
	for (int i = 0; i < count; i++) {
		if (!status && names[i]->d_name[0] != '.' && names[i]->d_type == DT_DIR)
			status = write_one(writer, fd, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return status;
}

/* What is set of it: what can be written. */
static bool is_set(int trigger, const char *name, mode_t *mode)
{
	struct stat status;

	if (*name == '.' || fstatat(trigger, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	*mode = status.st_mode;
	return S_ISREG(status.st_mode) && status.st_mode & 0200;
}

static int write_trigger_file(
        struct bundle_writer *writer, int trigger, const char *name, const char *file, mode_t mode)
{
	CLEANUP(free_p) char *path = NULL;
	CLEANUP(free_p) char *text = NULL;

	if (asprintf(&path, "triggers/%s/%s", name, file) < 0)
		return complain(COMMAND_UNABLE, "out of memory");
	text = text_read(trigger, file);
	if (!text)
		return complain(COMMAND_UNABLE, "%s: %s", path, strerror(errno));
	return mode & 077 ? bundle_write_text(writer, path, text)
	                  : bundle_write_secret(writer, path, text);
}

/* In the order of readdir, in which the source comes behind what is set of the trigger. */
static int write_trigger(struct bundle_writer *writer, int triggers, const char *name)
{
	struct dirent **names;
	CLEANUP(close_p) int fd = openat(triggers, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int count = fd < 0 ? -1 : scandirat(fd, ".", &names, NULL, NULL);
	int status = 0;
	mode_t mode;

	if (count < 0)
		return complain(COMMAND_UNABLE, "triggers/%s: %s", name, strerror(errno));
	for (int i = 0; i < count; i++) {
		if (!status && is_set(fd, names[i]->d_name, &mode))
			status = write_trigger_file(writer, fd, name, names[i]->d_name, mode);
		free(names[i]);
	}
	free(names);
	return status;
}

static int export(const struct target *target)
{
	struct bundle_writer *writer;
	int status = bundle_writer_new(&writer, STDOUT_FILENO, target->name);

	if (!status)
		status = write_each(writer, target->function, "versions", write_version);
	if (!status)
		status = write_each(writer, target->function, "aliases", write_alias);
	if (!status)
		status = write_each(writer, target->function, "triggers", write_trigger);
	if (!status)
		status = write_settings(writer, target->function, "");
	if (!status)
		status = write_code(writer, target->function, "");
	if (!status)
		status = bundle_write_end(writer);
	bundle_writer_free(writer);
	return status;
}

static int export_run(const struct command *command, int argc, char **argv)
{
	struct target target = TARGET_INIT;
	int answer = getopt(argc, argv, ":");
	int status;

	if (answer >= 0)
		return complain_option(command, answer, argv);
	if (argc - optind != 1)
		return complain_usage(command, "export: which function?");
	if (isatty(STDOUT_FILENO))
		return complain_usage(command, "export: an archive is nothing to read: write it to "
		                               "a file, with >");
	status = target_open_function(&target, argv[optind]);
	if (!status)
		status = export(&target);
	target_close(&target);
	return status;
}

const struct command command_export = {
        .name = "export",
        .usage = "export NAME > FILE",
        .summary = "write a function with its versions, aliases and triggers to one archive",
        .details =
                "Code (all of it, .git too), settings, environment, versions, aliases and their\n"
                "routes, triggers with the passwords in their sources; not logs, metrics or\n"
                "packages it depends on. `tar tf FILE` lists it, `fnfs import` has it again.\n"
                "Exit status: 0 it is whole; 1 the code was changed meanwhile; 3 it could not\n"
                "be read. What is not whole, import refuses.\n",
        .run = export_run,
};
