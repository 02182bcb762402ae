/* SPDX-License-Identifier: Apache-2.0 */
#include "events/sources.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/log.h"
#include "events/sources_private.h"
#include "events/topics.h"
#include "model/function.h"
#include "run/watch.h"

#define STORE_US (5 * SECOND_US)

static const struct source_ops *const kinds[SOURCE_KINDS] = {
        [SOURCE_TIMER] = &source_timer,
        [SOURCE_HTTP] = &source_http,
        [SOURCE_TOPIC] = &source_topic,
        [SOURCE_WATCH] = &source_watch,
        [SOURCE_PROGRAM] = &source_program,
};

static const struct source_ops *ops_of(const struct trigger_source *source)
{
	return kinds[source->kind];
}

/* --- the clock -------------------------------------------------------------------------------- */

void sources_clock_was_set(struct sources *sources)
{
	struct source_state *state, *following;

	list_each_safe(state, following, &sources->states, link)
		if (state->trigger && state->timer.schedule)
			timer_look(state, false);
}

/* Far off: what makes it readable is that somebody sets the clock, or the machine wakes up. */
static void arm_clock(struct sources *sources)
{
	const struct itimerspec far = {.it_value.tv_sec = INT32_MAX};

	timerfd_settime(sources->clock_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL);
}

static void clock_ready(void *userdata, int events)
{
	struct sources *sources = userdata;
	uint64_t times;

	if (read(sources->clock_fd, &times, sizeof(times)) < 0 && errno == EAGAIN)
		return;
	arm_clock(sources);
	sources_clock_was_set(sources);
}

static int watch_clock(struct sources *sources)
{
	sources->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (sources->clock_fd < 0)
		return fail(-errno, "watching the clock");
	sources->clock_watch = watch_new(sources->loop, sources->clock_fd, clock_ready, sources);
	if (!sources->clock_watch)
		return fail(-ENOMEM, "watching the clock");
	watch_events(sources->clock_watch, UV_READABLE);
	arm_clock(sources);
	return 0;
}

/* --- counts ----------------------------------------------------------------------------------- */

static void store_counts(struct sources *sources)
{
	struct source_state *state;
	struct topic *topic;
	uint64_t id = 0;

	list_each(state, &sources->states, link)
		if (state->trigger && state->dirty)
			state->dirty = trigger_store_fired(state->trigger, false) < 0;
	for (; (topic = topics_next(sources->triggers, id)); id = topic->id)
		topic_store_count(topic);
}

static void storing_rings(struct alarm *alarm)
{
	store_counts(container_of(alarm, struct sources, storing));
}

void sources_store_soon(struct sources *sources)
{
	if (!alarm_is_set(&sources->storing) && !sources->stopping)
		alarm_set(sources->alarms, &sources->storing, STORE_US, storing_rings);
}

void source_dirty(struct source_state *state)
{
	state->dirty = true;
	sources_store_soon(state->sources);
}

/* --- one trigger ------------------------------------------------------------------------------ */

struct source_state *source_state_of(struct sources *sources, struct trigger *trigger)
{
	struct source_state *state = trigger->runtime_state;

	if (state)
		return state;
	state = calloc(1, sizeof(*state));
	if (!state) {
		fail(-ENOMEM, "starting trigger %s", trigger->name);
		return NULL;
	}
	state->sources = sources;
	state->trigger = trigger;
	state->trigger_id = trigger->id;
	state->timer.next_us = INT64_MAX;
	list_init(&state->held);
	list_init(&state->released);
	state->off = !trigger->settings.enabled;
	list_append(&sources->states, &state->link);
	trigger->runtime_state = state;
	return state;
}

struct event_about source_about(const struct source_state *state, const char *name, int64_t time_us)
{
	const struct trigger *trigger = state->trigger;

	return (struct event_about){
	        .format = trigger_format(trigger),
	        .id = name,
	        .time_us = time_us,
	        .function = trigger->function->name,
	        .trigger = trigger->name,
	        .payload = trigger->settings.payload,
	};
}

static void stop(struct source_state *state)
{
	if (!state->started)
		return;
	state->started = 0;
	if (state->ops->stop)
		state->ops->stop(state);
}

