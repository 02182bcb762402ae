/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/target.h"

#include <stdio.h>

#include "engine/account.h"
#include "engine/engine_state.h"
#include "engine/metrics.h"

void target_init(struct target *target, struct function_state *state, const char *name,
        const struct target_events *events)
{
	target->state = state;
	target->events = events;
	snprintf(target->name, sizeof(target->name), "%s", name);
	pool_init(&target->pool, &state->engine->host, &account_events, target);
	list_append(&state->targets, &target->link);
}

void target_deinit(struct target *target)
{
	pool_deinit(&target->pool);
	target->metrics = metrics_free(target->metrics);
	list_unlink(&target->link);
}

void targets_count(const struct function_state *state, struct target_counts *out)
{
	const struct target *target;

	*out = (struct target_counts){};
	list_each(target, &state->targets, link) {
		out->instances += target->pool.live;
		out->running += target->pool.running;
		out->waiting += target->pool.waiting_count;
	}
}
