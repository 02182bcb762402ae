/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime APIs of AWS Lambda and of FunctionGraph, as programs see them at 127.0.0.1:9001. A poll
 * for the next event rests until there is one; what is posted to an event's id is its response. A
 * program that polls several times at once gets so many events at once (`capacity`), up to the
 * function's `concurrency`; one that polls again only after its answer is as free meanwhile as one that
 * polls: the next event then waits for the poll.
 *
 *	begin       the route is found (runtime_api_routes.c), an id looked up, a refusal noted
 *	data        a piece of the response goes to the caller; other bodies are collected
 *	complete    the body and its trailers are there: the answer, and what follows from it
 */
#include "run/runtime_api_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "run/deployment.h"
#include "run/host.h"
#include "run/http_event.h"
#include "run/invocation.h"
#include "run/pool.h"

/* How long a program that may poll several times is given to do so before it is ready. */
#define MORE_POLLS_US (5 * 1000)

static struct alarms *alarms_of(const struct runtime_api *api)
{
	return &api->http->instance->pool->host->alarms;
}

static unsigned concurrency(const struct runtime_api *api)
{
	return (unsigned)api->http->instance->deployment->config.concurrency;
}

/* --- calls ---------------------------------------------------------------------------------- */

void api_call_free(struct api_call *call)
{
	if (call->poll)
		call->poll->call = NULL;
	if (call->post)
		call->post->call = NULL;
	alarm_clear(alarms_of(call->api), &call->broken);
	list_unlink(&call->link);
	list_unlink(&call->waiting);
	buf_deinit(&call->event);
	free(call->name);
	free(call);
}

/* --- events to polls ------------------------------------------------------------------------ */

__attribute__((format(printf, 3, 4))) static void put_header(
        struct buf *headers, const char *name, const char *format, ...)
{
	va_list arguments;

	buf_printf(headers, "%s: ", name);
	va_start(arguments, format);
	buf_vprintf(headers, format, arguments);
	va_end(arguments);
	buf_append(headers, "", 1);
}

void api_write_arn(struct buf *out, const struct deployment *deployment)
{
	bool latest = strcmp(deployment->version, "latest") == 0;

	buf_printf(out, "arn:aws:lambda:local:000000000000:function:%s%s%s",
	        deployment->function_name, latest ? "" : ":", latest ? "" : deployment->version);
}

static void put_lambda_headers(
        struct buf *headers, const struct deployment *deployment, const struct api_call *call)
{
	put_header(headers, "Lambda-Runtime-Aws-Request-Id", "%s", call->id);
	put_header(headers, "Lambda-Runtime-Deadline-Ms", "%" PRId64, call->deadline_ms);
	buf_puts(headers, "Lambda-Runtime-Invoked-Function-Arn: ");
	api_write_arn(headers, deployment);
	buf_append(headers, "", 1);
}

static void put_functiongraph_headers(struct buf *headers, const struct api_call *call)
{
	put_header(headers, "X-Cff-Request-Id", "%s", call->id);
	put_header(headers, "X-CFF-Invoke-Type", "%s", call->sync ? "sync" : "async");
}

/* What the name of an entry in queue/ is to whoever works on it. */
static void put_key(struct buf *headers, const struct api_call *call)
{
	if (!call->name)
		return;
	buf_puts(headers, "Idempotency-Key: ");
	escape_name(headers, call->name);
	buf_append(headers, "", 1);
}

static void deliver(struct runtime_api *api, struct api_call *call, struct api_request *request)
{
	CLEANUP(buf_deinit) struct buf headers = BUF_INIT;

	list_unlink(&call->waiting);
	call->delivered = true;
	call->poll = request;
	request->call = call;
	if (request->route == ROUTE_LAMBDA_NEXT)
		put_lambda_headers(&headers, api->http->instance->deployment, call);
	else
		put_functiongraph_headers(&headers, call);
	put_key(&headers, call);
	buf_append(&headers, "", 1);
	http_served_answer(
	        request->served, &(struct http_answer){
	                                 .status = 200,
	                                 .content_type = "application/json",
	                                 .headers = headers.data,
	                                 .body = call->event.data ? call->event.data : "",
	                                 .length = call->event.length,
	                         });
	if (concurrency(api) == 1)
		api_tell_extensions(api, call);
}

