/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who asks: the ids the kernel gives with every request. `pid` is a thread id, 0 when unknown. */
#include <sys/types.h>

struct caller {
	uid_t uid;
	gid_t gid;
	pid_t pid;
};
