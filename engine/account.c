/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/account.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/copy.h"
#include "base/log.h"
#include "engine/alias_state.h"
#include "engine/engine_state.h"
#include "engine/error_text.h"
#include "engine/function_state.h"
#include "engine/logbook.h"
#include "engine/metrics.h"
#include "engine/recorder.h"
#include "engine/target.h"
#include "model/alias.h"
#include "run/deployment.h"
#include "run/host.h"
#include "run/instance.h"

static const char *const outcome_states[] = {
        [OUTCOME_SUCCESS] = "succeeded",
        [OUTCOME_FUNCTION_ERROR] = "failed",
        [OUTCOME_TIMEOUT] = "timeout",
        [OUTCOME_NOT_LOADED] = "not-loaded",
        [OUTCOME_SYSTEM_ERROR] = "system-error",
        [OUTCOME_REJECTED] = "rejected",
        [OUTCOME_BAD_REQUEST] = "bad-request",
        [OUTCOME_CANCELED] = "canceled",
};
_Static_assert(ARRAY_SIZE(outcome_states) == OUTCOMES, "a state for every outcome");

#define RECORD_MARK 0x1e
#define LINES_KEPT  (256u << 10) /* of memory, for the next lines */

static const char *const level_names[] = {
        [LOG_DEBUG] = "DEBUG",
        [LOG_INFO] = "INFO",
        [LOG_WARNING] = "WARN",
        [LOG_ERROR] = "ERROR",
};

static int64_t now_us(const struct function_state *state)
{
	return clock_wall_us(engine_clock(state->engine));
}

/* Hands what was built in state->lines to the log. */
static void write_lines(struct function_state *state)
{
	if (state->lines.length && !state->lines.failed)
		logbook_append(state->logbook, state->lines.data, state->lines.length);
	if (state->lines.capacity > LINES_KEPT)
		buf_deinit(&state->lines);
	else
		buf_clear(&state->lines);
}

static void message(struct target *target, struct invocation *invocation, const char *level,
        const char *text, size_t length)
{
	struct function_state *state = target->state;
	size_t before = state->lines.length;

	log_format_message(&state->log_format, &state->lines, now_us(state),
	        invocation ? invocation->request_id : NULL, target->name, level, text, length);
	if (invocation && invocation->record && !state->lines.failed)
		call_record_append(&invocation->record->log, state->lines.data + before,
		        state->lines.length - before);
}

/* The function's numbers are over all that it has; versions and aliases have their own beside. */
static void count_call(
        struct target *target, struct alias_state *alias, const struct metrics_sample *sample)
{
	metrics_record(target->state->metrics, sample);
	if (target->metrics)
		metrics_record(target->metrics, sample);
	if (alias)
		alias_state_count(alias, target->name, sample);
}

/* The alias may have gone while its call ran. */
static struct alias_state *alias_of(const struct invocation *invocation)
{
	const struct target *target = invocation->pool->userdata;
	struct alias *alias = invocation->alias_id ? aliases_get(target->state->engine->functions,
	                                                     invocation->alias_id)
	                                           : NULL;

	return alias ? alias_state_of(target->state, alias) : NULL;
}

/* --- before ----------------------------------------------------------------------------------- */

void account_accepted(struct target *target, struct invocation *invocation,
        const struct invocation_options *options)
{
	struct alias *alias = options->alias;
	struct function_state *state = target->state;
	struct alias_state *counted = alias ? alias_state_of(state, alias) : NULL;
	struct call_record *record;

	if (counted)
		alias_state_running(counted, target->name, 1);
	if (options->request_id) /* one that was made for this call is a new one */
		recorder_forget_try(state->recorder, invocation->request_id);
	record = recorder_begin(state->recorder, invocation->request_id);
	invocation->record = record;
	if (!record)
		return;
	record->start_us = now_us(state);
	copy_text(record->version, sizeof(record->version), target->name);
	if (alias) {
		copy_text(record->alias, sizeof(record->alias), alias->name);
		record->routes_generation = alias->generation;
	}
	copy_text(record->source, sizeof(record->source), invocation->source);
	copy_text(record->name, sizeof(record->name), options->name ? options->name : "");
	record->attempt = options->attempt ? (int)options->attempt : 1;
	call_record_append(&record->request, invocation->request.data, invocation->request.length);
}

