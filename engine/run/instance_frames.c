/* SPDX-License-Identifier: Apache-2.0 */
/* What the runtime says: every frame is judged by the state of the instance; what does not fit is garbage. */
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
static void start_failed(
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

	error_body(&body, "Sandbox.InitTimeout",
	        "The code did not load and initialise within %.2f seconds",
	        (double)instance->deployment->config.init_timeout_ms / 1000);
	start_failed(instance, OUTCOME_NOT_LOADED, -ENOEXEC, body.data, body.length);
}

static struct invocation *find_running(struct instance *instance, uint64_t call)
{
	struct invocation *invocation;

	list_each(invocation, &instance->running, link)
		if (invocation->call == call)
			return invocation;
	return NULL;
}

static void finish(
        struct instance *instance, struct invocation *invocation, const struct invocation_end *end)
{
	struct pool *pool = instance->pool;

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

/* A piece of the response; false when that was too much and the invocation is given up. */
static bool take_data(
        struct instance *instance, struct invocation *invocation, const struct frame *frame)
{
	invocation->response_bytes += frame->length;
	if (invocation->response_bytes > INVOCATION_RESPONSE_MAX) {
		give_up_too_large(instance, invocation);
		return false;
	}
	if (frame->length)
		pool_data(invocation, frame->payload, frame->length);
	return true;
}

static void take_error(
        struct instance *instance, struct invocation *invocation, const struct frame *frame)
{
	struct invocation_end end = {
	        .outcome = OUTCOME_FUNCTION_ERROR,
	        .error = -EREMOTEIO,
	        .error_body = frame->payload,
	        .error_length = frame->length,
	};

	if (frame->flags & FRAME_ERROR_BAD_REQUEST) {
		end.outcome = OUTCOME_BAD_REQUEST;
		end.error = -EBADMSG;
	} else if (frame->flags & FRAME_ERROR_TOO_LARGE) {
		end.error = -EFBIG;
	}
	finish(instance, invocation, &end);
}

static void take_call_frame(struct instance *instance, const struct frame *frame)
{
	static const struct invocation_end success = {OUTCOME_SUCCESS, 0, "", 0};
	struct invocation *invocation = find_running(instance, frame->call);

	if (!invocation)
		return; /* of a call that was given up */
	switch (frame->type) {
	case FRAME_DATA:
		take_data(instance, invocation, frame);
		break;
	case FRAME_END:
		if (take_data(instance, invocation, frame))
			finish(instance, invocation, &success);
		break;
	case FRAME_ERROR:
		take_error(instance, invocation, frame);
		break;
	}
}

static void take_ready(struct instance *instance)
{
	struct pool *pool = instance->pool;

	alarm_clear(&pool->host->alarms, &instance->alarm);
	instance->init_us = alarm_now_us() - instance->begun_us;
	instance_became_idle(instance);
	instance_give_back_start_right(instance);
	instance_take_output(instance, true);
	pool_instance_ready(pool, instance, instance->init_us);
}

static void spoke_garbage(struct instance *instance)
{
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;

	error_body(&body, "Runtime.ProtocolError",
	        "The runtime sent something that is no frame of the protocol and was killed");
	log_line(LOG_WARNING, "instance %" PRIu64 " of %s spoke garbage", instance->id,
	        instance->deployment->function_name);
	if (instance_in(instance, INSTANCE_STARTING))
		start_failed(instance, OUTCOME_SYSTEM_ERROR, -EIO, body.data, body.length);
	else
		instance_kill(instance, OUTCOME_SYSTEM_ERROR, -EIO, &body);
}

static void frame_came(void *userdata, const struct frame *frame)
{
	struct instance *instance = userdata;
	struct pool *pool = instance->pool;
	bool starting = instance_in(instance, INSTANCE_STARTING);

	if (frame->type == FRAME_LOG && frame->length) {
		instance_read_output(instance); /* printed before it was logged */
		pool->events->record(pool->userdata, find_running(instance, frame->call),
		        (unsigned char)frame->payload[0], frame->payload + 1, frame->length - 1);
	} else if (starting && frame->type == FRAME_READY) {
		take_ready(instance);
	} else if (starting && frame->type == FRAME_FAILED) {
		instance_take_output(instance, true);
		start_failed(instance, OUTCOME_NOT_LOADED, -ENOEXEC, frame->payload, frame->length);
	} else if (!starting && frame->call && frame->call <= instance->last_call) {
		take_call_frame(instance, frame);
	} else if (!instance_is_ending(instance)) {
		spoke_garbage(instance);
	}
}

static void channel_ended(void *userdata, int status)
{
	struct instance *instance = userdata;

	if (instance_is_ending(instance))
		return;
	if (status < 0) {
		spoke_garbage(instance);
		return;
	}
	/* Its end is on the way, unless it closed its descriptors and lives on. */
	if (instance_in(instance, INSTANCE_IDLE) || instance_in(instance, INSTANCE_BUSY))
		sm_move(&instance->state, INSTANCE_DRAINING);
	list_unlink(&instance->available);
	alarm_set(
	        &instance->pool->host->alarms, &instance->alarm, GENTLE_END_US, instance_kill_late);
}

const struct channel_events instance_channel_events = {frame_came, channel_ended};
