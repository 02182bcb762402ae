/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* From the bytes somebody wrote to the text a `set` takes, by law 2: pure functions of bytes. */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * A value of one line: no zero byte, no second line, white space round it goes. White space only is
 * refused, except for the newline alone, which is the empty value as reading shows it.
 * 0 or -EINVAL with a sentence.
 */
int value_from_line(const char *data, size_t length, struct buf *value, struct buf *why);

/* A value of several lines: no zero byte; one newline at the end goes. */
int value_from_lines(const char *data, size_t length, struct buf *value, struct buf *why);
