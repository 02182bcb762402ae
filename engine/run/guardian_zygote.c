/* SPDX-License-Identifier: Apache-2.0 */
#include "run/guardian_zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/nsfs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/guardian_ward.h"
#include "run/sandbox.h"

#define CONTROL    3
#define WORDS_MOST 32

/* As fnfs_runtime/zygote.py has them: first the namespace that owns the others. */
enum given {
	GIVEN_OWNER,
	GIVEN_USER,
	GIVEN_PID,
	GIVEN_NET,
	GIVEN_IPC,
	GIVEN_UTS,
	GIVEN_CGROUP,
	GIVEN_MOUNTS,
	GIVEN_INPUT,
	GIVEN_OUTPUT,
	GIVEN_PRINTED,
	GIVEN_STATUS,
	GIVEN_FILTER,
	GIVEN,
};

static const char *const namespaces[] = {
        [GIVEN_USER] = "user",
        [GIVEN_PID] = "pid",
        [GIVEN_NET] = "net",
        [GIVEN_IPC] = "ipc",
        [GIVEN_UTS] = "uts",
        [GIVEN_CGROUP] = "cgroup",
        [GIVEN_MOUNTS] = "mnt",
};

/* --- its life --------------------------------------------------------------------------------- */

static const char *on_the_host(const char *word, const char *runtime)
{
	static const char seen[] = SANDBOX_RUNTIME "/";
	char *place;

	if (strncmp(word, seen, strlen(seen)) != 0)
		return word;
	return asprintf(&place, "%s/%s", runtime, word + strlen(seen)) < 0 ? word : place;
}

static _Noreturn void become(const char *program, const char *const *argv,
        const char *const *environment, const char *runtime, uid_t uid, gid_t gid, int control,
        pid_t guardian)
{
	const char *words[WORDS_MOST + 2] = {program};
	int null = open("/dev/null", O_RDWR), printed[2];

	sandbox_fresh_process();
	for (size_t i = 0; argv[i] && i < WORDS_MOST; i++)
		words[i + 1] = on_the_host(argv[i], runtime);
	/* What it prints nobody reads; but it is a pipe, for what is made of it now writes to one later. */
	if (pipe(printed) < 0 || dup2(null, 0) < 0 || dup2(printed[1], 1) < 0 ||
	        dup2(printed[1], 2) < 0 || dup2(control, CONTROL) < 0)
		_exit(126);
	close_range(CONTROL + 1, ~0u, 0);
	if (geteuid() == 0 && uid &&
	        (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	                setresuid(uid, uid, uid) < 0))
		_exit(126);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != guardian)
		_exit(126);
	execve(words[0], (char *const *)words, (char *const *)environment);
	_exit(127);
}

int zygote_start(struct zygote *zygote, const char *program, const char *const *argv,
        const char *const *environment, const char *runtime, uid_t uid, gid_t gid)
{
	CLEANUP(close_p) int ours = -1;
	CLEANUP(close_p) int theirs = -1;
	pid_t guardian = getpid();
	int pair[2];

	/* Above the number it gets: dup2 onto itself would leave close-on-exec set. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, CONTROL + 1);
	close(pair[1]);
	if (theirs < 0)
		return -errno;
	zygote->pid = fork();
	if (zygote->pid == 0)
		become(program, argv, environment, runtime, uid, gid, theirs, guardian);
	if (zygote->pid < 0) {
		zygote->pid = 0;
		return -errno;
	}
	zygote->control = take_fd(ours);
	return 0;
}

void zygote_end(struct zygote *zygote)
{
	if (zygote->pid)
		kill(zygote->pid, SIGKILL);
	zygote->pid = 0;
	zygote->control = close_fd(zygote->control);
}

/* --- an order --------------------------------------------------------------------------------- */

static int open_namespaces(pid_t inside, int fds[GIVEN])
{
	char path[48];

	for (int i = GIVEN_USER; i <= GIVEN_MOUNTS; i++) {
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)inside, namespaces[i]);
		fds[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (fds[i] < 0)
			return -errno;
	}
	fds[GIVEN_OWNER] = ioctl(fds[GIVEN_MOUNTS], NS_GET_USERNS);
	return fds[GIVEN_OWNER] < 0 ? -errno : 0;
}

static int send_order(const struct zygote *zygote, int32_t processes, const int fds[GIVEN])
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(GIVEN * sizeof(int))];
	} control = {0};
	struct iovec io = {&processes, sizeof(processes)};
	struct msghdr header = {.msg_iov = &io,
	        .msg_iovlen = 1,
	        .msg_control = &control,
	        .msg_controllen = sizeof(control)};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(GIVEN * sizeof(int));
	memcpy(CMSG_DATA(&control.header), fds, GIVEN * sizeof(int));
	return sendmsg(zygote->control, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int zygote_order(const struct zygote *zygote, const struct ward *ward, int status, int filter,
        int processes, const int ends[MESSAGE_DESCRIPTORS])
{
	int fds[GIVEN], error;

	for (int i = 0; i < GIVEN; i++)
		fds[i] = -1;
	error = open_namespaces(ward->init, fds);
	memcpy(&fds[GIVEN_INPUT], ends, MESSAGE_DESCRIPTORS * sizeof(*ends));
	fds[GIVEN_STATUS] = status;
	fds[GIVEN_FILTER] = filter;
	if (!error)
		error = send_order(zygote, processes, fds);
	for (int i = 0; i <= GIVEN_MOUNTS; i++)
		close_fd(fds[i]);
	return error;
}
