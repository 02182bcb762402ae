/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record of an end as FunctionGraph sends it to a destination. Payloads are JSON where they are JSON, else text,
 * else, where they are no text either, base64 with a word that says so. A record that would be larger than an
 * event may be leaves out what is too large: first the response, then the request.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/utf8.h"
#include "events/queue_private.h"

#define FRAME_MOST 4096 /* of all but the payloads */

static bool is_json(const struct buf *payload)
{
	cJSON *json = cJSON_ParseWithLength(payload->data, payload->length);
	bool is = json != NULL;

	cJSON_Delete(json);
	return is;
}

static void payload(struct buf *out, const char *name, const struct buf *bytes, size_t *room)
{
	struct base64_encoder encoder = {};
	struct buf text = BUF_INIT;

	if (!bytes->length)
		buf_puts(&text, "null");
	else if (utf8_valid(bytes->data, bytes->length) && is_json(bytes))
		buf_append(&text, bytes->data, bytes->length);
	else if (utf8_valid(bytes->data, bytes->length))
		json_quote(&text, bytes->data, bytes->length);
	else {
		buf_puts(&text, "{\"base64\":\"");
		base64_encode(&encoder, bytes->data, bytes->length, &text);
		base64_finish(&encoder, &text);
		buf_puts(&text, "\"}");
	}
	if (text.length > *room) {
		buf_clear(&text);
		buf_puts(&text, "null");
	}
	*room -= text.length;
	buf_printf(out, ",\"%s\":", name);
	buf_append(out, text.data, text.length);
	out->failed |= text.failed;
	buf_deinit(&text);
}

/* 200: it ran, well or not; else the platform is why it did not. */
static int status_code(const struct queue_run *run)
{
	switch (run->error) {
	case 0:
	case -EREMOTEIO:
	case -ETIMEDOUT:
	case -ENOMEM:
	case -EFBIG:
		return 200;
	case -ESTALE:
		return 404;
	default:
		return 500;
	}
}

void queue_record(
        const struct queue_run *run, const struct buf *request, size_t most, struct buf *out)
{
	const struct queue_entry *entry = run->entry;
	struct queue *queue = run->queue;
	size_t room = most - FRAME_MOST;
	struct buf urn = BUF_INIT, request_text = BUF_INIT;
	char time[CLOCK_TEXT_SIZE];
	bool failed = run->place == QUEUE_FAILED;

	clock_format(time, queue_now(queue));
	queue->host->urn(queue->userdata, &entry->line->target, &urn);
	buf_printf(out, "{\"timestamp\":\"%s\",\"request_context\":{\"request_id\":\"%s\"", time,
	        entry->request_id);
	buf_puts(out, ",\"function_urn\":");
	json_quote(out, urn.data ? urn.data : "", urn.length);
	buf_printf(out, ",\"condition\":\"%s\",\"approximate_invoke_count\":%u}", run->condition,
	        entry->begun);
	payload(&request_text, "request_payload", request, &room);
	buf_append(out, request_text.data, request_text.length);
	buf_printf(out, ",\"response_context\":{\"status_code\":%d,\"function_error\":\"%s\"}",
	        status_code(run), failed ? "Unhandled" : "");
	payload(out, "response_payload", &run->answer, &room);
	buf_puts(out, "}");
	buf_deinit(&request_text);
	buf_deinit(&urn);
}
