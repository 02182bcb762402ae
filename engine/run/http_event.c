/* SPDX-License-Identifier: Apache-2.0 */
#include "run/http_event.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/utf8.h"

/* --- what may stand in a request ------------------------------------------------------------ */

static bool is_token(const char *text)
{
	static const char others[] = "!#$%&'*+-.^_`|~";
	const char *c;

	for (c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr(others, *c))
			return false;
	return c > text;
}

static bool is_header_value(const char *text)
{
	for (; *text; text++)
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == 127)
			return false;
	return true;
}

/* They speak of the connection, which is ours. */
static bool is_of_connection(const char *name)
{
	static const char *const names[] = {"connection", "content-length", "expect", "keep-alive",
	        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(names[i], name) == 0)
			return true;
	return false;
}

static void escape(struct buf *out, unsigned char c)
{
	buf_printf(out, "%%%02X", c);
}

static bool is_escape(const char *text)
{
	return text[0] == '%' && isxdigit((unsigned char)text[1]) &&
	       isxdigit((unsigned char)text[2]);
}

/* As it is given, but for what cannot stand in a path. */
static void put_path(struct buf *out, const char *path)
{
	if (path[0] != '/')
		buf_puts(out, "/");
	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;

		if (c <= ' ' || c >= 127 || strchr("\"<>\\^`{|}?#", c) ||
		        (c == '%' && !is_escape(path)))
			escape(out, c);
		else
			buf_append(out, path, 1);
	}
}

static void put_component(struct buf *out, const char *text)
{
	for (; *text; text++)
		if (isalnum((unsigned char)*text) || strchr("-._~", *text))
			buf_append(out, text, 1);
		else
			escape(out, (unsigned char)*text);
}

bool http_event_header(struct http_event *event, const char *name, const char *value)
{
	if (!is_token(name) || !is_header_value(value))
		return false;
	/* An empty one is written so for libcurl; without the `;` it would take the header away. */
	buf_printf(&event->headers, "%s%s%s", name, *value ? ": " : ";", value);
	buf_append(&event->headers, "", 1);
	return true;
}

/* --- an APIG event -------------------------------------------------------------------------- */

static void put_parameter(struct buf *target, const char *name, const cJSON *value, bool *first)
{
	char number[32];
	const char *text = cJSON_IsTrue(value) ? "true" : cJSON_IsFalse(value) ? "false" : "";

	if (cJSON_IsString(value))
		text = value->valuestring;
	if (cJSON_IsNumber(value))
		snprintf(number, sizeof(number), "%.17g", value->valuedouble), text = number;
	buf_puts(target, *first ? "?" : "&");
	put_component(target, name);
	buf_puts(target, "=");
	put_component(target, text);
	*first = false;
}

static void put_query(struct buf *target, const cJSON *parameters)
{
	const cJSON *parameter, *value;
	bool first = true;

	if (!cJSON_IsObject(parameters))
		return;
	cJSON_ArrayForEach(parameter, parameters) {
		if (!cJSON_IsArray(parameter)) {
			put_parameter(target, parameter->string, parameter, &first);
			continue;
		}
		cJSON_ArrayForEach(value, parameter)
			put_parameter(target, parameter->string, value, &first);
	}
}

static int put_header(
        struct http_event *event, const char *name, const cJSON *value, struct buf *why)
{
	if (is_of_connection(name))
		return 0;
	if (cJSON_IsString(value) && http_event_header(event, name, value->valuestring))
		return 0;
	buf_puts(why, "the event has a header that cannot be sent: ");
	json_quote(why, name, strlen(name));
	return -EBADMSG;
}

static int put_headers(struct http_event *event, const cJSON *headers, struct buf *why)
{
	const cJSON *header, *value;
	bool has_type = false;
	int r = 0;

	if (!cJSON_IsObject(headers))
		headers = NULL;
	cJSON_ArrayForEach(header, headers) {
		has_type = has_type || strcasecmp(header->string, "content-type") == 0;
		if (cJSON_IsArray(header)) {
			cJSON_ArrayForEach(value, header)
				r = r ? r : put_header(event, header->string, value, why);
		} else {
			r = put_header(event, header->string, header, why);
		}
		if (r)
			return r;
	}
	if (!has_type) {
		buf_puts(&event->headers, "Content-Type:"); /* none of libcurl's */
		buf_append(&event->headers, "", 1);
	}
	return 0;
}

/* Whether the request has one, be it empty. */
static bool has_body(const struct http_event *event)
{
	if (strcmp(event->method, "HEAD") == 0)
		return false; /* its response has no body, whatever it says */
	return event->body_length > 0 || strcmp(event->method, "POST") == 0 ||
	       strcmp(event->method, "PUT") == 0 || strcmp(event->method, "PATCH") == 0;
}

static int put_body(struct http_event *event, const cJSON *json, struct buf *why)
{
	const cJSON *body = cJSON_GetObjectItemCaseSensitive(json, "body");
	const char *text = cJSON_IsString(body) ? body->valuestring : "";
	CLEANUP(free_p) char *printed = NULL;

	if (body && !cJSON_IsString(body) && !cJSON_IsNull(body)) {
		text = printed = cJSON_PrintUnformatted(body);
		if (!text)
			return -ENOMEM;
	}
	if (!json_bool(json, "isBase64Encoded", 0)) {
		buf_puts(&event->decoded, text);
	} else if (base64_decode(text, strlen(text), &event->decoded) < 0) {
		buf_puts(why, "the event says isBase64Encoded, but its body is not Base64");
		return -EBADMSG;
	}
	event->body = event->decoded.data;
	event->body_length = event->decoded.length;
	event->has_body = has_body(event);
	return event->decoded.failed ? -ENOMEM : 0;
}

