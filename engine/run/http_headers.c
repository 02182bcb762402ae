/* SPDX-License-Identifier: Apache-2.0 */
#include "run/http_headers.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "run/deployment.h"
#include "run/http_event.h"
#include "run/invocation.h"

/* The name of an entry in queue/ is its key, for whoever makes sure that nothing is done twice. */
static void add_key(struct http_event *event, const char *name)
{
	CLEANUP(buf_deinit) struct buf key = BUF_INIT;

	escape_name(&key, name);
	event->headers.failed |= key.failed;
	if (key.length)
		http_event_header(event, "Idempotency-Key", key.data);
}

void http_headers_add(struct http_event *event, const struct deployment *deployment,
        const struct invocation *invocation)
{
	const struct config *config = &deployment->config;
	char number[32];

	if (invocation)
		http_event_header(event, "X-CFF-Request-Id", invocation->request_id);
	if (invocation && invocation->name)
		add_key(event, invocation->name);
	snprintf(number, sizeof(number), "%" PRId64, config->memory_bytes >> 20);
	http_event_header(event, "X-CFF-Memory", number);
	snprintf(number, sizeof(number), "%" PRId64, (config->timeout_ms + 999) / 1000);
	http_event_header(event, "X-CFF-Timeout", number);
	http_event_header(event, "X-CFF-Func-Version", deployment->version);
	http_event_header(event, "X-CFF-Func-Name", deployment->function_name);
	http_event_header(event, "X-CFF-Project-Id", "default");
	http_event_header(event, "X-CFF-Package", "default");
	http_event_header(event, "X-CFF-Region", "local");
	buf_append(&event->headers, "", 1);
}
