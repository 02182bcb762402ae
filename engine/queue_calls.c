/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/queue_calls.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>

#include "engine/engine_state.h"
#include "engine/metrics.h"
#include "events/queue_host.h"
#include "events/topics.h"
#include "model/alias.h"
#include "model/trigger.h"
#include "model/version.h"

#define RUNNING_MOST   1000
#define HANDED_ON_MOST 64
#define FOR_EVER_MS    (INT64_C(100) * 365 * 24 * 3600 * 1000)

struct named {
	struct function *function;
	struct version *version;
	struct alias *alias;
};

static int find(struct engine *engine, const struct queue_target *target, struct named *out)
{
	int r;

	*out = (struct named){};
	r = functions_load(engine->functions, target->function, &out->function);
	if (r < 0)
		return r; /* but for -ENOENT it may be there, and cannot be read now */
	if (target->version)
		out->version = versions_get(engine->functions, target->version);
	if (target->alias)
		out->alias = aliases_get(engine->functions, target->alias);
	return !out->version == !target->version && !out->alias == !target->alias ? 0 : -ENOENT;
}

/* --- what a target allows --------------------------------------------------------------------- */

/* Ids of functions and of topics are never the same. */
static struct queue_target destination(const struct config_destination *configured)
{
	return (struct queue_target){
	        .function = configured->topic ? configured->topic : configured->function,
	        .alias = configured->alias,
	};
}

static struct topic *topic_of(struct engine *engine, const struct queue_target *target)
{
	return topics_get(engine->triggers, target->function);
}

static unsigned running_most(const struct config *config)
{
	int64_t most = (int64_t)config->max_instances * config->concurrency;

	return most < RUNNING_MOST ? (unsigned)most : RUNNING_MOST;
}

/* An alias has no settings: those of its function count. How much runs at once is up to the versions. */
static int limits(void *userdata, const struct queue_target *target, struct queue_limits *out)
{
	const struct config *config;
	struct named named;
	int r = find(userdata, target, &named);

	if (r < 0 && topic_of(userdata, target)) {
		*out = (struct queue_limits){
		        .max_retries = INT_MAX,
		        .max_event_age_ms = FOR_EVER_MS,
		        .queue_limit = SIZE_MAX,
		        .running_most = HANDED_ON_MOST,
		        .hands_on = true,
		        .event_most = TOPIC_EVENT_MOST,
		};
		return 0;
	}
	if (r < 0)
		return r;
	config = named.version ? &named.version->settings.config : &named.function->settings.config;
	*out = (struct queue_limits){
	        .max_retries = config->max_retries,
	        .max_event_age_ms = config->max_event_age_ms,
	        .queue_limit = (size_t)config->queue_limit,
	        .running_most = named.alias ? RUNNING_MOST : running_most(config),
	        .on_success = destination(&config->on_success),
	        .on_failure = destination(&config->on_failure),
	};
	return 0;
}

/* An alias carries a mark of exclamation there. */
static void urn(void *userdata, const struct queue_target *target, struct buf *out)
{
	struct named named;

	if (find(userdata, target, &named) < 0)
		return;
	buf_printf(out, "urn:fss:local:default:function:default:%s:%s%s", named.function->name,
	        named.alias ? "!" : "",
	        named.alias     ? named.alias->name
	        : named.version ? named.version->name
	                        : "latest");
}

/* --- calls ------------------------------------------------------------------------------------ */

static int start(void *userdata, const struct queue_call *call, struct buf *event,
        const struct invocation_events *events, void *run, void **out, struct buf *why)
{
	struct invocation *invocation = NULL;
	struct named named;
	int r = find(userdata, call->target, &named);

	if (r < 0)
		return r;
	r = invocation_start(userdata, named.function, event,
	        &(struct invocation_options){
	                .source = call->source,
	                .version = named.version,
	                .alias = named.alias,
	                .name = call->name,
	                .request_id = call->request_id,
	                .attempt = call->attempt,
	        },
	        events, run, &invocation, why);
	*out = invocation;
	return r;
}

static int hand_on(void *userdata, const struct queue_call *call, const struct buf *event,
        queue_done_fn done, void *run, struct buf *why)
{
	struct engine *engine = userdata;
	struct topic *topic = topic_of(engine, call->target);

	if (!topic)
		return -ENOENT;
	return topic_hand_on(engine->sources, topic,
	        &(struct topic_event){.id = call->request_id,
	                .data = event->data,
	                .length = event->length,
	                .hops = call->hops + 1,
	                .again = call->attempt > 1},
	        done, run, why);
}

static void cancel(void *invocation)
{
	invocation_cancel(invocation);
}

static void release(void *invocation)
{
	invocation_release(invocation);
}

static const struct queue_host host = {
        .limits = limits,
        .urn = urn,
        .start = start,
        .cancel = cancel,
        .release = release,
        .hand_on = hand_on,
};

static unsigned processors(void)
{
	unsigned count = uv_available_parallelism();

	return count < 2 ? 2 : count;
}

struct queue *engine_queue(struct engine *engine)
{
	return engine->queue;
}

int queue_calls_open(struct engine *engine, uv_loop_t *loop)
{
	return queue_new(&engine->queue, &(struct queue_options){
	                                         .loop = loop,
	                                         .alarms = &engine->host.alarms,
	                                         .clock = engine->clock,
	                                         .state_dir = engine->state_dir,
	                                         .host = &host,
	                                         .userdata = engine,
	                                         .parallel = processors(),
	                                         .seed = uv_hrtime(),
	                                 });
}

int queue_calls_check_empty(struct engine *engine, const struct function *function, struct buf *why)
{
	struct queue_counts counts;

	queue_count(engine->queue, &(struct queue_target){.function = function->id}, &counts);
	if (!counts.waiting && !counts.dots)
		return 0;
	buf_printf(why, "%zu calls wait in the queue of %s: rm -r removes them too",
	        counts.waiting + counts.dots, function->name);
	return -ENOTEMPTY;
}

/* --- numbers ---------------------------------------------------------------------------------- */

void queue_calls_measure_target(
        struct engine *engine, const struct queue_target *target, struct metrics *metrics)
{
	struct queue_counts counts;

	queue_count(engine->queue, target, &counts);
	metrics_queue(metrics, (int)counts.waiting,
	        counts.oldest_us ? clock_wall_us(engine->clock) - counts.oldest_us : 0);
}

void queue_calls_measure(struct engine *engine)
{
	struct function_state *state;

	list_each(state, &engine->states, link)
		queue_calls_measure_target(
		        engine, &(struct queue_target){.function = state->id}, state->metrics);
}

void queue_calls_show(struct engine *engine, struct buf *out)
{
	struct queue_counts counts;

	queue_count_all(engine->queue, &counts);
	buf_printf(out, "queued %zu\nfailed %zu\n", counts.waiting, counts.failed);
}
