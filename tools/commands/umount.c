/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnfs umount: asks the daemon to end (SIGTERM: running calls end, then it unmounts) and waits until it
 * has. A mount whose daemon is gone is detached. Like umount(8) it refuses while somebody stands in the
 * mount, and says who.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/quantity.h"
#include "command.h"
#include "mountpoint.h"
#include "holders.h"
#include "text.h"

struct departure {
	const char *path;
	bool force;
	int64_t timeout_ms;
};

static bool still_mounted(const char *path)
{
	struct list mountpoints;
	bool mounted;

	if (mountpoints_read(&mountpoints) < 0)
		return true;
	mounted = mountpoints_at(&mountpoints, path) != NULL;
	mountpoints_free(&mountpoints);
	return mounted;
}

/* Lets go of a mount that nobody serves. */
static int detach(const char *path)
{
	const char *argv[] = {"fusermount3", "-u", "-z", "--", path, NULL};
	pid_t pid;
	int status;

	if (geteuid() == 0) {
		if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
			return COMMAND_DONE;
		return complain(COMMAND_UNABLE, "%s: %s", path, strerror(errno));
	}
	if (posix_spawnp(&pid, argv[0], NULL, NULL, (char **)argv, environ) != 0)
		return complain(COMMAND_UNABLE,
		        "fusermount3 is missing: `sudo apt-get install fuse3`, or "
		        "`sudo umount -l %s`",
		        path);
	if (waitpid(pid, &status, 0) < 0 || status)
		return COMMAND_UNABLE; /* it has said why */
	return COMMAND_DONE;
}

/* The daemon's pid as its `status` says; 0 when nobody answers there. */
static pid_t daemon_pid(const char *path)
{
	CLEANUP(close_p) int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(free_p) char *status = root < 0 ? NULL : text_read(root, "status");
	CLEANUP(free_p) char *pid = text_value(status, "pid");

	return pid ? atoi(pid) : 0;
}

/* Numbers are used again: the process must look like what it is taken for. */
static bool is_daemon(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	CLEANUP(free_p) char *name = text_read_line(AT_FDCWD, path);
	return name && strcmp(name, "fnfsd") == 0;
}

static int say_holders(const struct departure *departure, int status, pid_t daemon)
{
	CLEANUP(buf_deinit) struct buf holders = BUF_INIT;

	if (!holders_find(departure->path, daemon, &holders))
		return status;
	return complain(COMMAND_FAILED, "%s is in use:\n%s\nleave it, or `fnfs umount --force %s`",
	        departure->path, holders.data ? holders.data : "", departure->path);
}

static int wait_for_end(const struct departure *departure, int pidfd)
{
	struct pollfd end = {.fd = pidfd, .events = POLLIN};
	int timeout = departure->timeout_ms > INT32_MAX ? -1 : (int)departure->timeout_ms;

	if (poll(&end, 1, timeout) == 0)
		return complain(COMMAND_EXPIRED,
		        "the daemon still waits for running calls; it goes on to do so");
	if (still_mounted(departure->path))
		return detach(departure->path);
	return COMMAND_DONE;
}

static int ask_to_end(const struct departure *departure, pid_t pid)
{
	CLEANUP(close_p) int pidfd = pidfd_open(pid, 0);

	if (pidfd < 0 || !is_daemon(pid))
		return detach(departure->path);
	if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0) < 0)
		return complain(COMMAND_UNABLE, "%s is another user's: %s", departure->path,
		        strerror(errno));
	return wait_for_end(departure, pidfd);
}

static int depart(const struct departure *departure)
{
	pid_t pid;
	int status = COMMAND_DONE;

	if (!still_mounted(departure->path))
		return complain(COMMAND_UNABLE, "no fnfs is mounted at %s", departure->path);
	pid = daemon_pid(departure->path);
	if (pid && !departure->force)
		status = say_holders(departure, COMMAND_DONE, pid);
	if (status)
		return status;
	return pid ? ask_to_end(departure, pid) : detach(departure->path);
}

static int parse(const struct command *command, int argc, char **argv, struct departure *departure)
{
	static const struct option options[] = {
	        {"force", no_argument, NULL, 'f'},
	        {"timeout", required_argument, NULL, 't'},
	        {},
	};
	int answer;

	while ((answer = getopt_long(argc, argv, ":ft:", options, NULL)) >= 0) {
		if (answer == 'f')
			departure->force = true;
		else if (answer != 't')
			return complain_option(command, answer, argv);
		else if (quantity_parse_duration_ms(optarg, &departure->timeout_ms) < 0)
			return complain_usage(command, "umount: %s is no duration", optarg);
	}
	if (argc - optind > 1)
		return complain_usage(command, "umount: one directory at a time");
	departure->path = argv[optind];
	return 0;
}

static int umount_run(const struct command *command, int argc, char **argv)
{
	struct departure departure = {.timeout_ms = 60000};
	CLEANUP(free_p) char *path = NULL;
	int status = parse(command, argc, argv, &departure);

	if (status)
		return status;
	if (!departure.path && mountpoint_find(&path) < 0)
		return COMMAND_UNABLE;
	if (departure.path && !(path = mountpoint_absolute(departure.path)))
		return complain(COMMAND_UNABLE, "%s: %s", departure.path, strerror(errno));
	departure.path = path;
	return depart(&departure);
}

const struct command command_umount = {
        .name = "umount",
        .usage = "umount [DIR] [--force] [--timeout TIME]",
        .summary = "let running calls end, then stop the platform",
        .details = "  -f, --force         even though somebody stands in it\n"
                   "  -t, --timeout TIME  wait at most so long (60s)\n",
        .run = umount_run,
};
