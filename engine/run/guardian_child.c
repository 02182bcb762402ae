/* SPDX-License-Identifier: Apache-2.0 */
#include "run/guardian_child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "run/guardian_message.h"

enum { GUARDIAN_DESCRIPTOR = 3 };

static int spawn(const char *path, const char *state_dir, int socket, pid_t *pid)
{
	char *argv[] = {"fnfs-guardian", (char *)state_dir, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t set;
	int error;

	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&files, 0, 1);
	posix_spawn_file_actions_adddup2(
	        &files, 0, 2); /* who mounts with a pipe there reads to its end */
	posix_spawn_file_actions_adddup2(&files, socket, GUARDIAN_DESCRIPTOR);
	posix_spawn_file_actions_addclosefrom_np(&files, GUARDIAN_DESCRIPTOR + 1);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attributes, &set);
	sigfillset(&set);
	posix_spawnattr_setsigdefault(&attributes, &set);
	posix_spawnattr_setflags(
	        &attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	error = posix_spawn(pid, path, &files, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return -error;
}

int guardian_spawn(const char *path, const char *state_dir, int *socket, pid_t *pid)
{
	CLEANUP(close_p) int ours = -1;
	CLEANUP(close_p) int theirs = -1;
	int pair[2], error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(-errno, "making the guardian's socket");
	ours = pair[0];
	/* Above the number it gets: dup2 onto itself would leave close-on-exec set. */
	theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, GUARDIAN_DESCRIPTOR + 1);
	close(pair[1]);
	if (theirs < 0)
		return fail(-errno, "making the guardian's socket");
	message_prepare_socket(ours);
	error = spawn(path, state_dir, theirs, pid);
	if (error)
		return fail(error, "starting %s", path);
	*socket = take_fd(ours);
	return 0;
}

void guardian_reap(pid_t pid, int patience_ms)
{
	for (int i = 0; i < patience_ms; i++) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
