/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints what metrics/ shows of a made-up day: `metrics_sample chart|history|openmetrics|names [HOURS]`.
 * metrics_check.py reads it with parsers that are not ours; a person can look at the chart.
 */
#include "engine/metrics.h"

#include <math.h>

#include "base/cleanup.h"
#include "base/list.h"
#include "test.h"

struct fake {
	struct clock clock;
	int64_t now_us;
};

static int64_t fake_now(const struct clock *clock)
{
	return container_of(clock, struct fake, clock)->now_us;
}

/* One minute: a daily wave of calls, a bad quarter of an hour, and a pause. */
static void minute(struct metrics *metrics, int number, uint64_t *seed)
{
	int calls = (int)(40 + 35 * sin(number / 70.0)) + (int)(test_random(seed) % 12), i;

	if (number % 400 > 370)
		return;
	metrics_instances(metrics, 1 + calls / 20);
	metrics_running(metrics, 1 + calls / 25);
	for (i = 0; i < calls; i++) {
		struct metrics_sample sample = {
		        .duration_us = 1500 + (int64_t)(test_random(seed) % 3000),
		        .init_us = -1,
		        .memory_bytes = (30 << 20) + (int64_t)(test_random(seed) % 5000) * 4096,
		};
		if (test_random(seed) % 50 == 0)
			sample.duration_us *= 6;
		if (number % 311 > 295 && test_random(seed) % 3 == 0)
			sample.outcome = OUTCOME_FUNCTION_ERROR;
		sample.cold = i == 0 && number % 400 == 0;
		if (sample.cold)
			metrics_cold_start(metrics, 42000);
		metrics_record(metrics, &sample);
	}
	metrics_running(metrics, 0);
}

int main(int argc, char **argv)
{
	struct fake fake = {{fake_now, fake_now}, INT64_C(1773742402123456)};
	int minutes = argc > 2 ? atoi(argv[2]) * 60 : 24 * 60, i;
	const char *const functions[] = {"shop", "quiet", "we\"ird\\name\n"};
	struct metrics *all[] = {
	        metrics_new(&fake.clock), metrics_new(&fake.clock), metrics_new(&fake.clock)};
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;
	const char *const *names;
	uint64_t seed = 7;
	size_t n;

	for (i = 0; i < minutes; i++) {
		if (i)
			fake.now_us += 60000000;
		minute(all[0], i, &seed);
	}
	if (argc > 1 && strcmp(argv[1], "chart") == 0)
		metrics_show_chart(all[0], "shop", &out);
	else if (argc > 1 && strcmp(argv[1], "empty") == 0)
		metrics_show_chart(all[1], "<a & b>", &out);
	else if (argc > 1 && strcmp(argv[1], "history") == 0)
		metrics_show_history(all[0], &out);
	else if (argc > 1 && strcmp(argv[1], "openmetrics") == 0)
		metrics_openmetrics(&out, 3, functions, (const struct metrics *const *)all);
	else
		for (n = 0; n < metrics_names(&names); n++) {
			buf_printf(&out, "%s ", names[n]);
			metrics_show(all[0], names[n], &out);
		}
	fwrite(out.data, 1, out.length, stdout);
	for (i = 0; i < 3; i++)
		metrics_free(all[i]);
	return 0;
}
