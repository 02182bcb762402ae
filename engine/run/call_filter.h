/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The filter of system calls inside every instance, as the program bubblewrap's `--seccomp` reads. What
 * is denied has no use in a function and much use in an escape; the list and its reasons are in
 * seccomp.c. Denied calls fail with EPERM (or ENOSYS where libraries then fall back).
 */

/* A sealed memory file with the program, position 0; or -errno, logged. */
int call_filter_program(void);
