/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of an instance: started (STARTING) it loads the code and says so (IDLE), takes calls (BUSY),
 * is told to take no more (DRAINING) or to end (ENDING), and is freed when its process was reported as
 * ended, which is the only end there is: also a runtime that closes its channel, speaks garbage or
 * sleeps through its time limit is killed and then waited for.
 */
#include "run/instance.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "run/deployment.h"
#include "run/host.h"
#include "run/invocation.h"
#include "run/pool.h"
#include "run/runtime.h"
#include "run/watch.h"
#include "store/worktree.h"

/* FunctionGraph's limit of processes and threads. */
#define PROCESSES_MAX 1024

/* How long an instance may take to end by itself once it was told to, or its channel closed. */
#define GENTLE_END_US (200 * 1000)

#define OUTPUT_READ_SIZE (64 * 1024)
#define USAGE_AGE_US     (100 * 1000)

static const struct sm_row states[] = {
        [INSTANCE_STARTING] = {"starting",
                SM_TO(INSTANCE_IDLE) | SM_TO(INSTANCE_ENDING) | SM_TO(INSTANCE_ENDED)},
        [INSTANCE_IDLE] = {"idle", SM_TO(INSTANCE_BUSY) | SM_TO(INSTANCE_DRAINING) |
                                           SM_TO(INSTANCE_ENDING) | SM_TO(INSTANCE_ENDED)},
        [INSTANCE_BUSY] = {"busy", SM_TO(INSTANCE_IDLE) | SM_TO(INSTANCE_DRAINING) |
                                           SM_TO(INSTANCE_ENDING) | SM_TO(INSTANCE_ENDED)},
        [INSTANCE_DRAINING] = {"draining", SM_TO(INSTANCE_ENDING) | SM_TO(INSTANCE_ENDED)},
        [INSTANCE_ENDING] = {"ending", SM_TO(INSTANCE_ENDED)},
        [INSTANCE_ENDED] = {"ended", 0, true},
};

static bool in(const struct instance *instance, enum instance_state state)
{
	return instance->state.state == state;
}

static bool ending(const struct instance *instance)
{
	return in(instance, INSTANCE_ENDING) || in(instance, INSTANCE_ENDED);
}

bool instance_has_room(const struct instance *instance)
{
	return (in(instance, INSTANCE_IDLE) || in(instance, INSTANCE_BUSY)) &&
	       instance->running_count < (unsigned)instance->deployment->config.concurrency;
}

/* --- leaving -------------------------------------------------------------------------------- */

static void give_back_start_right(struct instance *instance)
{
	if (!instance->holds_start_right)
		return;
	instance->holds_start_right = false;
	if (instance->deployment == instance->pool->deployment)
		instance->pool->starting--;
	host_started(instance->pool->host);
}

/* From here on it counts no more and gets no work. */
static void stop_counting(struct instance *instance, enum instance_state state)
{
	if (!ending(instance))
		instance->pool->live--;
	sm_move(&instance->state, state);
	list_unlink(&instance->available);
	give_back_start_right(instance);
	instance->pool->events->changed(instance->pool->userdata);
}

static void kill_late(struct alarm *alarm)
{
	process_kill(container_of(alarm, struct instance, alarm)->process);
}

static void end_gently(struct instance *instance)
{
	char header[PROTOCOL_HEADER_SIZE];
	struct iovec part = {header, sizeof(header)};

	stop_counting(instance, INSTANCE_ENDING);
	protocol_encode_header(header, FRAME_STOP, 0, 0, 0);
	channel_send(&instance->channel, &part, 1);
	if (alarm_set(&instance->pool->host->alarms, &instance->alarm, GENTLE_END_US, kill_late) <
	        0)
		process_kill(instance->process);
}

static void end_at_once(struct instance *instance)
{
	if (!ending(instance))
		stop_counting(instance, INSTANCE_ENDING);
	process_kill(instance->process);
}

