/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Small files of a function's directory that are read and replaced as a whole. */
#include <stddef.h>

#include "base/buf.h"

#define SMALL_FILE_NAME_SIZE 64

/* Appends what it has, at most `most` bytes. 0; -ENOENT; what else there is. */
int small_file_read(int directory, const char *name, size_t most, struct buf *out);

/* Whoever reads it meanwhile sees the one before. 0 or -errno. */
int small_file_replace(int directory, const char *name, const struct buf *data);
