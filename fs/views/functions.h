/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* functions/: one directory per function. */
#include "fs/view.h"

extern const struct each functions_each;
