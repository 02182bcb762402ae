/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/seal.h"

#include <errno.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { FIRST_NOT_OURS = 3, DESCRIPTORS_MOST = 65536 };

/* Sanitizers want to see themselves, and their leaks at the end. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static void limit(int resource, rlim_t most)
{
	struct rlimit now;

	if (getrlimit((__rlimit_resource_t)resource, &now) < 0)
		return;
	if (now.rlim_max > most)
		now.rlim_max = most;
	now.rlim_cur = now.rlim_max;
	setrlimit((__rlimit_resource_t)resource, &now);
}

void seal_begin(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_IGN); /* the daemon says when, over the socket */
	signal(SIGINT, SIG_IGN);
	close_range(FIRST_NOT_OURS, ~0u, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, DESCRIPTORS_MOST);
	prctl(PR_SET_NAME, "fnfs-gateway"); /* it was started by its descriptor */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!SANITIZED)
		prctl(PR_SET_DUMPABLE, 0);
}

/* No file at all. */
static void keep_from_files(void)
{
	const struct landlock_ruleset_attr all = {
	        .handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
	CLEANUP(close_p)
	int fd = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);

	if (fd >= 0)
		syscall(SYS_landlock_restrict_self, fd, 0);
}

static void keep_to_calls(void)
{
	static const int calls[] = {SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write),
	        SCMP_SYS(writev), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto),
	        SCMP_SYS(sendmsg), SCMP_SYS(sendfile), SCMP_SYS(accept), SCMP_SYS(accept4),
	        SCMP_SYS(shutdown), SCMP_SYS(setsockopt), SCMP_SYS(getsockopt),
	        SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(epoll_wait),
	        SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_ctl), SCMP_SYS(poll),
	        SCMP_SYS(ppoll), SCMP_SYS(close), SCMP_SYS(fcntl), SCMP_SYS(fstat),
	        SCMP_SYS(newfstatat), SCMP_SYS(lseek), SCMP_SYS(mmap), SCMP_SYS(munmap),
	        SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(brk),
	        SCMP_SYS(futex), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	        SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getrusage),
	        SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	        SCMP_SYS(sched_yield), SCMP_SYS(rseq), SCMP_SYS(exit), SCMP_SYS(exit_group),
	        SCMP_SYS(restart_syscall)};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	if (!filter)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	seccomp_load(filter);
	seccomp_release(filter);
}

void seal_serving(void)
{
	if (SANITIZED)
		return;
	keep_from_files();
	keep_to_calls();
}
