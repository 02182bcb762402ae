/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnfs fsck: what `cat .fsck` in the mount or in a function does. Of a state directory that is not
 * mounted nobody can be asked but the daemon's program: `fnfsd --check-state DIR`, which takes the
 * lock meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "command.h"
#include "daemon.h"
#include "mountpoint.h"
#include "target.h"

#define PIECE (1 << 16)

/* Prints what comes; `last` is the last line, or a piece of it. */
static int print_all(int fd, struct buf *last)
{
	for (;;) {
		char *room = buf_reserve(last, PIECE), *end;
		ssize_t got = room ? read(fd, room, PIECE) : -1;

		if (got < 0 && errno != EINTR)
			return -errno;
		if (got == 0)
			return 0;
		if (got < 0)
			continue;
		if (fwrite(room, 1, (size_t)got, stdout) != (size_t)got || fflush(stdout))
			return -errno;
		buf_added(last, (size_t)got);
		end = last->length > 1 ? memrchr(last->data, '\n', last->length - 1) : NULL;
		if (end)
			buf_consume(last, (size_t)(end + 1 - last->data));
	}
}

/* The last line says how many problems there are. */
static int judge(const struct buf *last)
{
	uint64_t blobs, versions, problems;

	if (!last->length ||
	        sscanf(last->data, "%" SCNu64 " blobs, %" SCNu64 " versions, %" SCNu64 " problems",
	                &blobs, &versions, &problems) != 3)
		return COMMAND_UNABLE;
	return problems ? COMMAND_FAILED : COMMAND_DONE;
}

static int check_in(int directory, const char *what)
{
	CLEANUP(close_p) int fd = openat(directory, ".fsck", O_RDONLY | O_CLOEXEC);
	CLEANUP(buf_deinit) struct buf last = BUF_INIT;
	int error = fd < 0 ? -errno : print_all(fd, &last);

	if (error == -EACCES)
		return complain(COMMAND_UNABLE,
		        "%s: only the owner, and the owner of the mount, may check it", what);
	if (error)
		return complain(COMMAND_UNABLE, "%s: %s", what, strerror(-error));
	return judge(&last);
}

static int check_mount(void)
{
	CLEANUP(close_p) int root = mountpoint_open();

	return root < 0 ? COMMAND_UNABLE : check_in(root, "the mount");
}

static int check_function(const char *name)
{
	struct target target = TARGET_INIT;
	int status = target_open_function(&target, name);

	if (!status)
		status = check_in(target.function, name);
	target_close(&target);
	return status;
}

static int check_state(const char *state)
{
	CLEANUP(free_p) char *program = daemon_program();

	if (!program)
		return COMMAND_UNABLE;
	execl(program, program, "--check-state", state, NULL);
	return complain(COMMAND_UNABLE, "%s: %s", program, strerror(errno));
}

static int fsck_run(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
	        {"state", required_argument, NULL, 's'},
	        {},
	};
	const char *state = NULL;
	int answer;

	while ((answer = getopt_long(argc, argv, ":s:", options, NULL)) >= 0) {
		if (answer != 's')
			return complain_option(command, answer, argv);
		state = optarg;
	}
	if (argc - optind > 1)
		return complain_usage(command, "fsck: one function at a time");
	if (state && argc - optind)
		return complain_usage(command, "fsck: of a state directory all is checked");
	if (state)
		return check_state(state);
	return argc - optind ? check_function(argv[optind]) : check_mount();
}

const struct command command_fsck = {
        .name = "fsck",
        .usage = "fsck [NAME | --state DIR]",
        .summary = "read all that was published, and say what is damaged",
        .details =
                "Of the whole mount, or of one function; the platform works on meanwhile. With\n"
                "--state of a state directory that is not mounted. Says what is wrong and whose\n"
                "it is, and how much was looked at. Exit status: 0 nothing is wrong; 1 something\n"
                "is; 3 it could not be checked.\n",
        .run = fsck_run,
};
