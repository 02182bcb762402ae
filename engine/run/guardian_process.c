/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "run/guardian.h"

/*
 * The mount of the daemon must be gone when it is unmounted: no instance may hold a copy of it in a
 * mount namespace. Ours is made before the first mount; a later guardian finds it and lets it go.
 */
static void leave_mounts(void)
{
	FILE *file;
	char *line = NULL, point[4096];
	size_t room = 0;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0)
		return;
	guardian_leave_chroot();
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return;
	file = fopen("/proc/self/mountinfo", "re");
	while (file && getline(&line, &room, file) > 0)
		if (strstr(line, " - fuse.fnfs ") &&
		        sscanf(line, "%*s %*s %*s %*s %4095s", point) == 1)
			umount2(point, MNT_DETACH | UMOUNT_NOFOLLOW);
	free(line);
	if (file)
		fclose(file);
}

void guardian_prepare_process(void)
{
	struct rlimit limit;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (chdir("/") < 0)
		_exit(1);
	leave_mounts();
}

/* Only returns when there is no bubblewrap. */
int guardian_try_sandbox(void)
{
	const char *const arguments[] = {"bwrap", "--unshare-all", "--die-with-parent", "--ro-bind",
	        "/", "/", "--dev", "/dev", "--proc", "/proc", "true", NULL};

	guardian_prepare_process();
	execvp(arguments[0], (char **)arguments);
	return 127;
}

static bool is_known(const struct guardian *guardian, pid_t pid)
{
	const struct ward *ward;

	list_each(ward, &guardian->wards, link)
		if (ward->bubblewrap == pid || ward->init == pid ||
		        (ward->born && ward->runtime == pid) ||
		        (ward->outbound && ward->outbound->pid == pid))
			return true;
	return spares_know(guardian, pid);
}

/* Children of ours that no ward knows: what was left of sandboxes that were only half made. */
void guardian_kill_orphans(const struct guardian *guardian)
{
	FILE *file;
	int pid;

	if (spares_are_born(guardian))
		return; /* some are on the way to their ward */
	file = fopen("/proc/thread-self/children", "re");

	while (file && fscanf(file, "%d", &pid) == 1)
		if (!is_known(guardian, pid))
			kill(pid, SIGKILL);
	if (file)
		fclose(file);
}
