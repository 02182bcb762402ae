/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * HTTP on one listening socket. libmicrohttpd does the parsing and stands in server.c alone. A request
 * rests from its last byte until it has an answer, which is whole, or comes in pieces. Clients
 * that take too long over anything are cut off; of one that rests it is noticed when it goes away.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "gateway/loop.h"

struct server;

/* Freed by the server after `gone`. */
struct http_request {
	const char *method;
	const char *target; /* as it was sent: path, perhaps `?` and a query */
	const char *kind;   /* of the server */
	void *data;         /* the owner's */
};

struct server_events {
	/* The headers are there. May answer at once: then nothing else is told but `gone`. */
	void (*begin)(void *userdata, struct http_request *request);
	void (*data)(void *userdata, struct http_request *request, const char *data, size_t length);
	void (*complete)(void *userdata, struct http_request *request);
	/* Whatever had begun. `left`: the client went before it had its answer. */
	void (*gone)(void *userdata, struct http_request *request, bool left);
};

struct server_options {
	int listener;                          /* taken over, also on failure */
	const char *kind;                      /* `unix`, `open`, `token`; kept */
	const char *certificate, *private_key; /* PEM; NULL: no TLS */
	unsigned connections;
	const struct server_events *events;
	void *userdata;
};

int server_new(struct server **out, struct loop *loop, const struct server_options *options);
struct server *server_free(struct server *server); /* `gone` comes for what there is */

/* What a turn of the loop needs: runs what is due, and says until when it can wait; -1: for ever. */
int server_turn(struct server *server);

/* Accepts nobody any more, and closes connections that do not have a request under way. */
void server_stop(struct server *server);

/* --- a request ---------------------------------------------------------------------------------- */

const char *http_request_header(const struct http_request *request, const char *name); /* or NULL */
typedef bool (*http_header_fn)(void *userdata, const char *name, const char *value);
void http_request_headers(const struct http_request *request, http_header_fn each, void *userdata);

struct http_answer {
	int status;
	const char *headers; /* "Name: value", each ended by a zero byte; an empty one ends them */
	const void *body;    /* copied */
	size_t length;
};

/* Once for each request, or http_request_stream(). */
void http_request_answer(struct http_request *request, const struct http_answer *answer);

/* The head; then pieces, and the end. Not `well`: the client sees that it was cut off. */
void http_request_stream(struct http_request *request, int status, const char *headers);
void http_request_piece(struct http_request *request, const char *data, size_t length);
void http_request_end(struct http_request *request, bool well);
