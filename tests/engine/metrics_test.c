/* SPDX-License-Identifier: Apache-2.0 */
/* Without this the numbers in metrics/ could be wrong, stale, or gone after a restart. */
#include "engine/metrics.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/list.h"
#include "engine/metrics_histogram.h"
#include "test.h"

#define START_US  INT64_C(1773742402123456) /* 2026-03-17T10:13:22.123 */
#define MINUTE_US INT64_C(60000000)

struct fake {
	struct clock clock;
	int64_t now_us;
};

static int64_t fake_now(const struct clock *clock)
{
	return container_of(clock, struct fake, clock)->now_us;
}

struct bench {
	struct fake fake;
	struct metrics *metrics;
};

static void bench_start(struct bench *bench)
{
	bench->fake = (struct fake){{fake_now, fake_now}, START_US};
	bench->metrics = metrics_new(&bench->fake.clock);
	REQUIRE(bench->metrics);
}

static void bench_end(struct bench *bench)
{
	bench->metrics = metrics_free(bench->metrics);
}

static void call(struct bench *bench, enum outcome outcome, int64_t duration_us)
{
	struct metrics_sample sample = {
	        .outcome = outcome, .duration_us = duration_us, .init_us = -1, .memory_bytes = -1};

	metrics_record(bench->metrics, &sample);
}

static int64_t value(struct bench *bench, const char *name)
{
	return metrics_value_us(bench->metrics, name);
}

static void check_shown(struct bench *bench, const char *name, const char *expected)
{
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;

	CHECK_INT(metrics_show(bench->metrics, name, &out), 0);
	CHECK_STR(out.data, expected);
}

static void names(void)
{
	static const char expected[] =
	        "count failcount rejectcount functionErrorCount systemErrorCount timeoutcount "
	        "duration maxDuration minDuration p50 p90 p99 concurrency instances coldStarts "
	        "initDuration memoryMax queueDepth queueAge ";
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;
	const char *const *list;
	size_t count = metrics_names(&list), i;

	for (i = 0; i < count; i++)
		buf_printf(&out, "%s ", list[i]);
	CHECK_STR(out.data, expected);
}

static void outcomes(void)
{
	struct bench bench;

	bench_start(&bench);
	call(&bench, OUTCOME_SUCCESS, 1000);
	call(&bench, OUTCOME_SUCCESS, 1000);
	call(&bench, OUTCOME_CANCELED, 1000);
	call(&bench, OUTCOME_FUNCTION_ERROR, 1000);
	call(&bench, OUTCOME_NOT_LOADED, -1);
	call(&bench, OUTCOME_BAD_REQUEST, -1);
	call(&bench, OUTCOME_TIMEOUT, 3000000);
	call(&bench, OUTCOME_SYSTEM_ERROR, -1);
	call(&bench, OUTCOME_REJECTED, -1);
	check_shown(&bench, "count", "8\n");
	check_shown(&bench, "failcount", "5\n");
	check_shown(&bench, "functionErrorCount", "4\n");
	check_shown(&bench, "systemErrorCount", "1\n");
	check_shown(&bench, "timeoutcount", "1\n");
	check_shown(&bench, "rejectcount", "1\n");
	check_shown(&bench, "maxDuration", "3000.000\n");
	check_shown(&bench, "minDuration", "1.000\n");
	check_shown(&bench, "duration", "600.800\n");
	CHECK_INT(metrics_show(bench.metrics, "nothing", NULL), -ENOENT);
	CHECK_INT(value(&bench, "nothing"), 0);
	bench_end(&bench);
}

static void empty(void)
{
	struct bench bench;

	bench_start(&bench);
	check_shown(&bench, "count", "0\n");
	check_shown(&bench, "duration", "0.000\n");
	check_shown(&bench, "p99", "0.000\n");
	check_shown(&bench, "memoryMax", "0\n");
	bench_end(&bench);
}

static void gauges(void)
{
	struct bench bench;
	struct metrics_sample cold = {
	        .duration_us = 10, .init_us = 5000, .memory_bytes = 40 << 20, .cold = true};

	bench_start(&bench);
	metrics_running(bench.metrics, 7);
	metrics_running(bench.metrics, 3);
	metrics_instances(bench.metrics, 2);
	metrics_queue(bench.metrics, 5, 1500000);
	metrics_cold_start(bench.metrics, 4000);
	metrics_cold_start(bench.metrics, 6000);
	metrics_record(bench.metrics, &cold);
	check_shown(&bench, "concurrency", "3\n");
	check_shown(&bench, "instances", "2\n");
	check_shown(&bench, "queueDepth", "5\n");
	check_shown(&bench, "queueAge", "1500.000\n");
	check_shown(&bench, "coldStarts", "1\n");
	check_shown(&bench, "initDuration", "5.000\n");
	check_shown(&bench, "memoryMax", "41943040\n");
	bench_end(&bench);
}

