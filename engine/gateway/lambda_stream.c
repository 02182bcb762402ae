/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Lambda's InvokeWithResponseStream: POST /2021-11-15/functions/NAME/response-streaming-invocations. The
 * response goes out as the function produces it, each piece an event; the last event says how it ended.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "gateway/dialects.h"
#include "gateway/event_stream.h"
#include "gateway/lambda.h"

static bool claims(const struct exchange *exchange)
{
	const struct url *url = &exchange->url;

	return url->count == 4 && strcmp(url->segments[0], "2021-11-15") == 0 &&
	       strcmp(url->segments[1], "functions") == 0 &&
	       strcmp(url->segments[3], "response-streaming-invocations") == 0;
}

static void ask(struct exchange *exchange)
{
	lambda_ask(exchange);
	if (exchange->verb == VERB_ENQUEUE)
		exchange_refuse(exchange, EINVAL,
		        "X-Amz-Invocation-Type is RequestResponse or DryRun: nobody waits for an "
		        "Event");
}

static void put(struct exchange *exchange, const char *type, const char *content_type,
        const char *data, size_t length)
{
	CLEANUP(buf_deinit) struct buf frame = BUF_INIT;

	event_stream_put(&frame, type, content_type, data, length);
	if (frame.failed)
		http_request_end(exchange->request, false);
	else
		http_request_piece(exchange->request, frame.data, frame.length);
}

static void piece(struct exchange *exchange, const char *data, size_t length)
{
	put(exchange, "PayloadChunk", "application/octet-stream", data, length);
}

static void put_member(struct buf *out, const char *name, const char *value, size_t length)
{
	buf_printf(out, "%s\"%s\":", out->length > 1 ? "," : "", name);
	json_quote(out, value, length);
}

static void finish(struct exchange *exchange)
{
	const char *sentence = exchange_said(exchange, FIELD_SENTENCE);
	CLEANUP(buf_deinit) struct buf log = BUF_INIT;
	CLEANUP(buf_deinit) struct buf json = BUF_INIT;

	buf_puts(&json, "{");
	if (exchange_error(exchange)) {
		put_member(&json, "ErrorCode", "Unhandled", strlen("Unhandled"));
		if (exchange->trouble.length)
			put_member(&json, "ErrorDetails", exchange->trouble.data,
			        exchange->trouble.length);
		else if (sentence)
			put_member(&json, "ErrorDetails", sentence, strlen(sentence));
	}
	lambda_put_log(exchange, &log);
	if (log.length)
		put_member(&json, "LogResult", log.data, log.length);
	buf_puts(&json, "}");
	put(exchange, "InvokeComplete", "application/json", json.data, json.length);
}

/* Of a dry run. */
static void answer(struct exchange *exchange)
{
	exchange_answer(exchange, 204, "", 0);
}

const struct dialect lambda_stream_dialect = {.claims = claims,
        .ask = ask,
        .streams = true,
        .streams_as = "application/vnd.amazon.eventstream",
        .piece = piece,
        .finish = finish,
        .head = lambda_head,
        .answer = answer,
        .refuse = lambda_refuse};
