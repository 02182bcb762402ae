/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fnfsd --check-state DIR: reads all that was published there, while no daemon has it. */
#include "fs/options.h"

/* 0 nothing is wrong, 1 something is, and was said; 3 it could not be checked. */
int check_state(const struct options *options);
