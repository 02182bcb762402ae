/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An HTTP server on one listening socket, on the loop. libmicrohttpd does the parsing and stands in
 * http_server.c alone. A request is answered when its body is complete, at once or any time later: until
 * it has an answer its connection rests.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "run/alarm.h"

struct http_server;

/* One request; embedded nowhere, freed by the server after `gone`. */
struct http_served {
	const char *method, *path; /* the path without its query, decoded */
	void *data;                /* the owner's; NULL at first */
};

/* None may be called from within http_server_free(), but `gone`. */
struct http_server_events {
	void (*begin)(void *userdata, struct http_served *served); /* the headers are there */
	void (*data)(void *userdata, struct http_served *served, const char *data, size_t length);
	void (*complete)(void *userdata, struct http_served *served); /* trailers too */
	/* Whatever had begun: `sent` says whether its answer went out. */
	void (*gone)(void *userdata, struct http_served *served, bool sent);
};

/* Takes over the socket, also on failure. 0 or -errno. */
int http_server_new(struct http_server **out, uv_loop_t *loop, struct alarms *alarms, int listener,
        unsigned connections_max, const struct http_server_events *events, void *userdata);
struct http_server *http_server_free(struct http_server *server);

const char *http_served_header(const struct http_served *served, const char *name); /* or NULL */
const char *http_served_trailer(const struct http_served *served, const char *name);

/* Whether somebody still waits for the answer: a resting connection may have been closed. */
bool http_served_waits(const struct http_served *served);

struct http_answer {
	unsigned status;
	const char *content_type;
	const char *headers; /* "Name: value", each ended by a zero byte; an empty one ends them */
	const void *body;    /* copied */
	size_t length;
};

/* Once for each request. What cannot be answered for want of memory has its connection closed. */
void http_served_answer(struct http_served *served, const struct http_answer *answer);

/* Takes what has come until now. */
void http_server_drain(struct http_server *server);
