/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/triggers.h"

#include "base/fail.h"
#include "engine/engine_state.h"
#include "events/http_routes.h"
#include "events/queue_host.h"
#include "events/sources.h"
#include "events/topics.h"
#include "model/trigger.h"
#include "store/store.h"

struct triggers *engine_triggers(struct engine *engine)
{
	return engine->triggers;
}

struct http_routes *engine_http_routes(struct engine *engine)
{
	return engine->http_routes;
}

struct sources *engine_sources(struct engine *engine)
{
	return engine->sources;
}

static void changed(void *userdata, struct trigger *trigger)
{
	struct engine *engine = userdata;

	sources_changed(engine->sources, trigger);
}

static void removed(void *userdata, struct trigger *trigger)
{
	struct engine *engine = userdata;

	sources_removed(engine->sources, trigger);
}

static void topic_removed(void *userdata, struct topic *topic)
{
	struct engine *engine = userdata;

	queue_remove_function(engine->queue, topic->id); /* what it was to hand on */
	topic_was_removed(engine->sources, topic);
}

static const struct triggers_events events = {
        .changed = changed, .removed = removed, .topic_removed = topic_removed};

int triggers_open(struct engine *engine)
{
	engine->http_routes = http_routes_new();
	if (!engine->http_routes)
		return fail(-ENOMEM, "making the table of routes");
	return triggers_new(&engine->triggers, engine->store, engine->functions, &events, engine);
}

static int enqueue(void *userdata, struct queue_event *event, size_t count, queue_accepted_fn done,
        void *done_userdata, struct buf *why)
{
	struct engine *engine = userdata;

	return queue_enqueue(engine->queue, event, count, done, done_userdata, why);
}

static int watch(void *userdata, uint64_t entry, struct queue_watch *watch)
{
	return queue_watch(engine_queue(userdata), entry, watch);
}

static bool next(void *userdata, const struct queue_target *target, enum queue_place place,
        uint64_t after, struct queue_info *out)
{
	return queue_next(engine_queue(userdata), target, place, after, out);
}

static int postpone(void *userdata, uint64_t entry, int64_t due_us)
{
	return queue_postpone(engine_queue(userdata), entry, due_us);
}

static bool listening(void *userdata)
{
	const struct engine *engine = userdata;

	return engine->door != NULL;
}

static const struct sources_host host = {.enqueue = enqueue,
        .watch = watch,
        .next = next,
        .postpone = postpone,
        .listening = listening};

void triggers_close(struct engine *engine)
{
	http_routes_free(engine->http_routes);
	triggers_free(engine->triggers);
}

int sources_open(struct engine *engine, const struct engine_options *options)
{
	char identity[STORE_IDENTITY_SIZE];
	int r = store_identity(engine->store, identity);

	if (r < 0)
		return r;
	return sources_new(&engine->sources, &(struct sources_options){
	                                             .loop = options->loop,
	                                             .alarms = &engine->host.alarms,
	                                             .clock = engine->clock,
	                                             .functions = engine->functions,
	                                             .triggers = engine->triggers,
	                                             .http_routes = engine->http_routes,
	                                             .launcher = engine->launcher,
	                                             .watch_path = options->watch_path,
	                                             .program_path = options->source_path,
	                                             .identity = identity,
	                                             .mount_path = options->mount_path,
	                                             .state_path = engine->state_dir,
	                                             .state_directory = engine->state_fd,
	                                             .host = &host,
	                                             .userdata = engine,
	                                     });
}
