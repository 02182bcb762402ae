/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From fork to pasta. It must never run as root: as root it becomes nobody, who may not enter. So the identity
 * of the instance goes first; as that user we may enter the user namespace that owns the instance's
 * network, because the same user made it, and have every right in there and none outside. Two are kept
 * over exec as ambient capabilities, and pasta finds itself where it would have gone by itself.
 *
 * That it need not go itself matters: whoever enters a user namespace loses what kills it with its parent
 * (PR_SET_PDEATHSIG), and pasta would outlive a guardian that was killed. This way it is set after entering.
 *
 *	1   the network's namespace; pasta opens it by /proc/self/fd/1, for it closes whatever is above 2
 *	2   a pipe: what pasta has to say, and its process id when it is ready
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/instance_limits.h"
#include "run/outbound.h"
#include "run/resolvers.h"
#include "run/sandbox.h"

enum { ABOVE_TARGETS = 64 };

static const int kept[] = {CAP_SYS_ADMIN, CAP_NET_ADMIN};

static _Noreturn void give_up(int words, const char *what)
{
	dprintf(words, "%s: %s\n", what, strerror(errno));
	_exit(127);
}

static void take_identity(const struct outbound_start *start)
{
	uid_t uid = start->outbound->uid;
	gid_t gid = start->outbound->gid;

	if (start->outbound->is_root && (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	                                        setresuid(uid, uid, uid) < 0))
		give_up(start->words, "becoming the instance's user");
	if (geteuid() == 0) {
		errno = EPERM;
		give_up(start->words, "pasta is never run as root");
	}
}

static void enter_owner(const struct outbound_start *start)
{
	int owner = ioctl(start->network, NS_GET_USERNS);

	if (owner < 0 || setns(owner, CLONE_NEWUSER) < 0)
		give_up(start->words, "entering the instance's user namespace");
}

static void keep_capabilities(const struct outbound_start *start)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		data[CAP_TO_INDEX(kept[i])].permitted |= CAP_TO_MASK(kept[i]);
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i].effective = data[i].inheritable = data[i].permitted;
	if (syscall(SYS_capset, &header, data) < 0)
		give_up(start->words, "keeping capabilities");
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kept[i], 0, 0) < 0)
			give_up(start->words, "keeping capabilities");
}

/* Pasta would say only that it failed. */
static void try_device(const struct outbound_start *start)
{
	int device = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (device < 0)
		give_up(start->words, "opening /dev/net/tun");
	close(device);
}

static void place_descriptors(const struct outbound_start *start)
{
	int null = open("/dev/null", O_RDWR), fds[3] = {null, start->network, start->words};

	for (int i = 0; i < 3; i++)
		if ((fds[i] = fcntl(fds[i], F_DUPFD, ABOVE_TARGETS)) < 0)
			give_up(start->words, "arranging descriptors");
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], i) < 0)
			give_up(fds[2], "arranging descriptors");
	close_range(3, ~0u, 0);
}

/*
 * Told to answer for a resolver, the pasta of Debian 12 changes the sender of what that resolver itself answers,
 * too: so it is told only when nobody asks it directly.
 */
static bool answers_for_resolver(void)
{
	CLEANUP(buf_deinit) struct buf resolvers = BUF_INIT;

	return resolvers_read(&resolvers);
}

static _Noreturn void execute(void)
{
	const char *argv[] = {"pasta", "--foreground", "--quiet", "--config-net", "--no-map-gw",
	        "--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns",
	        "none", "--no-dhcp", "--no-dhcpv6", "--pid", "/proc/self/fd/2", "--netns-only",
	        "--no-netns-quit", "--netns", "/proc/self/fd/1", NULL, NULL, NULL};
	static const char *const environment[] = {NULL};
	const char *pasta = outbound_find();
	size_t count = ARRAY_SIZE(argv) - 3;

	if (answers_for_resolver()) {
		argv[count++] = "--dns-forward";
		argv[count] = OUTBOUND_RESOLVER;
	}
	errno = ENOENT;
	if (pasta)
		execve(pasta, (char *const *)argv, (char *const *)environment);
	give_up(STDERR_FILENO, "starting pasta");
}

_Noreturn void outbound_enter(const struct outbound_start *start)
{
	int error;

	sandbox_fresh_process();
	error = limits_enter(start->limits, start->outbound->group);
	errno = -error;
	if (error)
		give_up(start->words, "entering the control group");
	if (chdir("/") < 0)
		give_up(start->words, "/");
	take_identity(start);
	try_device(start);
	enter_owner(start);
	keep_capabilities(start);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != start->guardian)
		_exit(126);
	place_descriptors(start);
	execute();
}
