/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The outcome of the last trial of a function's code, a file in its directory: kept over restarts, and gone while
 * code is changed and untried. Without it the next daemon tries the code again: no harm.
 */
#include <stdbool.h>

#include "base/buf.h"

void verdict_keep(int directory, const struct buf *error); /* empty: it loads */
bool verdict_load(int directory, struct buf *error);       /* false: there is none */
void verdict_forget(int directory);
