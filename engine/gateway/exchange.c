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

const char *exchange_headers(struct exchange *exchange)
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
		        &(struct http_answer){status, exchange_headers(exchange), body, length});
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

void exchange_hold(struct exchange *exchange, size_t bytes)
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
	list_init(&exchange->fresh);
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
	exchange_hold(exchange, length);
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
	list_unlink(&exchange->fresh);
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