void instance_retire(struct instance *instance)
{
	if (in(instance, INSTANCE_STARTING))
		end_at_once(instance);
	else if (in(instance, INSTANCE_IDLE) || in(instance, INSTANCE_DRAINING)) {
		if (!instance->running_count)
			end_gently(instance);
	} else if (in(instance, INSTANCE_BUSY)) {
		sm_move(&instance->state, INSTANCE_DRAINING);
		list_unlink(&instance->available);
	}
}

/* --- output --------------------------------------------------------------------------------- */

static struct invocation *only_invocation(struct instance *instance)
{
	return instance->running_count == 1
	               ? list_first(&instance->running, struct invocation, link)
	               : NULL;
}

/* Reads what is there; false at its end. With `all` it goes on although the log is congested. */
static bool read_output(struct instance *instance, bool all)
{
	struct pool *pool = instance->pool;
	char data[OUTPUT_READ_SIZE];
	int turn;

	for (turn = 0; turn < 16; turn++) {
		ssize_t n;

		if (!all && pool->events->congested(pool->userdata)) {
			watch_events(instance->output_watch, 0);
			return true;
		}
		n = read(instance->output, data, sizeof(data));
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		if (!n)
			return false;
		pool->events->output(
		        pool->userdata, instance, only_invocation(instance), data, (size_t)n);
		if (n < (ssize_t)sizeof(data))
			return true;
	}
	return true;
}

/* Of a process that is gone: the pipe is bounded, and nobody else holds its other end. */
static void read_all_output(struct instance *instance)
{
	int waiting = 0;

	do
		read_output(instance, true);
	while (ioctl(instance->output, FIONREAD, &waiting) == 0 && waiting > 0);
}

static void output_ready(void *userdata, int events)
{
	struct instance *instance = userdata;

	if (!read_output(instance, false))
		watch_events(instance->output_watch, 0);
}

void instance_read_output(struct instance *instance)
{
	read_output(instance, false);
}

void instance_resume_output(struct instance *instance)
{
	if (instance->output_watch)
		watch_events(instance->output_watch, UV_READABLE);
}

/* --- calls ---------------------------------------------------------------------------------- */

static void idle_too_long(struct alarm *alarm)
{
	struct instance *instance = container_of(alarm, struct instance, alarm);

	if (instance->pool->live > (unsigned)instance->deployment->config.min_instances)
		instance_retire(instance);
}

static void became_idle(struct instance *instance)
{
	sm_move(&instance->state, INSTANCE_IDLE);
	instance->idle_since_us = alarm_now_us();
	alarm_set(&instance->pool->host->alarms, &instance->alarm,
	        instance->deployment->config.idle_timeout_ms * 1000, idle_too_long);
}

/* One call fewer runs here: what follows for the instance. */
static void one_less(struct instance *instance)
{
	struct pool *pool = instance->pool;

	instance->running_count--;
	pool->running--;
	if (in(instance, INSTANCE_BUSY)) {
		if (!instance->running_count)
			became_idle(instance);
		list_unlink(&instance->available);
		list_prepend(&pool->available, &instance->available);
	} else if (in(instance, INSTANCE_DRAINING) && !instance->running_count) {
		end_gently(instance);
	}
	pool->events->changed(pool->userdata);
}

