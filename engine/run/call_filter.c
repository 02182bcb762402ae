/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A function needs files, sockets, threads and child processes. It does not need what changes the
 * machine (mounts, namespaces, modules, clocks, keys), what looks into other processes, or the large
 * young interfaces in which most of the kernel's holes of the last years were (user namespaces,
 * io_uring, bpf, netfilter over netlink, packet sockets). The list denies those and allows the rest: a
 * list of what is allowed breaks with each new libc, and costs 25 times as much to build.
 */
#include "run/call_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

struct denied {
	const char *name;
	int error;
};

static const struct denied denied_calls[] = {
        /* mounts and roots */
        {"mount", EPERM},
        {"umount", EPERM},
        {"umount2", EPERM},
        {"pivot_root", EPERM},
        {"chroot", EPERM},
        {"move_mount", EPERM},
        {"open_tree", EPERM},
        {"open_tree_attr", EPERM},
        {"fsopen", EPERM},
        {"fsconfig", EPERM},
        {"fsmount", EPERM},
        {"fspick", EPERM},
        {"mount_setattr", EPERM},
        {"statmount", EPERM},
        {"listmount", EPERM},
        {"quotactl", EPERM},
        {"quotactl_fd", EPERM},
        {"swapon", EPERM},
        {"swapoff", EPERM},
        {"name_to_handle_at", EPERM},
        {"open_by_handle_at", EPERM},
        {"fanotify_init", EPERM},
        /* namespaces; clone and unshare are looked at below, clone3 cannot be (its flags are in memory) */
        {"setns", EPERM},
        {"clone3", ENOSYS},
        /* other processes */
        {"ptrace", EPERM},
        {"process_vm_readv", EPERM},
        {"process_vm_writev", EPERM},
        {"process_madvise", EPERM},
        {"pidfd_getfd", EPERM},
        {"kcmp", EPERM},
        {"move_pages", EPERM},
        {"migrate_pages", EPERM},
        /* keys, programs in the kernel, large young interfaces */
        {"add_key", EPERM},
        {"request_key", EPERM},
        {"keyctl", EPERM},
        {"bpf", EPERM},
        {"perf_event_open", EPERM},
        {"userfaultfd", EPERM},
        {"io_uring_setup", ENOSYS},
        {"io_uring_enter", ENOSYS},
        {"io_uring_register", ENOSYS},
        /* the machine */
        {"kexec_load", EPERM},
        {"kexec_file_load", EPERM},
        {"init_module", EPERM},
        {"finit_module", EPERM},
        {"delete_module", EPERM},
        {"create_module", EPERM},
        {"reboot", EPERM},
        {"acct", EPERM},
        {"settimeofday", EPERM},
        {"stime", EPERM},
        {"clock_settime", EPERM},
        {"clock_settime64", EPERM},
        {"sethostname", EPERM},
        {"setdomainname", EPERM},
        {"syslog", EPERM},
        {"vhangup", EPERM},
        {"iopl", EPERM},
        {"ioperm", EPERM},
        {"modify_ldt", EPERM},
        {"vm86", EPERM},
        {"vm86old", EPERM},
        {"lookup_dcookie", EPERM},
        {"nfsservctl", EPERM},
        {"uselib", EPERM},
        {"_sysctl", EPERM},
};

static const uint64_t namespace_flags[] = {CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER,
        CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP};

/* Terminals take input typed by a program; a terminal of the host must never be fed by a function. */
static const uint64_t terminal_requests[] = {TIOCSTI, TIOCLINUX};

static int deny_calls(scmp_filter_ctx filter)
{
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(denied_calls) && !error; i++) {
		int call = seccomp_syscall_resolve_name(denied_calls[i].name);

		if (call != __NR_SCMP_ERROR)
			error = seccomp_rule_add(
			        filter, SCMP_ACT_ERRNO(denied_calls[i].error), call, 0);
		if (error == -EDOM || error == -EFAULT)
			error = 0; /* not a call of this architecture */
	}
	return error;
}

static int deny_namespaces(scmp_filter_ctx filter)
{
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(namespace_flags) && !error; i++) {
		uint64_t flag = namespace_flags[i];
#if defined(__s390__) || defined(__s390x__)
		struct scmp_arg_cmp has = SCMP_A1(SCMP_CMP_MASKED_EQ, flag, flag);
#else
		struct scmp_arg_cmp has = SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag);
#endif
		struct scmp_arg_cmp asks = SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag);

		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, has);
		if (!error)
			error = seccomp_rule_add(
			        filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(unshare), 1, asks);
	}
	if (!error)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(unshare), 1,
		        SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWTIME, CLONE_NEWTIME));
	return error;
}

static int deny_terminals(scmp_filter_ctx filter)
{
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(terminal_requests) && !error; i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
		        SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, terminal_requests[i]));
	return error;
}

static bool family_allowed(unsigned family)
{
	return family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK;
}

/* Unix, IPv4, IPv6, and of netlink only routes, which list the interfaces; no raw sockets. */
static int deny_sockets(scmp_filter_ctx filter)
{
	static const unsigned families[] = {AF_INET, AF_INET6};
	static const unsigned types[] = {SOCK_RAW, SOCK_PACKET};
	const uint32_t no = SCMP_ACT_ERRNO(EPERM), unknown = SCMP_ACT_ERRNO(EAFNOSUPPORT);
	const int call = SCMP_SYS(socket);
	int error = 0;

	for (unsigned family = 0; family <= AF_NETLINK && !error; family++)
		if (!family_allowed(family))
			error = seccomp_rule_add(
			        filter, unknown, call, 1, SCMP_A0(SCMP_CMP_EQ, family));
	if (!error)
		error = seccomp_rule_add(
		        filter, unknown, call, 1, SCMP_A0(SCMP_CMP_GT, AF_NETLINK));
	if (!error)
		error = seccomp_rule_add(filter, unknown, call, 2, SCMP_A0(SCMP_CMP_EQ, AF_NETLINK),
		        SCMP_A2(SCMP_CMP_NE, NETLINK_ROUTE));
	for (size_t i = 0; i < 4 && !error; i++)
		error = seccomp_rule_add(filter, no, call, 2, SCMP_A0(SCMP_CMP_EQ, families[i / 2]),
		        SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, types[i % 2]));
	return error;
}

static void release_p(scmp_filter_ctx *filter)
{
	seccomp_release(*filter);
}

int call_filter_program(void)
{
	CLEANUP(release_p) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	CLEANUP(close_p) int fd = memfd_create("seccomp", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int error;

	if (!filter || fd < 0)
		return fail(-ENOMEM, "making the filter of system calls");
	/* Calls of another architecture (32 bit) are unknown, not deadly: programs fall back. */
	error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	if (!error)
		error = deny_calls(filter);
	if (!error)
		error = deny_namespaces(filter);
	if (!error)
		error = deny_terminals(filter);
	if (!error)
		error = deny_sockets(filter);
	if (!error)
		error = seccomp_export_bpf(filter, fd);
	if (error)
		return fail(error, "making the filter of system calls");
	/* All sandboxes are made with it, and processes of their owners hold it while they are. */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return fail(-errno, "sealing the filter of system calls");
	lseek(fd, 0, SEEK_SET);
	return take_fd(fd);
}
