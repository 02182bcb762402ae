/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/patience.h"

static const int64_t phase_ms[PHASES] = {
        [PHASE_HEAD] = 60 * 1000,
        [PHASE_BODY] = 120 * 1000,
        [PHASE_RESTS] = 0, /* for ever */
        [PHASE_ANSWER] = 120 * 1000,
};

void patience_init(struct patience *patience)
{
	for (int phase = 0; phase < PHASES; phase++)
		list_init(&patience->waits[phase]);
	patience->swept_ms = 0;
}

void patience_wait_init(struct patience_wait *wait)
{
	list_init(&wait->link);
}

void patience_enter(struct patience *patience, struct patience_wait *wait,
        enum patience_phase phase, int64_t now_ms)
{
	list_unlink(&wait->link);
	wait->since_ms = now_ms;
	list_append(&patience->waits[phase], &wait->link);
}

void patience_leave(struct patience_wait *wait)
{
	list_unlink(&wait->link);
}

void patience_sweep(struct patience *patience, int64_t now_ms, void (*late)(struct patience_wait *))
{
	if (now_ms - patience->swept_ms < PATIENCE_SWEEP_MS)
		return;
	patience->swept_ms = now_ms;
	for (int phase = 0; phase < PHASES; phase++) {
		struct patience_wait *wait;

		if (!phase_ms[phase])
			continue;
		list_each(wait, &patience->waits[phase], link) {
			if (now_ms - wait->since_ms < phase_ms[phase])
				break;
			late(wait);
		}
	}
}
