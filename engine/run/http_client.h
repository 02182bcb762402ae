/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Requests to one HTTP server and their responses, on the loop, over connections that are kept and used
 * again. The sockets are given by the owner. libcurl does the talking and stands in http_client.c alone.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "run/alarm.h"

struct http_client;
struct http_exchange; /* one request and its response */

struct http_client_options {
	uv_loop_t *loop;
	struct alarms *alarms;
	unsigned short port; /* at 127.0.0.1 */
	unsigned connections_max;
	/* An unconnected socket, or with *connected one that is; -1: there is none. */
	int (*open)(void *userdata, bool *connected);
	void (*close)(void *userdata, int fd); /* it comes back, in whatever state */
	void *userdata;
};

struct http_request {
	const char *method;
	const char *target;  /* "/path?query", as it goes out */
	const char *headers; /* "Name: value", each ended by a zero byte; an empty one ends them */
	const char *body;    /* borrowed until the exchange has ended */
	size_t body_length;
	bool has_body; /* also an empty one is one */
};

/* Nothing of an exchange is called from within http_client_send() or http_exchange_drop(). */
struct http_exchange_events {
	/* The response's status and headers are there. */
	void (*head)(void *userdata, int status);
	void (*data)(void *userdata, const char *data, size_t length);
	/* The last: NULL, or a sentence on what went wrong. The exchange is freed after it. */
	void (*ended)(void *userdata, const char *trouble);
};

int http_client_new(struct http_client **out, const struct http_client_options *options);
struct http_client *http_client_free(struct http_client *client); /* drops what is left */

/* NULL: no memory. */
struct http_exchange *http_client_send(struct http_client *client,
        const struct http_request *request, const struct http_exchange_events *events,
        void *userdata);

/* Its connection is closed, its events run no more. */
void http_exchange_drop(struct http_exchange *exchange);

/* The next header of the response, in order; *position begins as NULL. From `head` to `ended`. */
bool http_exchange_header(
        struct http_exchange *exchange, void **position, const char **name, const char **value);

/* Takes what the server has sent until now: it is gone. */
void http_client_drain(struct http_client *client);
