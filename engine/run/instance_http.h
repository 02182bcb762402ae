/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the files of the HTTP protocol share: the instance's side of it (instance_http.c), programs that
 * serve HTTP (http_function.c), and programs that ask for their events (runtime_api.c). Until the
 * program has done something it is not known which it will be.
 */
#include "run/instance_private.h"
#include "run/sockets.h"

struct http_function;
struct runtime_api;

enum http_kind {
	HTTP_UNDECIDED,
	HTTP_FUNCTION,      /* serves 127.0.0.1:8000 */
	HTTP_FUNCTIONGRAPH, /* polls /v1/runtime/invocation/request */
	HTTP_LAMBDA,        /* polls /2018-06-01/runtime/invocation/next */
};

struct instance_http {
	struct instance *instance;
	enum http_kind kind;
	struct sockets sockets;
	struct http_function *function; /* NULL once the program turned out to be another */
	struct runtime_api *api;        /* NULL when `runtime` is `http` */
};

/* The program did something that decides. False: it has been decided otherwise before. */
bool instance_http_decide(struct instance_http *http, enum http_kind kind);

/* --- programs that serve (http_function.c) --- */

/* Tries to connect until somebody listens. 0 or -ENOMEM. */
int http_function_new(struct http_function **out, struct instance_http *http);
struct http_function *http_function_free(struct http_function *function);
void http_function_stop_trying(struct http_function *function);
int http_function_call(struct http_function *function, struct invocation *invocation);
void http_function_cancel(struct http_function *function, struct invocation *invocation);
void http_function_drain(struct http_function *function);

/*
 * A connection that breaks is mostly a process that ends; its end says more than the broken connection, and an
 * instance that is about to end must get no more calls. So the error of a broken connection is told this much
 * later; and again, while the process is seen to end (with a full /tmp there is no memory left to end with).
 */
#define END_PATIENCE_US (100 * 1000)

/* When that time is over: true, and the alarm is set anew, when it is to be waited for again. */
bool instance_http_awaits_end(
        struct instance_http *http, struct alarm *alarm, unsigned *patiences, alarm_fn ring);

/* --- programs that ask (runtime_api.c) --- */

int runtime_api_new(struct runtime_api **out, struct instance_http *http, int listener);
struct runtime_api *runtime_api_free(struct runtime_api *api);
int runtime_api_call(struct runtime_api *api, struct invocation *invocation);
void runtime_api_cancel(struct runtime_api *api, struct invocation *invocation);

/* How long a program with extensions has for its end. */
#define EXTENSION_END_US (500 * 1000)

bool runtime_api_stop(struct runtime_api *api); /* false: there is nobody to tell */
void runtime_api_drain(struct runtime_api *api);
