/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What stands in the source file of a program (docs/sources.md). Of the kinds fnfs has programs for, it is a URL, and a word
 * is said at once about what cannot be one; the rest, and all of others, is judged by the program. It may hold passwords,
 * which nobody is shown. Pure.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* The kinds that come with fnfs, where their libraries are: by number, NULL after the last. */
const char *program_kind(size_t number);

/* 0, or -EINVAL with a sentence. */
int program_value_check(const char *kind, const char *value, struct buf *why);

/* Replaces the value's passwords in a text by `***`, whether as they stand in the URL or decoded, and what is no printable UTF-8 by `?`. */
void program_value_hide(const char *value, const char *text, struct buf *out);