static void out_of_time(struct alarm *alarm)
{
	struct invocation *invocation = container_of(alarm, struct invocation, alarm);
	struct instance *instance = invocation->instance;
	struct buf body = BUF_INIT;

	error_body(&body, "Sandbox.Timeout", "Task timed out after %.2f seconds",
	        (double)instance->deployment->config.timeout_ms / 1000);
	instance_abandon(instance, invocation);
	pool_end_later(invocation, OUTCOME_TIMEOUT, -ETIMEDOUT, &body);
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

void instance_invoke(struct instance *instance, struct invocation *invocation)
{
	struct pool *pool = instance->pool;

	assert(instance_has_room(instance));
	invocation->instance = instance;
	invocation->call = ++instance->last_call;
	invocation->sent_us = alarm_now_us();
	invocation->cold = invocation->created_us < instance->begun_us + instance->init_us;
	invocation->init_us = invocation->cold ? instance->init_us : -1;
	list_append(&instance->running, &invocation->link);
	instance->running_count++;
	pool->running++;
	if (in(instance, INSTANCE_IDLE))
		sm_move(&instance->state, INSTANCE_BUSY);
	if (!instance_has_room(instance))
		list_unlink(&instance->available);
	if (send_call(instance, invocation) < 0)
		instance_kill(instance, OUTCOME_SYSTEM_ERROR, -ENOMEM, NULL);
	alarm_clear(&pool->host->alarms, &instance->alarm);
	alarm_set(&pool->host->alarms, &invocation->alarm,
	        instance->deployment->config.timeout_ms * 1000, out_of_time);
	pool->events->began(pool->userdata, invocation);
	buf_deinit(&invocation->request);
	pool->events->changed(pool->userdata);
}

void instance_abandon(struct instance *instance, struct invocation *invocation)
{
	char header[PROTOCOL_HEADER_SIZE];
	struct iovec part = {header, sizeof(header)};

	if (!ending(instance))
		read_output(instance, false); /* what it printed until now is its own */
	list_unlink(&invocation->link);
	instance->running_count--;
	instance->pool->running--;
	if (ending(instance))
		return;
	if (!instance->running_count) {
		end_at_once(instance);
		return;
	}
	protocol_encode_header(header, FRAME_CANCEL, 0, invocation->call, 0);
	channel_send(&instance->channel, &part, 1);
	if (in(instance, INSTANCE_BUSY)) {
		sm_move(&instance->state, INSTANCE_DRAINING);
		list_unlink(&instance->available);
	}
	instance->pool->events->changed(instance->pool->userdata);
}

void instance_kill(struct instance *instance, enum outcome outcome, int error, struct buf *body)
{
	struct invocation *invocation;

	if (in(instance, INSTANCE_ENDED))
		return;
	end_at_once(instance);
	while (outcome != OUTCOME_SUCCESS &&
	        (invocation = list_first(&instance->running, struct invocation, link))) {
		struct buf copy = BUF_INIT;

		if (body)
			buf_append(&copy, body->data, body->length);
		instance_abandon(instance, invocation);
		pool_end_later(invocation, outcome, error, &copy);
	}
}

/* --- frames --------------------------------------------------------------------------------- */

/* The start failed: whoever waits for it hears why, and the process ends. */
static void start_failed(
        struct instance *instance, enum outcome outcome, int error, const char *body, size_t length)
{
	struct pool *pool = instance->pool;

	if (in(instance, INSTANCE_STARTING))
		end_at_once(instance);
	pool_instance_failed(pool, instance, outcome, error, body, length);
}

static void start_too_slow(struct alarm *alarm)
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
	one_less(instance);
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
	became_idle(instance);
	give_back_start_right(instance);
	read_output(instance, true);
	pool_instance_ready(pool, instance, instance->init_us);
}

static void spoke_garbage(struct instance *instance)
{
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;

	error_body(&body, "Runtime.ProtocolError",
	        "The runtime sent something that is no frame of the protocol and was killed");
	log_line(LOG_WARNING, "instance %" PRIu64 " of %s spoke garbage", instance->id,
	        instance->deployment->function_name);
	if (in(instance, INSTANCE_STARTING))
		start_failed(instance, OUTCOME_SYSTEM_ERROR, -EIO, body.data, body.length);
	else
		instance_kill(instance, OUTCOME_SYSTEM_ERROR, -EIO, &body);
}

static void frame_came(void *userdata, const struct frame *frame)
{
	struct instance *instance = userdata;
	struct pool *pool = instance->pool;
	bool starting = in(instance, INSTANCE_STARTING);

	if (frame->type == FRAME_LOG && frame->length) {
		pool->events->record(pool->userdata, find_running(instance, frame->call),
		        (unsigned char)frame->payload[0], frame->payload + 1, frame->length - 1);
	} else if (starting && frame->type == FRAME_READY) {
		take_ready(instance);
	} else if (starting && frame->type == FRAME_FAILED) {
		read_output(instance, true);
		start_failed(instance, OUTCOME_NOT_LOADED, -ENOEXEC, frame->payload, frame->length);
	} else if (!starting && frame->call && frame->call <= instance->last_call) {
		take_call_frame(instance, frame);
	} else if (!ending(instance)) {
		spoke_garbage(instance);
	}
}

