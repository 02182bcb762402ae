/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What this process may still do. It reads what strangers made, twice: the words of servers, then
 * archives. At first it may do nothing but files and sockets; before an archive is looked at, only what
 * unpacking takes: no network, no program, no file outside the directory.
 */
#include "fetch/job.h"

/* Descriptors but ours are closed; limits are set; nobody but root looks into this process. */
void seal_begin(void);
void seal_limits(const struct bounds *bounds);

/* After it, only the directory is there. What the kernel cannot do is not done. */
void seal_unpacking(int directory);
