/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { PAUSE_US = 100000 };

void report_init(struct report *report, int output)
{
	*report = (struct report){.output = output};
}

/* Names in archives and words of servers may hold anything; a line is a line. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

int report_refuse(struct report *report, int error, const char *format, ...)
{
	va_list arguments;

	if (report->sentence[0])
		return error;
	va_start(arguments, format);
	vsnprintf(report->sentence, sizeof(report->sentence), format, arguments);
	va_end(arguments);
	make_printable(report->sentence);
	return error;
}

__attribute__((format(printf, 2, 3))) static void tell(
        struct report *report, const char *format, ...)
{
	char line[REPORT_SENTENCE + 64];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	/* Whoever reads this has gone: then nobody wants the rest either. */
	if (report->output >= 0 && write(report->output, line, (size_t)length) < 0)
		report->output = -1;
}

static bool is_time(struct report *report, bool last)
{
	int64_t now = clock_monotonic_us(&clock_system);

	if (!last && report->told_us && now - report->told_us < PAUSE_US)
		return false;
	report->told_us = now;
	return true;
}

void report_progress(struct report *report, int64_t bytes, int64_t total, int64_t speed, bool last)
{
	if (is_time(report, last))
		tell(report, "progress %" PRId64 " %" PRId64 " %" PRId64 "\n", bytes, total, speed);
}

void report_unpacking(struct report *report, int64_t files, int64_t bytes, bool last)
{
	if (is_time(report, last))
		tell(report, "unpacking %" PRId64 " %" PRId64 "\n", files, bytes);
}

void report_digest(struct report *report, const char *digest)
{
	tell(report, "digest %s\n", digest);
}

void report_layer(struct report *report, int number, int count)
{
	tell(report, "layer %d %d\n", number, count);
}

void report_error(struct report *report, int error)
{
	const char *sentence = report->sentence[0] ? report->sentence : strerror(-error);

	tell(report, "error %s\n", sentence);
}

void report_done(struct report *report, int64_t files, int64_t bytes, const char *sha256)
{
	tell(report, "done %" PRId64 " %" PRId64 " %s\n", files, bytes, sha256);
}
