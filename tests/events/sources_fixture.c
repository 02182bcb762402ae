/* SPDX-License-Identifier: Apache-2.0 */
#include "sources_fixture.h"

#include <errno.h>
#include <time.h>

#include "base/log.h"
#include "events/http_routes.h"
#include "events/topics.h"
#include "test.h"

static const struct caller alice = {1000, 1001, 0};

static int64_t wall_us(const struct clock *clock)
{
	return ((const struct fixture *)clock)->now_us;
}

static bool is_taken(const struct fixture *fixture, const char *name)
{
	for (size_t i = 0; i < fixture->count; i++)
		if (strcmp(fixture->queued[i].name, name) == 0)
			return true;
	return false;
}

static int enqueue(void *userdata, struct queue_event *event, size_t count, queue_accepted_fn done,
        void *done_userdata, struct buf *why)
{
	struct fixture *fixture = userdata;
	struct queued *queued = &fixture->queued[fixture->count];
	int r = fixture->refuse;

	if (r) {
		buf_puts(why, "the queue is full");
		return r;
	}
	REQUIRE(count == 1 && fixture->count < QUEUED_MOST);
	*queued = (struct queued){.name = strdup(event->name),
	        .source = strdup(event->source),
	        .due_us = event->due_us,
	        .target = event->target,
	        .done = done,
	        .userdata = done_userdata,
	        .told = false};
	if (is_taken(fixture, event->name))
		queued->due_us = -1; /* told as taken */
	queued->body = buf_take(&event->body);
	fixture->count++;
	return 0;
}

size_t fixture_tell(struct fixture *fixture, int status)
{
	size_t told = 0;

	/* What is told may queue more. */
	for (size_t i = 0, count = fixture->count; i < count; i++) {
		struct queued *queued = &fixture->queued[i];
		int answer = status == 0 && queued->due_us == -1 ? -EEXIST : status;

		if (queued->told)
			continue;
		queued->told = true;
		told++;
		queued->done(queued->userdata, answer, &(struct queue_accepted){.entry = i + 1}, 1);
	}
	return told;
}

static int watch(void *userdata, uint64_t entry, struct queue_watch *watch)
{
	struct fixture *fixture = userdata;
	struct queued *queued = &fixture->queued[entry - 1];

	queued->watch = watch;
	return queued->ended;
}

static bool next(void *userdata, const struct queue_target *target, enum queue_place place,
        uint64_t after, struct queue_info *out)
{
	struct fixture *fixture = userdata;

	for (size_t i = after; place == QUEUE_WAITING && i < fixture->count; i++) {
		const struct queued *queued = &fixture->queued[i];

		if (queued->ended || memcmp(&queued->target, target, sizeof(*target)) != 0)
			continue;
		*out = (struct queue_info){
		        .entry = i + 1, .name = queued->name, .due_us = queued->due_us};
		return true;
	}
	return false;
}

static int postpone(void *userdata, uint64_t entry, int64_t due_us)
{
	((struct fixture *)userdata)->queued[entry - 1].due_us = due_us;
	return 0;
}

void fixture_end(struct fixture *fixture, size_t number)
{
	struct queued *queued = &fixture->queued[number];
	struct queue_watch *watch = queued->watch;

	queued->ended = true;
	queued->watch = NULL;
	if (watch)
		watch->ended(watch, QUEUE_RESULT);
}

static void changed(void *userdata, struct trigger *trigger)
{
	sources_changed(((struct fixture *)userdata)->sources, trigger);
}

static void removed(void *userdata, struct trigger *trigger)
{
	sources_removed(((struct fixture *)userdata)->sources, trigger);
}

static void topic_removed(void *userdata, struct topic *topic)
{
	topic_was_removed(((struct fixture *)userdata)->sources, topic);
}

