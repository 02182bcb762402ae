/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The first request to the program of an image: POST /init, once for each instance. FunctionGraph lets images
 * do without it, so a server that does not know it is as good as one that does.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct http_client;
struct http_exchange;

struct http_init {
	struct http_exchange *exchange; /* NULL: none, or it has ended */
	int status;
	struct buf said;
	/* NULL: it is initialised, or needs no such thing; else the error's JSON, of an answer or without one */
	void (*done)(void *userdata, const char *error, size_t length, bool answered);
	void *userdata;
};

/* Headers as in struct http_request, borrowed until then. 0 or -ENOMEM. `done` is set already. */
int http_init_send(struct http_init *init, struct http_client *client, const char *headers);
void http_init_drop(struct http_init *init); /* done will not run */
