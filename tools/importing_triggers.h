/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Triggers of a bundle: made disabled, with all they have, when everything they can call is there; enabled at the very
 * end, so that no event calls half a function. One that is there already is left alone, and must be the same.
 */
#include "importing.h"

int importing_make_triggers(struct importing *importing);   /* 0, or a COMMAND_* after saying why */
int importing_enable_triggers(struct importing *importing); /* those that were made; likewise */

/* 0, or COMMAND_FAILED after saying what is other; whether they are enabled does not count. */
int importing_compare_triggers(const struct importing *importing);
