/* SPDX-License-Identifier: Apache-2.0 */
#include "run/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "run/deployment.h"
#include "run/host.h"
#include "run/instance.h"
#include "run/keep_alive.h"

/* A failed start of a reserved instance is tried again after 1 s, 2 s ... at most a minute. */
#define REFILL_FIRST_US (INT64_C(1) * 1000 * 1000)
#define REFILL_MOST_US  (INT64_C(60) * 1000 * 1000)

void pool_init(
        struct pool *pool, struct host *host, const struct pool_events *events, void *userdata)
{
	memset(pool, 0, sizeof(*pool));
	pool->host = host;
	pool->events = events;
	pool->userdata = userdata;
	list_init(&pool->instances);
	list_init(&pool->available);
	list_init(&pool->waiting);
	list_init(&pool->start_link);
}

void pool_deinit(struct pool *pool)
{
	assert(pool_empty(pool));
	list_unlink(&pool->start_link);
	alarm_clear(&pool->host->alarms, &pool->refill);
	alarm_clear(&pool->host->alarms, &pool->ahead);
	alarm_clear(&pool->host->alarms, &pool->growth);
	pool->deployment = deployment_unref(pool->deployment);
	free(pool->keep_alive);
}

bool pool_empty(const struct pool *pool)
{
	return list_empty(&pool->instances) && !pool->open;
}

/* --- what is needed --------------------------------------------------------------------------- */

void pool_count_needed(struct pool *pool, int64_t now_us)
{
	unsigned calls = pool->running + pool->waiting_count, before = pool->needed;
	unsigned each = pool->deployment ? (unsigned)pool->deployment->config.concurrency : 1;

	pool->needed = each > 1 ? (calls + each - 1) / each : calls;
	if (pool->keep_alive && pool->needed != before)
		keep_alive_needed(pool->keep_alive, before, pool->needed, now_us);
}

static void count_start(struct pool *pool, int64_t init_us)
{
	if (!pool->keep_alive)
		pool->keep_alive = calloc(1, sizeof(*pool->keep_alive));
	if (pool->keep_alive)
		keep_alive_started(pool->keep_alive, init_us);
}

static int64_t idle_since_us(const struct pool *pool)
{
	return pool->keep_alive ? pool->keep_alive->since_us[0] : 0;
}

/* Whoever called meanwhile, or took the memory, made it needless. */
static void start_ahead(struct alarm *alarm)
{
	struct pool *pool = container_of(alarm, struct pool, ahead);
	struct keep_alive_plan plan;

	if (pool->live || pool->open || pool->closed || !pool->deployment ||
	        pool->host->kept.memory_is_short())
		return;
	keep_alive_ask(pool->keep_alive, 1, &plan);
	pool->expected_until_us = plan.back_us ? idle_since_us(pool) + plan.until_us : 0;
	if (plan.back_us)
		pool_warm(pool);
}

void pool_expect(struct pool *pool, const struct keep_alive_plan *plan)
{
	int64_t in_us = idle_since_us(pool) + plan->back_us - alarm_now_us();

	alarm_clear(&pool->host->alarms, &pool->ahead);
	if (plan->back_us && idle_since_us(pool) && in_us >= 0)
		alarm_set(&pool->host->alarms, &pool->ahead, in_us, start_ahead);
}

/* --- the end of invocations ----------------------------------------------------------------- */

static void invocation_free(struct invocation *invocation)
{
	assert(list_empty(&invocation->link) && !alarm_is_set(&invocation->alarm));
	buf_deinit(&invocation->request);
	buf_deinit(&invocation->deferred.body);
	free(invocation->http_head);
	free(invocation->name);
	free(invocation);
}

void pool_data(struct invocation *invocation, const char *data, size_t length)
{
	struct pool *pool = invocation->pool;

	if (invocation->events)
		invocation->events->data(invocation->userdata, data, length);
	pool->events->data(pool->userdata, invocation, data, length);
}

