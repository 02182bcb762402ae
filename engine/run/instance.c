/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of an instance: started (STARTING) it loads the code and says so (IDLE), takes calls (BUSY),
 * is told to take no more (DRAINING) or to end (ENDING), and is freed when its process was reported as
 * ended, which is the only end there is: also a runtime that closes its channel, speaks garbage or
 * sleeps through its time limit is killed and then waited for.
 */
#include "run/instance_private.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "run/deployment.h"
#include "run/host.h"
#include "run/image.h"
#include "run/invocation.h"
#include "run/layers.h"
#include "run/pool.h"
#include "run/runtime.h"
#include "run/watch.h"
#include "store/worktree.h"

/* FunctionGraph's limit of processes and threads. */
#define PROCESSES_MAX 1024

/* Where a program is the user's own. */
#define CODE_AT "/opt/function/code/"

#define USAGE_AGE_US (100 * 1000)

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

bool instance_in(const struct instance *instance, enum instance_state state)
{
	return instance->state.state == state;
}

bool instance_is_ending(const struct instance *instance)
{
	return instance_in(instance, INSTANCE_ENDING) || instance_in(instance, INSTANCE_ENDED);
}

bool instance_has_room(const struct instance *instance)
{
	return (instance_in(instance, INSTANCE_IDLE) || instance_in(instance, INSTANCE_BUSY)) &&
	       instance->running_count < instance->capacity;
}

/* --- leaving -------------------------------------------------------------------------------- */

void instance_give_back_start_right(struct instance *instance)
{
	if (!instance->holds_start_right)
		return;
	instance->holds_start_right = false;
	if (instance->deployment == instance->pool->deployment)
		instance->pool->starting--;
	host_started(instance->pool->host);
}

/* From here on it counts no more and gets no work. */
void instance_stop_counting(struct instance *instance, enum instance_state state)
{
	if (!instance_is_ending(instance))
		instance->pool->live--;
	sm_move(&instance->state, state);
	list_unlink(&instance->available);
	list_unlink(&instance->kept);
	instance_give_back_start_right(instance);
	instance->pool->events->changed(instance->pool->userdata);
}

void instance_kill_late(struct alarm *alarm)
{
	process_kill(container_of(alarm, struct instance, alarm)->process);
}

void instance_end_gently(struct instance *instance)
{
	int64_t patience_us;

	instance_stop_counting(instance, INSTANCE_ENDING);
	patience_us = instance->protocol->stop(instance);
	if (!patience_us || alarm_set(&instance->pool->host->alarms, &instance->alarm, patience_us,
	                            instance_kill_late) < 0)
		process_kill(instance->process);
}

void instance_end_at_once(struct instance *instance)
{
	if (!instance_is_ending(instance))
		instance_stop_counting(instance, INSTANCE_ENDING);
	process_kill(instance->process);
}

void instance_retire(struct instance *instance)
{
	if (instance_in(instance, INSTANCE_STARTING))
		instance_end_at_once(instance);
	else if (instance_in(instance, INSTANCE_IDLE) || instance_in(instance, INSTANCE_DRAINING)) {
		if (!instance->running_count)
			instance_end_gently(instance);
	} else if (instance_in(instance, INSTANCE_BUSY)) {
		sm_move(&instance->state, INSTANCE_DRAINING);
		list_unlink(&instance->available);
	}
}

/* --- the end -------------------------------------------------------------------------------- */

/* execve() says of a script without its interpreter that the script is not there. */
static const char *hint_of(const char *reason)
{
	if (strstr(reason, strerror(ENOENT)))
		return " (its first line, `#!...`, names a program that is not there, or ends with "
		       "a carriage return)";
	return strstr(reason, strerror(ENOEXEC)) ? " (made for another kind of machine?)" : "";
}

/* What could not be executed was the image's own program. */
static bool is_entrypoint(const struct instance *instance, const char *reason)
{
	const struct image *image = deployment_image(instance->deployment);
	size_t length = image ? strlen(image->argv[0]) : 0;

	return image && strncmp(reason, image->argv[0], length) == 0 && reason[length] == ':';
}

