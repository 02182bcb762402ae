/* SPDX-License-Identifier: Apache-2.0 */
#include "events/event_http.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "events/event_json.h"

struct request {
	const cJSON *json;
	struct buf body; /* decoded */
};

static const cJSON *member(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* A header; NULL: none. */
static const char *header(const struct request *request, const char *name)
{
	const cJSON *one;

	cJSON_ArrayForEach(one, member(request->json, "headers")) {
		if (strcasecmp(one->string, name) == 0 && cJSON_IsString(one))
			return one->valuestring;
	}
	return NULL;
}

static int read_body(struct request *request)
{
	const char *body = json_string(request->json, "body", "");

	if (json_bool(request->json, "isBase64Encoded", 0))
		return base64_decode(body, strlen(body), &request->body);
	buf_puts(&request->body, body);
	return 0;
}

/* --- AWS -------------------------------------------------------------------------------------- */

static void put_query_one(struct buf *out, const char *name, const cJSON *value)
{
	if (cJSON_IsArray(value)) {
		const cJSON *one;

		cJSON_ArrayForEach(one, value)
			put_query_one(out, name, one);
		return;
	}
	if (out->length)
		buf_puts(out, "&");
	event_put_uri(out, name);
	buf_puts(out, "=");
	if (cJSON_IsString(value))
		event_put_uri(out, value->valuestring);
}

static void put_query(struct buf *out, const struct request *request)
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;
	const cJSON *one;

	cJSON_ArrayForEach(one, member(request->json, "queryStringParameters"))
		put_query_one(&text, one->string, one);
	event_comma(out, "rawQueryString", text.data ? text.data : "");
	out->failed |= text.failed;
}

/* Texts only; of several values one with commas between them. */
static void put_texts(struct buf *out, const char *key, const cJSON *object)
{
	const cJSON *one, *part;
	const char *comma = "";

	buf_printf(out, ",\"%s\":{", key);
	cJSON_ArrayForEach(one, object) {
		CLEANUP(buf_deinit) struct buf text = BUF_INIT;

		if (cJSON_IsString(one))
			buf_puts(&text, one->valuestring);
		/* Of a text there are no parts. */
		cJSON_ArrayForEach(part, one) {
			if (cJSON_IsString(part))
				buf_printf(
				        &text, "%s%s", text.length ? "," : "", part->valuestring);
		}
		buf_puts(out, comma);
		json_quote(out, one->string, strlen(one->string));
		buf_puts(out, ":");
		json_quote(out, text.data ? text.data : "", text.length);
		out->failed |= text.failed;
		comma = ",";
	}
	buf_puts(out, "}");
}

static void put_context(struct buf *out, const struct request *request,
        const struct event_about *about, const char *route)
{
	const char *agent = header(request, "user-agent");
	CLEANUP(buf_deinit) struct buf time = BUF_INIT;

	buf_puts(out, ",\"requestContext\":{");
	event_member(out, "accountId", "000000000000");
	event_comma(out, "apiId", "local");
	buf_puts(out, ",\"http\":{");
	event_member(out, "method", json_string(request->json, "httpMethod", "GET"));
	event_comma(out, "path", json_string(request->json, "path", "/"));
	event_comma(out, "protocol", "HTTP/1.1");
	event_comma(out, "userAgent", agent ? agent : "");
	buf_puts(out, "}");
	event_comma(out, "requestId", about->id);
	event_comma(out, "routeKey", route);
	event_comma(out, "stage", "$default");
	event_time(&time, about->time_us, 0);
	event_comma(out, "time", time.data ? time.data : "");
	buf_printf(out, ",\"timeEpoch\":%" PRId64 "}", about->time_us / 1000);
	out->failed |= time.failed;
}