static void start(struct source_state *state)
{
	const struct trigger_source *source = state->trigger->source;
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	int r;

	state->ops = ops_of(source);
	state->started = source->id;
	state->started_us = source->start_us;
	state->version = state->trigger->version;
	state->alias = state->trigger->alias;
	snprintf(state->name, sizeof(state->name), "%s", state->trigger->name);
	state->format = trigger_format(state->trigger);
	state->trouble[0] = 0;
	r = state->ops->start ? state->ops->start(state, &why) : 0;
	if (r == 0)
		return;
	snprintf(
	        state->trouble, sizeof(state->trouble), "%s", why.length ? why.data : strerror(-r));
	stop(state);
}

static bool wanted(const struct source_state *state)
{
	const struct trigger *trigger = state->trigger;

	return state->sources->started && !state->sources->stopping && trigger &&
	       trigger->settings.enabled && trigger->source && *trigger->source->value;
}

/* What passed while it was off is not made up for. */
static void turn_on(struct source_state *state)
{
	struct trigger_source *source = state->trigger->source;

	state->off = false;
	if (!source)
		return;
	source->from_us = clock_wall_us(state->sources->clock);
	trigger_store_fired(state->trigger, false);
}

/* What runs is not what is wanted any more. */
static bool is_stale(const struct source_state *state)
{
	const struct trigger *trigger = state->trigger;

	return !wanted(state) || trigger->source->id != state->started ||
	       trigger->source->start_us != state->started_us ||
	       (state->ops->follows_target &&
	               (trigger->version != state->version || trigger->alias != state->alias ||
	                       strcmp(trigger->name, state->name) != 0)) ||
	       (state->ops->follows_format && trigger_format(trigger) != state->format);
}

static void follow(struct source_state *state)
{
	if (state->started && is_stale(state))
		stop(state);
	if (state->off && state->trigger->settings.enabled)
		turn_on(state);
	state->off = !state->trigger->settings.enabled;
	if (wanted(state) && !state->started)
		start(state);
	feed_let_go(state);
}

void sources_changed(struct sources *sources, struct trigger *trigger)
{
	struct source_state *state = source_state_of(sources, trigger);

	if (state)
		follow(state);
}

static void state_free(struct source_state *state)
{
	list_unlink(&state->link);
	free(state);
}

void sources_removed(struct sources *sources, struct trigger *trigger)
{
	struct source_state *state = trigger->runtime_state;

	if (!state)
		return;
	stop(state);
	feed_forget(state);
	state->trigger = NULL;
	trigger->runtime_state = NULL;
	if (!state->pending)
		state_free(state);
}

/* --- birth and death -------------------------------------------------------------------------- */

static int take_path(char **place, const char *path)
{
	*place = path ? strdup(path) : NULL;
	return path && !*place ? fail(-ENOMEM, "making the sources of events") : 0;
}

static int take_paths(struct sources *sources, const struct sources_options *options)
{
	int r = take_path(&sources->watch_path, options->watch_path);

	if (r == 0)
		r = take_path(&sources->mount_path, options->mount_path);
	if (r == 0)
		r = take_path(&sources->program_path, options->program_path);
	return r < 0 ? r : take_path(&sources->state_path, options->state_path);
}

int sources_new(struct sources **out, const struct sources_options *options)
{
	struct sources *sources = calloc(1, sizeof(*sources));
	int r;

	if (!sources)
		return fail(-ENOMEM, "making the sources of events");
	sources->loop = options->loop;
	sources->alarms = options->alarms;
	sources->clock = options->clock;
	sources->functions = options->functions;
	sources->triggers = options->triggers;
	sources->http_routes = options->http_routes;
	sources->place = (struct child_place){options->loop, options->alarms, options->launcher};
	snprintf(sources->identity, sizeof(sources->identity), "%s",
	        options->identity ? options->identity : "");
	sources->state_directory = options->state_directory;
	sources->host = options->host;
	sources->userdata = options->userdata;
	sources->clock_fd = -1;
	list_init(&sources->states);
	list_init(&sources->feeds);
	list_init(&sources->published);
	r = take_paths(sources, options);
	if (r == 0)
		r = watch_clock(sources);
	if (r == 0)
		*out = sources;
	else
		sources_free(sources);
	return r;
}

void sources_start(struct sources *sources)
{
	struct trigger *trigger;
	uint64_t id = 0;

	for (; (trigger = triggers_next_of_all(sources->triggers, id)); id = trigger->id)
		if (triggers_next(trigger->function, 0) == trigger)
			feeds_find(sources, trigger->function);
	sources->started = true;
	for (id = 0; (trigger = triggers_next_of_all(sources->triggers, id)); id = trigger->id)
		sources_changed(sources, trigger);
}

