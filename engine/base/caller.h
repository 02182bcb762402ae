/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who asks: the ids the kernel gives with every request. `pid` is a thread id, 0 when unknown. */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct caller {
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

/* Whether the group is the caller's own or one of its others; those are looked up in /proc. */
bool caller_in_group(const struct caller *caller, gid_t gid);

/*
 * All its other groups, in a list the caller of this frees: none when the process is gone or not to be
 * seen. 0 or -ENOMEM. Asked while the request waits, for only then its pid is surely its own.
 */
int caller_groups(const struct caller *caller, gid_t **groups, size_t *count);
