/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The machine's memory, for those that use it only to be quicker. */
#include <stdbool.h>

/* Less than a fifth of it is available: that is left to those who need it now. */
bool memory_is_short(void);
