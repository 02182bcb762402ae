/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Between events and HTTP, without any I/O: an APIG event becomes the request it describes, anything
 * else the body of a POST to `/`; and a response becomes what FunctionGraph returns for one.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/base64.h"
#include "base/buf.h"

struct http_event {
	bool is_apig;
	bool has_body;
	char method[32];
	struct buf target;  /* "/path?query", escaped */
	struct buf headers; /* "Name: value", each ended by a zero byte */
	struct buf decoded; /* the body, when it is not the event's own text */
	const char *body;   /* borrowed from the event or from `decoded` */
	size_t body_length;
};

/* How many bytes of white space it begins with; of as many it is the event {}. */
size_t http_event_blank(const char *text, size_t length);

/* 0, -EBADMSG: it cannot be made an HTTP request, with a sentence in `why`, or -ENOMEM. */
int http_event_read(struct http_event *event, const char *text, size_t length, struct buf *why);
/* The same of an APIG event that has no body of its own: `body` is it, as it is. */
int http_event_read_head(struct http_event *event, const char *head, const char *body,
        size_t length, struct buf *why);
void http_event_deinit(struct http_event *event);

/* Adds a header, unless its name or value cannot be one: then false. */
bool http_event_header(struct http_event *event, const char *name, const char *value);

/* {"statusCode":200,"headers":{"Name":["value"]},"isBase64Encoded":true,"body":"..."}, in pieces. */
struct http_reply {
	struct base64_encoder encoder;
	struct buf out; /* what can go out now; the caller empties it */
};

/* Headers by repeated calls of `next`, until it says false. */
typedef bool (*http_reply_header_fn)(void *userdata, const char **name, const char **value);
int http_reply_begin(
        struct http_reply *reply, int status, http_reply_header_fn next, void *userdata);
void http_reply_body(struct http_reply *reply, const char *data, size_t length);
void http_reply_end(struct http_reply *reply);
