/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol of programs that know nothing of us: `bootstrap` files written for FunctionGraph, for
 * Lambda's `provided` runtimes, or as plain web servers. What the program does first decides: it
 * listens on port 8000, or it asks one of the runtime APIs for an event. docs/decisions/011-http.md.
 */
#include "run/instance_http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "run/deployment.h"
#include "run/host.h"
#include "run/invocation.h"
#include "run/pool.h"
#include "run/process_tree.h"
#include "run/runtime.h"

#define END_PATIENCES 50

static const char *const kinds[] = {
        [HTTP_UNDECIDED] = "undecided",
        [HTTP_FUNCTION] = "http function (it listens on 127.0.0.1:8000)",
        [HTTP_FUNCTIONGRAPH] = ("FunctionGraph runtime API (it asked for "
                                "/v1/runtime/invocation/request)"),
        [HTTP_LAMBDA] = "Lambda runtime API (it asked for /2018-06-01/runtime/invocation/next)",
};

bool instance_http_decide(struct instance_http *http, enum http_kind kind)
{
	if (http->kind != HTTP_UNDECIDED)
		return http->kind == kind;
	if (!instance_in(http->instance, INSTANCE_STARTING))
		return false;
	http->kind = kind;
	http->instance->deployment->speaks = kinds[kind];
	if (kind != HTTP_FUNCTION)
		http_function_stop_trying(http->function);
	return true;
}

bool instance_http_awaits_end(
        struct instance_http *http, struct alarm *alarm, unsigned *patiences, alarm_fn ring)
{
	pid_t pid = process_pid(http->instance->process);

	return pid > 0 && (*patiences)++ < END_PATIENCES && process_ends(pid) &&
	       alarm_set(&http->instance->pool->host->alarms, alarm, END_PATIENCE_US, ring) == 0;
}

static void sockets_came(void *userdata)
{
	struct instance_http *http = userdata;
	struct instance *instance = http->instance;
	int r = http_function_new(&http->function, http);

	if (r == 0 && instance->deployment->runtime->protocol != RUNTIME_HTTP)
		r = runtime_api_new(&http->api, http, sockets_take_listener(&http->sockets));
	if (r < 0)
		instance_kill(instance, OUTCOME_SYSTEM_ERROR, -EIO, NULL);
}

/* One more than calls, for the connection that is being closed while the next is made. */
static int open_sockets(struct instance *instance, struct instance_descriptors *runtimes)
{
	struct instance_http *http = calloc(1, sizeof(*http));
	int r;

	if (!http)
		return -ENOMEM;
	instance->http = http;
	http->instance = instance;
	runtimes->sockets = instance->deployment->config.concurrency + 1;
	r = sockets_open(&http->sockets, instance->pool->host->loop, (size_t)runtimes->sockets,
	        sockets_came, http, &runtimes->in);
	if (r < 0)
		return r;
	runtimes->out = fcntl(runtimes->in, F_DUPFD_CLOEXEC, 3);
	return runtimes->out < 0 ? -errno : 0;
}

static int begin(struct instance *instance)
{
	return 0;
}

static int call(struct instance *instance, struct invocation *invocation)
{
	struct instance_http *http = instance->http;

	return http->kind == HTTP_FUNCTION ? http_function_call(http->function, invocation)
	                                   : runtime_api_call(http->api, invocation);
}

static void cancel(struct instance *instance, struct invocation *invocation)
{
	struct instance_http *http = instance->http;

	if (http->kind == HTTP_FUNCTION)
		http_function_cancel(http->function, invocation);
	else
		runtime_api_cancel(http->api, invocation);
}

static int64_t stop(struct instance *instance)
{
	bool told = instance->http->api && runtime_api_stop(instance->http->api);

	return told ? EXTENSION_END_US : 0;
}

static void explain_late(struct instance *instance, struct buf *body)
{
	enum runtime_protocol protocol = instance->deployment->runtime->protocol;
	double seconds = (double)instance->deployment->config.init_timeout_ms / 1000;

	if (instance->http->kind == HTTP_FUNCTION)
		error_body(body, "Sandbox.InitTimeout",
		        "Within %.2f seconds POST /init was not answered", seconds);
	else
		error_body(body, "Sandbox.InitTimeout",
		        "Within %.2f seconds %s neither listened on 127.0.0.1:8000%s", seconds,
		        protocol == RUNTIME_IMAGE ? "the image's program" : "bootstrap",
		        protocol != RUNTIME_HTTP ? " nor asked a runtime API for an event"
		                                 : " nor ended");
}

static void drain(struct instance *instance)
{
	struct instance_http *http = instance->http;

	if (http->api)
		runtime_api_drain(http->api);
	if (http->function)
		http_function_drain(http->function);
}

static void close_sockets(struct instance *instance)
{
	struct instance_http *http = take(instance->http);

	if (!http)
		return;
	runtime_api_free(http->api);
	http_function_free(http->function);
	sockets_close(&http->sockets);
	free(http);
}

const struct instance_protocol instance_http = {
        .open = open_sockets,
        .begin = begin,
        .call = call,
        .cancel = cancel,
        .stop = stop,
        .explain_late = explain_late,
        .drain = drain,
        .close = close_sockets,
};
