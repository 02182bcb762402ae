/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnfs-init: the first process inside a sandbox. It starts the runtime, collects orphans, tells the
 * guardian how the runtime ended, and goes, which ends whatever is left in its pid namespace. Small and
 * static, for it is started with every instance:
 *
 *	fnfs-init PROCESSES PROGRAM [ARGUMENT]...
 *
 * Messages to the guardian are packets on what was standard error until now, each with the sender's
 * pid attached by the kernel, so that the guardian learns pids of its own namespace:
 *
 *	\1p          the runtime's process, before its exec
 *	\1r          init: the runtime runs
 *	\1e STATUS   init: the runtime ended, as wait(2) said it
 *	text         it did not start, and this is why
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT = 5, STATUS = 6 };

static void say(const char *text)
{
	if (send(STATUS, text, strlen(text), MSG_NOSIGNAL) < 0)
		_exit(126); /* the guardian is gone, and so are we */
}

/* 0 in, 1 and 2 the output, 3 and 4 the channel; the rest is closed, and STATUS goes at exec. */
static void arrange_descriptors(void)
{
	if (dup2(2, STATUS) < 0 || fcntl(STATUS, F_SETFD, FD_CLOEXEC) < 0)
		_exit(126);
	if (dup2(OUTPUT, 1) < 0 || dup2(OUTPUT, 2) < 0)
		_exit(126);
	close(OUTPUT);
	close_range(STATUS + 1, ~0u, 0);
}

/* Counted within this user namespace alone, which is why it is set here and not before. */
static void limit_processes(const char *text)
{
	rlim_t count = strtoul(text, NULL, 10);

	if (count)
		setrlimit(RLIMIT_NPROC, &(struct rlimit){count + 1, count + 1});
}

static pid_t start_runtime(char **argv)
{
	volatile int error = 0;
	char text[256];
	pid_t pid = vfork();

	if (pid == 0) {
		say("\1p");
		setsid();
		execv(argv[0], argv);
		error = errno;
		_exit(127);
	}
	if (pid < 0)
		error = errno;
	if (!error)
		return pid;
	snprintf(text, sizeof(text), "%s: %s", argv[0], strerror(error));
	say(text);
	_exit(127);
}

/* Until the runtime itself has ended; orphans are collected on the way. */
static int wait_for(pid_t runtime)
{
	int status = 0;
	pid_t pid;

	do {
		pid = waitpid(-1, &status, 0);
	} while (pid != runtime && (pid > 0 || errno == EINTR));
	return status;
}

/* All go with us anyway; but only what is waited for counts in what the kernel says we used. */
static void end_the_rest(void)
{
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		continue;
}

int main(int argc, char **argv)
{
	char text[32];
	pid_t runtime;
	int status;

	if (argc < 3)
		return 126;
	arrange_descriptors();
	/* The code inside has our user id; nothing of ours is its business. */
	prctl(PR_SET_DUMPABLE, 0);
	limit_processes(argv[1]);
	runtime = start_runtime(argv + 2);
	say("\1r");
	close_range(0, STATUS - 1, 0);
	status = wait_for(runtime);
	snprintf(text, sizeof(text), "\1e%d", status);
	say(text);
	end_the_rest();
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
