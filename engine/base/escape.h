/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Names of files as words: what is no letter, digit or one of `/-._~+,=@` is written %41, and so are bytes that are not
 * UTF-8. A word has no blanks and can stand in lines, JSON and the store.
 */
#include "base/buf.h"

void escape_name(struct buf *out, const char *name);

/* In place. 0, or -EINVAL: it is no such word, or stands for a zero byte. */
int escape_decode(char *word);
