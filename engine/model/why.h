/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The sentence that goes with a refusal. `why` may be NULL everywhere: then nobody wants it. It ends up
 * in `last_error`, so it is one line, names the thing, its bounds and an example.
 */
#include "base/buf.h"

/* Replaces what `why` holds. */
void why_say(struct buf *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends what the user wrote, in quotes: cut short, and what cannot be printed as `?`. */
void why_quote(struct buf *why, const char *text);

/* Says what a store that failed with `error` means to the user; returns the error. */
int why_store(struct buf *why, int error);
