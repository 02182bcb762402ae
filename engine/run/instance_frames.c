/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol of frames (runtimes/README.md): two pipes, and a shim at their other end. Every frame is
 * judged by the state of the instance; what does not fit is garbage.
 */
#include "run/instance_private.h"

#include <errno.h>

#include "run/deployment.h"
#include "run/host.h"
#include "run/invocation.h"
#include "run/pool.h"

/* What runs may still be answered. */
static void take_no_more(struct instance *instance)
{
	if (instance_in(instance, INSTANCE_IDLE) || instance_in(instance, INSTANCE_BUSY))
		sm_move(&instance->state, INSTANCE_DRAINING);
	list_unlink(&instance->available);
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

	if (frame->flags == FRAME_ERROR_BAD_REQUEST) {
		end.outcome = OUTCOME_BAD_REQUEST;
		end.error = -EBADMSG;
	} else if (frame->flags == FRAME_ERROR_TOO_LARGE) {
		end.error = -EFBIG;
	} else if (frame->flags == FRAME_ERROR_LAST) {
		take_no_more(instance);
	}
	instance_finish(instance, invocation, &end);
}

static void take_call_frame(struct instance *instance, const struct frame *frame)
{
	static const struct invocation_end success = {OUTCOME_SUCCESS, 0, "", 0};
	struct invocation *invocation = instance_find_running(instance, frame->call);

	if (!invocation)
		return; /* of a call that was given up */
	switch (frame->type) {
	case FRAME_DATA:
		instance_take_data(instance, invocation, frame->payload, frame->length);
		break;
	case FRAME_END:
		if (instance_take_data(instance, invocation, frame->payload, frame->length))
			instance_finish(instance, invocation, &success);
		break;
	case FRAME_ERROR:
		take_error(instance, invocation, frame);
		break;
	}
}

static void frame_came(void *userdata, const struct frame *frame)
{
	struct instance *instance = userdata;
	struct pool *pool = instance->pool;
	bool starting = instance_in(instance, INSTANCE_STARTING);

	if (frame->type == FRAME_LOG && frame->length) {
		instance_read_output(instance); /* printed before it was logged */
		pool->events->record(pool->userdata, instance_find_running(instance, frame->call),
		        (unsigned char)frame->payload[0], frame->payload + 1, frame->length - 1);
		if (pool->events->congested(pool->userdata))
			channel_pause(&instance->channel, true);
	} else if (starting && frame->type == FRAME_READY) {
		instance_loaded(instance);
	} else if (starting && frame->type == FRAME_FAILED) {
		instance_read_output(instance);
		instance_start_failed(
		        instance, OUTCOME_NOT_LOADED, -ENOEXEC, frame->payload, frame->length);
	} else if (!starting && frame->call && frame->call <= instance->last_call) {
		take_call_frame(instance, frame);
	} else if (!instance_is_ending(instance)) {
		instance_spoke_garbage(instance);
	}
}

static void channel_ended(void *userdata, int status)
{
	struct instance *instance = userdata;

	if (instance_is_ending(instance))
		return;
	/* Until it has started nobody has spoken: a process that waited speaks elsewhere (adopt()), of which the news
	 * may come later; and one that could not be started is reported as ended. */
	if (status == 0 && instance->process && !process_pid(instance->process))
		return;
	if (status < 0) {
		instance_spoke_garbage(instance);
		return;
	}
	/* Its end is on the way, unless it closed its descriptors and lives on. */
	take_no_more(instance);
	alarm_set(
	        &instance->pool->host->alarms, &instance->alarm, GENTLE_END_US, instance_kill_late);
}

static const struct channel_events channel_events = {frame_came, channel_ended};

static int open_pipes(struct instance *instance, struct instance_descriptors *runtimes)
{
	return channel_open(&instance->channel, instance->pool->host->loop, &channel_events,
	        instance, &runtimes->in, &runtimes->out);
}

static int begin(struct instance *instance)
{
	const struct buf *init = &instance->deployment->init;
	char header[PROTOCOL_HEADER_SIZE];
	struct iovec parts[] = {{header, sizeof(header)}, {init->data, init->length}};

	protocol_encode_header(header, FRAME_INIT, 0, 0, init->length);
	return channel_send(&instance->channel, parts, 2);
}

static int adopt(struct instance *instance, int in, int out)
{
	int r = channel_replace(&instance->channel, in, out);

	return r < 0 ? r : begin(instance);
}

static int send_call(struct instance *instance, struct invocation *invocation)
{
	struct host *host = instance->pool->host;
	const struct call_head head = {
	        .request_id = invocation->request_id,
	        .deadline_ms =
	                clock_wall_us(host->clock) / 1000 + instance->deployment->config.timeout_ms,
	        .source = invocation->source,
	        .alias = invocation->alias,
	        .name = invocation->name ? invocation->name : "",
	};
	struct iovec parts[2];

	buf_clear(&host->scratch);
	protocol_encode_call(&host->scratch, invocation->call, &head, invocation->request.length);
	if (host->scratch.failed)
		return -ENOMEM;
	parts[0] = (struct iovec){host->scratch.data, host->scratch.length};
	parts[1] = (struct iovec){invocation->request.data, invocation->request.length};
	return channel_send(&instance->channel, parts, invocation->request.length ? 2 : 1);
}

static void send_header(struct instance *instance, enum frame_type type, uint64_t call)
{
	char header[PROTOCOL_HEADER_SIZE];
	struct iovec part = {header, sizeof(header)};

	protocol_encode_header(header, type, 0, call, 0);
	channel_send(&instance->channel, &part, 1);
}

static void cancel(struct instance *instance, struct invocation *invocation)
{
	send_header(instance, FRAME_CANCEL, invocation->call);
}

static int64_t stop(struct instance *instance)
{
	send_header(instance, FRAME_STOP, 0);
	return GENTLE_END_US;
}

static void explain_late(struct instance *instance, struct buf *body)
{
	error_body(body, "Sandbox.InitTimeout",
	        "The code did not load and initialise within %.2f seconds",
	        (double)instance->deployment->config.init_timeout_ms / 1000);
}

static void drain(struct instance *instance)
{
	channel_drain(&instance->channel);
}

static void close_pipes(struct instance *instance)
{
	channel_close(&instance->channel);
}

const struct instance_protocol instance_frames = {
        .open = open_pipes,
        .begin = begin,
        .adopt = adopt,
        .call = send_call,
        .cancel = cancel,
        .stop = stop,
        .explain_late = explain_late,
        .drain = drain,
        .close = close_pipes,
};
