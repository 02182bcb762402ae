/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that serves HTTP on 127.0.0.1:8000 of its own network. That it is ready is found by
 * connecting, at once and again after 1 ms, 2 ms, and then every 4 ms; the connection that succeeds carries the
 * first request, for a server that takes one connection at a time would wait on it for ever.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "run/deployment.h"
#include "run/host.h"
#include "run/http_client.h"
#include "run/http_event.h"
#include "run/http_headers.h"
#include "run/http_init.h"
#include "run/instance_http.h"
#include "run/invocation.h"
#include "run/pool.h"
#include "run/runtime.h"
#include "run/watch.h"

enum {
	PORT = 8000,
	TRY_AGAIN_FIRST_US = 1000,
	TRY_AGAIN_MOST_US = 4 * 1000,
};

struct http_function {
	struct instance_http *http;
	struct http_client *client;
	struct list calls;
	int trial; /* the connection that is tried, or that the first request will use; -1 */
	bool connected;
	struct watch *trial_watch;
	struct alarm alarm;
	int64_t pause_us;
	struct http_init init; /* of an image */
	struct http_event init_request;
	struct buf init_error;
};

struct http_call {
	struct list link;
	struct http_function *function;
	struct http_exchange *exchange; /* NULL: none, or it has ended */
	uint64_t call;
	struct http_event event;
	struct buf request; /* what the event borrows from */
	struct http_reply reply;
	struct buf error; /* a response with another status than 2xx, or why there is none */
	int status;
	struct alarm alarm; /* an end that is still to be told */
	enum outcome outcome;
	int code;
	unsigned patiences; /* how often its process's end was waited for in vain */
};

static struct alarms *alarms_of(const struct http_function *function)
{
	return &function->http->instance->pool->host->alarms;
}

/* --- readiness ------------------------------------------------------------------------------ */

static void try_to_connect(struct alarm *alarm);

static void give_up_trial(struct http_function *function)
{
	function->trial_watch = watch_free(function->trial_watch);
	if (function->trial >= 0)
		sockets_give_back(&function->http->sockets, take_fd(function->trial));
	function->connected = false;
}

void http_function_stop_trying(struct http_function *function)
{
	alarm_clear(alarms_of(function), &function->alarm);
	give_up_trial(function);
}

static bool is_image(const struct http_function *function)
{
	return function->http->instance->deployment->runtime->protocol == RUNTIME_IMAGE;
}

static void init_failed(struct alarm *alarm)
{
	struct http_function *function = container_of(alarm, struct http_function, alarm);
	struct instance *instance = function->http->instance;

	if (instance_in(instance, INSTANCE_STARTING))
		instance_start_failed(instance, OUTCOME_NOT_LOADED, -ENOEXEC,
		        function->init_error.data, function->init_error.length);
}

static void initialised(void *userdata, const char *error, size_t length, bool answered)
{
	struct http_function *function = userdata;

	if (!error) {
		instance_loaded(function->http->instance);
		return;
	}
	buf_append(&function->init_error, error, length);
	buf_append(&function->init_error, "", 0);
	alarm_set(
	        alarms_of(function), &function->alarm, answered ? 0 : END_PATIENCE_US, init_failed);
}

static void initialise(struct http_function *function)
{
	struct instance *instance = function->http->instance;
	struct http_event *request = &function->init_request;

	http_event_header(request, "Content-Type", "application/json");
	http_headers_add(request, instance->deployment, NULL);
	function->init.done = initialised;
	function->init.userdata = function;
	if (request->headers.failed ||
	        http_init_send(&function->init, function->client, request->headers.data) < 0)
		instance_kill(instance, OUTCOME_SYSTEM_ERROR, -EIO, NULL);
}

static void trial_ended(struct http_function *function, int error)
{
	function->trial_watch = watch_free(function->trial_watch);
	if (error == 0) {
		function->connected = true;
		if (!instance_http_decide(function->http, HTTP_FUNCTION))
			return;
		if (is_image(function))
			initialise(function);
		else
			instance_loaded(function->http->instance);
		return;
	}
	give_up_trial(function);
	alarm_set(alarms_of(function), &function->alarm, function->pause_us, try_to_connect);
	if (function->pause_us < TRY_AGAIN_MOST_US)
		function->pause_us *= 2;
}

static void trial_ready(void *userdata, int events)
{
	struct http_function *function = userdata;
	int error = 0;
	socklen_t size = sizeof(error);

	getsockopt(function->trial, SOL_SOCKET, SO_ERROR, &error, &size);
	trial_ended(function, error);
}

