/* SPDX-License-Identifier: Apache-2.0 */
#include "run/invocation.h"

#include <stdlib.h>
#include <string.h>

#include "base/copy.h"
#include "base/json.h"
#include "model/alias.h"
#include "run/pool.h"

struct invocation *invocation_new(struct pool *pool, struct uuid_source *ids, struct buf *request,
        const struct invocation_options *options, const struct invocation_events *events,
        void *userdata)
{
	struct invocation *invocation = calloc(1, sizeof(*invocation));

	if (!invocation)
		return NULL;
	if (options->http_head)
		invocation->http_head = strdup(options->http_head);
	if (options->name && *options->name)
		invocation->name = strdup(options->name);
	if (!invocation->http_head != !options->http_head ||
	        !invocation->name != !(options->name && *options->name)) {
		free(invocation->http_head);
		free(invocation->name);
		free(invocation);
		return NULL;
	}
	list_init(&invocation->link);
	invocation->pool = pool;
	pool->open++;
	if (options->request_id)
		copy_text(invocation->request_id, sizeof(invocation->request_id),
		        options->request_id);
	else
		uuid_make(ids, invocation->request_id);
	copy_text(invocation->source, sizeof(invocation->source), options->source);
	if (options->alias) {
		invocation->alias_id = options->alias->id;
		copy_text(invocation->alias, sizeof(invocation->alias), options->alias->name);
	}
	invocation->request = *request;
	buf_init(request);
	invocation->events = events;
	invocation->userdata = userdata;
	invocation->created_us = alarm_now_us();
	invocation->init_us = -1;
	return invocation;
}

void error_body(struct buf *out, const char *type, const char *format, ...)
{
	struct buf message = BUF_INIT;
	va_list arguments;

	va_start(arguments, format);
	buf_vprintf(&message, format, arguments);
	va_end(arguments);
	buf_puts(out, "{\"errorMessage\":");
	json_quote(out, message.data ? message.data : "", message.length);
	buf_puts(out, ",\"errorType\":");
	json_quote(out, type, strlen(type));
	buf_puts(out, ",\"stackTrace\":[]}");
	buf_deinit(&message);
}
