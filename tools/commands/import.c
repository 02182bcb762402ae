/* SPDX-License-Identifier: Apache-2.0 */
/* fnfs import: what `fnfs export` wrote becomes a function again (importing.c). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bundle.h"
#include "command.h"
#include "importing.h"
#include "mountpoint.h"

static volatile sig_atomic_t interrupted; /* a signal handler has nowhere else to say it */

static void interrupt(int number)
{
	interrupted = 1;
}

static bool go_on(void)
{
	return !interrupted;
}

/* Half an import is undone before this process ends. */
static void catch_signals(void)
{
	const struct sigaction action = {.sa_handler = interrupt};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

/* --- the archive ------------------------------------------------------------------------------ */

/* A file without a name, that is gone with this process. */
static int open_spool(void)
{
	const char *directory = getenv("TMPDIR");
	char path[] = "/tmp/fnfs-import-XXXXXX";
	int fd = open(
	        directory && *directory ? directory : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static int spool(int to)
{
	static char piece[1 << 16];
	ssize_t got, wrote;

	while ((got = read(STDIN_FILENO, piece, sizeof(piece))) > 0)
		for (ssize_t at = 0; at < got; at += wrote) {
			wrote = write(to, piece + at, (size_t)(got - at));
			if (wrote < 0)
				return -errno;
		}
	return got < 0 ? -errno : 0;
}

/*
 * The archive is read twice, so what comes through a pipe is kept meanwhile. -1 after saying why.
 */
static int open_archive(void)
{
	struct stat status;
	int fd, error;

	if (fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode))
		return dup(STDIN_FILENO);
	fd = open_spool();
	error = fd < 0 ? -errno : spool(fd);
	if (!error)
		return fd;
	close_fd(fd);
	complain(COMMAND_UNABLE, "reading the archive: %s", strerror(-error));
	return -1;
}

/* --- the import ------------------------------------------------------------------------------- */

static int conclude(const struct importing *importing)
{
	if (!importing->made && !importing->published && !importing->aliases &&
	        !importing->triggers)
		printf("%s is there already\n", importing->name);
	else
		printf("%s is imported: versions published %u, there before %u; aliases %u, "
		       "triggers %u\n",
		        importing->name, importing->published, importing->there, importing->aliases,
		        importing->triggers);
	return fflush(stdout) ? COMMAND_UNABLE : COMMAND_DONE;
}

static int import(const struct bundle *bundle, const char *name, bool without_triggers)
{
	CLEANUP(close_p) int root = mountpoint_open();
	struct importing importing = {.bundle = bundle,
	        .name = name ? name : bundle->name,
	        .without_triggers = without_triggers,
	        .root = root,
	        .go_on = go_on};
	int status;

	if (root < 0)
		return COMMAND_UNABLE;
	catch_signals();
	status = importing_run(&importing);
	if (status && interrupted)
		complain(status, "interrupted: all is as it was before");
	importing_deinit(&importing);
	return status ? status : conclude(&importing);
}

static int import_run(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {{"without-triggers", no_argument, NULL, 't'}, {}};
	bool without_triggers = false;
	struct bundle bundle;
	int answer, status;

	while ((answer = getopt_long(argc, argv, ":", options, NULL)) >= 0) {
		if (answer != 't')
			return complain_option(command, answer, argv);
		without_triggers = true;
	}
	if (argc - optind > 1)
		return complain_usage(command, "import: one function at a time");
	if (isatty(STDIN_FILENO))
		return complain_usage(command, "import: from which file? Say it with <");
	if (argc - optind && (!*argv[optind] || strpbrk(argv[optind], "/:@")))
		return complain_usage(command, "import: `%s` is no name", argv[optind]);
	CLEANUP(close_p) int fd = open_archive();
	if (fd < 0)
		return COMMAND_UNABLE;
	status = bundle_read(&bundle, fd);
	if (!status && (strpbrk(bundle.name, "/") || !*bundle.name))
		status = complain(COMMAND_UNABLE, "the archive names no function");
	if (!status)
		status = import(&bundle, argc - optind ? argv[optind] : NULL, without_triggers);
	bundle_deinit(&bundle);
	return status;
}

const struct command command_import = {
        .name = "import",
        .usage = "import [--without-triggers] [NAME] < FILE",
        .summary = "make a function, with its versions, aliases and triggers, from an archive",
        .details =
                "FILE is what `fnfs export` wrote; NAME is another name than it had. The archive\n"
                "is looked at from end to end first. What is there already is left alone, and\n"
                "must be the same as in the archive: otherwise nothing is done. Importing twice\n"
                "does no harm. Triggers fire when all is there; routes of HTTP are given once,\n"
                "so that a copy beside the first may have to do without. Exit status: 0 it is "
                "there; 1 something else is there, or a\n"
                "package is missing; 3 it could not be done, or the archive is not whole.\n",
        .run = import_run,
};