static void unpark(struct runtime_api *api, struct api_request *request)
{
	bool polls_events =
	        request->route == ROUTE_LAMBDA_NEXT || request->route == ROUTE_FUNCTIONGRAPH_NEXT;

	if (polls_events && !list_empty(&request->parked))
		api->parked_count--;
	list_unlink(&request->parked);
}

/* A poll that somebody still waits for; those whose connection was closed go. */
static struct api_request *take_poll(struct runtime_api *api)
{
	struct api_request *request;

	while ((request = list_first(&api->parked, struct api_request, parked))) {
		unpark(api, request);
		if (http_served_waits(request->served))
			return request;
		api_refuse(request->served, 500, "InternalServerError", "the poll was given up");
	}
	return NULL;
}

static void match(struct runtime_api *api)
{
	struct api_call *call;
	struct api_request *request;

	while ((call = list_first(&api->waiting, struct api_call, waiting)) &&
	        (request = take_poll(api)))
		deliver(api, call, request);
}

int runtime_api_call(struct runtime_api *api, struct invocation *invocation)
{
	struct instance *instance = api->http->instance;
	struct api_call *call = calloc(1, sizeof(*call));

	if (!call)
		return -ENOMEM;
	list_append(&api->calls, &call->link);
	list_init(&call->waiting);
	list_append(&api->waiting, &call->waiting);
	call->api = api;
	call->call = invocation->call;
	call->sync = strcmp(invocation->source, "sync") == 0;
	call->deadline_ms = clock_wall_us(instance->pool->host->clock) / 1000 +
	                    instance->deployment->config.timeout_ms;
	snprintf(call->id, sizeof(call->id), "%s", invocation->request_id);
	call->name = invocation->name;
	invocation->name = NULL;
	call->event = invocation->request;
	buf_init(&invocation->request);
	if (http_event_blank(call->event.data, call->event.length) == call->event.length) {
		buf_clear(&call->event);
		buf_puts(&call->event, "{}");
	}
	match(api);
	return 0;
}

void runtime_api_cancel(struct runtime_api *api, struct invocation *invocation)
{
	struct api_call *call;

	list_each(call, &api->calls, link)
		if (call->call == invocation->call) {
			api_call_free(call);
			return;
		}
}

/* --- polls ---------------------------------------------------------------------------------- */

static unsigned polls(const struct runtime_api *api)
{
	const struct api_call *call;
	unsigned count = api->parked_count;

	list_each(call, &api->calls, link)
		count += call->delivered;
	return count < concurrency(api) ? count : concurrency(api);
}

static void become_ready(struct alarm *alarm)
{
	struct runtime_api *api = container_of(alarm, struct runtime_api, alarm);
	struct instance *instance = api->http->instance;

	if (!instance_in(instance, INSTANCE_STARTING))
		return;
	instance->capacity = api->parked_count ? polls(api) : 1;
	instance_loaded(instance);
}

static void grow(struct runtime_api *api)
{
	struct instance *instance = api->http->instance;

	if (polls(api) <= instance->capacity)
		return;
	instance->capacity = polls(api);
	if (!instance_has_room(instance) || !list_empty(&instance->available) ||
	        instance->deployment != instance->pool->deployment)
		return;
	list_append(&instance->pool->available, &instance->available);
	pool_dispatch(instance->pool);
}

/* A client that asks again instead of answering gets the same event again. */
static struct api_call *unanswered(const struct runtime_api *api)
{
	struct api_call *call;

	if (concurrency(api) > 1)
		return NULL;
	list_each(call, &api->calls, link)
		if (call->delivered && !call->post)
			return call;
	return NULL;
}

static struct api_call *broken(const struct runtime_api *api)
{
	struct api_call *call;

	list_each(call, &api->calls, link)
		if (call->is_broken)
			return call;
	return NULL;
}

static void take_poll_request(struct runtime_api *api, struct api_request *request)
{
	struct instance *instance = api->http->instance;
	struct api_call *again;

	/* Whoever asks lives: what broke off is told now. The calls may all be others after each. */
	while ((again = broken(api)))
		api_tell_broken(again);
	again = unanswered(api);
	if (!instance_http_decide(api->http,
	            request->route == ROUTE_LAMBDA_NEXT ? HTTP_LAMBDA : HTTP_FUNCTIONGRAPH) &&
	        api->http->kind == HTTP_FUNCTION) {
		api_refuse_state(request->served);
		return;
	}
	if (again) {
		if (again->poll)
			again->poll->call = NULL;
		deliver(api, again, request);
		return;
	}
	list_append(&api->parked, &request->parked);
	api->parked_count++;
	if (!instance_in(instance, INSTANCE_STARTING)) {
		match(api);
		grow(api);
	} else if (polls(api) == concurrency(api)) {
		become_ready(&api->alarm);
	} else if (!alarm_is_set(&api->alarm)) {
		alarm_set(alarms_of(api), &api->alarm, MORE_POLLS_US, become_ready);
	}
}

