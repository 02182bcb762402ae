/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The file that a handler names: whether it can be run, and running it. */
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

struct program {
	char *path;
};

/*
 * Finds code/name. 0, or -ENOEXEC with the sentence in `why` and the errorType in *kind: it is not
 * there, not executable, or names an interpreter that is not here.
 */
int program_init(struct program *program, const char *code, const char *name, struct buf *why,
        const char **kind);
void program_deinit(struct program *program);

/*
 * Starts it, leader of a process group of its own, with the three descriptors as its standard ones and
 * `extra` (KEY=VALUE, NULL-ended) added to the environment. The pid, or -errno.
 */
pid_t program_start(const struct program *program, const int standard[3], char *const extra[]);

/* "exit status 3", "killed by signal 9 (Killed)". */
void program_describe_end(int wait_status, struct buf *out);
