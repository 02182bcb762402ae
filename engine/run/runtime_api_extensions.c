/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extensions, as far as programs bring them along: a library in the program that registers. What one has
 * not asked for it is never told: Go's client registers for nothing, to be sent SIGTERM before the end, and takes
 * any event for a fault of the platform. Who asked for SHUTDOWN hears that, and not SIGTERM, which would
 * end it before it has. Whoever registers for INVOKE hears of each event that is delivered;
 * of several while it does not poll, of the last.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "run/deployment.h"
#include "run/host.h"
#include "run/pool.h"
#include "run/runtime_api_private.h"

enum { EXTENSIONS_MAX = 10 };

struct api_extension {
	struct list link;
	char id[UUID_TEXT_SIZE];
	bool wants_invoke, wants_shutdown;
	struct api_request *poll; /* NULL: it does not poll now */
	struct buf news;          /* what its next poll will hear */
};

static void extension_free(struct api_extension *extension)
{
	if (extension->poll)
		extension->poll->extension = NULL;
	list_unlink(&extension->link);
	buf_deinit(&extension->news);
	free(extension);
}

void api_extensions_free(struct runtime_api *api)
{
	struct api_extension *extension;

	while ((extension = list_first(&api->extensions, struct api_extension, link)))
		extension_free(extension);
}

/* Which events a registration is for; false: it names one that does not exist, or is no registration. */
static bool read_events(struct api_extension *extension, const struct buf *body)
{
	CLEANUP(json_delete_p)
	cJSON *json = body->length ? cJSON_ParseWithLength(body->data, body->length) : NULL;
	const cJSON *event;

	if (body->length && !cJSON_IsObject(json))
		return false;
	cJSON_ArrayForEach(event, cJSON_GetObjectItemCaseSensitive(json, "events")) {
		const char *name = cJSON_IsString(event) ? event->valuestring : "";

		if (strcmp(name, "INVOKE") == 0)
			extension->wants_invoke = true;
		else if (strcmp(name, "SHUTDOWN") == 0)
			extension->wants_shutdown = true;
		else
			return false;
	}
	return true;
}

static void add_member(struct buf *body, const char *name, const char *value, const char *before)
{
	buf_printf(body, "%s\"%s\":", before, name);
	json_quote(body, value, strlen(value));
}

static void answer_registered(struct runtime_api *api, struct api_request *request, const char *id)
{
	const struct deployment *deployment = api->http->instance->deployment;
	bool latest = strcmp(deployment->version, "latest") == 0;
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;
	CLEANUP(buf_deinit) struct buf headers = BUF_INIT;

	buf_printf(&headers, "Lambda-Extension-Identifier: %s", id);
	buf_append(&headers, "\0", 2);
	add_member(&body, "functionName", deployment->function_name, "{");
	add_member(&body, "functionVersion", latest ? "$LATEST" : deployment->version, ",");
	add_member(&body, "handler", deployment_handler(deployment), ",");
	add_member(&body, "accountId", "000000000000", ",");
	buf_puts(&body, "}");
	api_answer(request->served, 200, headers.data, body.data ? body.data : "");
}

static size_t count(const struct runtime_api *api)
{
	const struct api_extension *extension;
	size_t found = 0;

	list_each(extension, &api->extensions, link)
		found++;
	return found;
}

void api_register_extension(struct runtime_api *api, struct api_request *request)
{
	struct api_extension *extension;

	if (!http_served_header(request->served, "Lambda-Extension-Name")) {
		api_refuse(request->served, 400, "Extension.MissingExtensionName",
		        "the header Lambda-Extension-Name is missing");
		return;
	}
	if (count(api) >= EXTENSIONS_MAX) {
		api_refuse(request->served, 403, "Extension.TooManyExtensions",
		        "no more than 10 extensions can register");
		return;
	}
	extension = calloc(1, sizeof(*extension));
	if (!extension) {
		api_refuse(request->served, 500, "InternalServerError", "out of memory");
		return;
	}
	list_append(&api->extensions, &extension->link);
	if (!read_events(extension, &request->body)) {
		extension_free(extension);
		api_refuse(request->served, 400, "Extension.InvalidEventType",
		        "the body is not {\"events\":[...]} with INVOKE or SHUTDOWN");
		return;
	}
	uuid_make(&api->http->instance->pool->host->ids, extension->id);
	answer_registered(api, request, extension->id);
}

struct api_extension *api_find_extension(struct runtime_api *api, struct api_request *request)
{
	const char *id = http_served_header(request->served, "Lambda-Extension-Identifier");
	struct api_extension *extension;

	list_each(extension, &api->extensions, link)
		if (id && strcmp(id, extension->id) == 0)
			return extension;
	if (!id || !*id)
		api_refuse(request->served, 403, "Extension.MissingExtensionIdentifier",
		        "Missing Lambda-Extension-Identifier header");
	else
		api_refuse(request->served, 403, "Extension.InvalidExtensionIdentifier",
		        "Invalid Lambda-Extension-Identifier");
	return NULL;
}

/* What there is to hear goes to the poll that is there to hear it. */
static void pass_news(struct api_extension *extension)
{
	struct api_request *poll = extension->poll;

	if (!poll || !extension->news.length)
		return;
	extension->poll = NULL;
	poll->extension = NULL;
	api_answer(poll->served, 200, NULL, extension->news.data);
	buf_clear(&extension->news);
}

void api_poll_extension(struct runtime_api *api, struct api_request *request)
{
	struct api_extension *extension = api_find_extension(api, request);

	if (!extension)
		return;
	if (extension->poll) {
		api_refuse_state(request->served);
		return;
	}
	extension->poll = request;
	request->extension = extension;
	pass_news(extension);
}

void api_extension_gone(struct api_request *request)
{
	if (request->extension)
		request->extension->poll = NULL;
	request->extension = NULL;
}

static void write_invoke(
        struct buf *out, const struct runtime_api *api, const struct api_call *call)
{
	buf_clear(out);
	buf_printf(out, "{\"eventType\":\"INVOKE\",\"deadlineMs\":%" PRId64 ",\"requestId\":",
	        call->deadline_ms);
	json_quote(out, call->id, strlen(call->id));
	buf_puts(out, ",\"invokedFunctionArn\":\"");
	api_write_arn(out, api->http->instance->deployment);
	buf_puts(out, "\",\"tracing\":{}}");
	buf_append(out, "", 1);
}

void api_tell_extensions(struct runtime_api *api, const struct api_call *call)
{
	struct api_extension *extension;

	list_each(extension, &api->extensions, link)
		if (extension->wants_invoke) {
			write_invoke(&extension->news, api, call);
			pass_news(extension);
		}
}

static void write_shutdown(struct buf *out, const struct runtime_api *api)
{
	int64_t now_us = clock_wall_us(api->http->instance->pool->host->clock);

	buf_clear(out);
	buf_printf(out,
	        "{\"eventType\":\"SHUTDOWN\",\"shutdownReason\":\"spindown\",\"deadlineMs\":"
	        "%" PRId64 "}",
	        (now_us + EXTENSION_END_US) / 1000);
	buf_append(out, "", 1);
}

bool runtime_api_stop(struct runtime_api *api)
{
	struct api_extension *extension;
	bool told = false;

	list_each(extension, &api->extensions, link)
		if (extension->wants_shutdown) {
			write_shutdown(&extension->news, api);
			pass_news(extension);
			told = true;
		}
	if (!told && !list_empty(&api->extensions))
		process_terminate(api->http->instance->process);
	return !list_empty(&api->extensions);
}
