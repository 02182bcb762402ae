/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Errors are 0 or a negative errno. A *refusal* (ENOENT, EBUSY, EINVAL) is a plain silent return.
 * A *failure* (EIO, ENOMEM, a corrupt store) is born once, here, and logged with file and line:
 *
 *	return fail(-EIO, "reading blob %s", id);
 *
 * Nobody who receives a negative errno logs it again.
 */
#include <errno.h>

/* Logs the sentence with the place and the errno's text; returns `error`, which must be negative. */
#define fail(error, ...) fail_at(__FILE__, __LINE__, (error), __VA_ARGS__)

int fail_at(const char *file, int line, int error, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
