/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FunctionGraph: POST /v2/PROJECT/fgs/functions/URN/invocations and .../invocations-async. As with Lambda a
 * function that fails is a success of the service, told by headers; what the platform refuses has a
 * form of its own, {"error_code":"FSS.0404","error_msg":...}.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/dialects.h"

enum { LOG_MOST = 2000 };

static const struct error_row {
	int error, status;
	const char *code;
} errors[] = {
        {EINVAL, 400, "FSS.0400"},
        {EBADMSG, 400, "FSS.0400"},
        {EPERM, 401, "FSS.0401"},
        {EACCES, 403, "FSS.0403"},
        {ENOENT, 404, "FSS.1051"},
        {ESTALE, 404, "FSS.1052"},
        {EOPNOTSUPP, 405, "FSS.0405"},
        {EEXIST, 409, "FSS.0409"},
        {EFBIG, 413, "FSS.0413"},
        {E2BIG, 431, "FSS.0400"},
        {EAGAIN, 429, "FSS.0429"},
        {ENOSPC, 429, "FSS.0429"},
        {ENOSYS, 501, "FSS.0501"},
        {EBUSY, 503, "FSS.0503"},
        {ESHUTDOWN, 503, "FSS.0503"},
        {0, 500, "FSS.0500"},
};

/* Of a function that failed. */
static int code_of(int error)
{
	switch (error) {
	case 0:
		return 0;
	case ENOEXEC:
		return 4009;
	case EFBIG:
		return 4004;
	case ETIMEDOUT:
		return 4010;
	case ENOMEM:
		return 4205;
	case ECANCELED:
		return 4208;
	default:
		return 4002;
	}
}

static void refuse(struct exchange *exchange, int error, const char *sentence)
{
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;
	const struct error_row *row = errors;

	while (row->error && row->error != error)
		row++;
	buf_printf(&body, "{\"error_code\":\"%s\",\"error_msg\":", row->code);
	json_quote(&body, sentence, strlen(sentence));
	buf_puts(&body, "}");
	exchange_header(exchange, "Content-Type", "application/json");
	exchange_header(exchange, "X-Cff-Request-Id", exchange_request_id(exchange));
	exchange_answer(exchange, row->status, body.data, body.length);
}

static bool claims(const struct exchange *exchange)
{
	const struct url *url = &exchange->url;

	return url->count == 6 && strcmp(url->segments[0], "v2") == 0 &&
	       strcmp(url->segments[2], "fgs") == 0 && strcmp(url->segments[3], "functions") == 0 &&
	       (strcmp(url->segments[5], "invocations") == 0 ||
	               strcmp(url->segments[5], "invocations-async") == 0);
}

static bool header_is(const struct exchange *exchange, const char *name, const char *value)
{
	const char *given = http_request_header(exchange->request, name);

	return given && strcasecmp(given, value) == 0;
}

static void ask(struct exchange *exchange)
{
	bool async = strcmp(exchange->url.segments[5], "invocations") != 0;

	if (strcmp(exchange->request->method, "POST") != 0) {
		exchange_refuse(exchange, EOPNOTSUPP, "only POST is understood here");
		return;
	}
	if (target_name_parse(&exchange->target, exchange->url.segments[4]) < 0) {
		exchange_refuse(exchange, EINVAL, "the function's URN is none");
		return;
	}
	exchange->verb = async ? VERB_ENQUEUE : VERB_INVOKE;
	wire_put_number(&exchange->ask, FIELD_VERB, exchange->verb);
	wire_put(&exchange->ask, FIELD_FUNCTION, exchange->target.function);
	wire_put(&exchange->ask, FIELD_QUALIFIER, exchange->target.qualifier);
	wire_put(&exchange->ask, FIELD_SOURCE, "gateway functiongraph");
	if (!async)
		wire_put(&exchange->ask, FIELD_WANTS_LOG, "1"); /* the summary is known with it */
}

