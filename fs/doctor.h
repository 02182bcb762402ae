/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* `fnfsd --doctor`: what running functions needs of this machine, and what to type for what lacks. */
#include "fs/options.h"

/* Prints a line per thing; the exit status: 1 when something necessary is missing. */
int doctor(const struct options *options);
