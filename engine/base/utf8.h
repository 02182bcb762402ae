/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, nothing above U+10FFFF. */
#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at `text`, 1-4; 0 when what stands there is none or `length` is 0. */
size_t utf8_width(const char *text, size_t length);

bool utf8_valid(const char *text, size_t length);
