/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What happened, counted: for one function (later also a version or alias). Counting allocates
 * nothing. Percentiles come from a log-linear histogram of durations with at most 3 % error. A ring of
 * minutes feeds history.csv and chart.svg; it is kept over restarts (metrics_save, metrics_load).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "run/outcome.h"

struct metrics;

struct metrics_sample {
	enum outcome outcome;
	int64_t duration_us;  /* of the code alone; -1 when it never ran */
	int64_t init_us;      /* -1 when no start was waited for */
	int64_t memory_bytes; /* -1 unknown */
	bool cold;
};

struct metrics *metrics_new(const struct clock *clock); /* NULL: no memory */
struct metrics *metrics_free(struct metrics *metrics);

void metrics_record(struct metrics *metrics, const struct metrics_sample *sample);
void metrics_running(struct metrics *metrics, int calls); /* calls in flight now */
void metrics_instances(struct metrics *metrics, int instances);
void metrics_cold_start(struct metrics *metrics, int64_t init_us);

/* One file of metrics/: its text, with newline. Names in the contract's order: count, failcount ... */
size_t metrics_names(const char *const **names);
int metrics_show(const struct metrics *metrics, const char *name, struct buf *out); /* -ENOENT */
int64_t metrics_value_us(const struct metrics *metrics, const char *name);

void metrics_show_history(const struct metrics *metrics, struct buf *out); /* history.csv */
void metrics_show_chart(
        const struct metrics *metrics, const char *title, struct buf *out); /* SVG */

/* OpenMetrics text of many functions: begin, one per function, end. */
void metrics_openmetrics(struct buf *out, size_t count, const char *const *functions,
        const struct metrics *const *metrics);

void metrics_save(const struct metrics *metrics, struct buf *out);
int metrics_load(struct metrics *metrics, const char *data, size_t length); /* -EBADMSG: ignored */
