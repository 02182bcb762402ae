/* SPDX-License-Identifier: Apache-2.0 */
/* A saved history of idle times as another version, or a broken disk, may have left it. */
#include "run/keep_alive.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT, saved = BUF_INIT;
	struct keep_alive keep_alive = {}, again = {};
	int r;

	buf_append(&text, data, size);
	buf_puts(&text, "");
	r = keep_alive_load(&keep_alive, text.data ? text.data : "");
	if (r != 0 && r != -EBADMSG)
		abort();
	for (unsigned depth = 0; depth <= KEEP_ALIVE_DEPTHS + 1; depth++) {
		struct keep_alive_plan plan;

		keep_alive_ask(&keep_alive, depth, &plan);
		if (plan.end_us < KEEP_ALIVE_LEAST_US || plan.end_us > KEEP_ALIVE_MOST_US ||
		        plan.until_us > KEEP_ALIVE_MOST_US || plan.back_us > plan.until_us)
			abort();
	}
	keep_alive_started(&keep_alive, 1000);
	keep_alive_save(&keep_alive, &saved);
	if (keep_alive_load(&again, saved.data) != 0)
		abort();
	return 0;
}

void fuzz_sample(struct buf *out)
{
	struct keep_alive keep_alive = {};
	int64_t now_us = 1;

	keep_alive_started(&keep_alive, 1234567);
	for (unsigned i = 0; i < 40; i++) {
		unsigned depth = 1 + i % KEEP_ALIVE_DEPTHS;

		keep_alive_needed(&keep_alive, depth, depth - 1, now_us);
		now_us += KEEP_ALIVE_LEAST_US + i * KEEP_ALIVE_US;
		keep_alive_needed(&keep_alive, depth - 1, depth, now_us);
	}
	keep_alive_save(&keep_alive, out);
}
