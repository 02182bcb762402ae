/* SPDX-License-Identifier: Apache-2.0 */
/* What the program of an instance says, in whatever protocol: it has loaded, it has not, a piece of a
 * response, the end of one, nonsense. */
#include "run/instance_private.h"

#include <errno.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "run/deployment.h"
#include "run/host.h"
#include "run/invocation.h"
#include "run/pool.h"

/* The start failed: whoever waits for it hears why, and the process ends. */
void instance_start_failed(
        struct instance *instance, enum outcome outcome, int error, const char *body, size_t length)
{
	struct pool *pool = instance->pool;

	if (instance_in(instance, INSTANCE_STARTING))
		instance_end_at_once(instance);
	pool_instance_failed(pool, instance, outcome, error, body, length);
}

void instance_start_too_slow(struct alarm *alarm)
{
	struct instance *instance = container_of(alarm, struct instance, alarm);
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;

	instance->protocol->explain_late(instance, &body);
	instance_start_failed(instance, OUTCOME_NOT_LOADED, -ENOEXEC, body.data, body.length);
}

struct invocation *instance_find_running(struct instance *instance, uint64_t call)
{
	struct invocation *invocation;

	list_each(invocation, &instance->running, link)
		if (invocation->call == call)
			return invocation;
	return NULL;
}

void instance_finish(
        struct instance *instance, struct invocation *invocation, const struct invocation_end *end)
{
	struct pool *pool = instance->pool;

	pool_call_took(pool, alarm_now_us() - invocation->sent_us);
	pool_end(invocation, end);
	instance_one_less(instance);
	pool_dispatch(pool);
}

static void give_up_too_large(struct instance *instance, struct invocation *invocation)
{
	struct buf body = BUF_INIT;

	error_body(&body, "FunctionResponseTooLarge",
	        "The response is larger than the maximum of %u bytes", INVOCATION_RESPONSE_MAX);
	instance_abandon(instance, invocation);
	pool_end_later(invocation, OUTCOME_FUNCTION_ERROR, -EFBIG, &body);
}

bool instance_take_data(
        struct instance *instance, struct invocation *invocation, const char *data, size_t length)
{
	invocation->response_bytes += length;
	if (invocation->response_bytes > INVOCATION_RESPONSE_MAX) {
		give_up_too_large(instance, invocation);
		return false;
	}
	if (length)
		pool_data(invocation, data, length);
	return true;
}

void instance_loaded(struct instance *instance)
{
	struct pool *pool = instance->pool;

	alarm_clear(&pool->host->alarms, &instance->alarm);
	instance->init_us = alarm_now_us() - instance->begun_us;
	instance_became_idle(instance);
	instance_give_back_start_right(instance);
	instance_read_output(instance);
	pool_instance_ready(pool, instance, instance->init_us);
}

void instance_spoke_garbage(struct instance *instance)
{
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;

	error_body(&body, "Runtime.ProtocolError",
	        "The runtime sent something that is no frame of the protocol and was killed");
	log_line(LOG_WARNING, "instance %" PRIu64 " of %s spoke garbage", instance->id,
	        instance->deployment->function_name);
	if (instance_in(instance, INSTANCE_STARTING))
		instance_start_failed(instance, OUTCOME_SYSTEM_ERROR, -EIO, body.data, body.length);
	else
		instance_kill(instance, OUTCOME_SYSTEM_ERROR, -EIO, &body);
}
