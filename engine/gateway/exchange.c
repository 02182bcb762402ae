/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "gateway/dialects.h"
#include "gateway/framing.h"
#include "gateway/gateway.h"
#include "gateway/origin.h"
#include "gateway/sniff.h"

/* --- answers ---------------------------------------------------------------------------------- */

static const struct status_row {
	int error, status;
} statuses[] = {
        {0, 200},
        {EPERM, 401},
        {EACCES, 403},
        {ENOENT, 404},
        {ESTALE, 404},
        {EOPNOTSUPP, 405},
        {EFBIG, 413},
        {EINVAL, 400},
        {EBADMSG, 400},
        {E2BIG, 431},
        {EAGAIN, 429},
        {ENOSPC, 429},
        {EEXIST, 409},
        {ENOSYS, 501},
        {ENOEXEC, 502},
        {ETIMEDOUT, 504},
        {EBUSY, 503},
        {ESHUTDOWN, 503},
        {ECANCELED, 503},
};

int exchange_status(int error, bool of_function)
{
	if (of_function && error == EFBIG)
		return 502; /* it is the response that is too large */
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i].error == error)
			return statuses[i].status;
	return 500;
}

void exchange_header(struct exchange *exchange, const char *name, const char *value)
{
	if (value)
		reply_header(&exchange->headers, name, value);
}

static const char *headers_of(struct exchange *exchange)
{
	buf_append(&exchange->headers, "", 1);
	return exchange->headers.data;
}

void exchange_answer(struct exchange *exchange, int status, const void *body, size_t length)
{
	exchange->over = true;
	if (exchange->headers.failed)
		buf_deinit(&exchange->headers);
	if (exchange->request)
		http_request_answer(exchange->request,
		        &(struct http_answer){status, headers_of(exchange), body, length});
}

void exchange_answer_text(struct exchange *exchange, int status, const char *text)
{
	exchange_answer(exchange, status, text, strlen(text));
}

void exchange_refuse(struct exchange *exchange, int error, const char *format, ...)
{
	CLEANUP(buf_deinit) struct buf sentence = BUF_INIT;
	va_list arguments;

	if (exchange->over)
		return;
	va_start(arguments, format);
	buf_vprintf(&sentence, format, arguments);
	va_end(arguments);
	if (error == EAGAIN || error == ENOSPC || error == EBUSY || error == ESHUTDOWN)
		exchange_header(exchange, "Retry-After", "1");
	exchange_header(exchange, "Allow", exchange->ended.fields[FIELD_ALLOW]);
	if (error == EPERM)
		exchange_header(exchange, "WWW-Authenticate",
		        "Bearer realm=\"fnfs\", Basic realm=\"fnfs\"");
	exchange->dialect->refuse(exchange, error, sentence.data ? sentence.data : "");
}

/* --- what was said ---------------------------------------------------------------------------- */

const char *exchange_said(const struct exchange *exchange, enum wire_field field)
{
	const char *text = exchange->ended.fields[field];

	return text ? text : exchange->begun.fields[field];
}

int exchange_error(const struct exchange *exchange)
{
	return (int)wire_number(&exchange->ended, FIELD_ERROR, 0);
}

const char *exchange_request_id(const struct exchange *exchange)
{
	const char *id = exchange->begun.fields[FIELD_REQUEST_ID];

	return id ? id : exchange->id;
}

/* --- to the daemon ---------------------------------------------------------------------------- */

static void hold(struct exchange *exchange, size_t bytes)
{
	exchange->held += bytes;
	exchange->gateway->held += bytes;
}

static void let_go(struct exchange *exchange)
{
	exchange->gateway->held -= exchange->held;
	exchange->held = 0;
}

static bool is_full(const struct gateway *gateway)
{
	return gateway->held + wire_link_unsent(&gateway->link) > GATEWAY_HELD_MOST;
}

static void ask_daemon(struct exchange *exchange)
{
	struct gateway *gateway = exchange->gateway;

	if (exchange->ask.failed || exchange->event.failed) {
		exchange_refuse(exchange, ENOMEM, "no memory");
		return;
	}
	if (exchange->ask.length > WIRE_PAYLOAD_MAX) {
		exchange_refuse(exchange, E2BIG, "the head of the request is too large");
		return;
	}
	if (map_put(&gateway->calls, ++gateway->last_call, exchange) < 0) {
		exchange_refuse(exchange, ENOMEM, "no memory");
		return;
	}
	exchange->call = gateway->last_call;
	wire_link_send(
	        &gateway->link, WIRE_ASK, exchange->call, exchange->ask.data, exchange->ask.length);
	if (exchange->event.length)
		wire_link_send(&gateway->link, WIRE_BODY, exchange->call, exchange->event.data,
		        exchange->event.length);
	wire_link_send(&gateway->link, WIRE_DONE, exchange->call, NULL, 0);
	buf_deinit(&exchange->event);
	buf_deinit(&exchange->ask);
	let_go(exchange);
}

/* --- from the client -------------------------------------------------------------------------- */

static const struct dialect *dialect_of(const struct exchange *exchange)
{
	size_t i = 0;

	while (!dialects[i]->claims(exchange))
		i++;
	return dialects[i]; /* the last one claims all */
}

