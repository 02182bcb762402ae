/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The daemon's own log: one line per event, `TIME LEVEL MESSAGE`, to one sink of the process.
 * Without a sink lines go to standard error. Thread-safe.
 */
#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* Receives whole lines, newline included. Must not log itself. */
typedef void (*log_sink_fn)(void *userdata, const char *line, size_t length);

void log_set_sink(log_sink_fn sink, void *userdata);
void log_set_level(enum log_level least);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
