/* SPDX-License-Identifier: Apache-2.0 */
/* Which URL is what, and the answers that change nothing. */
#include "run/runtime_api_private.h"

#include <string.h>

#include "base/cleanup.h"
#include "run/invocation.h"

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

void api_answer(struct http_served *served, unsigned status, const char *headers, const char *body)
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
	api_answer(served, status, NULL, body.data ? body.data : "");
}

void api_refuse_state(struct http_served *served)
{
	api_refuse(served, 403, "InvalidStateTransition",
	        "State transition failed for runtime. Error: State transition is not allowed");
}

void api_accept(struct api_request *request)
{
	bool functiongraph = request->route == ROUTE_FUNCTIONGRAPH_RESPONSE ||
	                     request->route == ROUTE_FUNCTIONGRAPH_ERROR;

	api_answer(request->served, functiongraph ? 200 : 202, NULL, "{\"status\":\"OK\"}");
}

void api_answer_other(struct runtime_api *api, struct api_request *request)
{
	struct http_served *served = request->served;

	switch (request->route) {
	case ROUTE_PING:
		api_answer(served, 200, NULL, "\"pong\"");
		break;
	case ROUTE_EXTENSION_REGISTER:
		api_register_extension(api, request);
		break;
	case ROUTE_EXTENSION_NEXT:
		api_poll_extension(api, request);
		break;
	case ROUTE_EXTENSION_ERROR:
		if (api_find_extension(api, request))
			api_answer(served, 202, NULL, "{\"status\":\"OK\"}");
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
