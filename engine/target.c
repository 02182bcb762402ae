/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/target.h"

#include <stdio.h>

#include "base/quantity.h"
#include "engine/account.h"
#include "engine/engine_state.h"
#include "engine/metrics.h"
#include "model/config.h"
#include "run/keep_alive.h"

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

static void show_seconds(struct buf *out, int64_t us)
{
	quantity_format_duration(out, (us + 500000) / 1000000 * 1000);
}

static void show_plan(const struct keep_alive *keep_alive, struct buf *out)
{
	struct keep_alive_plan plan;

	keep_alive_ask(keep_alive, 1, &plan);
	show_seconds(out, plan.end_us);
	buf_printf(out, " by the last %u idle times and a start of ", keep_alive->levels[0].count);
	quantity_format_duration(out, (keep_alive->start_us + 999) / 1000);
	if (plan.back_us) {
		buf_puts(out, "; back from ");
		show_seconds(out, plan.back_us);
		buf_puts(out, " to ");
		show_seconds(out, plan.until_us);
	}
}

void target_show_idle_timeout(
        const struct target *target, const struct config *config, struct buf *out)
{
	const struct keep_alive *keep_alive = target->pool.keep_alive;
	bool is_set = config->idle_timeout_ms != CONFIG_IDLE_TIMEOUT_AUTO;

	buf_puts(out, "idle_timeout ");
	if (!is_set && keep_alive_knows(keep_alive, 1)) {
		show_plan(keep_alive, out);
	} else {
		config_show_value(config, CONFIG_IDLE_TIMEOUT, out);
		buf_puts(out, is_set ? " as set" : " by default");
	}
	buf_puts(out, "\n");
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
