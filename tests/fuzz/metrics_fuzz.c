/* SPDX-License-Identifier: Apache-2.0 */
/* Saved metrics as another version, or a broken disk, may have left them. */
#include "engine/metrics.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "fuzz.h"

static int64_t fixed_time(const struct clock *clock)
{
	return INT64_C(1773742402123456);
}

static const struct clock fixed = {fixed_time, fixed_time};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;
	struct metrics *metrics = metrics_new(&fixed);
	struct metrics_sample sample = {.duration_us = 1000, .memory_bytes = 1};
	int r = metrics_load(metrics, (const char *)data, size);

	if (r != 0 && r != -EBADMSG)
		abort();
	metrics_record(metrics, &sample);
	metrics_show_history(metrics, &out);
	metrics_show_chart(metrics, "f", &out);
	metrics_save(metrics, &out);
	metrics_free(metrics);
	return 0;
}

void fuzz_sample(struct buf *out)
{
	struct metrics *metrics = metrics_new(&fixed);
	int i;

	for (i = 0; i < 40; i++)
		metrics_record(metrics, &(struct metrics_sample){.duration_us = i * i * 100});
	metrics_save(metrics, out);
	metrics_free(metrics);
}