static void channel_ended(void *userdata, int status)
{
	struct instance *instance = userdata;

	if (ending(instance))
		return;
	if (status < 0) {
		spoke_garbage(instance);
		return;
	}
	/* Its end is on the way, unless it closed its descriptors and lives on. */
	if (in(instance, INSTANCE_IDLE) || in(instance, INSTANCE_BUSY))
		sm_move(&instance->state, INSTANCE_DRAINING);
	list_unlink(&instance->available);
	alarm_set(&instance->pool->host->alarms, &instance->alarm, GENTLE_END_US, kill_late);
}

static const struct channel_events channel_events = {frame_came, channel_ended};

/* --- the end -------------------------------------------------------------------------------- */

static void describe_end(
        const struct process_end *end, struct invocation_end *out, struct buf *body)
{
	out->outcome = OUTCOME_FUNCTION_ERROR;
	out->error = -EREMOTEIO;
	if (end->failed_to_start) {
		error_body(body, "Sandbox.StartError", "The sandbox could not be set up: %s",
		        end->reason);
		out->outcome = OUTCOME_SYSTEM_ERROR;
		out->error = -EIO;
	} else if (end->out_of_memory) {
		error_body(body, "Runtime.OutOfMemory", "runtime memory limit exceeded");
		out->error = -ENOMEM;
	} else if (end->signal) {
		error_body(body, "Runtime.ExitError", "Runtime exited with error: signal: %s",
		        strsignal(end->signal));
	} else if (end->exit_status) {
		error_body(body, "Runtime.ExitError", "Runtime exited with error: exit status %d",
		        end->exit_status);
	} else {
		error_body(body, "Runtime.ExitError", "Runtime exited without providing a reason");
	}
	out->error_body = body->data ? body->data : "";
	out->error_length = body->length;
}

static void instance_free(struct instance *instance)
{
	struct host *host = instance->pool->host;

	alarm_clear(&host->alarms, &instance->alarm);
	channel_close(&instance->channel);
	instance->output_watch = watch_free(instance->output_watch);
	close_fd(instance->output);
	deployment_unref(instance->deployment);
	map_remove(&host->instances, instance->id);
	free(instance);
	if (!host->instances.count && host->emptied)
		host->emptied(host->userdata);
}

static void process_ended(void *userdata, const struct process_end *process_end)
{
	struct instance *instance = userdata;
	struct pool *pool = instance->pool;
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;
	struct invocation_end end;
	struct invocation *invocation;
	bool was_starting;

	channel_drain(&instance->channel); /* what it said before it went counts */
	was_starting = in(instance, INSTANCE_STARTING);
	instance->process = NULL;
	if (process_end->memory_peak_bytes >= 0)
		instance->usage.memory_peak_bytes = process_end->memory_peak_bytes;
	read_all_output(instance);
	describe_end(process_end, &end, &body);
	stop_counting(instance, INSTANCE_ENDED);
	if (was_starting)
		pool_instance_failed(pool, instance,
		        end.outcome == OUTCOME_FUNCTION_ERROR && end.error == -EREMOTEIO
		                ? OUTCOME_NOT_LOADED
		                : end.outcome,
		        end.error == -EREMOTEIO ? -ENOEXEC : end.error, end.error_body,
		        end.error_length);
	while ((invocation = list_first(&instance->running, struct invocation, link))) {
		pool_end(invocation, &end);
		instance->running_count--;
		pool->running--;
	}
	pool->events->instance_gone(pool->userdata, instance);
	list_unlink(&instance->link);
	instance_free(instance);
	pool_dispatch(pool);
	pool_settle(pool);
}

/* --- the start ------------------------------------------------------------------------------ */

static int open_output(struct instance *instance, int *runtimes)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	instance->output = ends[0];
	*runtimes = ends[1];
	fcntl(instance->output, F_SETFL, O_NONBLOCK);
	instance->output_watch =
	        watch_new(instance->pool->host->loop, instance->output, output_ready, instance);
	if (!instance->output_watch)
		return -ENOMEM;
	watch_events(instance->output_watch, UV_READABLE);
	return 0;
}

