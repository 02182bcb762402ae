/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of the gateway itself: /healthz and /metrics. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/dialects.h"

static bool is(const struct exchange *exchange, const char *name)
{
	return exchange->url.count == 1 && strcmp(exchange->url.segments[0], name) == 0;
}

static bool claims(const struct exchange *exchange)
{
	return is(exchange, "healthz") || is(exchange, "metrics");
}

static void ask(struct exchange *exchange)
{
	const char *method = exchange->request->method;

	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		exchange_refuse(exchange, EOPNOTSUPP, "only GET is understood here");
	else if (is(exchange, "healthz"))
		exchange_answer_text(exchange, 200, "ok\n");
	else
		wire_put_number(&exchange->ask, FIELD_VERB, VERB_METRICS);
}

static void answer(struct exchange *exchange)
{
	exchange_header(exchange, "Content-Type",
	        "application/openmetrics-text; version=1.0.0; charset=utf-8");
	exchange_answer(exchange, 200, exchange->response.data, exchange->response.length);
}

void plain_refuse(struct exchange *exchange, int error, const char *sentence)
{
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;

	buf_puts(&body, "{\"error\":");
	json_quote(&body, sentence, strlen(sentence));
	buf_puts(&body, "}\n");
	exchange_header(exchange, "Content-Type", "application/json");
	exchange_answer(exchange, exchange_status(error, false), body.data, body.length);
}

const struct dialect plain_dialect = {
        .claims = claims, .ask = ask, .answer = answer, .refuse = plain_refuse};
