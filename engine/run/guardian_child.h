/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The guardian as the daemon's child: how it is born and how it is waited for. */
#include <sys/types.h>

/*
 * Starts the program with a session of its own and no descriptor but /dev/null, our standard error and
 * its end of a socket. *socket is ours. 0 or -errno, logged.
 */
int guardian_spawn(const char *path, const char *state_dir, int *socket, pid_t *pid);

/* For one that has lost its socket, so that it ends by itself; if it does not, it is made to. */
void guardian_reap(pid_t pid, int patience_ms);