void pool_end(struct invocation *invocation, const struct invocation_end *end)
{
	struct pool *pool = invocation->pool;

	assert(!invocation->ending);
	invocation->ending = true; /* a release or cancel in what follows changes nothing here */
	alarm_clear(&pool->host->alarms, &invocation->alarm);
	if (invocation->events)
		invocation->events->ended(invocation->userdata, end);
	if (invocation->instance && !list_empty(&invocation->link))
		instance_read_output(invocation->instance);
	pool->events->ended(pool->userdata, invocation, end);
	list_unlink(&invocation->link);
	pool->open--;
	invocation->ended = true;
	if (invocation->released)
		invocation_free(invocation);
	pool_settle(pool);
}

static void end_now(struct alarm *alarm)
{
	struct invocation *invocation = container_of(alarm, struct invocation, alarm);
	CLEANUP(buf_deinit) struct buf body = invocation->deferred.body;
	const struct invocation_end end = {
	        .outcome = invocation->deferred.outcome,
	        .error = invocation->deferred.error,
	        .error_body = body.data ? body.data : "",
	        .error_length = body.length,
	};

	buf_init(&invocation->deferred.body);
	pool_end(invocation, &end);
}

static void leave_waiting(struct invocation *invocation)
{
	if (invocation->instance || list_empty(&invocation->link))
		return;
	list_unlink(&invocation->link);
	if (invocation->in_pool)
		invocation->pool->waiting_count--;
	invocation->in_pool = false;
}

void pool_end_later(
        struct invocation *invocation, enum outcome outcome, int error, struct buf *body)
{
	leave_waiting(invocation);
	pool_count_needed(invocation->pool, alarm_now_us());
	buf_deinit(&invocation->deferred.body);
	invocation->deferred.outcome = outcome;
	invocation->deferred.error = error;
	if (body)
		invocation->deferred.body = *body;
	if (body)
		buf_init(body);
	if (alarm_set(&invocation->pool->host->alarms, &invocation->alarm, 0, end_now) < 0)
		end_now(&invocation->alarm); /* rather too early than never */
}

void invocation_cancel(struct invocation *invocation)
{
	struct buf body = BUF_INIT;

	if (invocation->ending ||
	        (alarm_is_set(&invocation->alarm) && invocation->alarm.ring == end_now))
		return;
	error_body(&body, "Canceled", "The call was canceled");
	if (invocation->instance)
		instance_abandon(invocation->instance, invocation);
	pool_end_later(invocation, OUTCOME_CANCELED, -ECANCELED, &body);
}

void invocation_release(struct invocation *invocation)
{
	assert(!invocation->released);
	invocation->released = true;
	invocation->events = NULL;
	if (invocation->ended)
		invocation_free(invocation);
}

/* --- the way to an instance ----------------------------------------------------------------- */

static bool wants_to_start(struct pool *pool)
{
	const struct deployment *deployment = pool->deployment;
	unsigned current = pool->starting,
	         room = pool->starting * (unsigned)deployment->config.concurrency;
	const struct instance *instance;

	if (pool->live >= (unsigned)deployment->config.max_instances)
		return false;
	if (room < pool->waiting_count && pool_start_would_help(pool))
		return true;
	if (!pool->warm_wanted && !deployment->config.min_instances)
		return false;
	list_each(instance, &pool->instances, link)
		current += instance->deployment == deployment &&
		           instance->state.state != INSTANCE_STARTING &&
		           instance->state.state < INSTANCE_DRAINING;
	if (pool->warm_wanted && !current)
		return true;
	return current < (unsigned)deployment->config.min_instances && !alarm_is_set(&pool->refill);
}

