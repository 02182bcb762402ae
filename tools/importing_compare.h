/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whether what stands in the mount is what the archive has. */
#include "importing.h"

/*
 * Of a function that is there: 0, with `there` counted, or COMMAND_FAILED after saying what is
 * other.
 */
int importing_compare(struct importing *importing);

/* That the packages are there that versions and function depend on. */
int importing_check_packages(const struct importing *importing);

/* Whether anything of the archive is missing. */
bool importing_is_complete(const struct importing *importing);

/* Settings of a version that may change after it was published. */
bool importing_stays_open(const char *path);
