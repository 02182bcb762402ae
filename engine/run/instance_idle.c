/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When an idle instance ends: after the time that a user set, exactly; where nobody did, after the time that its
 * function's history says (run/keep_alive.h). That is asked when the instance has been idle for a while, never on
 * the way of a call, and beyond KEEP_ALIVE_US there must be memory for it, too (run/kept.h).
 */
#include "run/instance_private.h"

#include "run/deployment.h"
#include "run/host.h"
#include "run/keep_alive.h"
#include "run/pool.h"

static bool is_set(const struct instance *instance)
{
	return instance->deployment->config.idle_timeout_ms != CONFIG_IDLE_TIMEOUT_AUTO;
}

static int64_t set_us(const struct instance *instance)
{
	return instance->deployment->config.idle_timeout_ms * 1000;
}

bool instance_is_reserved(const struct instance *instance)
{
	return instance->pool->live <= (unsigned)instance->deployment->config.min_instances;
}

static void idle_for_a_while(struct alarm *alarm);

static void ask_again(struct instance *instance, int64_t in_us)
{
	alarm_set(&instance->pool->host->alarms, &instance->alarm, in_us, idle_for_a_while);
}

/* What it was started for ahead has not come: it was idle since the call before. */
static bool is_expecting(const struct instance *instance)
{
	return instance->expected_until_us && !instance->last_call;
}

static void end_idle(struct instance *instance, const struct keep_alive_plan *plan)
{
	struct pool *pool = instance->pool;

	instance_retire(instance);
	if (!pool->live)
		pool_expect(pool, plan);
}

/* There is no plan to have it back when it was back in vain. */
static void ask(const struct instance *instance, struct keep_alive_plan *plan)
{
	const struct pool *pool = instance->pool;

	if (is_expecting(instance))
		*plan = (struct keep_alive_plan){
		        .end_us = instance->expected_until_us - instance->idle_since_us};
	else
		keep_alive_ask(pool->keep_alive, pool->live, plan);
}

static void idle_for_a_while(struct alarm *alarm)
{
	struct instance *instance = container_of(alarm, struct instance, alarm);
	int64_t idle_us = alarm_now_us() - instance->idle_since_us;
	struct keep_alive_plan plan = {};

	if (instance_is_reserved(instance))
		return;
	if (!is_set(instance))
		ask(instance, &plan);
	if (idle_us >= plan.end_us)
		end_idle(instance, &plan);
	else if (idle_us < KEEP_ALIVE_US && plan.end_us > KEEP_ALIVE_US)
		ask_again(instance, KEEP_ALIVE_US - idle_us);
	else if (idle_us < KEEP_ALIVE_US || kept_add(&instance->pool->host->kept, instance))
		ask_again(instance, plan.end_us - idle_us);
	else
		end_idle(instance, &plan);
}

void instance_became_idle(struct instance *instance)
{
	const struct pool *pool = instance->pool;

	sm_move(&instance->state, INSTANCE_IDLE);
	instance->idle_since_us = alarm_now_us();
	if (is_set(instance))
		ask_again(instance, set_us(instance));
	else if (keep_alive_knows(pool->keep_alive, pool->live))
		ask_again(instance, KEEP_ALIVE_LEAST_US);
	else
		ask_again(instance, KEEP_ALIVE_US);
}