static void start_more(struct pool *pool)
{
	while (!pool->closed && pool->deployment && pool->deployment->runtime &&
	        wants_to_start(pool) && host_may_start(pool->host, pool)) {
		CLEANUP(buf_deinit) struct buf body = BUF_INIT;
		int r = instance_start(pool, !pool->waiting_count, &body);

		if (r < 0) {
			host_started(pool->host);
			pool_instance_failed(
			        pool, NULL, OUTCOME_SYSTEM_ERROR, -EIO, body.data, body.length);
			return;
		}
		pool->warm_wanted = pool->grows = false;
	}
}

/* What a call has printed is read when it ends; where that cannot be written as fast the next ones begin later. */
static bool is_held(struct pool *pool)
{
	return pool->events->congested(pool->userdata);
}

void pool_dispatch(struct pool *pool)
{
	struct invocation *invocation;
	struct instance *instance;

	if (pool->waiting_count && is_held(pool))
		return;
	while ((invocation = list_first(&pool->waiting, struct invocation, link)) &&
	        (instance = list_first(&pool->available, struct instance, available))) {
		leave_waiting(invocation);
		alarm_clear(&pool->host->alarms, &invocation->alarm);
		instance_invoke(instance, invocation);
	}
	start_more(pool);
}

static void waited_too_long(struct alarm *alarm)
{
	struct invocation *invocation = container_of(alarm, struct invocation, alarm);
	struct buf body = BUF_INIT;

	error_body(&body, "TooManyRequests", "All instances stayed busy for %d seconds",
	        (int)(POOL_WAITING_US / 1000000));
	pool_end_later(invocation, OUTCOME_REJECTED, -EAGAIN, &body);
}

static bool refuse(struct pool *pool, struct invocation *invocation)
{
	struct buf body = BUF_INIT;

	if (pool->closed) {
		error_body(
		        &body, "Unavailable", "The function is being removed or the daemon ends");
		pool_end_later(invocation, OUTCOME_REJECTED, -EAGAIN, &body);
	} else if (!pool->deployment->runtime) {
		deployment_refusal(pool->deployment, &body);
		pool_end_later(invocation, OUTCOME_NOT_LOADED, -ENOEXEC, &body);
	} else if (pool->waiting_count >= POOL_WAITING_MAX) {
		error_body(&body, "TooManyRequests",
		        "All instances are busy and %u calls wait already", pool->waiting_count);
		pool_end_later(invocation, OUTCOME_REJECTED, -EAGAIN, &body);
	} else {
		return false;
	}
	return true;
}

void pool_submit(struct pool *pool, struct invocation *invocation)
{
	struct instance *instance = list_first(&pool->available, struct instance, available);

	if (instance && !pool->closed && !pool->waiting_count && !is_held(pool)) {
		instance_invoke(instance, invocation);
		return;
	}
	if (refuse(pool, invocation))
		return;
	list_append(&pool->waiting, &invocation->link);
	invocation->in_pool = true;
	pool->waiting_count++;
	pool_count_needed(pool, alarm_now_us());
	alarm_set(&pool->host->alarms, &invocation->alarm, POOL_WAITING_US, waited_too_long);
	pool_dispatch(pool);
}

void pool_warm(struct pool *pool)
{
	pool->warm_wanted = true;
	pool_dispatch(pool);
}

/* --- deployments and instances -------------------------------------------------------------- */

static void fail_waiting(
        struct pool *pool, enum outcome outcome, int error, const char *text, size_t length)
{
	struct invocation *invocation;
	struct list waiting;

	list_move_all(&pool->waiting, &waiting);
	while ((invocation = list_first(&waiting, struct invocation, link))) {
		struct buf body = BUF_INIT;

		buf_append(&body, text, length);
		pool_end_later(invocation, outcome, error, &body);
	}
}

