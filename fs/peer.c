/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define PF_EXITING  0x00000004
#define PF_SIGNALED 0x00000400

static int read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, size - 1);
	if (n <= 0)
		return -ESRCH;
	text[n] = 0;
	return 0;
}

static pid_t process_of(pid_t thread)
{
	char text[2048], *line;

	if (read_proc(thread, "status", text, sizeof(text)) < 0)
		return 0;
	line = strstr(text, "\nTgid:");
	return line ? (pid_t)strtol(line + 6, NULL, 10) : 0;
}

/* Fields of /proc/PID/stat by their numbers in proc(5); the name before them may hold anything. */
struct stat_fields {
	long long parent;         /* 4 */
	long long session;        /* 6 */
	unsigned long flags;      /* 9 */
	unsigned long long start; /* 22 */
};

static int read_stat(pid_t pid, struct stat_fields *fields)
{
	char text[1024], *behind_name;

	if (read_proc(pid, "stat", text, sizeof(text)) < 0)
		return -ESRCH;
	behind_name = strrchr(text, ')');
	if (!behind_name ||
	        sscanf(behind_name + 1,
	                " %*c %lld %*d %lld %*d %*d %lu %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
	                "%*d %*d %llu",
	                &fields->parent, &fields->session, &fields->flags, &fields->start) != 4)
		return -ESRCH;
	return 0;
}

int peer_look(pid_t thread, struct peer *peer)
{
	struct stat_fields own, leader;
	pid_t process;

	if (thread <= 0)
		return -ESRCH;
	process = process_of(thread);
	if (!process || read_stat(thread, &own) < 0)
		return -ESRCH;
	leader = own;
	if (process != thread && read_stat(process, &leader) < 0)
		return -ESRCH;
	*peer = (struct peer){
	        .process = process,
	        .parent = (pid_t)own.parent,
	        .session = (pid_t)own.session,
	        .start = leader.start,
	        .exiting = own.flags & PF_EXITING,
	        .killed = own.flags & PF_SIGNALED,
	};
	return 0;
}

bool peer_same_process(pid_t a, pid_t b)
{
	pid_t process;

	if (a <= 0 || b <= 0)
		return false;
	if (a == b)
		return true;
	process = process_of(b);
	return process && (process == a || process_of(a) == process);
}
