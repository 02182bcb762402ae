/* SPDX-License-Identifier: Apache-2.0 */
/* Routes of the gateway: it asks for them when a request comes (http_routes.h), nothing is queued. */
#include "events/http_routes.h"

#include <errno.h>
#include <stdio.h>

#include "events/event_http.h"
#include "events/sources_private.h"
#include "model/alias.h"
#include "model/function.h"
#include "model/version.h"
#include "model/why.h"

static struct http_route route_of(const struct trigger *trigger)
{
	struct http_route route = {
	        .trigger = trigger->id,
	        .function = trigger->function->id,
	        .version = trigger->version ? trigger->version->id : 0,
	        .alias = trigger->alias ? trigger->alias->id : 0,
	};

	snprintf(route.name, sizeof(route.name), "%s", trigger->name);
	return route;
}

/* That nobody else has it is asked also for a trigger that is off. */
static int check(struct sources *sources, const struct trigger_source *source, const char *text,
        struct buf *canonical, struct topic **topic, struct buf *why)
{
	const struct trigger *trigger = source->trigger;
	struct http_route route = route_of(trigger);
	int r = http_route_check(text, canonical, why);

	if (r == 0)
		r = http_routes_set(sources->http_routes, &route, text, why);
	/* Until it is stored, what was there before is in force. */
	http_routes_drop(sources->http_routes, trigger->id);
	if (*source->value && trigger->settings.enabled)
		http_routes_set(sources->http_routes, &route, source->value, NULL);
	return r;
}

/* Also when its target or its name changed: the route says both. */
static int start(struct source_state *state, struct buf *why)
{
	struct http_route route = route_of(state->trigger);

	return http_routes_set(
	        state->sources->http_routes, &route, state->trigger->source->value, why);
}

static void stop(struct source_state *state)
{
	http_routes_drop(state->sources->http_routes, state->trigger_id);
}

static void show(struct source_state *state, struct buf *out)
{
	const struct sources *sources = state->sources;

	if (!sources->host->listening || !sources->host->listening(sources->userdata))
		buf_puts(out, "why no gateway listens: nobody can ask for it\n");
}

/* --- requests --------------------------------------------------------------------------------- */

static bool has_room(const struct source_state *state)
{
	unsigned most = state->trigger->settings.concurrency;

	return !most || state->running < most;
}

int sources_http_begin(struct sources *sources, uint64_t id, const char *request_id,
        struct buf *event, struct buf *why)
{
	struct trigger *trigger = triggers_get(sources->triggers, id);
	struct source_state *state = trigger ? trigger->runtime_state : NULL;
	struct event_about about;
	int r;

	if (!state || !state->started)
		return -ENOENT;
	if (feed_is_early(state) || !has_room(state)) {
		why_say(why, "trigger %s takes no more now: its %s", trigger->name,
		        has_room(state) ? "rate is used up" : "concurrency is reached");
		return -EAGAIN;
	}
	about = source_about(state, request_id, clock_wall_us(sources->clock));
	r = event_http(event, &about, trigger->source->value);
	if (r < 0)
		return r;
	feed_due_us(state);
	state->running++;
	trigger->fired++;
	trigger->last_us = about.time_us;
	source_dirty(state);
	return 0;
}

void sources_http_end(struct sources *sources, uint64_t id)
{
	struct trigger *trigger = triggers_get(sources->triggers, id);
	struct source_state *state = trigger ? trigger->runtime_state : NULL;

	/* It may have another source by now, whose calls are counted anew. */
	if (state && state->running)
		state->running--;
}

const struct source_ops source_http = {
        .check = check, .start = start, .stop = stop, .show = show, .follows_target = true};
