/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Lambda's Invoke: POST /2015-03-31/functions/NAME/invocations. A function that fails is a success of
 * the service: status 200, and X-Amz-Function-Error says so. It has to stand in the head, so responses are
 * collected. Signatures (SigV4) are not looked at: who may call is the door's to say.
 */
#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/dialects.h"
#include "gateway/lambda.h"

static const struct error_row {
	int error, status;
	const char *type;
} errors[] = {
        {EINVAL, 400, "InvalidParameterValueException"},
        {EBADMSG, 400, "InvalidRequestContentException"},
        {EPERM, 403, "MissingAuthenticationTokenException"},
        {EACCES, 403, "AccessDeniedException"},
        {ENOENT, 404, "ResourceNotFoundException"},
        {ESTALE, 404, "ResourceNotFoundException"},
        {EOPNOTSUPP, 405, "InvalidParameterValueException"},
        {EEXIST, 409, "ResourceConflictException"},
        {EREMCHG, 412, "PreconditionFailedException"},
        {EFBIG, 413, "RequestTooLargeException"},
        {E2BIG, 431, "RequestTooLargeException"},
        {EAGAIN, 429, "TooManyRequestsException"},
        {ENOSPC, 429, "TooManyRequestsException"},
        {ENOSYS, 501, "ServiceException"},
        {EBUSY, 503, "ServiceException"},
        {ESHUTDOWN, 503, "ServiceException"},
        {0, 500, "ServiceException"},
};

void lambda_refuse(struct exchange *exchange, int error, const char *sentence)
{
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;
	const struct error_row *row = errors;

	while (row->error && row->error != error)
		row++;
	buf_printf(&body, "{\"Type\":\"%s\",\"message\":", row->status < 500 ? "User" : "Service");
	json_quote(&body, sentence, strlen(sentence));
	if (row->status == 429)
		buf_puts(&body, ",\"Reason\":\"ConcurrentInvocationLimitExceeded\"");
	buf_puts(&body, "}");
	exchange_header(exchange, "Content-Type", "application/json");
	exchange_header(exchange, "x-amzn-ErrorType", row->type);
	exchange_header(exchange, "x-amzn-RequestId", exchange_request_id(exchange));
	exchange_answer(exchange, row->status, body.data, body.length);
}

static bool claims(const struct exchange *exchange)
{
	const struct url *url = &exchange->url;

	return url->count == 4 && strcmp(url->segments[0], "2015-03-31") == 0 &&
	       strcmp(url->segments[1], "functions") == 0 &&
	       strcmp(url->segments[3], "invocations") == 0;
}

static bool header_is(const struct exchange *exchange, const char *name, const char *value)
{
	const char *given = http_request_header(exchange->request, name);

	return given && strcmp(given, value) == 0;
}

static int verb_of(const struct exchange *exchange)
{
	static const char name[] = "X-Amz-Invocation-Type";

	if (header_is(exchange, name, "Event"))
		return VERB_ENQUEUE;
	if (header_is(exchange, name, "DryRun"))
		return VERB_CHECK;
	return !http_request_header(exchange->request, name) ||
	                       header_is(exchange, name, "RequestResponse")
	               ? VERB_INVOKE
	               : 0;
}

void lambda_ask(struct exchange *exchange)
{
	const char *qualifier = url_parameter(&exchange->url, "Qualifier");
	struct target_name *target = &exchange->target;
	int verb = verb_of(exchange);

	if (strcmp(exchange->request->method, "POST") != 0) {
		exchange_refuse(exchange, EOPNOTSUPP, "only POST is understood here");
		return;
	}
	if (!verb) {
		exchange_refuse(exchange, EINVAL,
		        "X-Amz-Invocation-Type is RequestResponse, Event or DryRun");
		return;
	}
	if (target_name_parse(target, exchange->url.segments[2]) < 0 ||
	        target_name_qualify(target, qualifier) < 0) {
		exchange_refuse(exchange, EINVAL, "the function's name, or its qualifier, is none");
		return;
	}
	wire_put_number(&exchange->ask, FIELD_VERB, verb);
	wire_put(&exchange->ask, FIELD_FUNCTION, target->function);
	wire_put(&exchange->ask, FIELD_QUALIFIER, target->qualifier);
	wire_put(&exchange->ask, FIELD_SOURCE, "gateway lambda");
	if (header_is(exchange, "X-Amz-Log-Type", "Tail"))
		wire_put(&exchange->ask, FIELD_WANTS_LOG, "1");
	exchange->verb = verb;
}

void lambda_put_log(const struct exchange *exchange, struct buf *out)
{
	const char *log = exchange_said(exchange, FIELD_LOG);
	struct base64_encoder encoder = {0};

	if (!log)
		return;
	base64_encode(&encoder, log, strlen(log), out);
	base64_finish(&encoder, out);
}

void lambda_head(struct exchange *exchange)
{
	const char *version = exchange_said(exchange, FIELD_VERSION);

	exchange_header(exchange, "x-amzn-RequestId", exchange_request_id(exchange));
	if (version)
		exchange_header(exchange, "X-Amz-Executed-Version", lambda_version_theirs(version));
}

static void answer(struct exchange *exchange)
{
	static const int statuses[VERBS] = {
	        [VERB_INVOKE] = 200, [VERB_ENQUEUE] = 202, [VERB_CHECK] = 204};
	int error = exchange_error(exchange);
	CLEANUP(buf_deinit) struct buf log = BUF_INIT;
	const struct buf *body = error ? &exchange->trouble : &exchange->response;

	if (error == EBADMSG) {
		lambda_refuse(exchange, error, exchange_said(exchange, FIELD_SENTENCE));
		return;
	}
	lambda_head(exchange);
	if (error)
		exchange_header(exchange, "X-Amz-Function-Error", "Unhandled");
	lambda_put_log(exchange, &log);
	exchange_header(exchange, "X-Amz-Log-Result", log.data);
	if (exchange->verb != VERB_INVOKE) {
		exchange_answer(exchange, statuses[exchange->verb], "", 0);
		return;
	}
	exchange_header(exchange, "Content-Type", "application/json");
	exchange_answer(exchange, 200, body->data, body->length);
}

const struct dialect lambda_dialect = {
        .claims = claims, .ask = lambda_ask, .answer = answer, .refuse = lambda_refuse};
