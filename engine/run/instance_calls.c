/* SPDX-License-Identifier: Apache-2.0 */
/* The calls an instance carries: sent, given up, killed. */
#include "run/instance_private.h"

#include <assert.h>
#include <errno.h>

#include "run/deployment.h"
#include "run/host.h"
#include "run/invocation.h"
#include "run/pool.h"

#define PAUSED_US (INT64_C(10) * 1000)

/* One call fewer runs here: what follows for the instance. */
void instance_one_less(struct instance *instance)
{
	struct pool *pool = instance->pool;

	instance->running_count--;
	pool->running--;
	if (instance_in(instance, INSTANCE_BUSY)) {
		if (!instance->running_count)
			instance_became_idle(instance);
		list_unlink(&instance->available);
		list_prepend(&pool->available, &instance->available);
	} else if (instance_in(instance, INSTANCE_DRAINING) && !instance->running_count) {
		instance_end_gently(instance);
	}
	pool_count_needed(pool,
	        instance_in(instance, INSTANCE_IDLE) ? instance->idle_since_us : alarm_now_us());
	pool->events->changed(pool->userdata);
}

static void out_of_time(struct alarm *alarm)
{
	struct invocation *invocation = container_of(alarm, struct invocation, alarm);
	struct instance *instance = invocation->instance;
	struct buf body = BUF_INIT;

	if (instance->channel.paused) { /* its end may have come, and waits behind the log */
		alarm_set(&instance->pool->host->alarms, alarm, PAUSED_US, out_of_time);
		return;
	}
	error_body(&body, "Sandbox.Timeout", "Task timed out after %.2f seconds",
	        (double)instance->deployment->config.timeout_ms / 1000);
	instance_abandon(instance, invocation);
	pool_end_later(invocation, OUTCOME_TIMEOUT, -ETIMEDOUT, &body);
}

void instance_invoke(struct instance *instance, struct invocation *invocation)
{
	struct pool *pool = instance->pool;

	assert(instance_has_room(instance));
	invocation->instance = instance;
	invocation->instance_id = instance->id;
	invocation->call = ++instance->last_call;
	invocation->sent_us = alarm_now_us();
	pool->host->called = pool;
	pool->host->called_us = invocation->sent_us;
	invocation->cold = invocation->created_us < instance->begun_us + instance->init_us;
	invocation->init_us = invocation->cold ? instance->init_us : -1;
	list_append(&instance->running, &invocation->link);
	instance->running_count++;
	pool->running++;
	pool_count_needed(pool, invocation->sent_us);
	if (instance_in(instance, INSTANCE_IDLE))
		sm_move(&instance->state, INSTANCE_BUSY);
	if (!instance_has_room(instance))
		list_unlink(&instance->available);
	if (instance->protocol->call(instance, invocation) < 0)
		instance_kill(instance, OUTCOME_SYSTEM_ERROR, -ENOMEM, NULL);
	alarm_clear(&pool->host->alarms, &instance->alarm);
	list_unlink(&instance->kept);
	alarm_set(&pool->host->alarms, &invocation->alarm,
	        instance->deployment->config.timeout_ms * 1000, out_of_time);
	pool->events->began(pool->userdata, invocation);
	buf_deinit(&invocation->request);
	pool->events->changed(pool->userdata);
}

void instance_abandon(struct instance *instance, struct invocation *invocation)
{
	if (!instance_is_ending(instance))
		instance_read_output(instance); /* what it printed until now is its own */
	list_unlink(&invocation->link);
	instance->running_count--;
	instance->pool->running--;
	pool_count_needed(instance->pool, alarm_now_us());
	if (instance_is_ending(instance))
		return;
	if (!instance->running_count) {
		instance_end_at_once(instance);
		return;
	}
	instance->protocol->cancel(instance, invocation);
	if (instance_in(instance, INSTANCE_BUSY)) {
		sm_move(&instance->state, INSTANCE_DRAINING);
		list_unlink(&instance->available);
	}
	instance->pool->events->changed(instance->pool->userdata);
}

void instance_kill(struct instance *instance, enum outcome outcome, int error, struct buf *body)
{
	struct invocation *invocation;

	if (instance_in(instance, INSTANCE_ENDED))
		return;
	instance_end_at_once(instance);
	while (outcome != OUTCOME_SUCCESS &&
	        (invocation = list_first(&instance->running, struct invocation, link))) {
		struct buf copy = BUF_INIT;

		if (body)
			buf_append(&copy, body->data, body->length);
		instance_abandon(instance, invocation);
		pool_end_later(invocation, outcome, error, &copy);
	}
}