/* --- requests ------------------------------------------------------------------------------- */

static void begin(void *userdata, struct http_served *served)
{
	struct runtime_api *api = userdata;
	struct api_request *request = calloc(1, sizeof(*request));

	if (!request) {
		api_refuse(served, 500, "InternalServerError", "out of memory");
		return;
	}
	served->data = request;
	request->served = served;
	list_init(&request->parked);
	request->route = api_route(served, &request->id, &request->id_length);
	if (request->route == ROUTE_RESPONSE || request->route == ROUTE_FUNCTIONGRAPH_RESPONSE ||
	        request->route == ROUTE_ERROR || request->route == ROUTE_FUNCTIONGRAPH_ERROR)
		api_look_up(api, request);
}

static void data(void *userdata, struct http_served *served, const char *bytes, size_t length)
{
	struct runtime_api *api = userdata;
	struct api_request *request = served->data;

	if (!request)
		return;
	if (request->route == ROUTE_RESPONSE || request->route == ROUTE_FUNCTIONGRAPH_RESPONSE)
		api_take_response_data(api, request, bytes, length);
	else if (request->body.length + length <= API_BODY_MAX)
		buf_append(&request->body, bytes, length);
}

static void complete(void *userdata, struct http_served *served)
{
	struct runtime_api *api = userdata;
	struct api_request *request = served->data;

	if (!request)
		return;
	switch (request->route) {
	case ROUTE_LAMBDA_NEXT:
	case ROUTE_FUNCTIONGRAPH_NEXT:
		take_poll_request(api, request);
		break;
	case ROUTE_RESPONSE:
	case ROUTE_FUNCTIONGRAPH_RESPONSE:
		api_take_response(api, request);
		break;
	case ROUTE_ERROR:
	case ROUTE_FUNCTIONGRAPH_ERROR:
		api_take_error(api, request);
		break;
	case ROUTE_INIT_ERROR:
		api_take_init_error(api, request);
		break;
	default:
		api_answer_other(api, request);
	}
}

static void gone(void *userdata, struct http_served *served, bool sent)
{
	struct runtime_api *api = userdata;
	struct api_request *request = served->data;
	struct api_call *call = request ? request->call : NULL;

	if (!request)
		return;
	unpark(api, request);
	api_extension_gone(request);
	if (call && call->poll == request)
		call->poll = NULL;
	if (call && call->post == request)
		call->post = NULL;
	if (call && !sent && !api->closing) {
		if (request->route != ROUTE_LAMBDA_NEXT &&
		        request->route != ROUTE_FUNCTIONGRAPH_NEXT) {
			api_response_broke(call);
		} else {
			call->delivered = false; /* it never arrived: another poll gets it */
			list_append(&api->waiting, &call->waiting);
			match(api);
		}
	}
	buf_deinit(&request->body);
	free(request);
}

static const struct http_server_events events = {begin, data, complete, gone};

/* --- life ----------------------------------------------------------------------------------- */

int runtime_api_new(struct runtime_api **out, struct instance_http *http, int listener)
{
	struct runtime_api *api = calloc(1, sizeof(*api));
	struct host *host = http->instance->pool->host;
	int r;

	if (!api) {
		close_fd(listener);
		return -ENOMEM;
	}
	api->http = http;
	list_init(&api->calls);
	list_init(&api->waiting);
	list_init(&api->parked);
	list_init(&api->extensions);
	r = http_server_new(&api->server, host->loop, &host->alarms, listener, 2 * concurrency(api),
	        &events, api);
	*out = r ? runtime_api_free(api) : api;
	return r;
}

struct runtime_api *runtime_api_free(struct runtime_api *api)
{
	struct api_call *call;

	if (!api)
		return NULL;
	api->closing = true;
	alarm_clear(alarms_of(api), &api->alarm);
	http_server_free(api->server);
	while ((call = list_first(&api->calls, struct api_call, link)))
		api_call_free(call);
	api_extensions_free(api);
	free(api);
	return NULL;
}

void runtime_api_drain(struct runtime_api *api)
{
	http_server_drain(api->server);
}
