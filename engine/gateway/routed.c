/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever no other dialect claims is for the routes of `http` triggers, which the daemon knows. The function
 * is given an APIG event; the daemon adds what the names in the route stand for. What it
 * returns is an APIG reply, or else the body of one with status 200.
 */
#include <errno.h>
#include <string.h>

#include "gateway/apig.h"
#include "gateway/dialects.h"
#include "gateway/sniff.h"

static bool claims(const struct exchange *exchange)
{
	return true;
}

static void ask(struct exchange *exchange)
{
	exchange->verb = VERB_ROUTE;
	wire_put_number(&exchange->ask, FIELD_VERB, VERB_ROUTE);
	wire_put(&exchange->ask, FIELD_METHOD, exchange->request->method);
	wire_put(&exchange->ask, FIELD_PATH, exchange->url.path);
	wire_put(&exchange->ask, FIELD_AUTHORIZATION,
	        http_request_header(exchange->request, "Authorization"));
	/* In Base64 it is a third larger, and has to fit. */
	exchange->event_most = EVENT_MOST / 4 * 3 - (128 << 10);
}

static void event(struct exchange *exchange)
{
	struct buf body = exchange->event;

	buf_init(&exchange->event);
	apig_open(exchange, exchange->url.path, &exchange->event);
	apig_add_body(&exchange->event, body.data ? body.data : "", body.length);
	buf_deinit(&body);
}

static void head(struct exchange *exchange)
{
	exchange_header(exchange, "X-Request-Id", exchange_request_id(exchange));
}

static void answer(struct exchange *exchange)
{
	const struct buf *response = &exchange->response;
	int error = exchange_error(exchange);
	struct reply reply;

	if (error) {
		exchange_header(exchange, "Content-Type", "application/json");
		exchange_answer(exchange, exchange_status(error, true), exchange->trouble.data,
		        exchange->trouble.length);
		return;
	}
	if (reply_parse(&reply, response->data, response->length) == 0) {
		buf_append(&exchange->headers, reply.headers.data, reply.headers.length);
		exchange_answer(exchange, reply.status, reply.body.data, reply.body.length);
		reply_deinit(&reply);
		return;
	}
	exchange_header(exchange, "Content-Type", sniff_type(response->data, response->length));
	exchange_answer(exchange, 200, response->data, response->length);
}

const struct dialect routed_dialect = {.claims = claims,
        .ask = ask,
        .event = event,
        .head = head,
        .answer = answer,
        .refuse = plain_refuse};