void account_rejected(struct target *target, struct alias *alias)
{
	struct alias_state *counted = alias ? alias_state_of(target->state, alias) : NULL;

	count_call(target, counted,
	        &(struct metrics_sample){
	                .outcome = OUTCOME_REJECTED,
	                .duration_us = -1,
	                .init_us = -1,
	                .memory_bytes = -1,
	        });
}

static void began(void *userdata, struct invocation *invocation)
{
	struct target *target = userdata;
	struct function_state *state = target->state;
	struct call_record *record = invocation->record;

	log_format_start(&state->log_format, &state->lines, now_us(state), invocation->request_id,
	        target->name);
	write_lines(state);
	if (!record)
		return;
	record->state = "running";
	record->instance = invocation->instance->id;
	record->queue_us = invocation->sent_us - invocation->created_us;
	record->init_us = invocation->init_us;
	record->cold = invocation->cold;
}

/* --- meanwhile -------------------------------------------------------------------------------- */

static void data(void *userdata, struct invocation *invocation, const char *bytes, size_t length)
{
	if (invocation->record)
		call_record_append(&invocation->record->response, bytes, length);
}

/* What an instance printed, as it becomes lines in state->lines. */
struct printed {
	struct target *target;
	struct invocation *invocation;
	struct log_run run;
	size_t before; /* of state->lines */
};

static struct printed printed_begin(struct target *target, struct invocation *invocation)
{
	return (struct printed){
	        .target = target,
	        .invocation = invocation,
	        .run = {.wall_us = now_us(target->state),
	                .request_id = invocation ? invocation->request_id : NULL,
	                .version = target->name},
	        .before = target->state->lines.length,
	};
}

static void printed_line(void *userdata, const char *line, size_t length)
{
	struct printed *printed = userdata;
	struct function_state *state = printed->target->state;
	const char *level = level_names[LOG_INFO];

	/* Marked by the runtime: a record of its logger, in its place among the printed lines. */
	if (length >= 2 && line[0] == RECORD_MARK && line[1] >= '0' && line[1] <= '3') {
		level = level_names[line[1] - '0'];
		line += 2;
		length -= 2;
	}
	log_format_line(&state->log_format, &state->lines, &printed->run, level, line, length);
}

static void printed_end(const struct printed *printed)
{
	const struct buf *lines = &printed->target->state->lines;

	if (printed->invocation && printed->invocation->record && !lines->failed)
		call_record_append(&printed->invocation->record->log, lines->data + printed->before,
		        lines->length - printed->before);
}

static struct log_lines *lines_of(struct instance *instance)
{
	if (!instance->output_state)
		instance->output_state = calloc(1, sizeof(struct log_lines));
	return instance->output_state;
}

static void output(void *userdata, struct instance *instance, struct invocation *invocation,
        const char *bytes, size_t length)
{
	struct target *target = userdata;
	struct printed printed = printed_begin(target, invocation);
	struct log_lines *lines = lines_of(instance);

	if (lines)
		log_lines_feed(lines, bytes, length, printed_line, &printed);
	printed_end(&printed);
	write_lines(target->state);
}

static void flush_output(
        struct target *target, struct instance *instance, struct invocation *invocation)
{
	struct printed printed = printed_begin(target, invocation);

	if (instance->output_state)
		log_lines_flush(instance->output_state, printed_line, &printed);
	printed_end(&printed);
}

static void instance_gone(void *userdata, struct instance *instance)
{
	struct target *target = userdata;

	flush_output(target, instance, NULL);
	write_lines(target->state);
	if (instance->output_state)
		log_lines_deinit(instance->output_state);
	free(instance->output_state);
	instance->output_state = NULL;
}

static void record(
        void *userdata, struct invocation *invocation, int level, const char *text, size_t length)
{
	struct target *target = userdata;

	if (level < 0 || level >= (int)ARRAY_SIZE(level_names))
		level = LOG_INFO;
	message(target, invocation, level_names[level], text, length);
	write_lines(target->state);
}

/* --- after ------------------------------------------------------------------------------------ */

/* NULL: it had none, or that is gone: a call that was given up ends a turn later. */
static struct instance *instance_of(const struct invocation *invocation)
{
	return invocation->instance_id
	               ? map_get(&invocation->pool->host->instances, invocation->instance_id)
	               : NULL;
}

