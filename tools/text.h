/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The small texts of the tree, read whole: values of one line, and lines of `key value`. */
#include <stddef.h>

/* The whole file, zero-ended, at most 1 MiB; the caller frees. NULL and errno. */
char *text_read(int directory, const char *path);

/* The same without the newline at the end. */
char *text_read_line(int directory, const char *path);

/* What stands behind `key ` at the start of a line, up to its end; the caller frees. NULL: no such key. */
char *text_value(const char *text, const char *key);
