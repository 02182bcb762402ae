/* SPDX-License-Identifier: Apache-2.0 */
/* What a user writes into a timer. Whatever is accepted fires later than now, and no more than it says. */
#include "events/schedule.h"

#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[300];
	struct buf why = BUF_INIT;
	struct schedule *schedule = NULL;
	int64_t now = INT64_C(1774742400) * 1000000, next;
	int i;

	snprintf(text, sizeof(text), "%.*s", (int)size, (const char *)data);
	if (schedule_parse(&schedule, text, &why) == 0) {
		for (i = 0; i < 10 && now != INT64_MAX; i++, now = next) {
			next = schedule_next_us(schedule, 0, now);
			if (next <= now || (next != INT64_MAX && next - now < 1000000 && i))
				abort();
		}
	} else if (!why.length) {
		abort(); /* a refusal says why */
	}
	buf_deinit(&why);
	schedule_free(schedule);
	return 0;
}

void fuzz_sample(struct buf *out)
{
	buf_puts(out, "CRON_TZ=Europe/Berlin */20 1-3,7/4 2 1,15 FEB,5-11/3 MON-FRI");
}