static int64_t memory_used(const struct invocation *invocation)
{
	struct instance *instance = instance_of(invocation);

	return instance ? instance_usage(instance)->memory_bytes : -1;
}

static void log_error(
        struct target *target, struct invocation *invocation, const char *error, size_t length)
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;

	error_text_sentence(&text, error, length);
	buf_puts(&text, "\n");
	error_text_trace(&text, error, length);
	if (!text.failed)
		message(target, invocation, "ERROR", text.data, text.length);
}

static void log_end(struct target *target, struct invocation *invocation,
        const struct invocation_end *end, int64_t duration_us, int64_t memory_bytes)
{
	struct function_state *state = target->state;
	struct instance *instance = instance_of(invocation);

	if (instance && instance->running_count <= 1)
		flush_output(target, instance, invocation);
	if (end->error_length && end->outcome != OUTCOME_CANCELED)
		log_error(target, invocation, end->error_body, end->error_length);
	if (invocation->sent_us)
		log_format_finish(&state->log_format, &state->lines, now_us(state),
		        &(struct log_finish){
		                .request_id = invocation->request_id,
		                .failed = end->outcome != OUTCOME_SUCCESS,
		                .duration_us = duration_us,
		                .memory_used_bytes = memory_bytes,
		                .memory_limit_bytes =
		                        target->pool.deployment
		                                ? target->pool.deployment->config.memory_bytes
		                                : 0,
		        });
	write_lines(state);
}

static void record_end(struct function_state *state, struct invocation *invocation,
        const struct invocation_end *end, int64_t duration_us, int64_t memory_bytes)
{
	struct call_record *kept = invocation->record;

	if (!kept)
		return;
	invocation->record = NULL;
	kept->duration_us = duration_us;
	kept->memory_peak_bytes = memory_bytes;
	call_record_append(&kept->error, end->error_body, end->error_length);
	recorder_end(state->recorder, kept, outcome_states[end->outcome]);
}

static void ended(void *userdata, struct invocation *invocation, const struct invocation_end *end)
{
	struct target *target = userdata;
	struct function_state *state = target->state;
	int64_t duration_us = invocation->sent_us ? alarm_now_us() - invocation->sent_us : -1;
	int64_t memory_bytes = memory_used(invocation);
	struct alias_state *alias = alias_of(invocation);

	log_end(target, invocation, end, duration_us, memory_bytes);
	record_end(state, invocation, end, duration_us, memory_bytes);
	if (alias)
		alias_state_running(alias, target->name, -1);
	count_call(target, alias,
	        &(struct metrics_sample){
	                .outcome = end->outcome,
	                .duration_us = duration_us,
	                .init_us = invocation->init_us,
	                .memory_bytes = memory_bytes,
	                .cold = invocation->cold,
	        });
	if (target->events->changed)
		target->events->changed(target);
}

static void loaded(void *userdata, struct deployment *deployment, const char *error, size_t length,
        int64_t init_us)
{
	struct target *target = userdata;

	if (error) {
		log_error(target, NULL, error, length);
		write_lines(target->state);
	} else {
		metrics_cold_start(target->state->metrics, init_us);
		if (target->metrics)
			metrics_cold_start(target->metrics, init_us);
	}
	target->events->loaded(target, deployment, error, length);
}

static void changed(void *userdata)
{
	struct target *target = userdata;
	struct target_counts counts;

	targets_count(target->state, &counts);
	metrics_running(target->state->metrics, (int)counts.running);
	metrics_instances(target->state->metrics, (int)counts.instances);
	if (target->events->changed)
		target->events->changed(target);
	if (!target->metrics)
		return;
	metrics_running(target->metrics, (int)target->pool.running);
	metrics_instances(target->metrics, (int)target->pool.live);
}

static bool congested(void *userdata)
{
	struct target *target = userdata;

	return logbook_congested(target->state->logbook);
}

static void emptied(void *userdata)
{
	struct target *target = userdata;

	target->events->emptied(target);
}

const struct pool_events account_events = {
        .began = began,
        .data = data,
        .output = output,
        .record = record,
        .ended = ended,
        .loaded = loaded,
        .changed = changed,
        .congested = congested,
        .instance_gone = instance_gone,
        .emptied = emptied,
};
