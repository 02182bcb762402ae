/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The escapes of URLs: %41 is A. */
#include <stdbool.h>

/*
 * Decodes in place; the text does not get longer. 0, or -EINVAL: an escape is none, or stands for a zero
 * byte or a line's end. In queries a plus is a blank.
 */
int percent_decode(char *text, bool plus_is_blank);
