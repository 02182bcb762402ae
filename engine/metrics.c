/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting. Every sample goes to three places: the counts since ever, the minute that goes on, and the
 * recent period. Periods of RECENT_MINUTES begin with a sample, never by the clock alone; the one before
 * is kept beside the current one, unless there was silence between them.
 */
#include "engine/metrics_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define RECENT_MINUTES 5

const char *const metric_names[METRICS] = {
        [METRIC_COUNT] = "count",
        [METRIC_FAIL] = "failcount",
        [METRIC_REJECT] = "rejectcount",
        [METRIC_FUNCTION_ERROR] = "functionErrorCount",
        [METRIC_SYSTEM_ERROR] = "systemErrorCount",
        [METRIC_TIMEOUT] = "timeoutcount",
        [METRIC_DURATION] = "duration",
        [METRIC_MAX_DURATION] = "maxDuration",
        [METRIC_MIN_DURATION] = "minDuration",
        [METRIC_P50] = "p50",
        [METRIC_P90] = "p90",
        [METRIC_P99] = "p99",
        [METRIC_CONCURRENCY] = "concurrency",
        [METRIC_INSTANCES] = "instances",
        [METRIC_COLD_STARTS] = "coldStarts",
        [METRIC_INIT_DURATION] = "initDuration",
        [METRIC_MEMORY_MAX] = "memoryMax",
        [METRIC_QUEUE_DEPTH] = "queueDepth",
        [METRIC_QUEUE_AGE] = "queueAge",
};

/* What a metric is over, see metrics.h. */
enum extent { SINCE_EVER, RECENT, NOW };

static enum extent extent_of(enum metric metric)
{
	switch (metric) {
	case METRIC_DURATION ... METRIC_P99:
	case METRIC_INIT_DURATION:
	case METRIC_MEMORY_MAX:
		return RECENT;
	case METRIC_CONCURRENCY:
	case METRIC_INSTANCES:
	case METRIC_QUEUE_DEPTH:
	case METRIC_QUEUE_AGE:
		return NOW;
	default:
		return SINCE_EVER;
	}
}

enum metric_unit metric_unit(enum metric metric)
{
	switch (metric) {
	case METRIC_DURATION ... METRIC_P99:
	case METRIC_INIT_DURATION:
	case METRIC_QUEUE_AGE:
		return UNIT_US;
	case METRIC_MEMORY_MAX:
		return UNIT_BYTES;
	default:
		return UNIT_COUNT;
	}
}

struct metrics *metrics_new(const struct clock *clock)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return NULL;
	metrics->clock = clock;
	metrics->minute_number = metrics_minute_now(metrics);
	metrics->recent_since = metrics->minute_number;
	return metrics;
}

struct metrics *metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return NULL;
	minutes_deinit(&metrics->minutes);
	free(metrics);
	return NULL;
}

void tally_values(const struct tally *tally, int64_t values[METRICS])
{
	const struct histogram *durations = &tally->durations;

	memcpy(values, tally->counts, sizeof(tally->counts));
	values[METRIC_DURATION] = histogram_mean(durations);
	values[METRIC_MAX_DURATION] = durations->most;
	values[METRIC_MIN_DURATION] = durations->least;
	values[METRIC_P50] = histogram_quantile(durations, 0.50);
	values[METRIC_P90] = histogram_quantile(durations, 0.90);
	values[METRIC_P99] = histogram_quantile(durations, 0.99);
	if (tally->init_count)
		values[METRIC_INIT_DURATION] = tally->init_sum_us / tally->init_count;
	values[METRIC_MEMORY_MAX] = tally->memory_max;
}

void tally_merge(struct tally *into, const struct tally *from)
{
	int i;

	for (i = 0; i < METRICS; i++)
		into->counts[i] += from->counts[i];
	histogram_merge(&into->durations, &from->durations);
	into->init_sum_us += from->init_sum_us;
	into->init_count += from->init_count;
	if (from->memory_max > into->memory_max)
		into->memory_max = from->memory_max;
}

bool tally_is_empty(const struct tally *tally)
{
	return !tally->counts[METRIC_COUNT] && !tally->counts[METRIC_REJECT] && !tally->init_count;
}

/* A minute that is over joins the others, if anything happened in it. */
static void roll_minute(struct metrics *metrics, int64_t now)
{
	struct minute over;

	if (now == metrics->minute_number)
		return;
	if (!tally_is_empty(&metrics->minute)) {
		metrics_minute_at(metrics, metrics->minutes.count, &over);
		minutes_add(&metrics->minutes, &over);
		memset(&metrics->minute, 0, sizeof(metrics->minute));
	}
	memcpy(metrics->peaks, metrics->now, sizeof(metrics->peaks));
	metrics->minute_number = now;
}

static void roll_recent(struct metrics *metrics, int64_t now)
{
	int64_t age = now - metrics->recent_since;

	if (age >= 0 && age < RECENT_MINUTES)
		return;
	if (age >= 0 && age < 2 * RECENT_MINUTES)
		metrics->before = metrics->recent;
	else
		memset(&metrics->before, 0, sizeof(metrics->before));
	memset(&metrics->recent, 0, sizeof(metrics->recent));
	metrics->recent_since = now;
}

static void roll(struct metrics *metrics)
{
	int64_t now = metrics_minute_now(metrics);

	roll_minute(metrics, now);
	roll_recent(metrics, now);
}

