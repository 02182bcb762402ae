/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What this process may still do. It reads what strangers made, twice: the words of servers, then
 * archives. At first it may do nothing but files and sockets; before an archive is looked at, only what
 * unpacking takes: no network, no program, no file outside the directory. Only who pulls images, by
 * another program, and looks at none, is not sealed.
 */
#include "fetch/job.h"

/* Descriptors but ours are closed; limits are set; nobody but root looks into this process. */
void seal_begin(bool starts_programs);
void seal_limits(const struct bounds *bounds, bool starts_programs);

/* After it, only the directory is there. What the kernel cannot do is not done. */
void seal_unpacking(int directory);

/* The same for an image, which may be read from a directory, and may take away what it brought before. */
void seal_image(int directory, int source);
