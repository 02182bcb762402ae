/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fail.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

int fail_at(const char *file, int line, int error, const char *format, ...)
{
	char text[512];
	va_list arguments;

	assert(error < 0);
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_line(LOG_ERROR, "%s: %s (%s:%d)", text, strerror(-error), file, line);
	return error;
}
