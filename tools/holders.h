/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Which processes stand in a mount, run a program from it or have a file of it open. Found in /proc
 * alone, by name; nothing below the mount is touched. Processes that this user may not look at are
 * not seen.
 */
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

/*
 * Appends a line for each process but `except` and this one, `  bash (pid 42) works in /home/eva/fn`;
 * answers how many. An open `invoke` does not count: it is a call, and calls are waited for.
 */
size_t holders_find(const char *mount, pid_t except, struct buf *out);
