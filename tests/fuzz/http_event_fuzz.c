/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events that may be requests: nothing that ends a line gets into what is sent, the target is one word,
 * a body lies where it says, and a posted error is JSON whatever was posted.
 */
#include "run/http_event.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "fuzz.h"
#include "run/runtime_error.h"

#define HOLDS(condition) \
	do { \
		if (!(condition)) \
			abort(); \
	} while (0)

static void check_event(const struct http_event *event)
{
	HOLDS(event->method[0] && event->target.data[0] == '/');
	for (size_t i = 0; i < event->target.length; i++)
		HOLDS(event->target.data[i] > ' ' && event->target.data[i] < 127);
	for (size_t i = 0; i < event->headers.length; i++)
		HOLDS(event->headers.data[i] != '\r' && event->headers.data[i] != '\n');
	HOLDS(!event->headers.length || event->headers.data[event->headers.length - 1] == 0);
	HOLDS(!event->body_length || event->body);
}

static void check_error(const char *text, size_t size)
{
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;
	CLEANUP(json_delete_p) cJSON *json = NULL;

	runtime_error_read(&out, text, size, size & 1 ? "Function.X" : NULL, size & 2);
	json = cJSON_ParseWithLength(out.data, out.length);
	HOLDS(cJSON_IsObject(json));
	HOLDS(json_string(json, "errorType", NULL) && json_string(json, "errorMessage", NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	CLEANUP(buf_deinit) struct buf decoded = BUF_INIT;
	struct http_event event;
	/* a copy of exactly what there is, so that a read beyond it is caught */
	CLEANUP(free_p) char *text = malloc(size ? size : 1);

	memcpy(text, data, size);
	if (http_event_read(&event, text, size, &why) == 0) {
		check_event(&event);
		http_event_deinit(&event);
	} else {
		HOLDS(why.length);
	}
	check_error(text, size);
	base64_decode(text, size, &decoded);
	return 0;
}

void fuzz_sample(struct buf *out)
{
	buf_puts(out, "{\"httpMethod\":\"POST\",\"path\":\"/a "
	              "b\",\"queryStringParameters\":{\"k\":[\"v\",1]},"
	              "\"headers\":{\"X-A\":\"1\",\"X-B\":[\"2\"]},\"errorMessage\":\"m\","
	              "\"trace\":[\"t\"],"
	              "\"body\":\"aGVsbG8=\",\"isBase64Encoded\":true}");
}
