/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What happened, counted: for one function (later also a version or alias). Counting allocates
 * next to nothing. Percentiles come from a log-linear histogram with less than 2 % error. Minutes with
 * calls are kept for 24 hours and feed history.csv and chart.svg. All but what is `now` outlives the
 * daemon (metrics_save, metrics_load).
 *
 * What each number is over:
 *	since the function was made  count, failcount, rejectcount, functionErrorCount, systemErrorCount,
 *	                             timeoutcount, coldStarts
 *	recent                       duration (the mean), maxDuration, minDuration, p50, p90, p99,
 *	                             initDuration (the mean; of the last start when none was recent), memoryMax
 *	now                          concurrency, instances, queueDepth, queueAge
 *
 * `Recent` is the last 5 to 10 minutes in which there were calls: after a quiet night the numbers are
 * still those of last evening, and the first calls of the morning replace them. A call that was rejected
 * is in rejectcount alone; every other one is in count, and one that failed also in failcount, which is
 * functionErrorCount + systemErrorCount. Timeouts are function errors too. A cold start is a call that
 * waited for a start. In history.csv all of them are of that minute, the last group as its peaks.
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
void metrics_cold_start(struct metrics *metrics, int64_t init_us); /* an instance became ready */
void metrics_queue(struct metrics *metrics, int depth, int64_t age_us); /* of its oldest entry */

/* One file of metrics/: its text, with newline. Names in the contract's order: count, failcount ... */
size_t metrics_names(const char *const **names);
int metrics_show(const struct metrics *metrics, const char *name, struct buf *out); /* -ENOENT */
int64_t metrics_value_us(
        const struct metrics *metrics, const char *name); /* times in us; 0 unknown */

void metrics_show_history(const struct metrics *metrics, struct buf *out); /* history.csv */

/* SVG of always METRICS_CHART_BYTES: the last hour, 6 hours or day, as far back as there were calls. */
#define METRICS_CHART_BYTES 16384
void metrics_show_chart(const struct metrics *metrics, const char *title, struct buf *out);

/* OpenMetrics text of many functions: begin, one per function, end. */
void metrics_openmetrics(struct buf *out, size_t count, const char *const *functions,
        const struct metrics *const *metrics);

void metrics_save(const struct metrics *metrics, struct buf *out);
uint64_t metrics_changes(const struct metrics *metrics); /* rises with all that save would keep */

/* Replaces what was counted. -EBADMSG: it is no such text, nothing changed. */
int metrics_load(struct metrics *metrics, const char *data, size_t length);
