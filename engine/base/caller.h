/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who asks: the ids the kernel gives with every request. `pid` is a thread id, 0 when unknown. */
#include <stdbool.h>
#include <sys/types.h>

struct caller {
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

/* Whether the group is the caller's own or one of its others; those are looked up in /proc. */
bool caller_in_group(const struct caller *caller, gid_t gid);
