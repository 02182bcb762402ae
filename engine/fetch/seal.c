/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/seal.h"

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

enum { FIRST_NOT_OURS = 4, PROCESSOR_S = 3600, DESCRIPTORS = 256 };
#define MEMORY_BYTES ((rlim_t)1 << 30)

/* Shadow memory is more than any limit, and sanitizers want to see themselves. */
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

static void deny(scmp_filter_ctx filter, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
}

/* What neither loading nor unpacking has a use for; threads are made to look up names. */
static void deny_rest(void)
{
	static const int calls[] = {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace),
	        SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kill),
	        SCMP_SYS(tkill), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(chroot),
	        SCMP_SYS(pivot_root), SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(bpf),
	        SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl),
	        SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(io_uring_setup), SCMP_SYS(mknod),
	        SCMP_SYS(mknodat), SCMP_SYS(setuid), SCMP_SYS(setresuid), SCMP_SYS(chown),
	        SCMP_SYS(fchown), SCMP_SYS(lchown), SCMP_SYS(fchownat)};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (!filter)
		return;
	deny(filter, calls, ARRAY_SIZE(calls));
	seccomp_load(filter);
	seccomp_release(filter);
}

void seal_begin(bool starts_programs)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	close_range(FIRST_NOT_OURS, ~0u, 0);
	limit(RLIMIT_CORE, 0);
	prctl(PR_SET_NAME, "fnfs-fetch"); /* it was started by its descriptor */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (SANITIZED || starts_programs)
		return;
	prctl(PR_SET_DUMPABLE, 0);
	deny_rest();
}

void seal_limits(const struct bounds *bounds, bool starts_programs)
{
	int64_t largest =
	        bounds->bytes > bounds->archive_bytes ? bounds->bytes : bounds->archive_bytes;

	limit(RLIMIT_FSIZE, (rlim_t)largest + 1);
	limit(RLIMIT_CPU, PROCESSOR_S);
	if (starts_programs)
		return;
	limit(RLIMIT_NOFILE, DESCRIPTORS);
	if (!SANITIZED)
		limit(RLIMIT_DATA, MEMORY_BYTES);
}

/* Of the file system only the directory, and of that no more than unpacking does. */
static void keep_to_directory(int directory, int source)
{
	const struct landlock_ruleset_attr all = {
	        .handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
	const struct landlock_path_beneath_attr ours = {
	        .allowed_access = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
	                          LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
	                          LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
	                          LANDLOCK_ACCESS_FS_MAKE_SYM |
	                          (source >= 0 ? LANDLOCK_ACCESS_FS_REMOVE_DIR : 0),
	        .parent_fd = directory};
	const struct landlock_path_beneath_attr read_only = {
	        .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	        .parent_fd = source};
	struct landlock_ruleset_attr rules = all;
	struct landlock_path_beneath_attr rule = ours;
	CLEANUP(close_p) int fd = -1;

	/* Without it, of the second version, links between directories would be refused. */
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 2)
		return;
#ifdef LANDLOCK_ACCESS_FS_REFER
	rules.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	rule.allowed_access |= LANDLOCK_ACCESS_FS_REFER;
#else
	rules.handled_access_fs |= 1 << 13;
	rule.allowed_access |= 1 << 13;
#endif
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
	if (fd < 0 || syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return;
	/* A file is open already, and no directory to have a rule. */
	if (source >= 0)
		syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &read_only, 0);
	syscall(SYS_landlock_restrict_self, fd, 0);
}

/* All threads: those that looked up names may still be there. */
static void keep_to_calls(void)
{
	static const int calls[] = {SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(readv),
	        SCMP_SYS(write), SCMP_SYS(pwrite64), SCMP_SYS(writev), SCMP_SYS(lseek),
	        SCMP_SYS(openat2), SCMP_SYS(close), SCMP_SYS(fcntl), SCMP_SYS(fstat),
	        SCMP_SYS(newfstatat), SCMP_SYS(fstatat64), SCMP_SYS(fstat64), SCMP_SYS(statx),
	        SCMP_SYS(mkdirat), SCMP_SYS(unlinkat), SCMP_SYS(symlinkat), SCMP_SYS(linkat),
	        SCMP_SYS(ftruncate), SCMP_SYS(utimensat), SCMP_SYS(getdents64), SCMP_SYS(syncfs),
	        SCMP_SYS(uname), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap),
	        SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(futex),
	        SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(getrandom),
	        SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	        SCMP_SYS(sched_yield), SCMP_SYS(rseq), SCMP_SYS(exit), SCMP_SYS(exit_group)};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	if (!filter)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	seccomp_load(filter);
	seccomp_release(filter);
}

void seal_unpacking(int directory)
{
	keep_to_directory(directory, -1);
	if (!SANITIZED)
		keep_to_calls();
}

void seal_image(int directory, int source)
{
	keep_to_directory(directory, source);
	if (!SANITIZED)
		keep_to_calls();
}