bool sources_idle(const struct sources *sources)
{
	return sources->stopping && !sources->children;
}

void sources_child_gone(void *userdata)
{
	struct sources *sources = userdata;

	sources->children--;
	if (sources->idle && sources_idle(sources))
		sources->idle(sources->idle_userdata);
}

void sources_stop(struct sources *sources, void (*idle)(void *userdata), void *userdata)
{
	struct source_state *state;

	sources->stopping = true;
	sources->idle = idle;
	sources->idle_userdata = userdata;
	list_each(state, &sources->states, link)
		stop(state);
	alarm_clear(sources->alarms, &sources->storing);
	store_counts(sources);
}

static void forget_topics(struct sources *sources)
{
	struct topic *topic;
	uint64_t id = 0;

	for (; (topic = topics_next(sources->triggers, id)); id = topic->id)
		topic_was_removed(sources, topic);
}

struct sources *sources_free(struct sources *sources)
{
	struct source_state *state;

	if (!sources)
		return NULL;
	sources->stopping = true;
	feeds_free(sources);
	publishings_free(sources);
	forget_topics(sources);
	while ((state = list_first(&sources->states, struct source_state, link))) {
		stop(state);
		feed_forget(state);
		if (state->trigger)
			state->trigger->runtime_state = NULL;
		state_free(state);
	}
	alarm_clear(sources->alarms, &sources->storing);
	alarm_clear(sources->alarms, &sources->publishing_ends);
	watch_free(sources->clock_watch);
	close_fd(sources->clock_fd);
	free(sources->watch_path);
	free(sources->program_path);
	free(sources->mount_path);
	free(sources->state_path);
	free(sources);
	return NULL;
}

/* --- values ----------------------------------------------------------------------------------- */

int sources_set(struct sources *sources, struct trigger_source *source, const char *text,
        const struct caller *caller, struct buf *why)
{
	CLEANUP(buf_deinit) struct buf canonical = BUF_INIT;
	CLEANUP(free_p) gid_t *groups = NULL;
	struct source_setter by = {.uid = caller->uid, .gid = caller->gid};
	struct topic *topic = NULL;
	int r;

	if (!*text) {
		buf_printf(why, "a %s that is empty says nothing; rm unsets it", source->kind_name);
		return -EINVAL;
	}
	r = ops_of(source)->check(sources, source, text, &canonical, &topic, why);
	if (r == 0 && strcmp(source->value, canonical.data ? canonical.data : "") == 0 &&
	        source->topic == topic && source->uid == caller->uid)
		return 0;
	if (r == 0)
		r = canonical.failed ? -ENOMEM : caller_groups(caller, &groups, &by.group_count);
	if (r < 0)
		return r;
	by.groups = groups;
	by.time_us = clock_wall_us(sources->clock);
	/* Instants are named by whole seconds. */
	if (source->kind == SOURCE_TIMER)
		by.time_us -= by.time_us % SECOND_US;
	return trigger_source_set(source, canonical.data, topic, &by, why);
}

int64_t sources_next_us(struct sources *sources, struct trigger *trigger)
{
	const struct source_state *state = trigger->runtime_state;

	return state && state->timer.schedule ? state->timer.next_us : INT64_MAX;
}

static const char *state_name(const struct source_state *state)
{
	if (!state->trigger->settings.enabled)
		return "disabled";
	if (!state->trigger->source || !*state->trigger->source->value)
		return "incomplete";
	if (!state->started)
		return "failed";
	return state->ops->name_state ? state->ops->name_state(state) : "active";
}

void sources_show_status(struct sources *sources, struct trigger *trigger, struct buf *out)
{
	struct source_state *state = source_state_of(sources, trigger);
	bool is_set = trigger->source && *trigger->source->value;

	if (!state)
		return;
	buf_printf(out, "state %s\n", state_name(state));
	buf_printf(out, "source %s\n", is_set ? trigger->source->kind_name : "none");
	if (!is_set)
		buf_puts(out, "why no source is set: write one of timer, http, watch, topic, or a "
		              "broker's\n");
	else if (*state->trouble && !state->started)
		buf_printf(out, "why %s\n", state->trouble);
	if (state->started && state->ops->show)
		state->ops->show(state, out);
	if (*state->error)
		buf_printf(out, "last_error %s\n", state->error);
}