static void count(struct metrics *metrics, enum metric metric)
{
	metrics->counts[metric]++;
	metrics->minute.counts[metric]++;
	metrics->recent.counts[metric]++;
}

static void count_outcome(struct metrics *metrics, enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_REJECTED:
		count(metrics, METRIC_REJECT);
		return;
	case OUTCOME_TIMEOUT:
		count(metrics, METRIC_TIMEOUT);
		/* fall through */
	case OUTCOME_FUNCTION_ERROR:
	case OUTCOME_NOT_LOADED:
	case OUTCOME_BAD_REQUEST:
		count(metrics, METRIC_FUNCTION_ERROR);
		count(metrics, METRIC_FAIL);
		break;
	case OUTCOME_SYSTEM_ERROR:
		count(metrics, METRIC_SYSTEM_ERROR);
		count(metrics, METRIC_FAIL);
		break;
	case OUTCOME_SUCCESS:
	case OUTCOME_CANCELED:
		break;
	case OUTCOMES:
		assert(false);
	}
	count(metrics, METRIC_COUNT);
}

static void add_init(struct metrics *metrics, int64_t init_us)
{
	struct tally *tallies[] = {&metrics->minute, &metrics->recent};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tallies); i++) {
		tallies[i]->init_sum_us += init_us;
		tallies[i]->init_count++;
	}
	metrics->last_init_us = init_us;
}

static void add_memory(struct tally *tally, int64_t bytes)
{
	if (bytes > tally->memory_max)
		tally->memory_max = bytes;
}

void metrics_record(struct metrics *metrics, const struct metrics_sample *sample)
{
	roll(metrics);
	metrics->changes++;
	count_outcome(metrics, sample->outcome);
	if (sample->duration_us >= 0) {
		metrics->duration_sum_us += sample->duration_us;
		metrics->duration_count++;
		histogram_add(&metrics->minute.durations, sample->duration_us);
		histogram_add(&metrics->recent.durations, sample->duration_us);
	}
	add_memory(&metrics->minute, sample->memory_bytes);
	add_memory(&metrics->recent, sample->memory_bytes);
	if (sample->cold)
		count(metrics, METRIC_COLD_STARTS);
}

void metrics_cold_start(struct metrics *metrics, int64_t init_us)
{
	roll(metrics);
	metrics->changes++;
	add_init(metrics, init_us > 0 ? init_us : 0);
}

static void set_now(struct metrics *metrics, enum metric metric, int64_t value)
{
	int64_t now = metrics_minute_now(metrics);

	if (value < 0)
		value = 0;
	roll_minute(metrics, now);
	metrics->now[metric] = value;
	if (value > metrics->peaks[metric])
		metrics->peaks[metric] = value;
}

void metrics_running(struct metrics *metrics, int calls)
{
	set_now(metrics, METRIC_CONCURRENCY, calls);
}

void metrics_instances(struct metrics *metrics, int instances)
{
	set_now(metrics, METRIC_INSTANCES, instances);
}

void metrics_queue(struct metrics *metrics, int depth, int64_t age_us)
{
	set_now(metrics, METRIC_QUEUE_DEPTH, depth);
	set_now(metrics, METRIC_QUEUE_AGE, age_us);
}

uint64_t metrics_changes(const struct metrics *metrics)
{
	return metrics->changes;
}

size_t metrics_names(const char *const **names)
{
	*names = metric_names;
	return METRICS;
}

static int find(const char *name)
{
	int i;

	for (i = 0; i < METRICS; i++)
		if (strcmp(metric_names[i], name) == 0)
			return i;
	return -ENOENT;
}

void metrics_values(const struct metrics *metrics, int64_t values[METRICS])
{
	struct tally tally = metrics->recent;
	int i;

	tally_merge(&tally, &metrics->before);
	tally_values(&tally, values);
	if (!tally.init_count)
		values[METRIC_INIT_DURATION] = metrics->last_init_us;
	for (i = 0; i < METRICS; i++) {
		if (extent_of((enum metric)i) == NOW)
			values[i] = metrics->now[i];
		else if (extent_of((enum metric)i) == SINCE_EVER)
			values[i] = metrics->counts[i];
	}
}

int64_t metrics_value_us(const struct metrics *metrics, const char *name)
{
	int64_t values[METRICS];
	int metric = find(name);

	if (metric < 0)
		return 0;
	metrics_values(metrics, values);
	return values[metric];
}

/* By hand: a history has 30 000 numbers, and printf takes its time. */
void metric_append(struct buf *out, int64_t value)
{
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	buf_append(out, digits + at, sizeof(digits) - at);
}

void metric_format(enum metric metric, int64_t value, struct buf *out)
{
	char fraction[4] = {'.'};
	int thousandths = (int)(value % 1000);

	if (metric_unit(metric) != UNIT_US) {
		metric_append(out, value);
		return;
	}
	metric_append(out, value / 1000);
	fraction[1] = (char)('0' + thousandths / 100);
	fraction[2] = (char)('0' + thousandths / 10 % 10);
	fraction[3] = (char)('0' + thousandths % 10);
	buf_append(out, fraction, sizeof(fraction));
}

int metrics_show(const struct metrics *metrics, const char *name, struct buf *out)
{
	int64_t values[METRICS];
	int metric = find(name);

	if (metric < 0)
		return metric;
	metrics_values(metrics, values);
	metric_format((enum metric)metric, values[metric], out);
	buf_puts(out, "\n");
	return 0;
}
