/* SPDX-License-Identifier: Apache-2.0 */
/* Requests for which no dialect of the gateway stands: the routes of `http` triggers say whose they are. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/door_call.h"
#include "engine/engine_state.h"
#include "events/http_auth.h"
#include "events/http_routes.h"
#include "events/sources.h"
#include "model/alias.h"
#include "model/version.h"
#include "model/why.h"

/* The event came open: what the names in the route stand for was not known where it was made. */
static void add_parameters(struct buf *event, const struct http_route_match *match)
{
	buf_puts(event, ",\"pathParameters\":{");
	for (size_t i = 0; i < match->parameter_count; i++) {
		const char *name = match->parameters[i].name, *value = match->parameters[i].value;

		buf_puts(event, i ? "," : "");
		json_quote(event, name, strlen(name));
		buf_puts(event, ":");
		json_quote(event, value, strlen(value));
	}
	buf_puts(event, "}");
}

static int find(struct door_call *call, const struct http_route *route, struct buf *why)
{
	struct functions *functions = call->door->engine->functions;

	call->function = functions_get(functions, route->function);
	call->version = versions_get(functions, route->version);
	call->alias = aliases_get(functions, route->alias);
	if (call->function && !call->version == !route->version && !call->alias == !route->alias)
		return 0;
	why_say(why, "what trigger %s calls is gone", route->name);
	return -ENOENT;
}

static int match(struct door_call *call, struct http_route_match *out, struct buf *why)
{
	CLEANUP(buf_deinit) struct buf allow = BUF_INIT;
	const char *method = door_said(call, FIELD_METHOD), *path = door_said(call, FIELD_PATH);
	int r = http_routes_match(call->door->engine->http_routes, method ? method : "",
	        path ? path : "", out, &allow);

	if (r == -ENOENT)
		why_say(why, "no trigger has a route for this path");
	if (r == -EOPNOTSUPP) {
		why_say(why, "the route is for other methods: %s", allow.data ? allow.data : "");
		wire_put(&call->end, FIELD_ALLOW, allow.data);
	}
	return r;
}

/* The event in the trigger's format, which says the id of the request; or its rate is used up. */
static int pass_trigger(struct door_call *call, uint64_t trigger, struct buf *why)
{
	int r = sources_http_begin(
	        call->door->engine->sources, trigger, call->request_id, &call->event, why);

	if (r == 0)
		call->trigger = trigger;
	return r;
}

/* A trigger that judges by itself who may asks everybody, through whichever door one came. */
static int judge(struct door_call *call, const struct trigger *trigger, struct buf *why)
{
	return http_auth_judge(
	        trigger->settings.auth, door_said(call, FIELD_AUTHORIZATION), &call->event, why);
}

static struct trigger *trigger_of(const struct door_call *call, const struct http_route *route)
{
	return triggers_get(call->door->engine->triggers, route->trigger);
}

void door_route(struct door_call *call)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	CLEANUP(http_route_match_deinit) struct http_route_match found;
	struct trigger *trigger;
	char source[80];
	int r = match(call, &found, &why), allowed = 0;

	if (r == 0)
		r = find(call, found.route, &why);
	/* Who has no token learns nothing of what there is, but for what is open to all. */
	trigger = r == 0 ? trigger_of(call, found.route) : NULL;
	if (!trigger || strcmp(trigger->settings.auth, "token") == 0)
		allowed = door_allow(call, &why);
	if (allowed < 0 || r < 0) {
		door_call_end(call, allowed < 0 ? allowed : r, why.data);
		return;
	}
	uuid_make(&call->door->engine->host.ids, call->request_id);
	add_parameters(&call->event, &found);
	door_close_event(&call->event, call->request_id);
	snprintf(source, sizeof(source), "trigger %s", found.route->name);
	r = call->event.failed ? -ENOMEM : trigger ? judge(call, trigger, &why) : 0;
	if (r == 0)
		r = pass_trigger(call, found.route->trigger, &why);
	if (r < 0)
		door_call_end(call, r, why.data);
	else
		door_invoke(call, source);
}
