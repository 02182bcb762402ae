/* SPDX-License-Identifier: Apache-2.0 */
/* Which URL is what, and the answers that change nothing. */
#include "run/runtime_api_private.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "run/deployment.h"
#include "run/host.h"
#include "run/invocation.h"
#include "run/pool.h"

/* --- routes --------------------------------------------------------------------------------- */

/* `*` stands for an id. */
static const struct {
	const char *method, *path;
	enum api_route route;
} routes[] = {
        {"GET", "/2018-06-01/runtime/invocation/next", ROUTE_LAMBDA_NEXT},
        {"POST", "/2018-06-01/runtime/invocation/*/response", ROUTE_RESPONSE},
        {"POST", "/2018-06-01/runtime/invocation/*/error", ROUTE_ERROR},
        {"POST", "/2018-06-01/runtime/init/error", ROUTE_INIT_ERROR},
        {"GET", "/2018-06-01/ping", ROUTE_PING},
        {"GET", "/v1/runtime/invocation/request", ROUTE_FUNCTIONGRAPH_NEXT},
        {"POST", "/v1/runtime/invocation/response/*", ROUTE_FUNCTIONGRAPH_RESPONSE},
        {"POST", "/v1/runtime/invocation/error/*", ROUTE_FUNCTIONGRAPH_ERROR},
        {"POST", "/2020-01-01/extension/register", ROUTE_EXTENSION_REGISTER},
        {"GET", "/2020-01-01/extension/event/next", ROUTE_EXTENSION_NEXT},
        {"POST", "/2020-01-01/extension/init/error", ROUTE_EXTENSION_ERROR},
        {"POST", "/2020-01-01/extension/exit/error", ROUTE_EXTENSION_ERROR},
        {"PUT", "/2020-08-15/logs", ROUTE_TELEMETRY},
        {"PUT", "/2022-07-01/telemetry", ROUTE_TELEMETRY},
};

static bool path_matches(const char *pattern, const char *path, const char **id, size_t *id_length)
{
	size_t before = strcspn(pattern, "*"), length;

	if (!pattern[before])
		return strcmp(pattern, path) == 0;
	if (strncmp(pattern, path, before) != 0)
		return false;
	length = strcspn(path + before, "/");
	if (!length || strcmp(path + before + length, pattern + before + 1) != 0)
		return false;
	*id = path + before;
	*id_length = length;
	return true;
}

enum api_route api_route(const struct http_served *served, const char **id, size_t *id_length)
{
	enum api_route found = ROUTE_UNKNOWN;

	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		if (!path_matches(routes[i].path, served->path, id, id_length))
			continue;
		if (strcmp(routes[i].method, served->method) == 0)
			return routes[i].route;
		found = ROUTE_WRONG_METHOD;
	}
	return found;
}

/* --- answers -------------------------------------------------------------------------------- */

static void answer(
        struct http_served *served, unsigned status, const char *headers, const char *body)
{
	http_served_answer(served, &(struct http_answer){
	                                   .status = status,
	                                   .content_type = "application/json",
	                                   .headers = headers,
	                                   .body = body,
	                                   .length = strlen(body),
	                           });
}

void api_refuse(struct http_served *served, unsigned status, const char *type, const char *message)
{
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;

	error_body(&body, type, "%s", message);
	answer(served, status, NULL, body.data ? body.data : "");
}

void api_refuse_state(struct http_served *served)
{
	api_refuse(served, 403, "InvalidStateTransition", "State transition is not allowed");
}

void api_accept(struct api_request *request)
{
	bool functiongraph = request->route == ROUTE_FUNCTIONGRAPH_RESPONSE ||
	                     request->route == ROUTE_FUNCTIONGRAPH_ERROR;

	answer(request->served, functiongraph ? 200 : 202, NULL, "{\"status\":\"OK\"}");
}

/* --- extensions ----------------------------------------------------------------------------- */

static void add_member(struct buf *body, const char *name, const char *value, const char *before)
{
	buf_printf(body, "%s\"%s\":", before, name);
	json_quote(body, value, strlen(value));
}

static void register_extension(struct runtime_api *api, struct api_request *request)
{
	const struct deployment *deployment = api->http->instance->deployment;
	bool latest = strcmp(deployment->version, "latest") == 0;
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;
	CLEANUP(buf_deinit) struct buf headers = BUF_INIT;

	if (!http_served_header(request->served, "Lambda-Extension-Name")) {
		api_refuse(request->served, 400, "Extension.MissingExtensionName",
		        "the header Lambda-Extension-Name is missing");
		return;
	}
	if (!api->extension_id[0])
		uuid_make(&api->http->instance->pool->host->ids, api->extension_id);
	buf_printf(&headers, "Lambda-Extension-Identifier: %s", api->extension_id);
	buf_append(&headers, "\0", 2);
	add_member(&body, "functionName", deployment->function_name, "{");
	add_member(&body, "functionVersion", latest ? "$LATEST" : deployment->version, ",");
	add_member(&body, "handler", deployment_handler(deployment), ",");
	add_member(&body, "accountId", "000000000000", ",");
	buf_puts(&body, "}");
	answer(request->served, 200, headers.data, body.data ? body.data : "");
}

/* True: the request comes from an extension that is registered; else it was answered. */
static bool knows_extension(struct runtime_api *api, struct api_request *request)
{
	const char *id = http_served_header(request->served, "Lambda-Extension-Identifier");

	if (!id || !*id)
		api_refuse(request->served, 403, "Extension.MissingExtensionIdentifier",
		        "Missing Lambda-Extension-Identifier header");
	else if (strcmp(id, api->extension_id) != 0)
		api_refuse(request->served, 403, "Extension.InvalidExtensionIdentifier",
		        "Invalid Lambda-Extension-Identifier");
	else
		return true;
	return false;
}

bool runtime_api_stop(struct runtime_api *api)
{
	struct api_request *request;
	bool told = false;
	char body[128];

	snprintf(body, sizeof(body),
	        "{\"eventType\":\"SHUTDOWN\",\"shutdownReason\":\"spindown\",\"deadlineMs\":%lld}",
	        (long long)(clock_wall_us(api->http->instance->pool->host->clock) + GENTLE_END_US) /
	                1000);
	while ((request = list_first(&api->extensions, struct api_request, parked))) {
		list_unlink(&request->parked);
		answer(request->served, 200, NULL, body);
		told = true;
	}
	return told;
}

void api_answer_other(struct runtime_api *api, struct api_request *request)
{
	struct http_served *served = request->served;

	switch (request->route) {
	case ROUTE_PING:
		answer(served, 200, NULL, "\"pong\"");
		break;
	case ROUTE_EXTENSION_REGISTER:
		register_extension(api, request);
		break;
	case ROUTE_EXTENSION_NEXT:
		if (knows_extension(api, request))
			list_append(&api->extensions, &request->parked);
		break;
	case ROUTE_EXTENSION_ERROR:
		if (knows_extension(api, request))
			answer(served, 202, NULL, "{\"status\":\"OK\"}");
		break;
	case ROUTE_TELEMETRY:
		api_refuse(served, 202,
		        strstr(served->path, "logs") ? "Logs.NotSupported"
		                                     : "Telemetry.NotSupported",
		        "not supported here");
		break;
	case ROUTE_WRONG_METHOD:
		api_refuse(served, 405, "MethodNotAllowed", "not a method of this URL");
		break;
	default:
		api_refuse(served, 404, "NotFound", "there is no such URL in the runtime APIs");
	}
}
