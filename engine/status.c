/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine says of itself, its functions and their instances. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/quantity.h"
#include "engine/engine_state.h"
#include "engine/error_text.h"
#include "engine/metrics.h"
#include "engine/publish.h"
#include "engine/queue_calls.h"
#include "model/package.h"
#include "model/version.h"
#include "run/instance.h"
#include "run/launcher.h"
#include "run/runtime.h"

#define OPENMETRICS_AGE_US (1000 * 1000)

/* --- the daemon ------------------------------------------------------------------------------- */

static void show_runtimes(struct engine *engine, struct buf *out)
{
	const struct runtime *runtime;
	size_t i;

	for (i = 0; (runtime = runtimes_at(engine->runtimes, i)); i++)
		buf_printf(out, "runtime.%s %s\n", runtime->name,
		        runtime->available ? "available" : runtime->missing);
}

void engine_show_status(struct engine *engine, struct buf *out)
{
	int64_t now = clock_wall_us(engine->clock);
	unsigned running = 0, waiting = 0;
	struct function_state *state;
	char text[CLOCK_TEXT_SIZE];

	list_each(state, &engine->states, link) {
		struct target_counts counts;

		targets_count(state, &counts);
		running += counts.running;
		waiting += counts.waiting;
	}
	clock_format(text, engine->started_us);
	buf_printf(out, "version %s\n", FNFS_VERSION);
	buf_printf(out, "pid %d\n", (int)getpid());
	buf_printf(out, "started %s\n", text);
	buf_puts(out, "uptime ");
	quantity_format_duration(out, (now - engine->started_us) / 1000000 * 1000);
	buf_printf(out, "\nengine embedded\n");
	buf_printf(out, "state %s\n", engine->draining ? "draining" : "running");
	buf_printf(out, "state_directory %s\n", engine->state_dir);
	buf_printf(out, "functions %zu\n", functions_count(engine->functions));
	buf_printf(out, "packages %zu\n", packages_count(engine->packages));
	buf_printf(out, "instances %zu\n", engine->host.instances.count);
	buf_printf(out, "running %u\n", running);
	buf_printf(out, "waiting %u\n", waiting);
	queue_calls_show(engine, out);
	launcher_describe(engine->launcher, out);
	show_runtimes(engine, out);
}

void engine_show_openmetrics(struct engine *engine, struct buf *out)
{
	int64_t now = alarm_now_us();

	if (!engine->openmetrics_us || now - engine->openmetrics_us > OPENMETRICS_AGE_US) {
		size_t count = 0, most = functions_count(engine->functions);
		CLEANUP(free_p) const char **names = calloc(most + 1, sizeof(*names));
		CLEANUP(free_p) const struct metrics **metrics = calloc(most + 1, sizeof(*metrics));
		struct function_state *state;

		if (!names || !metrics)
			return;
		queue_calls_measure(engine);
		list_each(state, &engine->states, link) {
			if (!state->function || count == most)
				continue;
			names[count] = state->function->name;
			metrics[count++] = state->metrics;
		}
		buf_clear(&engine->openmetrics);
		metrics_openmetrics(&engine->openmetrics, count, names, metrics);
		engine->openmetrics_us = now;
	}
	buf_append(out, engine->openmetrics.data, engine->openmetrics.length);
}

/* --- a function ------------------------------------------------------------------------------- */

/* False: there is more to it than what it left on the disk. */
static bool show_glance(struct engine *engine, const struct function *function, struct buf *out)
{
	CLEANUP(buf_deinit) struct buf error = BUF_INIT;
	const char *state = glance_state(engine, function, &error);

	if (!state)
		return false;
	buf_printf(out, "state %s\ninstances 0\nrunning 0\nwaiting 0\n", state);
	if (error.length)
		error_text_status(out, error.data, error.length);
	return true;
}

void engine_show_function_status(struct engine *engine, struct function *function, struct buf *out)
{
	struct function_state *state = function->runtime_state;
	struct target_counts counts;

	if (!state && show_glance(engine, function, out))
		return;
	state = engine_state(engine, function);
	if (!state) {
		buf_puts(out, "state unknown\n");
		return;
	}
	deploy_catch_up(&state->deploy);
	buf_printf(out, "state %s\n", deploy_state_name(&state->deploy));
	targets_count(state, &counts);
	buf_printf(out, "instances %u\n", counts.instances);
	buf_printf(out, "running %u\n", counts.running);
	/* Those that wait for the code, too: a build takes its time. */
	buf_printf(out, "waiting %zu\n", counts.waiting + list_count(&state->deploy.waiting));
	target_show_idle_timeout(&state->latest, &function->settings.config, out);
	publishes_show(state, out);
	deploy_show(&state->deploy, out);
}

const char *engine_function_state(struct engine *engine, struct function *function)
{
	struct function_state *state = function->runtime_state;
	CLEANUP(buf_deinit) struct buf error = BUF_INIT;
	const char *name = state ? NULL : glance_state(engine, function, &error);

	if (name)
		return name;
	state = engine_state(engine, function);
	if (!state)
		return "unknown";
	deploy_catch_up(&state->deploy);
	return deploy_state_name(&state->deploy);
}

/* --- instances -------------------------------------------------------------------------------- */

static struct target *target_of(const struct instance *instance)
{
	return instance->pool->userdata;
}

static void describe(struct instance *instance, struct instance_info *out)
{
	const struct process_usage *usage = instance_usage(instance);

	*out = (struct instance_info){
	        .id = instance->id,
	        .pid = instance->process ? process_pid(instance->process) : 0,
	        .state = sm_name(&instance->state),
	        .version = target_of(instance)->name,
	        .started_us = instance->started_us,
	        .calls = instance->last_call,
	        .memory_bytes = usage->memory_bytes,
	        .cpu_us = usage->cpu_us,
	        .idle_ms = instance->state.state == INSTANCE_IDLE
	                           ? (alarm_now_us() - instance->idle_since_us) / 1000
	                           : 0,
	};
}

static struct instance *next_of(const struct target *target, uint64_t after)
{
	struct instance *instance;

	list_each(instance, &target->pool.instances, link)
		if (instance->id > after)
			return instance;
	return NULL;
}

bool engine_instance_next(struct engine *engine, struct function *function,
        const struct version *version, uint64_t after, struct instance_info *out)
{
	const struct function_state *state = function->runtime_state;
	struct instance *instance, *found = NULL;
	struct target *target;

	if (!state)
		return false;
	list_each(target, &state->targets, link) {
		if (version && strcmp(target->name, version->name) != 0)
			continue;
		instance = next_of(target, after);
		if (instance && (!found || instance->id < found->id))
			found = instance;
	}
	if (found)
		describe(found, out);
	return found;
}

bool engine_instance_get(
        struct engine *engine, uint64_t id, struct instance_info *out, struct function **function)
{
	struct instance *instance = map_get(&engine->host.instances, id);

	if (!instance)
		return false;
	describe(instance, out);
	if (function)
		*function = target_of(instance)->state->function;
	return true;
}

int engine_instance_stop(struct engine *engine, uint64_t id)
{
	struct instance *instance = map_get(&engine->host.instances, id);
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;

	if (!instance)
		return -ENOENT;
	error_body(&body, "Stopped", "The instance was stopped");
	instance_kill(instance, OUTCOME_FUNCTION_ERROR, -EREMOTEIO, &body);
	return 0;
}