void pool_set_deployment(struct pool *pool, struct deployment *deployment)
{
	struct deployment *old = pool->deployment;
	struct instance *instance, *following;

	pool->deployment = deployment_ref(deployment);
	pool->starting = 0;
	pool->failed_starts = 0;
	pool->call_us = pool->ready_us = 0;
	alarm_clear(&pool->host->alarms, &pool->refill);
	alarm_clear(&pool->host->alarms, &pool->ahead); /* its idle_timeout may be set */
	alarm_clear(&pool->host->alarms, &pool->growth);
	/* Each start that is given up may let one of the new deployment begin, which stays. */
	list_each_safe(instance, following, &pool->instances, link)
		if (instance->deployment != deployment)
			instance_retire(instance);
	deployment_unref(old);
	if (deployment->runtime) {
		pool_dispatch(pool);
	} else {
		CLEANUP(buf_deinit) struct buf body = BUF_INIT;

		deployment_refusal(deployment, &body);
		fail_waiting(pool, OUTCOME_NOT_LOADED, -ENOEXEC, body.data, body.length);
	}
}

void pool_rest(struct pool *pool)
{
	struct deployment *old = pool->deployment;
	struct instance *instance, *following;

	if (!old || pool->open)
		return;
	pool->deployment = NULL;
	pool->starting = 0;
	alarm_clear(&pool->host->alarms, &pool->refill);
	alarm_clear(&pool->host->alarms, &pool->ahead);
	alarm_clear(&pool->host->alarms, &pool->growth);
	list_each_safe(instance, following, &pool->instances, link)
		instance_retire(instance);
	deployment_unref(old);
}

static void refill(struct alarm *alarm)
{
	pool_dispatch(container_of(alarm, struct pool, refill));
}

static void refill_later(struct pool *pool)
{
	int64_t delay = REFILL_FIRST_US << (pool->failed_starts < 6 ? pool->failed_starts : 6);

	pool->failed_starts++;
	alarm_set(&pool->host->alarms, &pool->refill,
	        delay < REFILL_MOST_US ? delay : REFILL_MOST_US, refill);
}

void pool_instance_ready(struct pool *pool, struct instance *instance, int64_t init_us)
{
	pool->failed_starts = 0;
	count_start(pool, init_us);
	if (instance->deployment != pool->deployment) {
		instance_retire(instance);
		return;
	}
	pool->start_us = init_us;
	pool->ready_us = alarm_now_us();
	pool->events->loaded(pool->userdata, instance->deployment, NULL, 0, init_us);
	list_prepend(&pool->available, &instance->available);
	pool_dispatch(pool);
}

/* Everybody who waits hears the error: the next start would end the same way, and they waited for it. */
void pool_instance_failed(struct pool *pool, struct instance *instance, enum outcome outcome,
        int error, const char *text, size_t length)
{
	struct deployment *deployment = instance ? instance->deployment : pool->deployment;

	if (deployment != pool->deployment)
		return; /* of code that is no more */
	pool->warm_wanted = false;
	refill_later(pool);
	pool->events->loaded(pool->userdata, deployment, text, length, -1);
	fail_waiting(pool, outcome, error, text, length);
}

void pool_settle(struct pool *pool)
{
	if (pool->closed && pool_empty(pool))
		pool->events->emptied(pool->userdata);
}

void pool_resume(struct pool *pool)
{
	struct instance *instance;

	list_each(instance, &pool->instances, link)
		instance_resume_output(instance);
	pool_dispatch(pool);
}

void pool_close(struct pool *pool, bool gently)
{
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;
	struct instance *instance, *following;

	pool->closed = true;
	list_unlink(&pool->start_link);
	alarm_clear(&pool->host->alarms, &pool->refill);
	alarm_clear(&pool->host->alarms, &pool->ahead);
	alarm_clear(&pool->host->alarms, &pool->growth);
	error_body(&body, "Unavailable", "The function was removed or the daemon ends");
	fail_waiting(pool, OUTCOME_REJECTED, -EAGAIN, body.data, body.length);
	list_each_safe(instance, following, &pool->instances, link) {
		if (gently)
			instance_retire(instance);
		else
			instance_kill(instance, OUTCOME_CANCELED, -ECANCELED, NULL);
	}
}
