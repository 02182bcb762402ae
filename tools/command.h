/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A subcommand of `fnfs` is one row: what it is called, how it is typed, what it does. The list of
 * them all is COMMANDS below; each has a file of its own in commands/ that defines `command_NAME`.
 * Commands speak to the mount with open, read, write and readdir, like everybody else; what a
 * command can do, `cat` and `echo` can do too.
 */

#define COMMANDS(COMMAND) \
	COMMAND(mount) \
	COMMAND(umount) \
	COMMAND(new) \
	COMMAND(call) \
	COMMAND(logs) \
	COMMAND(ls) \
	COMMAND(wait) \
	COMMAND(publish) \
	COMMAND(ship) \
	COMMAND(export) \
	COMMAND(import) \
	COMMAND(fsck) \
	COMMAND(where) \
	COMMAND(doctor)

/* Exit statuses, the same for every subcommand. */
enum {
	COMMAND_DONE = 0,
	COMMAND_FAILED = 1,    /* the answer is no: the function failed, is broken, ... */
	COMMAND_USAGE = 2,     /* typed wrong */
	COMMAND_UNABLE = 3,    /* could not ask: no mount, no such function, busy, disabled */
	COMMAND_EXPIRED = 124, /* a --timeout passed, as timeout(1) says it */
};

struct command {
	const char *name;
	const char *usage;   /* what follows `fnfs` */
	const char *summary; /* one line of `fnfs help` */
	const char *details; /* the rest of `fnfs help NAME`; whole lines */
	int (*run)(const struct command *command, int argc, char **argv); /* argv[0] is the name */
};

#define COMMAND_DECLARE(name) extern const struct command command_##name;
COMMANDS(COMMAND_DECLARE)

/* Says `fnfs: SENTENCE` on standard error and returns the status, to be returned further. */
int complain(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with how the command is typed below it; always COMMAND_USAGE. */
int complain_usage(const struct command *command, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* What getopt_long() answered with '?' or ':'; says so as complain_usage(). */
int complain_option(const struct command *command, int answer, char **argv);
