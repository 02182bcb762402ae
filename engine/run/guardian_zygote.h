/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A process of a runtime that forks itself into sandboxes in which only init waits (runtimes/README.md): what comes of it
 * shares the memory of what was imported before. It runs beside the guardian, with the rights of whose sandboxes it
 * enters, and nothing of a user's ever runs in it.
 *
 *	guardian --order, thirteen descriptors--> zygote --fork--> child --setns, fork--> program
 *	         <-------------- 'b' and its pid inside, on the ward's status ----------------'
 *
 * The child goes at once, so that the program is the guardian's by then, and its end is known as that of a child.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "run/guardian_message.h"

struct guardian;
struct ward;

struct zygote {
	pid_t pid;   /* 0: it does not run */
	int control; /* -1 */
};

/*
 * `argv`, what is behind the program's name, is as seen inside; the runtime's directory, which is at SANDBOX_RUNTIME there, is `runtime`. As that user, unless
 * uid is 0 or we are no root. 0 or -errno.
 */
int zygote_start(struct zygote *zygote, const char *program, const char *const *argv,
        const char *const *environment, const char *runtime, uid_t uid, gid_t gid);
void zygote_end(struct zygote *zygote);

/* Into the ward's sandbox, with these ends of pipes; `status` is its end of the ward's. 0 or -errno. */
int zygote_order(const struct zygote *zygote, const struct ward *ward, int status, int filter,
        int processes, const int ends[MESSAGE_DESCRIPTORS]);
