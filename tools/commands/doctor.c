/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnfs doctor: what this machine lacks, and what to type. What mounting needs is looked at here, one row for
 * each thing; what running functions needs (sandbox, limits, interpreters) is asked of the daemon's program,
 * which knows how it would do it: `fnfsd --doctor`.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "command.h"
#include "daemon.h"
#include "mountpoint.h"
#include "text.h"

enum finding { FOUND, FOUND_LIMITED, FOUND_MISSING };

static const char *const words[] = {"ok", "limited", "missing"};

static enum finding look_for_device(void)
{
	return access("/dev/fuse", F_OK) == 0 ? FOUND : FOUND_MISSING;
}

static enum finding look_for_access(void)
{
	return access("/dev/fuse", R_OK | W_OK) == 0 ? FOUND : FOUND_MISSING;
}

/* The path of a program; false when it is nowhere in $PATH. */
static bool find_program(const char *name, char path[4096])
{
	const char *directory = getenv("PATH");

	for (directory = directory ? directory : "/usr/bin:/bin"; *directory;) {
		int length = (int)strcspn(directory, ":");
		snprintf(path, 4096, "%.*s/%s", length, directory, name);
		if (access(path, X_OK) == 0)
			return true;
		directory += length + (directory[length] == ':');
	}
	return false;
}

/* An ordinary user mounts through it, so it must be root's and set-user-id. */
static enum finding look_for_fusermount(void)
{
	char path[4096];
	struct stat status;

	if (!find_program("fusermount3", path) || stat(path, &status) < 0)
		return FOUND_MISSING;
	if (geteuid() == 0 || (status.st_uid == 0 && (status.st_mode & S_ISUID)))
		return FOUND;
	return FOUND_MISSING;
}

/* fusermount3 unmounts for an ordinary user only what it finds there. */
static enum finding look_for_list(void)
{
	return geteuid() == 0 || access("/etc/mtab", R_OK) == 0 ? FOUND : FOUND_MISSING;
}

static enum finding look_for_allow_other(void)
{
	CLEANUP(free_p) char *text = text_read(AT_FDCWD, "/etc/fuse.conf");

	if (geteuid() == 0)
		return FOUND;
	for (char *rest = text, *line; rest && (line = strsep(&rest, "\n")) != NULL;)
		if (strncmp(line, "user_allow_other", 16) == 0)
			return FOUND;
	return FOUND_LIMITED;
}

static const struct check {
	enum finding (*look)(void);
	const char *name;
	const char *what; /* it is good for */
	const char *remedy;
} checks[] = {
        {look_for_device, "/dev/fuse", "the kernel's door for mounts like this",
                "sudo modprobe fuse (in a container: start it with --device /dev/fuse)"},
        {look_for_access, "/dev/fuse", "is open to this user", "sudo chmod 0666 /dev/fuse"},
        {look_for_fusermount, "fusermount3", "mounts for ordinary users",
                "sudo apt-get install --reinstall fuse3"},
        {look_for_list, "/etc/mtab", "unmounts for ordinary users",
                "sudo ln -s ../proc/self/mounts /etc/mtab"},
        {look_for_allow_other, "/etc/fuse.conf", "`-o allow_other`, to let other users in",
                "echo user_allow_other | sudo tee -a /etc/fuse.conf"},
};

/* Answers whether something is missing. */
static bool run_checks(void)
{
	bool missing = false;

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		enum finding finding = checks[i].look();
		printf("%-8s %s: %s\n", words[finding], checks[i].name, checks[i].what);
		if (finding != FOUND)
			printf("         type: %s\n", checks[i].remedy);
		missing |= finding == FOUND_MISSING;
	}
	fflush(stdout);
	return missing;
}

static int ask_daemon(void)
{
	CLEANUP(free_p) char *program = daemon_program();
	const char *argv[] = {program, "--doctor", NULL};
	pid_t pid;
	int status, error;

	if (!program)
		return COMMAND_UNABLE;
	error = posix_spawn(&pid, program, NULL, NULL, (char **)argv, environ);
	if (error)
		return complain(COMMAND_UNABLE, "%s: %s", program, strerror(error));
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return complain(COMMAND_UNABLE, "%s --doctor did not end well", program);
	return WEXITSTATUS(status);
}

static int doctor_run(const struct command *command, int argc, char **argv)
{
	int answer = getopt(argc, argv, ":");

	if (answer >= 0)
		return complain_option(command, answer, argv);
	if (argc > 1)
		return complain_usage(command, "doctor: wants nothing more");
	bool missing = run_checks();
	int status = ask_daemon();
	return missing && !status ? COMMAND_FAILED : status;
}

const struct command command_doctor = {
        .name = "doctor",
        .usage = "doctor",
        .summary = "say what this machine lacks, and what to type",
        .details = "Exit status: 0 nothing that is needed is missing; 1 something is.\n",
        .run = doctor_run,
};