static void describe_end(const struct instance *instance, const struct process_end *end,
        struct invocation_end *out, struct buf *body)
{
	out->outcome = OUTCOME_FUNCTION_ERROR;
	out->error = -EREMOTEIO;
	if (end->failed_to_start && strncmp(end->reason, CODE_AT, strlen(CODE_AT)) == 0) {
		error_body(body, "Runtime.InvalidEntrypoint",
		        "The startup file cannot be executed: code/%s%s",
		        end->reason + strlen(CODE_AT), hint_of(end->reason));
		out->error = -ENOEXEC;
		out->outcome = OUTCOME_NOT_LOADED;
	} else if (end->failed_to_start && is_entrypoint(instance, end->reason)) {
		error_body(body, "Runtime.InvalidEntrypoint",
		        "The image's program cannot be executed: %s%s", end->reason,
		        hint_of(end->reason));
		out->error = -ENOEXEC;
		out->outcome = OUTCOME_NOT_LOADED;
	} else if (end->failed_to_start) {
		error_body(body, "Sandbox.StartError", "The sandbox could not be set up: %s",
		        end->reason);
		out->outcome = OUTCOME_SYSTEM_ERROR;
		out->error = -EIO;
	} else if (end->lost_network) {
		error_body(body, "Sandbox.NetworkError", "The instance lost its network: %s",
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
	instance->protocol->close(instance);
	instance_close_output(instance);
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

	instance->protocol->drain(instance); /* what it said before it went counts */
	was_starting = instance_in(instance, INSTANCE_STARTING);
	instance->process = NULL;
	if (process_end->memory_peak_bytes >= 0)
		instance->usage.memory_peak_bytes = process_end->memory_peak_bytes;
	instance_take_all_output(instance);
	describe_end(instance, process_end, &end, &body);
	instance_stop_counting(instance, INSTANCE_ENDED);
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
		pool_count_needed(pool, alarm_now_us());
	}
	pool->events->instance_gone(pool->userdata, instance);
	list_unlink(&instance->link);
	instance_free(instance);
	pool_dispatch(pool);
	pool_settle(pool);
}

/* --- the start ------------------------------------------------------------------------------ */

static void descriptors_close(struct instance_descriptors *descriptors)
{
	close_fd(descriptors->in);
	close_fd(descriptors->out);
}

/* Not where a variable counts only at the start of a process. */
static bool may_wait(const struct instance *instance)
{
	const struct deployment *deployment = instance->deployment;

	return instance->protocol->adopt && deployment->runtime->parks &&
	       !runtime_start_depends(
	               deployment->runtime, (const char *const *)deployment->environment);
}

static void process_taken(void *userdata, const int ends[3])
{
	struct instance *instance = userdata;
	int r = instance->protocol->adopt(instance, ends[0], ends[1]);
	int s = instance_take_output_from(instance, ends[2]);

	if (r < 0 || s < 0)
		process_kill(instance->process);
}

static int launch(struct instance *instance)
{
	const struct deployment *deployment = instance->deployment;
	const struct image *image = deployment_image(deployment);
	CLEANUP(descriptors_close) struct instance_descriptors runtimes = {-1, -1, 0};
	CLEANUP(close_p) int output = -1;
	char name[64];
	int r;

	snprintf(name, sizeof(name), "f%" PRIu64 "-i%" PRIu64, deployment->function_id,
	        instance->id);
	r = instance->protocol->open(instance, &runtimes);
	if (r < 0)
		return r;
	r = instance_open_output(instance, &output);
	if (r < 0)
		return r;
	return launcher_start(instance->pool->host->launcher,
	        &(struct launch){
	                .name = name,
	                .code_path = layers_code_path(deployment->layers, deployment->checkout),
	                .layers = image ? NULL : layers_paths(deployment->layers),
	                .runtime_path = deployment->runtime->path,
	                .argv = (const char *const *)(image ? image->argv
	                                                    : deployment->runtime->argv),
	                .environment = (const char *const *)deployment->environment,
	                .working_directory = image ? image->working_directory
	                                           : deployment->runtime->working_directory,
	                .image = image ? image->root : NULL,
	                .inside_uid = image ? image->uid : 0,
	                .inside_gid = image ? image->gid : 0,
	                .sockets = runtimes.sockets,
	                .uid = deployment->uid,
	                .gid = deployment->gid,
	                .function_id = deployment->function_id,
	                .memory_bytes = deployment->config.memory_bytes,
	                .cpu_millicores = deployment->config.cpu_millicores,
	                .max_processes = PROCESSES_MAX,
	                .host_network = deployment->config.network == NETWORK_HOST,
	                .outbound = deployment->config.network == NETWORK_OUTBOUND,
	                .channel_in = runtimes.in,
	                .channel_out = runtimes.out,
	                .output = output,
	                .zygote = (const char *const *)deployment->runtime->zygote,
	                .taken = may_wait(instance) ? process_taken : NULL,
	        },
	        process_ended, instance, &instance->process);
}

static const struct instance_protocol *const protocols[] = {
        [RUNTIME_FRAMES] = &instance_frames,
        [RUNTIME_BOOTSTRAP] = &instance_http,
        [RUNTIME_HTTP] = &instance_http,
        [RUNTIME_IMAGE] = &instance_http,
};

static struct instance *instance_new(struct pool *pool, bool for_warmth)
{
	struct instance *instance = calloc(1, sizeof(*instance));

	if (!instance)
		return NULL;
	instance->pool = pool;
	instance->id = ++pool->host->last_instance;
	instance->deployment = deployment_ref(pool->deployment);
	instance->protocol = protocols[instance->deployment->runtime->protocol];
	sm_init(&instance->state, "instance", states, INSTANCE_STARTING);
	list_init(&instance->link);
	list_init(&instance->available);
	list_init(&instance->kept);
	list_init(&instance->running);
	instance->channel.in = instance->channel.out = instance->output = -1;
	instance->begun_us = alarm_now_us();
	instance->started_us = clock_wall_us(pool->host->clock);
	instance->for_warmth = for_warmth;
	instance->expected_until_us = for_warmth ? pool->expected_until_us : 0;
	pool->expected_until_us = 0;
	instance->capacity = (unsigned)instance->deployment->config.concurrency;
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
	        instance->deployment->config.init_timeout_ms * 1000, instance_start_too_slow);
	if (instance->protocol->begin(instance) < 0)
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
