/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Responses that describe HTTP: {"statusCode":200,"headers":{...},"isBase64Encoded":true,"body":"..."}. As a
 * program that speaks HTTP makes them (run/http_event.c) they are read while they come; those that a
 * function composed are read as a whole. No I/O.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct reply {
	int status;
	struct buf headers; /* "Name: value", each ended by a zero byte */
	struct buf body;    /* what has come of it */
};

void reply_deinit(struct reply *reply);

/* A whole one. 0; -EBADMSG: it describes no HTTP; -ENOMEM. */
int reply_parse(struct reply *reply, const char *text, size_t length);

/* Adds a header that can be sent; false: it cannot, or is of the connection. */
bool reply_header(struct buf *headers, const char *name, const char *value);

/* One that comes in pieces. Zeroed at first. */
struct reply_reader {
	struct reply reply;
	struct buf head; /* until the body begins */
	bool in_body, ended;
	bool padded;  /* the Base64 has come to its end */
	char quad[4]; /* of Base64, not complete */
	unsigned quad_length;
};

/* 0, or -EBADMSG, -ENOMEM. `reply` has its head once `in_body`; whoever takes the body clears it. */
int reply_reader_feed(struct reply_reader *reader, const char *data, size_t length);
void reply_reader_deinit(struct reply_reader *reader);
