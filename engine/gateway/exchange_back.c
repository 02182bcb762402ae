/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon says of a call, back to the client. Beginning and end of most responses come together: then
 * the client gets one answer that says how long it is. What is not complete when all was taken that came at once
 * is streamed from there on.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "gateway/dialects.h"
#include "gateway/gateway.h"
#include "gateway/sniff.h"

static void cut_short(struct exchange *exchange)
{
	exchange->over = true;
	list_unlink(&exchange->fresh);
	if (exchange->call && map_remove(&exchange->gateway->calls, exchange->call))
		wire_link_send(&exchange->gateway->link, WIRE_LEAVE, exchange->call, NULL, 0);
	if (exchange->streaming)
		http_request_end(exchange->request, false);
	else
		exchange->dialect->refuse(
		        exchange, EIO, "the function's response is not understood");
}

static void stream(struct exchange *exchange, int status, const char *headers, size_t length)
{
	exchange->streaming = true;
	if (exchange->dialect->head)
		exchange->dialect->head(exchange);
	if (headers)
		buf_append(&exchange->headers, headers, length);
	http_request_stream(exchange->request, status, exchange_headers(exchange));
}

/* What came of the response and has not gone out. */
static struct buf *body_of(struct exchange *exchange)
{
	return exchange->begun.fields[FIELD_SPEAKS_HTTP] ? &exchange->reader.reply.body
	                                                 : &exchange->response;
}

static void hand_out(struct exchange *exchange)
{
	struct buf *body = body_of(exchange);

	if (body->length)
		http_request_piece(exchange->request, body->data, body->length);
	buf_clear(body);
}

static void begin_stream(struct exchange *exchange)
{
	const struct reply *reply = &exchange->reader.reply;

	if (exchange->begun.fields[FIELD_SPEAKS_HTTP]) {
		stream(exchange, reply->status, reply->headers.data, reply->headers.length);
	} else {
		exchange_header(exchange, "Content-Type",
		        sniff_type(exchange->response.data, exchange->response.length));
		stream(exchange, 200, NULL, 0);
	}
	hand_out(exchange);
}

void exchanges_stream(struct gateway *gateway)
{
	struct exchange *exchange;

	while ((exchange = list_first(&gateway->fresh, struct exchange, fresh))) {
		list_unlink(&exchange->fresh);
		begin_stream(exchange);
	}
}

/* It has no body, and the length that it would say is that of another answer. */
static bool is_without_body(const struct exchange *exchange)
{
	return strcmp(exchange->request->method, "HEAD") == 0 ||
	       (exchange->begun.fields[FIELD_SPEAKS_HTTP] && exchange->reader.reply.status == 304);
}

/* Beginning and end came together, as of most calls: one answer with a length instead of pieces. */
static void answer_whole(struct exchange *exchange)
{
	const struct reply *reply = &exchange->reader.reply;
	const struct buf *body = body_of(exchange);

	if (exchange->begun.fields[FIELD_SPEAKS_HTTP])
		buf_append(&exchange->headers, reply->headers.data, reply->headers.length);
	else
		exchange_header(exchange, "Content-Type", sniff_type(body->data, body->length));
	exchange_answer(exchange, exchange->begun.fields[FIELD_SPEAKS_HTTP] ? reply->status : 200,
	        body->data ? body->data : "", body->length);
}

/* Of a program that speaks HTTP: its own head and its own bytes. */
static int take_reply(struct exchange *exchange, const char *data, size_t length, bool *begun)
{
	int r = reply_reader_feed(&exchange->reader, data, length);

	*begun = r == 0 && exchange->reader.in_body;
	return r;
}

static void stream_framed(struct exchange *exchange)
{
	if (exchange->streaming)
		return;
	exchange_header(exchange, "Content-Type", exchange->dialect->streams_as);
	stream(exchange, 200, NULL, 0);
}

static int hand_on(struct exchange *exchange, const char *data, size_t length)
{
	bool begun = true;
	int r = 0;

	if (exchange->dialect->piece) {
		stream_framed(exchange);
		exchange->dialect->piece(exchange, data, length);
		return 0;
	}
	if (exchange->begun.fields[FIELD_SPEAKS_HTTP])
		r = take_reply(exchange, data, length, &begun);
	else
		buf_append(&exchange->response, data, length);
	if (r == 0 && body_of(exchange)->failed)
		r = -ENOMEM;
	if (r < 0 || !begun)
		return r;
	if (exchange->streaming)
		hand_out(exchange);
	else if (list_empty(&exchange->fresh))
		list_append(&exchange->gateway->fresh, &exchange->fresh);
	return 0;
}