/* Within 3 % of the true ones, over five powers of ten. */
static void quantiles_are_close(void)
{
	static const struct {
		const char *name;
		double quantile;
	} wanted[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};
	struct bench bench;
	int64_t scale;
	size_t i;
	int n;

	for (scale = 1; scale <= 100000; scale *= 10) {
		bench_start(&bench);
		for (n = 1; n <= 10000; n++)
			call(&bench, OUTCOME_SUCCESS, n * scale);
		for (i = 0; i < ARRAY_SIZE(wanted); i++) {
			double truth = wanted[i].quantile * 10000 * (double)scale;
			double seen = (double)value(&bench, wanted[i].name);
			CHECK(seen > truth * 0.97 && seen < truth * 1.03);
		}
		bench_end(&bench);
	}
	bench_start(&bench);
	call(&bench, OUTCOME_SUCCESS, 12345);
	CHECK_INT(value(&bench, "p50"), 12345); /* one call is known exactly */
	CHECK_INT(value(&bench, "p99"), 12345);
	bench_end(&bench);
}

/* Every length of time lands in a bucket whose value is near it; the buckets are in order. */
static void histogram_of_everything(void)
{
	int64_t value = 0;

	while (value < INT64_C(1) << 40) {
		struct histogram one = {0};
		int64_t limit = value < (INT64_C(1) << 38) ? value : (INT64_C(1) << 38) - 1;
		histogram_add(&one, value);
		histogram_add(&one, INT64_MAX); /* else the exact extremes would be seen */
		histogram_add(&one, 0);
		int64_t seen = histogram_quantile(&one, 0.5);
		CHECK(llabs(seen - limit) <= limit / 64);
		value += value / 50 + 1;
	}
}

static void recent_is_recent(void)
{
	struct bench bench;
	int minute;

	bench_start(&bench);
	call(&bench, OUTCOME_SUCCESS, 9000000);
	bench.fake.now_us += 10 * 3600 * INT64_C(1000000); /* a quiet night */
	check_shown(&bench, "p50", "9000.000\n");
	call(&bench, OUTCOME_SUCCESS, 1000);
	check_shown(&bench, "p50", "1.000\n");
	check_shown(&bench, "maxDuration", "1.000\n");
	for (minute = 0; minute < 4; minute++) {
		bench.fake.now_us += MINUTE_US;
		call(&bench, OUTCOME_SUCCESS, 2000);
	}
	check_shown(&bench, "minDuration", "1.000\n");
	for (minute = 0; minute < 12; minute++) {
		bench.fake.now_us += MINUTE_US;
		call(&bench, OUTCOME_SUCCESS, 3000);
	}
	check_shown(&bench, "minDuration", "3.000\n");
	check_shown(&bench, "count", "18\n");
	bench_end(&bench);
}

#define HEAD \
	"time,count,failcount,rejectcount,functionErrorCount,systemErrorCount,timeoutcount," \
	"duration,maxDuration,minDuration,p50,p90,p99,concurrency,instances,coldStarts," \
	"initDuration,memoryMax,queueDepth,queueAge\n"

static void check_history(struct bench *bench, const char *expected)
{
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;

	metrics_show_history(bench->metrics, &out);
	CHECK_STR(out.data, expected);
}

#define ROW_1 \
	"2026-03-17T10:13:00Z,2,1,0,1,0,0,1.500,2.000,1.000,1.000,2.000,2.000,4,1,0,0.000,0," \
	"0,0.000\n"
#define ROW_2 \
	"2026-03-17T11:13:00Z,1,0,0,0,0,0,5.000,5.000,5.000,5.000,5.000,5.000,2,1,0,0.000,0," \
	"0,0.000\n"

static void history(void)
{
	struct bench bench;

	bench_start(&bench);
	check_history(&bench, HEAD);
	metrics_instances(bench.metrics, 1);
	metrics_running(bench.metrics, 4);
	metrics_running(bench.metrics, 2);
	call(&bench, OUTCOME_SUCCESS, 1000);
	call(&bench, OUTCOME_FUNCTION_ERROR, 2000);
	check_history(&bench, HEAD ROW_1);
	bench.fake.now_us += 60 * MINUTE_US;
	check_history(&bench, HEAD ROW_1);
	call(&bench, OUTCOME_SUCCESS, 5000);
	check_history(&bench, HEAD ROW_1 ROW_2);
	bench.fake.now_us += (24 * 60 - 60) * MINUTE_US; /* the first is a day old */
	check_history(&bench, HEAD ROW_2);
	bench.fake.now_us += 60 * MINUTE_US;
	check_history(&bench, HEAD);
	bench_end(&bench);
}

static size_t count_rows(struct bench *bench)
{
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;
	size_t rows = 0, i;

	metrics_show_history(bench->metrics, &out);
	for (i = 0; i < out.length; i++)
		rows += out.data[i] == '\n';
	return rows - 1;
}