static void load(struct fixture *fixture)
{
	static const struct triggers_events events = {
	        .changed = changed, .removed = removed, .topic_removed = topic_removed};
	static const struct sources_host host = {
	        .enqueue = enqueue, .watch = watch, .next = next, .postpone = postpone};

	REQUIRE(uv_loop_init(&fixture->loop) == 0);
	REQUIRE(alarms_init(&fixture->alarms, &fixture->loop) == 0);
	REQUIRE(store_open(&fixture->store, fixture->directory) == 0);
	REQUIRE(functions_new(&fixture->functions, fixture->store, NULL, NULL) == 0);
	REQUIRE(triggers_new(&fixture->triggers, fixture->store, fixture->functions, &events,
	                fixture) == 0);
	fixture->http_routes = http_routes_new();
	REQUIRE(fixture->http_routes);
	REQUIRE(sources_new(&fixture->sources, &(struct sources_options){
	                                               .loop = &fixture->loop,
	                                               .alarms = &fixture->alarms,
	                                               .clock = &fixture->clock,
	                                               .functions = fixture->functions,
	                                               .triggers = fixture->triggers,
	                                               .http_routes = fixture->http_routes,
	                                               .host = &host,
	                                               .userdata = fixture,
	                                       }) == 0);
	fixture->function = functions_find(fixture->functions, "f");
}

static void unload(struct fixture *fixture)
{
	for (size_t i = 0; i < fixture->count; i++)
		fixture->queued[i].told = true, fixture->queued[i].watch = NULL;
	sources_free(fixture->sources);
	http_routes_free(fixture->http_routes);
	triggers_free(fixture->triggers);
	functions_free(fixture->functions);
	store_close(fixture->store);
	alarms_deinit(&fixture->alarms);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	REQUIRE(uv_loop_close(&fixture->loop) == 0);
}

static void say_nothing(void *userdata, const char *line, size_t length)
{
}

struct fixture *fixture_open(const char *now)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	REQUIRE(fixture);
	log_set_sink(say_nothing, NULL);
	fixture->clock = (struct clock){wall_us, wall_us};
	fixture->now_us = fixture_time(now);
	fixture->directory = test_directory();
	load(fixture);
	REQUIRE(functions_create(
	                fixture->functions, "f", &alice, &fixture->function, &fixture->why) == 0);
	sources_start(fixture->sources);
	return fixture;
}

void fixture_close(struct fixture *fixture)
{
	unload(fixture);
	for (size_t i = 0; i < fixture->count; i++) {
		free(fixture->queued[i].name);
		free(fixture->queued[i].source);
		free(fixture->queued[i].body);
	}
	buf_deinit(&fixture->why);
	test_directory_remove(fixture->directory);
	free(fixture);
}

void fixture_crash(struct fixture *fixture, int64_t down_us)
{
	unload(fixture);
	fixture->now_us += down_us;
	load(fixture);
	sources_start(fixture->sources);
}

int64_t fixture_time(const char *text)
{
	struct tm parts = {};

	REQUIRE(strptime(text, "%Y-%m-%dT%H:%M:%S", &parts));
	return (int64_t)timegm(&parts) * 1000000;
}

void fixture_set_clock(struct fixture *fixture, const char *now)
{
	fixture->now_us = fixture_time(now);
	sources_clock_was_set(fixture->sources);
}

void fixture_pass(struct fixture *fixture, int64_t us)
{
	fixture->now_us += us;
	sources_clock_was_set(fixture->sources);
}

struct trigger *fixture_find(struct fixture *fixture, const char *name)
{
	return triggers_find(fixture->function, name);
}

struct trigger *fixture_trigger(struct fixture *fixture, const char *name)
{
	struct trigger *trigger = NULL;

	REQUIRE(trigger_create(fixture->function, name, &trigger, &fixture->why) == 0);
	return trigger;
}

int fixture_set(
        struct fixture *fixture, struct trigger *trigger, enum source_kind kind, const char *text)
{
	struct trigger_source *source = trigger->source;

	buf_clear(&fixture->why);
	if (!source)
		REQUIRE(trigger_source_create(trigger, kind, &source, &fixture->why) == 0);
	return sources_set(fixture->sources, source, text, &alice, &fixture->why);
}