static void put_lambda(struct buf *out, const struct request *request,
        const struct event_about *about, const char *route)
{
	const char *body = json_string(request->json, "body", "");

	buf_puts(out, "{\"version\":\"2.0\"");
	event_comma(out, "routeKey", route);
	event_comma(out, "rawPath", json_string(request->json, "path", "/"));
	put_query(out, request);
	put_texts(out, "headers", member(request->json, "headers"));
	put_texts(out, "queryStringParameters", member(request->json, "queryStringParameters"));
	put_texts(out, "pathParameters", member(request->json, "pathParameters"));
	put_context(out, request, about, route);
	event_comma(out, "body", body);
	buf_printf(out, ",\"isBase64Encoded\":%s}",
	        json_bool(request->json, "isBase64Encoded", 0) ? "true" : "false");
}

/* --- CloudEvents ------------------------------------------------------------------------------ */

static bool is_type(const char *type, const char *wanted)
{
	size_t length = strlen(wanted);

	return type && strncasecmp(type, wanted, length) == 0 &&
	       (!type[length] || strchr("; ", type[length]));
}

/* Its attributes are headers, `ce-id: 7`. */
static void put_binary_mode(struct buf *out, const struct request *request)
{
	const char *comma = "{";
	const cJSON *one;

	cJSON_ArrayForEach(one, member(request->json, "headers")) {
		if (strncasecmp(one->string, "ce-", 3) != 0 || !cJSON_IsString(one))
			continue;
		buf_puts(out, comma);
		json_quote(out, one->string + 3, strlen(one->string + 3));
		buf_puts(out, ":");
		json_quote(out, one->valuestring, strlen(one->valuestring));
		comma = ",";
	}
}

static void put_cloudevents(struct buf *out, const struct request *request,
        const struct event_about *about, const char *route)
{
	const char *body = request->body.data ? request->body.data : "";
	CLEANUP(buf_deinit) struct buf source = BUF_INIT;

	if (is_type(header(request, "content-type"), "application/cloudevents+json")) {
		buf_append(out, body, request->body.length);
		return;
	}
	if (header(request, "ce-specversion")) {
		put_binary_mode(out, request);
	} else {
		buf_printf(&source, "/functions/%s/triggers/%s", about->function, about->trigger);
		event_begin_cloud(out, about, "fnfs.http", source.data ? source.data : "",
		        json_string(request->json, "path", "/"));
		out->failed |= source.failed;
	}
	if (request->body.length)
		event_end_cloud(out, body, request->body.length);
	else
		buf_puts(out, "}");
}

static void put_raw(struct buf *out, const struct request *request, const struct event_about *about,
        const char *route)
{
	buf_append(out, request->body.data ? request->body.data : "", request->body.length);
}

/* --- all -------------------------------------------------------------------------------------- */

int event_http(struct buf *apig, const struct event_about *about, const char *route)
{
	static void (*const make[EVENT_FORMATS])(struct buf * out, const struct request *request,
	        const struct event_about *about, const char *route) = {
	        [FORMAT_CLOUDEVENTS] = put_cloudevents,
	        [FORMAT_LAMBDA] = put_lambda,
	        [FORMAT_RAW] = put_raw,
	};
	CLEANUP(json_delete_p) cJSON *json = NULL;
	struct request request = {};
	struct buf out = BUF_INIT;
	int r;

	if (about->format == FORMAT_FUNCTIONGRAPH)
		return 0;
	json = cJSON_ParseWithLength(apig->data ? apig->data : "", apig->length);
	if (!cJSON_IsObject(json))
		return -EBADMSG;
	request.json = json;
	r = read_body(&request) < 0 ? -EBADMSG : request.body.failed ? -ENOMEM : 0;
	if (r == 0)
		make[about->format](&out, &request, about, route);
	if (r == 0 && out.failed)
		r = -ENOMEM;
	if (r == 0) {
		buf_deinit(apig);
		*apig = out;
		buf_init(&out);
	}
	buf_deinit(&out);
	buf_deinit(&request.body);
	return r;
}