static void try_to_connect(struct alarm *alarm)
{
	struct http_function *function = container_of(alarm, struct http_function, alarm);
	const struct sockaddr_in address = {.sin_family = AF_INET,
	        .sin_port = htons(PORT),
	        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	if (!instance_in(function->http->instance, INSTANCE_STARTING))
		return;
	function->trial = sockets_take(&function->http->sockets);
	if (connect(function->trial, (const struct sockaddr *)&address, sizeof(address)) == 0) {
		trial_ended(function, 0);
		return;
	}
	if (errno == EINPROGRESS)
		function->trial_watch = watch_new(function->http->instance->pool->host->loop,
		        function->trial, trial_ready, function);
	if (function->trial_watch)
		watch_events(function->trial_watch, UV_WRITABLE);
	else
		trial_ended(function, errno);
}

/* --- connections for the client ------------------------------------------------------------- */

static int open_connection(void *userdata, bool *connected)
{
	struct http_function *function = userdata;

	*connected = function->connected;
	function->connected = false;
	return *connected ? take_fd(function->trial) : sockets_take(&function->http->sockets);
}

static void close_connection(void *userdata, int fd)
{
	struct http_function *function = userdata;

	sockets_give_back(&function->http->sockets, fd);
}

/* --- calls ---------------------------------------------------------------------------------- */

static void call_free(struct http_call *call)
{
	list_unlink(&call->link);
	alarm_clear(alarms_of(call->function), &call->alarm);
	if (call->exchange)
		http_exchange_drop(call->exchange);
	http_event_deinit(&call->event);
	buf_deinit(&call->request);
	buf_deinit(&call->reply.out);
	buf_deinit(&call->error);
	free(call);
}

static struct invocation *invocation_of(const struct http_call *call)
{
	return instance_find_running(call->function->http->instance, call->call);
}

static void finish(struct http_call *call)
{
	struct instance *instance = call->function->http->instance;
	struct invocation *invocation = invocation_of(call);
	CLEANUP(buf_deinit) struct buf error = call->error;
	const struct invocation_end end = {
	        .outcome = call->outcome,
	        .error = call->code,
	        .error_body = error.data ? error.data : "",
	        .error_length = error.length,
	};

	buf_init(&call->error);
	call_free(call);
	if (invocation)
		instance_finish(instance, invocation, &end);
}

static void finish_late(struct alarm *alarm)
{
	struct http_call *call = container_of(alarm, struct http_call, alarm);

	if (call->code != -EREMOTEIO || !instance_http_awaits_end(call->function->http, alarm,
	                                        &call->patiences, finish_late))
		finish(call);
}

static void finish_later(struct http_call *call, int64_t delay_us, enum outcome outcome, int code)
{
	call->outcome = outcome;
	call->code = code;
	alarm_set(alarms_of(call->function), &call->alarm, delay_us, finish_late);
}

static bool is_success(const struct http_call *call)
{
	return call->status >= 200 && call->status < 300;
}

/* The connection is closed; the program goes on, for others. */
static void give_up_too_large(struct http_call *call)
{
	buf_clear(&call->error);
	error_body(&call->error, "FunctionResponseTooLarge",
	        "The response is larger than the maximum of %u bytes", INVOCATION_RESPONSE_MAX);
	call->outcome = OUTCOME_FUNCTION_ERROR;
	call->code = -EFBIG;
	finish(call);
}

/* Sends on, or keeps what belongs to an error. The call may be gone then: false. */
static bool hand_on(struct http_call *call, const char *data, size_t length)
{
	struct invocation *invocation = invocation_of(call);

	if (!invocation)
		return false;
	if (call->error.length + invocation->response_bytes + length > INVOCATION_RESPONSE_MAX) {
		give_up_too_large(call);
		return false;
	}
	if (is_success(call))
		return instance_take_data(call->function->http->instance, invocation, data, length);
	buf_append(&call->error, data, length);
	return true;
}

static bool hand_on_reply(struct http_call *call)
{
	struct buf piece = call->reply.out;
	bool goes_on;

	buf_init(&call->reply.out);
	goes_on = hand_on(call, piece.data, piece.length);
	buf_deinit(&piece);
	return goes_on;
}

struct header_walk {
	struct http_exchange *exchange;
	void *position;
};

static bool next_header(void *userdata, const char **name, const char **value)
{
	struct header_walk *walk = userdata;

	return http_exchange_header(walk->exchange, &walk->position, name, value);
}

static void head_came(void *userdata, int status)
{
	struct http_call *call = userdata;
	struct header_walk walk = {call->exchange, NULL};

	call->status = status;
	if (!call->event.is_apig)
		return;
	http_reply_begin(&call->reply, status, next_header, &walk);
	hand_on_reply(call);
}

static void data_came(void *userdata, const char *data, size_t length)
{
	struct http_call *call = userdata;

	if (!call->event.is_apig) {
		hand_on(call, data, length);
		return;
	}
	http_reply_body(&call->reply, data, length);
	hand_on_reply(call);
}

static void end_well(struct http_call *call)
{
	if (call->event.is_apig) {
		http_reply_end(&call->reply);
		if (!hand_on_reply(call))
			return; /* it was given up */
	}
	if (!is_success(call) && !call->error.length)
		error_body(&call->error, "HttpStatus", "the function answered with status %d",
		        call->status);
	call->outcome = is_success(call) ? OUTCOME_SUCCESS : OUTCOME_FUNCTION_ERROR;
	call->code = is_success(call) ? 0 : -EREMOTEIO;
	finish(call);
}

static void exchange_ended(void *userdata, const char *trouble)
{
	struct http_call *call = userdata;

	call->exchange = NULL;
	if (!trouble) {
		end_well(call);
		return;
	}
	buf_clear(&call->error);
	error_body(&call->error, "HttpError",
	        "the function did not answer as an HTTP server does: %s", trouble);
	finish_later(call, END_PATIENCE_US, OUTCOME_FUNCTION_ERROR, -EREMOTEIO);
}

static const struct http_exchange_events exchange_events = {head_came, data_came, exchange_ended};

static int send_request(struct http_call *call, const struct invocation *invocation)
{
	struct http_event *event = &call->event;

	http_headers_add(event, call->function->http->instance->deployment, invocation);
	if (event->headers.failed)
		return -ENOMEM;
	call->exchange = http_client_send(call->function->client,
	        &(struct http_request){
	                .method = event->method,
	                .target = event->target.data,
	                .headers = event->headers.data,
	                .body = event->body,
	                .body_length = event->body_length,
	                .has_body = event->has_body,
	        },
	        &exchange_events, call);
	return call->exchange ? 0 : -ENOMEM;
}

int http_function_call(struct http_function *function, struct invocation *invocation)
{
	struct http_call *call = calloc(1, sizeof(*call));
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	int r;

	if (!call)
		return -ENOMEM;
	list_append(&function->calls, &call->link);
	call->function = function;
	call->call = invocation->call;
	call->request = invocation->request;
	buf_init(&invocation->request);
	r = invocation->http_head
	            ? http_event_read_head(&call->event, invocation->http_head, call->request.data,
	                      call->request.length, &why)
	            : http_event_read(&call->event, call->request.data, call->request.length, &why);
	if (r == -EBADMSG) {
		error_body(&call->error, "BadRequest", "%s", why.data);
		finish_later(call, 0, OUTCOME_BAD_REQUEST, -EBADMSG);
		return 0;
	}
	if (r == 0 && is_image(function) && !call->event.is_apig) {
		buf_clear(&call->event.target);
		buf_puts(&call->event.target, "/invoke");
	}
	invocation->speaks_http = call->event.is_apig;
	return r ? r : send_request(call, invocation);
}

void http_function_cancel(struct http_function *function, struct invocation *invocation)
{
	struct http_call *call;

	list_each(call, &function->calls, link)
		if (call->call == invocation->call) {
			call_free(call);
			return;
		}
}

/* --- life ----------------------------------------------------------------------------------- */

int http_function_new(struct http_function **out, struct instance_http *http)
{
	struct http_function *function = calloc(1, sizeof(*function));
	struct host *host = http->instance->pool->host;
	int r;

	if (!function)
		return -ENOMEM;
	function->http = http;
	function->trial = -1;
	function->pause_us = TRY_AGAIN_FIRST_US;
	list_init(&function->calls);
	r = http_client_new(&function->client,
	        &(struct http_client_options){
	                .loop = host->loop,
	                .alarms = &host->alarms,
	                .port = PORT,
	                .connections_max = (unsigned)http->instance->deployment->config.concurrency,
	                .open = open_connection,
	                .close = close_connection,
	                .userdata = function,
	        });
	if (r == 0)
		r = alarm_set(&host->alarms, &function->alarm, 0, try_to_connect);
	*out = r ? http_function_free(function) : function;
	return r;
}

struct http_function *http_function_free(struct http_function *function)
{
	struct http_call *call;

	if (!function)
		return NULL;
	http_function_stop_trying(function);
	while ((call = list_first(&function->calls, struct http_call, link)))
		call_free(call);
	http_init_drop(&function->init);
	http_event_deinit(&function->init_request);
	buf_deinit(&function->init_error);
	http_client_free(function->client);
	free(function);
	return NULL;
}

void http_function_drain(struct http_function *function)
{
	http_client_drain(function->client);
}