/* Of what is no call nothing comes but its request id. */
static bool streams(const struct exchange *exchange)
{
	return exchange->verb == VERB_INVOKE
	               ? exchange->dialect->streams
	               : exchange->verb == VERB_ROUTE && exchange->begun.fields[FIELD_SPEAKS_HTTP];
}

static int take_data(struct exchange *exchange, const struct wire_frame *frame)
{
	exchange_hold(exchange,
	        frame->length); /* what the client has taken is not subtracted: it is a bound */
	if (streams(exchange))
		return hand_on(exchange, frame->payload, frame->length);
	buf_append(&exchange->response, frame->payload, frame->length);
	return exchange->response.failed ? -ENOMEM : 0;
}

static void refuse_said(struct exchange *exchange, int error)
{
	const char *sentence = exchange->ended.fields[FIELD_SENTENCE];

	exchange_refuse(exchange, error, "%s", sentence ? sentence : strerror(error));
}

/* An error's body, or the reply of a program that answered with another status than 2xx. */
static void end_badly(struct exchange *exchange, int error)
{
	struct reply reply;
	bool of_function = exchange->ended.fields[FIELD_OF_FUNCTION];

	if (exchange->streaming) {
		http_request_end(exchange->request, false);
		return;
	}
	if (exchange->begun.fields[FIELD_SPEAKS_HTTP] &&
	        reply_parse(&reply, exchange->trouble.data, exchange->trouble.length) == 0) {
		buf_append(&exchange->headers, reply.headers.data, reply.headers.length);
		exchange_answer(exchange, reply.status, reply.body.data, reply.body.length);
		reply_deinit(&reply);
		return;
	}
	if (!of_function) {
		refuse_said(exchange, error);
		return;
	}
	exchange_header(exchange, "Content-Type", "application/json");
	exchange_answer(exchange, exchange_status(error, true), exchange->trouble.data,
	        exchange->trouble.length);
}

static void end_stream(struct exchange *exchange)
{
	int error = exchange_error(exchange);
	bool fresh = !list_empty(&exchange->fresh);
	bool called = !error || (exchange->ended.fields[FIELD_OF_FUNCTION] && error != EBADMSG);

	if (exchange->dialect->finish && (exchange->streaming || called)) {
		stream_framed(exchange);
		exchange->dialect->finish(exchange);
		http_request_end(exchange->request, true);
	} else if (exchange->dialect->finish) {
		refuse_said(exchange, error);
	} else if (error) {
		end_badly(exchange, error);
	} else if (exchange->streaming) {
		http_request_end(exchange->request, true);
	} else if (fresh && is_without_body(exchange)) {
		begin_stream(exchange);
		http_request_end(exchange->request, true);
	} else if (fresh) {
		answer_whole(exchange);
	} else {
		exchange_header(exchange, "Content-Type", "text/plain; charset=utf-8");
		exchange_answer(exchange, 200, "", 0);
	}
}

static void end(struct exchange *exchange)
{
	int error = exchange_error(exchange);

	if (!exchange->streaming && exchange->dialect->head)
		exchange->dialect->head(exchange);
	if (streams(exchange))
		end_stream(exchange);
	else if (error && !exchange->ended.fields[FIELD_OF_FUNCTION])
		refuse_said(exchange, error);
	else
		exchange->dialect->answer(exchange);
	exchange->over = true;
	list_unlink(&exchange->fresh);
	buf_deinit(&exchange->response);
	buf_deinit(&exchange->trouble);
}

bool exchange_frame(struct exchange *exchange, const struct wire_frame *frame)
{
	int r = 0;

	switch (frame->type) {
	case WIRE_BEGIN:
		wire_said_deinit(&exchange->begun);
		return wire_take(&exchange->begun, frame->payload, frame->length) == 0;
	case WIRE_DATA:
		r = take_data(exchange, frame);
		break;
	case WIRE_TROUBLE:
		exchange_hold(exchange, frame->length);
		buf_append(&exchange->trouble, frame->payload, frame->length);
		r = exchange->trouble.failed ? -ENOMEM : 0;
		break;
	default:
		if (wire_take(&exchange->ended, frame->payload, frame->length) < 0)
			return false;
		map_remove(&exchange->gateway->calls, exchange->call);
		end(exchange);
		return true;
	}
	if (r < 0 || exchange->gateway->held > 2 * GATEWAY_HELD_MOST)
		cut_short(exchange);
	return true;
}
