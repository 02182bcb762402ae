/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where the daemon's program is: $FNFS_DAEMON, else beside this command in the build tree, else where
 * it was installed (relative to this command first, so that an installation can be moved).
 */

/* The caller frees. NULL after saying that it is missing. */
char *daemon_program(void);