static int launch(struct instance *instance)
{
	const struct deployment *deployment = instance->deployment;
	CLEANUP(close_p) int in_fd = -1;
	CLEANUP(close_p) int out_fd = -1;
	CLEANUP(close_p) int output = -1;
	char name[64];
	int r;

	snprintf(name, sizeof(name), "f%" PRIu64 "-i%" PRIu64, deployment->function_id,
	        instance->id);
	r = channel_open(&instance->channel, instance->pool->host->loop, &channel_events, instance,
	        &in_fd, &out_fd);
	if (r < 0)
		return r;
	r = open_output(instance, &output);
	if (r < 0)
		return r;
	return launcher_start(instance->pool->host->launcher,
	        &(struct launch){
	                .name = name,
	                .code_path = checkout_path(deployment->checkout),
	                .runtime_path = deployment->runtime->path,
	                .argv = (const char *const *)deployment->runtime->argv,
	                .environment = (const char *const *)deployment->environment,
	                .working_directory = "/opt/function",
	                .uid = deployment->uid,
	                .gid = deployment->gid,
	                .function_id = deployment->function_id,
	                .memory_bytes = deployment->config.memory_bytes,
	                .cpu_millicores = deployment->config.cpu_millicores,
	                .max_processes = PROCESSES_MAX,
	                .host_network = deployment->config.network == NETWORK_HOST,
	                .channel_in = in_fd,
	                .channel_out = out_fd,
	                .output = output,
	        },
	        process_ended, instance, &instance->process);
}

static int send_init(struct instance *instance)
{
	const struct buf *init = &instance->deployment->init;
	char header[PROTOCOL_HEADER_SIZE];
	struct iovec parts[] = {{header, sizeof(header)}, {init->data, init->length}};

	protocol_encode_header(header, FRAME_INIT, 0, 0, init->length);
	return channel_send(&instance->channel, parts, 2);
}

static struct instance *instance_new(struct pool *pool, bool for_warmth)
{
	struct instance *instance = calloc(1, sizeof(*instance));

	if (!instance)
		return NULL;
	instance->pool = pool;
	instance->id = ++pool->host->last_instance;
	instance->deployment = deployment_ref(pool->deployment);
	sm_init(&instance->state, "instance", states, INSTANCE_STARTING);
	list_init(&instance->link);
	list_init(&instance->available);
	list_init(&instance->running);
	instance->channel.in = instance->channel.out = instance->output = -1;
	instance->begun_us = alarm_now_us();
	instance->started_us = clock_wall_us(pool->host->clock);
	instance->for_warmth = for_warmth;
	instance->usage = (struct process_usage){-1, -1, -1};
	return instance;
}

int instance_start(struct pool *pool, bool for_warmth, struct buf *body)
{
	struct instance *instance = instance_new(pool, for_warmth);
	struct host *host = pool->host;
	int r;

	r = instance ? map_put(&host->instances, instance->id, instance) : -ENOMEM;
	if (r == 0)
		r = launch(instance);
	if (r < 0) {
		error_body(body, "Sandbox.StartError", "No instance could be started: %s",
		        strerror(-r));
		if (instance)
			instance_free(instance);
		return r;
	}
	list_append(&pool->instances, &instance->link);
	instance->holds_start_right = true;
	pool->live++;
	pool->starting++;
	alarm_set(&host->alarms, &instance->alarm,
	        instance->deployment->config.init_timeout_ms * 1000, start_too_slow);
	if (send_init(instance) < 0)
		process_kill(instance->process);
	pool->events->changed(pool->userdata);
	return 0;
}

const struct process_usage *instance_usage(struct instance *instance)
{
	int64_t now = alarm_now_us();

	if (instance->process && (!instance->usage_us || now - instance->usage_us > USAGE_AGE_US)) {
		process_usage(instance->process, &instance->usage);
		instance->usage_us = now;
	}
	return &instance->usage;
}
