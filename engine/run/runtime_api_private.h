/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the files of the runtime APIs share: events and polls (runtime_api.c), responses and errors
 * (runtime_api_posts.c), extensions (runtime_api_extensions.c), which URL is what and the answers that
 * change nothing (runtime_api_routes.c).
 */
#include "base/uuid.h"
#include "run/http_server.h"
#include "run/instance_http.h"

struct deployment;

/* Of errors and registrations; what is posted beyond it is read and forgotten. */
#define API_BODY_MAX (1u << 20)

enum api_route {
	ROUTE_UNKNOWN,
	ROUTE_WRONG_METHOD,
	ROUTE_LAMBDA_NEXT,
	ROUTE_RESPONSE,
	ROUTE_ERROR,
	ROUTE_INIT_ERROR,
	ROUTE_PING,
	ROUTE_FUNCTIONGRAPH_NEXT,
	ROUTE_FUNCTIONGRAPH_RESPONSE,
	ROUTE_FUNCTIONGRAPH_ERROR,
	ROUTE_EXTENSION_REGISTER,
	ROUTE_EXTENSION_NEXT,
	ROUTE_EXTENSION_ERROR,
	ROUTE_TELEMETRY,
};

/* One HTTP request of the program. */
struct api_request {
	struct http_served *served;
	enum api_route route;
	const char *id; /* in the path; not ended by a zero byte */
	size_t id_length;
	struct list parked;              /* api.parked, while it rests */
	struct api_call *call;           /* whose event it took, or whose response it is */
	struct api_extension *extension; /* that polls with it, while it rests */
	struct buf body;
	bool bad_mode, too_large;
};

/* One invocation in this instance. */
struct api_call {
	struct list link;    /* api.calls */
	struct list waiting; /* api.waiting, until a poll takes it */
	uint64_t call;
	char id[UUID_TEXT_SIZE];
	char *name; /* of a queue entry, else NULL */
	bool sync, delivered;
	int64_t deadline_ms;
	struct buf event;
	struct api_request *poll, *post; /* that take it, and answer it, right now */
	struct runtime_api *api;
	struct alarm broken; /* its response broke off; that is to be told */
	bool is_broken;
	unsigned patiences;
};

struct runtime_api {
	struct instance_http *http;
	struct http_server *server;
	struct list calls, waiting;
	struct list parked; /* polls, oldest first */
	unsigned parked_count;
	struct list extensions; /* those that registered */
	struct alarm alarm;     /* until it is ready */
	bool closing;
};

enum api_route api_route(const struct http_served *served, const char **id, size_t *id_length);

void api_answer(struct http_served *served, unsigned status, const char *headers, const char *body);
void api_refuse(struct http_served *served, unsigned status, const char *type, const char *message);
void api_refuse_state(struct http_served *served);
void api_accept(struct api_request *request); /* 202 for Lambda's, 200 for FunctionGraph's */

/* --- posts (runtime_api_posts.c) --- */

void api_look_up(struct runtime_api *api, struct api_request *request); /* whose response it is */
void api_take_response_data(
        struct runtime_api *api, struct api_request *request, const char *data, size_t length);
void api_take_response(struct runtime_api *api, struct api_request *request);
void api_take_error(struct runtime_api *api, struct api_request *request);
void api_take_init_error(struct runtime_api *api, struct api_request *request);
void api_response_broke(struct api_call *call);
void api_tell_broken(struct api_call *call); /* now */
void api_call_free(struct api_call *call);

/* --- extensions (runtime_api_extensions.c) --- */

void api_register_extension(struct runtime_api *api, struct api_request *request);
void api_poll_extension(struct runtime_api *api, struct api_request *request);
void api_extension_gone(struct api_request *request); /* its poll, if it is one */
void api_extensions_free(struct runtime_api *api);
void api_tell_extensions(struct runtime_api *api, const struct api_call *call);

/* Who says it is the one that asks; NULL: it is none, and was answered. */
struct api_extension *api_find_extension(struct runtime_api *api, struct api_request *request);

void api_write_arn(struct buf *out, const struct deployment *deployment);

/* Whatever is not about events. */
void api_answer_other(struct runtime_api *api, struct api_request *request);