static int read_request(struct http_event *event, const cJSON *json, struct buf *why)
{
	const char *method = json_string(json, "httpMethod", "");

	if (!is_token(method) || strlen(method) >= sizeof(event->method) ||
	        strcmp(method, "CONNECT") == 0) {
		buf_puts(why, "the event's httpMethod is not a method that can be sent");
		return -EBADMSG;
	}
	strcpy(event->method, method);
	put_path(&event->target, json_string(json, "path", "/"));
	put_query(&event->target, cJSON_GetObjectItemCaseSensitive(json, "queryStringParameters"));
	return put_headers(event, cJSON_GetObjectItemCaseSensitive(json, "headers"), why);
}

static int read_apig(struct http_event *event, const cJSON *json, struct buf *why)
{
	int r = read_request(event, json, why);

	return r ? r : put_body(event, json, why);
}

/* The text is searched first, for most events are none and need not be parsed. */
static cJSON *parse_apig(const char *text, size_t length)
{
	static const char mark[] = "\"httpMethod\"";
	cJSON *json;

	if (!length || !memmem(text, length, mark, strlen(mark)))
		return NULL;
	json = cJSON_ParseWithLength(text, length);
	if (cJSON_IsObject(json) && json_string(json, "httpMethod", NULL) &&
	        json_string(json, "path", NULL))
		return json;
	cJSON_Delete(json);
	return NULL;
}

/* --- any event ------------------------------------------------------------------------------ */

size_t http_event_blank(const char *text, size_t length)
{
	size_t blank = 0;

	while (blank < length && text[blank] && strchr(" \t\r\n", text[blank]))
		blank++;
	return blank;
}

static void read_raw(struct http_event *event, const char *text, size_t length)
{
	size_t blank = http_event_blank(text, length);

	if (blank == length)
		text = "{}", length = 2, blank = 0;
	strcpy(event->method, "POST");
	buf_puts(&event->target, "/");
	http_event_header(event, "Content-Type",
	        memchr("{[\"", text[blank], 3) ? "application/json" : "application/octet-stream");
	event->has_body = true;
	event->body = text;
	event->body_length = length;
}

int http_event_read(struct http_event *event, const char *text, size_t length, struct buf *why)
{
	CLEANUP(json_delete_p) cJSON *json = parse_apig(text, length);
	int r = 0;

	memset(event, 0, sizeof(*event));
	event->is_apig = json != NULL;
	if (json)
		r = read_apig(event, json, why);
	else
		read_raw(event, text, length);
	if (!r && (event->target.failed || event->headers.failed))
		r = -ENOMEM;
	if (r)
		http_event_deinit(event);
	return r;
}

int http_event_read_head(struct http_event *event, const char *head, const char *body,
        size_t length, struct buf *why)
{
	CLEANUP(json_delete_p) cJSON *json = parse_apig(head, strlen(head));
	int r;

	memset(event, 0, sizeof(*event));
	if (!json) {
		buf_puts(why, "the head of the request is no APIG event");
		return -EBADMSG;
	}
	event->is_apig = true;
	r = read_request(event, json, why);
	event->body = body;
	event->body_length = length;
	event->has_body = has_body(event);
	if (!r && (event->target.failed || event->headers.failed))
		r = -ENOMEM;
	if (r)
		http_event_deinit(event);
	return r;
}

void http_event_deinit(struct http_event *event)
{
	buf_deinit(&event->target);
	buf_deinit(&event->headers);
	buf_deinit(&event->decoded);
}

/* --- a response ----------------------------------------------------------------------------- */

/* Header values are Latin-1 where they are not UTF-8. */
static cJSON *value_as_json(const char *value)
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;

	if (utf8_valid(value, strlen(value)))
		return cJSON_CreateString(value);
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;
		const char two[] = {(char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f))};

		buf_append(&text, c < 128 ? value : two, c < 128 ? 1 : 2);
	}
	return cJSON_CreateString(text.data ? text.data : "");
}

static cJSON *collect_headers(http_reply_header_fn next, void *userdata)
{
	cJSON *headers = cJSON_CreateObject(), *values;
	const char *name, *value;

	while (headers && next(userdata, &name, &value)) {
		if (is_of_connection(name) && strcasecmp(name, "content-length") != 0)
			continue;
		values = cJSON_GetObjectItem(headers, name); /* in any case */
		if (!values)
			values = cJSON_AddArrayToObject(headers, name);
		cJSON_AddItemToArray(values, value_as_json(value));
	}
	return headers;
}

int http_reply_begin(
        struct http_reply *reply, int status, http_reply_header_fn next, void *userdata)
{
	CLEANUP(json_delete_p) cJSON *headers = collect_headers(next, userdata);
	CLEANUP(free_p) char *text = headers ? cJSON_PrintUnformatted(headers) : NULL;

	if (!text)
		return -ENOMEM;
	buf_printf(&reply->out, "{\"statusCode\":%d,\"headers\":", status);
	buf_puts(&reply->out, text);
	buf_puts(&reply->out, ",\"isBase64Encoded\":true,\"body\":\"");
	return reply->out.failed ? -ENOMEM : 0;
}

void http_reply_body(struct http_reply *reply, const char *data, size_t length)
{
	base64_encode(&reply->encoder, data, length, &reply->out);
}

void http_reply_end(struct http_reply *reply)
{
	base64_finish(&reply->encoder, &reply->out);
	buf_puts(&reply->out, "\"}");
}