static void history_is_a_day(void)
{
	struct bench bench;
	int minute;

	bench_start(&bench);
	for (minute = 0; minute < 3000; minute++) {
		call(&bench, OUTCOME_SUCCESS, 1000);
		bench.fake.now_us += MINUTE_US;
	}
	CHECK_INT(count_rows(&bench), 24 * 60 - 1); /* the minute now has no calls */
	bench.fake.now_us -= 100 * MINUTE_US;       /* a clock set back */
	call(&bench, OUTCOME_SUCCESS, 1000);
	call(&bench, OUTCOME_SUCCESS, 1000);
	bench.fake.now_us += MINUTE_US;
	call(&bench, OUTCOME_SUCCESS, 1000);
	CHECK(count_rows(&bench) <= 24 * 60);
	CHECK(count_rows(&bench) >= 24 * 60 - 102);
	bench_end(&bench);
}

static void check_all(struct bench *a, struct bench *b)
{
	CLEANUP(buf_deinit) struct buf rows_a = BUF_INIT, rows_b = BUF_INIT;
	const char *const *list;
	size_t count = metrics_names(&list), i;

	for (i = 0; i < count; i++)
		CHECK_INT(value(a, list[i]), value(b, list[i]));
	metrics_show_history(a->metrics, &rows_a);
	metrics_show_history(b->metrics, &rows_b);
	CHECK_STR(rows_a.data, rows_b.data);
}

static void survives_a_restart(void)
{
	CLEANUP(buf_deinit) struct buf saved = BUF_INIT;
	struct bench before, after;
	int i;

	bench_start(&before);
	bench_start(&after);
	for (i = 0; i < 5000; i++) {
		call(&before, i % 7 ? OUTCOME_SUCCESS : OUTCOME_TIMEOUT, i * 13);
		before.fake.now_us += MINUTE_US / 20;
	}
	metrics_cold_start(before.metrics, 77000);
	after.fake.now_us = before.fake.now_us;
	metrics_save(before.metrics, &saved);
	CHECK_INT(metrics_load(after.metrics, saved.data, saved.length), 0);
	check_all(&before, &after);
	call(&before, OUTCOME_SUCCESS, 1);
	call(&after, OUTCOME_SUCCESS, 1);
	CHECK_INT(value(&after, "count"), value(&before, "count"));
	bench_end(&before);
	bench_end(&after);
}

/* Cut anywhere, or with any byte changed, it is refused or read; nothing is believed blindly. */
static void damaged_text(void)
{
	CLEANUP(buf_deinit) struct buf saved = BUF_INIT;
	CLEANUP(free_p) char *copy = NULL;
	struct bench bench;
	uint64_t seed = test_seed();
	size_t i;

	bench_start(&bench);
	for (i = 0; i < 50; i++)
		call(&bench, OUTCOME_SUCCESS, (int64_t)i * 100);
	metrics_save(bench.metrics, &saved);
	for (i = 0; i < saved.length; i++)
		CHECK_INT(metrics_load(bench.metrics, saved.data, i), -EBADMSG);
	CHECK_INT(value(&bench, "count"), 50);
	copy = malloc(saved.length);
	for (i = 0; i < 20000; i++) {
		memcpy(copy, saved.data, saved.length);
		copy[test_random(&seed) % saved.length] = (char)test_random(&seed);
		if (metrics_load(bench.metrics, copy, saved.length) == 0)
			count_rows(&bench);
	}
	CHECK_INT(metrics_load(bench.metrics, saved.data, saved.length), 0);
	CHECK_INT(value(&bench, "count"), 50);
	bench_end(&bench);
}

static void chart_has_one_size(void)
{
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;
	struct bench bench;
	int minute;

	bench_start(&bench);
	for (minute = 0; minute < 24 * 60; minute += 7) {
		buf_clear(&out);
		metrics_show_chart(bench.metrics, "f", &out);
		CHECK_INT(out.length, METRICS_CHART_BYTES);
		CHECK(out.data[METRICS_CHART_BYTES - 1] == '\n');
		CHECK(strstr(out.data, "</svg>\n "));
		call(&bench, minute % 5 ? OUTCOME_SUCCESS : OUTCOME_FUNCTION_ERROR,
		        INT64_C(1) << (minute % 38));
		bench.fake.now_us += 7 * MINUTE_US;
	}
	bench_end(&bench);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(names), TEST(outcomes), TEST(empty), TEST(gauges),
	        TEST(quantiles_are_close), TEST(histogram_of_everything), TEST(recent_is_recent),
	        TEST(history), TEST(history_is_a_day), TEST(survives_a_restart), TEST(damaged_text),
	        TEST(chart_has_one_size), {}};

	return test_main(tests, argc, argv);
}
