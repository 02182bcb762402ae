/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What values have in common with texts: their attributes are those of a rendering. */
#include "fs/behaviour.h"
#include "fs/texts.h"

int text_refine(struct request *request, const struct subject *subject, struct stat *attr);

/* Answers a read from the rendering. */
int text_answer(struct request *request, const struct text *text, size_t size, off_t offset);

/* SEEK_DATA and SEEK_HOLE in a file of `length` bytes without holes. */
int text_seek(struct request *request, off_t length, off_t offset, int whence);
