/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenFaaS: any verb on /function/NAME[/PATH], and POST /async-function/NAME. An event function gets the
 * body as it is, and what it returns is the body of the answer; a program that speaks HTTP gets the
 * request, with the path behind its name, and answers for itself. A namespace behind the name (`.fn`) says
 * nothing here.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "gateway/apig.h"
#include "gateway/dialects.h"

static bool is_async(const struct exchange *exchange)
{
	return strcmp(exchange->url.segments[0], "async-function") == 0;
}

static bool claims(const struct exchange *exchange)
{
	const struct url *url = &exchange->url;

	return url->count >= 2 && (strcmp(url->segments[0], "function") == 0 || is_async(exchange));
}

static int read_name(struct exchange *exchange)
{
	CLEANUP(free_p) char *name = strdup(exchange->url.segments[1]);
	char *dot = name ? strchr(name, '.') : NULL, *colon = name ? strchr(name, ':') : NULL;

	if (!name)
		return -ENOMEM;
	if (dot && (!colon || dot < colon)) /* 1.0.0 behind a colon is a version */
		memmove(dot, colon ? colon : dot + strlen(dot), strlen(colon ? colon : "") + 1);
	return target_name_parse(&exchange->target, name);
}

static void put_head(struct exchange *exchange)
{
	CLEANUP(buf_deinit) struct buf head = BUF_INIT;
	const struct url *url = &exchange->url;

	apig_open(exchange, url->count > 2 ? url->rests[2] : "/", &head);
	if (head.failed)
		exchange->ask.failed = true;
	else
		wire_put_bytes(&exchange->ask, FIELD_HEAD, head.data, head.length);
}

/* The entry gets a name that nobody else has, for it is found by that later. */
static void put_callback(struct exchange *exchange)
{
	const char *url = http_request_header(exchange->request, "X-Callback-Url");

	if (!url)
		return;
	wire_put(&exchange->ask, FIELD_CALLBACK, url);
	wire_put(&exchange->ask, FIELD_KEY, exchange->id);
}

static void ask(struct exchange *exchange)
{
	bool async = is_async(exchange);

	if (read_name(exchange) < 0) {
		exchange_refuse(exchange, EINVAL, "the function's name is none");
		return;
	}
	if (async && strcmp(exchange->request->method, "POST") != 0) {
		exchange_refuse(exchange, EOPNOTSUPP, "only POST is understood here");
		return;
	}
	exchange->verb = async ? VERB_ENQUEUE : VERB_INVOKE;
	wire_put_number(&exchange->ask, FIELD_VERB, exchange->verb);
	wire_put(&exchange->ask, FIELD_FUNCTION, exchange->target.function);
	wire_put(&exchange->ask, FIELD_QUALIFIER, exchange->target.qualifier);
	wire_put(&exchange->ask, FIELD_SOURCE, "gateway openfaas");
	if (!async)
		put_head(exchange);
	else
		put_callback(exchange);
}

static void head(struct exchange *exchange)
{
	exchange_header(exchange, "X-Call-Id", exchange_request_id(exchange));
}

static void answer(struct exchange *exchange)
{
	exchange_answer(exchange, 202, "", 0); /* what is taken goes out; calls are streamed */
}

const struct dialect openfaas_dialect = {.claims = claims,
        .ask = ask,
        .streams = true,
        .head = head,
        .answer = answer,
        .refuse = plain_refuse};
