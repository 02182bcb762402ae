/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenMetrics 1.0 text: families of samples, each family in one piece, all functions within it. A
 * family is a row here, with the samples that one function adds to it.
 */
#include <string.h>

#include "engine/metrics_private.h"

#include "base/cleanup.h"

/* What one function has to say, fetched once for all families. */
struct facts {
	const char *function;
	const struct metrics *metrics;
	int64_t values[METRICS];
};

struct sample {
	const char *suffix;
	const char *label; /* beside `function`, or NULL */
	enum metric metric;
};

struct family {
	const char *name, *type, *unit, *help;
	struct sample samples[3];
	bool total; /* with _sum and _count of all durations */
};

static const struct family families[] = {
        {.name = "fnfs_calls",
                .type = "counter",
                .help = "Calls, rejected ones not counted.",
                .samples = {{"_total", NULL, METRIC_COUNT}}},
        {.name = "fnfs_call_errors",
                .type = "counter",
                .help = "Calls that failed, by whose fault it was.",
                .samples = {{"_total", "kind=\"function\"", METRIC_FUNCTION_ERROR},
                        {"_total", "kind=\"system\"", METRIC_SYSTEM_ERROR}}},
        {.name = "fnfs_call_timeouts",
                .type = "counter",
                .help = "Calls that ran out of time; function errors too.",
                .samples = {{"_total", NULL, METRIC_TIMEOUT}}},
        {.name = "fnfs_calls_rejected",
                .type = "counter",
                .help = "Calls refused: throttled, or the function is disabled.",
                .samples = {{"_total", NULL, METRIC_REJECT}}},
        {.name = "fnfs_cold_starts",
                .type = "counter",
                .help = "Calls that waited for an instance to start.",
                .samples = {{"_total", NULL, METRIC_COLD_STARTS}}},
        {.name = "fnfs_call_duration_seconds",
                .type = "summary",
                .unit = "seconds",
                .help = "Time in the function's code; quantiles of recent calls.",
                .samples = {{"", "quantile=\"0.5\"", METRIC_P50},
                        {"", "quantile=\"0.9\"", METRIC_P90},
                        {"", "quantile=\"0.99\"", METRIC_P99}},
                .total = true},
        {.name = "fnfs_init_duration_seconds",
                .type = "gauge",
                .unit = "seconds",
                .help = "Mean time of recent starts of an instance.",
                .samples = {{"", NULL, METRIC_INIT_DURATION}}},
        {.name = "fnfs_memory_max_bytes",
                .type = "gauge",
                .unit = "bytes",
                .help = "Most memory that an instance used in recent calls.",
                .samples = {{"", NULL, METRIC_MEMORY_MAX}}},
        {.name = "fnfs_calls_running",
                .type = "gauge",
                .help = "Calls in flight.",
                .samples = {{"", NULL, METRIC_CONCURRENCY}}},
        {.name = "fnfs_instances",
                .type = "gauge",
                .help = "Running instances.",
                .samples = {{"", NULL, METRIC_INSTANCES}}},
        {.name = "fnfs_queue_depth",
                .type = "gauge",
                .help = "Asynchronous calls that wait.",
                .samples = {{"", NULL, METRIC_QUEUE_DEPTH}}},
        {.name = "fnfs_queue_age_seconds",
                .type = "gauge",
                .unit = "seconds",
                .help = "Age of the oldest asynchronous call that waits.",
                .samples = {{"", NULL, METRIC_QUEUE_AGE}}},
};

static void show_label_value(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			buf_puts(out, "\\n");
		else if (*text == '"' || *text == '\\')
			buf_printf(out, "\\%c", *text);
		else
			buf_append(out, text, 1);
	}
}

static void show_name(struct buf *out, const struct family *family, const char *suffix,
        const char *function, const char *label)
{
	buf_printf(out, "%s%s{function=\"", family->name, suffix);
	show_label_value(out, function);
	buf_printf(out, "\"%s%s} ", label ? "," : "", label ? label : "");
}

static void show_seconds(struct buf *out, int64_t us)
{
	buf_printf(out, "%.6f\n", (double)us / 1000000);
}

static void show_sample(struct buf *out, const struct family *family, const struct sample *sample,
        const struct facts *facts)
{
	int64_t value = facts->values[sample->metric];

	show_name(out, family, sample->suffix, facts->function, sample->label);
	if (metric_unit(sample->metric) == UNIT_US)
		show_seconds(out, value);
	else
		buf_printf(out, "%lld\n", (long long)value);
}

static void show_samples(struct buf *out, const struct family *family, const struct facts *facts)
{
	const struct metrics *metrics = facts->metrics;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(family->samples) && family->samples[i].suffix; i++)
		show_sample(out, family, &family->samples[i], facts);
	if (!family->total)
		return;
	show_name(out, family, "_sum", facts->function, NULL);
	show_seconds(out, metrics->duration_sum_us);
	show_name(out, family, "_count", facts->function, NULL);
	buf_printf(out, "%lld\n", (long long)metrics->duration_count);
}

static void show_family(
        struct buf *out, const struct family *family, const struct facts *facts, size_t count)
{
	size_t i;

	buf_printf(out, "# TYPE %s %s\n", family->name, family->type);
	if (family->unit)
		buf_printf(out, "# UNIT %s %s\n", family->name, family->unit);
	buf_printf(out, "# HELP %s %s\n", family->name, family->help);
	for (i = 0; i < count; i++)
		show_samples(out, family, &facts[i]);
}

void metrics_openmetrics(struct buf *out, size_t count, const char *const *functions,
        const struct metrics *const *metrics)
{
	CLEANUP(free_p) struct facts *facts = calloc(count + 1, sizeof(*facts));
	size_t i;

	if (!facts) {
		out->failed = true;
		return;
	}
	for (i = 0; i < count; i++) {
		facts[i].function = functions[i];
		facts[i].metrics = metrics[i];
		metrics_values(metrics[i], facts[i].values);
	}
	for (i = 0; i < ARRAY_SIZE(families); i++)
		show_family(out, &families[i], facts, count);
	buf_puts(out, "# EOF\n");
}
