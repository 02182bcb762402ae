/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What counting (keep_alive.c), the rule (keep_alive_rule.c) and the text (keep_alive_text.c) share: the bins of
 * the histograms. They are log-linear, sixteen for each doubling of the time from 8 s on, so that none is wider
 * than a sixteenth of what it holds; the last one is for all that is longer than anything is kept.
 */
#include "run/keep_alive.h"

#define KEEP_ALIVE_BINS   176 /* up to 8 s * 2^11 */
#define KEEP_ALIVE_LONGER (KEEP_ALIVE_BINS - 1)

/* Where the bin begins, and the one before it ends. */
int64_t keep_alive_bin_begin_us(unsigned bin);

unsigned keep_alive_level(unsigned depth); /* of depth 1 to KEEP_ALIVE_DEPTHS */

/* Counts an idle time, of any length. */
void keep_alive_count(struct keep_alive *keep_alive, unsigned depth, int64_t idle_us);
