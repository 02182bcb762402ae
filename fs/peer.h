/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The process at the other end of a request, as /proc shows it. The kernel gives thread ids; a program
 * may open a file in one thread and close it in another. Each look costs 10 to 20 us, so ids are
 * compared first.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct peer {
	pid_t process; /* thread group */
	pid_t parent;
	pid_t session;
	uint64_t start; /* of the process, in clock ticks since boot: tells reused ids apart */
	bool exiting;   /* this thread runs its exit: PF_EXITING */
	bool killed;    /* by a signal: PF_SIGNALED */
};

/* 0, or -ESRCH when there is no such thread, or it cannot be seen from here (id 0). */
int peer_look(pid_t thread, struct peer *peer);

/* Whether two thread ids belong to one process; false when one of them is gone or 0. */
bool peer_same_process(pid_t a, pid_t b);