/* A token by whichever way clients have for one. */
static void put_token(struct exchange *exchange)
{
	const char *given = http_request_header(exchange->request, "Authorization");
	const char *other = http_request_header(exchange->request, "X-Auth-Token");
	CLEANUP(buf_deinit) struct buf decoded = BUF_INIT;
	const char *colon;

	if (given && strncasecmp(given, "Bearer ", 7) == 0) {
		wire_put(&exchange->ask, FIELD_TOKEN, given + 7);
	} else if (given && strncasecmp(given, "Basic ", 6) == 0) {
		if (base64_decode(given + 6, strlen(given + 6), &decoded) < 0 ||
		        memchr(decoded.data, 0, decoded.length))
			return;
		colon = strchr(decoded.data, ':');
		wire_put(&exchange->ask, FIELD_TOKEN, colon ? colon + 1 : "");
	} else if (other) {
		wire_put(&exchange->ask, FIELD_TOKEN, other);
	}
}

static void judge_head(struct exchange *exchange, const char *target)
{
	const char *kind = exchange->request->kind;
	int r = url_parse(&exchange->url, target);
	bool trusted = strcmp(kind, "token") != 0;

	exchange->dialect = dialect_of(exchange);
	if (r < 0) {
		exchange_refuse(exchange, r == -EINVAL ? EINVAL : E2BIG,
		        "the target of the request is not understood");
		return;
	}
	if (strcmp(kind, "open") == 0 && !origin_is_ours(exchange->request)) {
		exchange_refuse(exchange, EACCES,
		        "a web page of somewhere else asks, or by a name that is not this "
		        "machine's");
		return;
	}
	if (exchange->gateway->stopping) {
		exchange_refuse(exchange, ESHUTDOWN, "the gateway is about to end");
		return;
	}
	wire_put(&exchange->ask, FIELD_DOOR, trusted ? "owner" : "token");
	if (!trusted)
		put_token(exchange);
	exchange->dialect->ask(exchange);
	if (!exchange->over && framing_length(exchange->request) > (int64_t)exchange->event_most)
		exchange_refuse(exchange, EFBIG, "the request is larger than %zu bytes",
		        exchange->event_most);
}

static void began(void *userdata, struct http_request *request)
{
	struct gateway *gateway = userdata;
	struct exchange *exchange = calloc(1, sizeof(*exchange));

	if (!exchange) {
		http_request_answer(request, &(struct http_answer){.status = 503});
		return;
	}
	gateway->exchanges++;
	request->data = exchange;
	exchange->gateway = gateway;
	exchange->request = request;
	exchange->event_most = EVENT_MOST;
	uuid_make(&gateway->ids, exchange->id);
	judge_head(exchange, request->target);
}

static void event_came(
        void *userdata, struct http_request *request, const char *data, size_t length)
{
	struct exchange *exchange = request->data;

	if (!exchange || exchange->over)
		return;
	if (exchange->event.length + length > exchange->event_most || is_full(exchange->gateway)) {
		exchange->too_large = exchange->event.length + length > exchange->event_most;
		buf_deinit(&exchange->event);
		let_go(exchange);
		/* It goes out when the rest has come: clients look for answers only then. */
		exchange_refuse(exchange, exchange->too_large ? EFBIG : EBUSY, "%s",
		        exchange->too_large ? "the request is too large" : "too much is under way");
		return;
	}
	buf_append(&exchange->event, data, length);
	hold(exchange, length);
}

static void completed(void *userdata, struct http_request *request)
{
	struct exchange *exchange = request->data;

	if (exchange && !exchange->over && exchange->dialect->event)
		exchange->dialect->event(exchange);
	if (exchange && !exchange->over)
		ask_daemon(exchange);
}

static void exchange_free(struct exchange *exchange)
{
	map_remove(&exchange->gateway->calls, exchange->call);
	exchange->gateway->exchanges--;
	let_go(exchange);
	url_deinit(&exchange->url);
	buf_deinit(&exchange->ask);
	buf_deinit(&exchange->event);
	wire_said_deinit(&exchange->begun);
	wire_said_deinit(&exchange->ended);
	buf_deinit(&exchange->response);
	buf_deinit(&exchange->trouble);
	reply_reader_deinit(&exchange->reader);
	buf_deinit(&exchange->headers);
	free(exchange);
}

static void gone(void *userdata, struct http_request *request, bool left)
{
	struct exchange *exchange = request->data;

	if (!exchange)
		return;
	if (exchange->call && !exchange->over && map_get(&exchange->gateway->calls, exchange->call))
		wire_link_send(&exchange->gateway->link, WIRE_LEAVE, exchange->call, NULL, 0);
	exchange_free(exchange);
}

const struct server_events exchange_events = {began, event_came, completed, gone};

/* --- back to the client ----------------------------------------------------------------------- */

static void cut_short(struct exchange *exchange)
{
	exchange->over = true;
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
	http_request_stream(exchange->request, status, headers_of(exchange));
}

/* Of a program that speaks HTTP: its own head and its own bytes. */
static int hand_on_reply(struct exchange *exchange, const char *data, size_t length)
{
	struct reply_reader *reader = &exchange->reader;
	int r = reply_reader_feed(reader, data, length);

	if (r < 0 || !reader->in_body)
		return r;
	if (!exchange->streaming)
		stream(exchange, reader->reply.status, reader->reply.headers.data,
		        reader->reply.headers.length);
	if (reader->reply.body.length)
		http_request_piece(
		        exchange->request, reader->reply.body.data, reader->reply.body.length);
	buf_clear(&reader->reply.body);
	return 0;
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
	if (exchange->dialect->piece) {
		stream_framed(exchange);
		exchange->dialect->piece(exchange, data, length);
		return 0;
	}
	if (exchange->begun.fields[FIELD_SPEAKS_HTTP])
		return hand_on_reply(exchange, data, length);
	if (!exchange->streaming) {
		exchange_header(exchange, "Content-Type", sniff_type(data, length));
		stream(exchange, 200, NULL, 0);
	}
	http_request_piece(exchange->request, data, length);
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
	hold(exchange,
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
		hold(exchange, frame->length);
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