static double number_of(const struct exchange *exchange, enum wire_field field, double unit)
{
	const char *text = exchange_said(exchange, field);
	int64_t number = 0;

	if (text)
		sscanf(text, "%" SCNd64, &number);
	return number > 0 ? (double)number / unit : 0;
}

static void add_summary(struct exchange *exchange)
{
	double duration_ms = number_of(exchange, FIELD_DURATION_US, 1000);
	char text[256], billing[32];

	snprintf(billing, sizeof(billing), "%d", (int)(duration_ms + 0.999)); /* rounded up */
	snprintf(text, sizeof(text),
	        "{\"duration\":%.3f,\"billingDuration\":%s,\"memorySize\":%.0f,\"memoryUsed\":%."
	        "3f}",
	        duration_ms, billing, number_of(exchange, FIELD_MEMORY_LIMIT_BYTES, 1 << 20),
	        number_of(exchange, FIELD_MEMORY_BYTES, 1 << 20));
	exchange_header(exchange, "X-Cff-Invoke-Summary", text);
	exchange_header(exchange, "X-CFF-Billing-Duration", billing);
}

/* The end of the log, when it is asked for. */
static const char *log_of(const struct exchange *exchange)
{
	const char *log = exchange_said(exchange, FIELD_LOG);
	size_t length = log ? strlen(log) : 0;

	if (!header_is(exchange, "X-Cff-Log-Type", "tail"))
		return NULL;
	return log ? log + (length > LOG_MOST ? length - LOG_MOST : 0) : "";
}

static void add_log(struct exchange *exchange)
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;
	struct base64_encoder encoder = {0};
	const char *log = log_of(exchange);

	if (!log)
		return;
	base64_encode(&encoder, log, strlen(log), &text);
	base64_finish(&encoder, &text);
	exchange_header(exchange, "X-Cff-Function-Log", text.data);
}

/* The result in an envelope, as a text. */
static void answer_v1(struct exchange *exchange, const struct buf *result)
{
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;
	const char *log = log_of(exchange);

	buf_printf(&body, "{\"request_id\":\"%s\",\"result\":", exchange_request_id(exchange));
	json_quote(&body, result->data ? result->data : "", result->length);
	buf_puts(&body, ",\"log\":");
	json_quote(&body, log ? log : "", log ? strlen(log) : 0);
	buf_puts(&body, ",\"status\":200}");
	exchange_answer(exchange, body.failed ? 500 : 200, body.data, body.length);
}

static void answer_async(struct exchange *exchange)
{
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;

	buf_printf(&body, "{\"request_id\":\"%s\"}", exchange_request_id(exchange));
	exchange_header(exchange, "Content-Type", "application/json");
	exchange_header(exchange, "X-Cff-Request-Id", exchange_request_id(exchange));
	exchange_answer(exchange, 202, body.data, body.length);
}

static void answer(struct exchange *exchange)
{
	bool v1 = header_is(exchange, "X-CFF-Request-Version", "v1");
	int error = exchange_error(exchange);
	const struct buf *result = error ? &exchange->trouble : &exchange->response;
	char code[16];

	if (exchange->verb == VERB_ENQUEUE) {
		answer_async(exchange);
		return;
	}
	if (error == EBADMSG) {
		refuse(exchange, error, exchange_said(exchange, FIELD_SENTENCE));
		return;
	}
	snprintf(code, sizeof(code), "%d", code_of(error));
	exchange_header(exchange, "X-Cff-Request-Id", exchange_request_id(exchange));
	exchange_header(exchange, "X-Cff-Response-Version", v1 ? "v1" : "v0");
	exchange_header(exchange, "X-Func-Err-Code", code);
	exchange_header(exchange, "X-Is-Func-Err", error ? "true" : "false");
	exchange_header(exchange, "Content-Type", "application/json");
	add_summary(exchange);
	add_log(exchange);
	if (v1)
		answer_v1(exchange, result);
	else
		exchange_answer(exchange, 200, result->data, result->length);
}

const struct dialect functiongraph_dialect = {
        .claims = claims, .ask = ask, .answer = answer, .refuse = refuse};
