/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

static const char *const level_names[] = {
        [LOG_DEBUG] = "DEBUG",
        [LOG_INFO] = "INFO",
        [LOG_WARNING] = "WARNING",
        [LOG_ERROR] = "ERROR",
};

/* A log belongs to the process, like standard error: the only state outside an object here. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static log_sink_fn current_sink;
static void *current_userdata;
static enum log_level least_level = LOG_INFO;

void log_set_sink(log_sink_fn sink, void *userdata)
{
	pthread_mutex_lock(&lock);
	current_sink = sink;
	current_userdata = userdata;
	pthread_mutex_unlock(&lock);
}

void log_set_level(enum log_level least)
{
	least_level = least;
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[1024];
	struct timespec now;
	struct tm parts;
	va_list arguments;
	size_t length;

	if (level < least_level || (size_t)level >= ARRAY_SIZE(level_names))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	length = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &parts);
	length += (size_t)snprintf(line + length, sizeof(line) - length, ".%03ldZ %s ",
	        now.tv_nsec / 1000000, level_names[level]);
	va_start(arguments, format);
	vsnprintf(line + length, sizeof(line) - length - 1, format, arguments);
	va_end(arguments);
	length = strlen(line);
	line[length++] = '\n';

	pthread_mutex_lock(&lock);
	if (current_sink)
		current_sink(current_userdata, line, length);
	else if (write(STDERR_FILENO, line, length) < 0)
		(void)0; /* nowhere left to say it */
	pthread_mutex_unlock(&lock);
}
