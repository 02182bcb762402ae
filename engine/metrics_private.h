/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the files of the metrics share: metrics.c (counting and single numbers), metrics_minutes.c (the
 * last day and history.csv), metrics_save.c, metrics_chart.c, metrics_openmetrics.c.
 */
#include "engine/metrics.h"
#include "engine/metrics_histogram.h"

/* In the contract's order; the names stand in metrics.c. */
enum metric {
	METRIC_COUNT,
	METRIC_FAIL,
	METRIC_REJECT,
	METRIC_FUNCTION_ERROR,
	METRIC_SYSTEM_ERROR,
	METRIC_TIMEOUT,
	METRIC_DURATION,
	METRIC_MAX_DURATION,
	METRIC_MIN_DURATION,
	METRIC_P50,
	METRIC_P90,
	METRIC_P99,
	METRIC_CONCURRENCY,
	METRIC_INSTANCES,
	METRIC_COLD_STARTS,
	METRIC_INIT_DURATION,
	METRIC_MEMORY_MAX,
	METRIC_QUEUE_DEPTH,
	METRIC_QUEUE_AGE,
	METRICS,
};

enum metric_unit { UNIT_COUNT, UNIT_US, UNIT_BYTES };

/* Counts, and how long things took, over some time. */
struct tally {
	int64_t counts[METRICS]; /* of those that count up */
	struct histogram durations;
	int64_t init_sum_us, init_count;
	int64_t memory_max;
};

#define MINUTES_KEPT (24 * 60)

/* A minute that is over. Floats: 24 bits are enough for what is shown, and a day of them is kept. */
struct minute {
	uint32_t number; /* since 1970 */
	float values[METRICS];
};

struct minutes {
	struct minute *ring;
	size_t first, count, capacity;
};

struct metrics {
	const struct clock *clock;
	int64_t counts[METRICS]; /* since the function was made */
	int64_t duration_sum_us, duration_count;
	int64_t now[METRICS]; /* of those that go up and down */

	struct tally minute; /* that goes on */
	int64_t minute_number;
	int64_t peaks[METRICS]; /* of `now`, in this minute */
	struct minutes minutes;

	struct tally recent, before; /* two periods; the first began in minute: */
	int64_t recent_since;
	int64_t last_init_us;
	uint64_t changes;
};

extern const char *const metric_names[METRICS];
enum metric_unit metric_unit(enum metric metric);

/* A value in text: 3, 2.049 (ms), without newline. None is negative. */
void metric_format(enum metric metric, int64_t value, struct buf *out);
void metric_append(struct buf *out, int64_t value); /* a plain number */

void metrics_values(const struct metrics *metrics, int64_t values[METRICS]);

/* What a tally says of each metric; those it does not know are 0. */
void tally_values(const struct tally *tally, int64_t values[METRICS]);
void tally_merge(struct tally *into, const struct tally *from);
bool tally_is_empty(const struct tally *tally);

/* Keeps a minute; those of more than a day before it go. */
void minutes_add(struct minutes *minutes, const struct minute *minute);
void minutes_deinit(struct minutes *minutes);

/* All minutes of the last day in order, the current one last. */
size_t metrics_minutes(const struct metrics *metrics);
void metrics_minute_at(const struct metrics *metrics, size_t index, struct minute *out);

static inline int64_t metrics_minute_now(const struct metrics *metrics)
{
	return clock_wall_us(metrics->clock) / 60000000;
}
