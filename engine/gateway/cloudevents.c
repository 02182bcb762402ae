/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CloudEvents 1.0 over HTTP: POST /cloudevents/NAME, in binary mode (ce-* headers, the data as body) or
 * structured mode (application/cloudevents+json). Either way the function is given the event as JSON. With
 * `Prefer: respond-async` it is queued; source and id are its key, so that one sent twice runs once.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/percent.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "gateway/dialects.h"

static const char structured[] = "application/cloudevents+json";
static const char *const required[] = {"specversion", "id", "source", "type"};

static bool claims(const struct exchange *exchange)
{
	return exchange->url.count == 2 && strcmp(exchange->url.segments[0], "cloudevents") == 0;
}

static const char *header(const struct exchange *exchange, const char *name)
{
	const char *value = http_request_header(exchange->request, name);

	return value ? value : "";
}

/* Without its parameters. */
static bool type_is(const char *type, const char *name)
{
	size_t length = strcspn(type, "; ");

	return length == strlen(name) && strncasecmp(type, name, length) == 0;
}

static void ask(struct exchange *exchange)
{
	const char *type = header(exchange, "Content-Type");

	if (strcmp(exchange->request->method, "POST") != 0)
		exchange_refuse(exchange, EOPNOTSUPP, "only POST is understood here");
	else if (target_name_parse(&exchange->target, exchange->url.segments[1]) < 0)
		exchange_refuse(exchange, EINVAL, "the function's name is none");
	else if (!type_is(type, structured) &&
	         strncasecmp(type, "application/cloudevents", 23) == 0)
		exchange_refuse(exchange, EINVAL, "one event at a time, as %s or with ce- headers",
		        structured);
	else
		exchange->verb = strcasestr(header(exchange, "Prefer"), "respond-async")
		                         ? VERB_ENQUEUE
		                         : VERB_INVOKE;
	if (exchange->over)
		return;
	wire_put_number(&exchange->ask, FIELD_VERB, exchange->verb);
	wire_put(&exchange->ask, FIELD_FUNCTION, exchange->target.function);
	wire_put(&exchange->ask, FIELD_QUALIFIER, exchange->target.qualifier);
	wire_put(&exchange->ask, FIELD_SOURCE, "gateway cloudevents");
}

/* --- binary mode ------------------------------------------------------------------------------ */

struct attributes {
	struct buf *out;
	bool bad;
};

/* ce-NAME: what is not printable is escaped as in URLs. */
static bool put_attribute(void *userdata, const char *name, const char *value)
{
	struct attributes *attributes = userdata;
	CLEANUP(free_p) char *copy = NULL;
	char lower[64];
	size_t i;

	if (strncasecmp(name, "ce-", 3) != 0)
		return true;
	name += 3;
	for (i = 0; name[i] && i < sizeof(lower) - 1; i++)
		lower[i] = (char)tolower((unsigned char)name[i]);
	lower[i] = 0;
	copy = strdup(value);
	if (!copy || name[i] || !i || percent_decode(copy, false) < 0 ||
	        lower[strspn(lower, "abcdefghijklmnopqrstuvwxyz0123456789")] ||
	        strcmp(lower, "data") == 0 || strcmp(lower, "datacontenttype") == 0) {
		attributes->bad = true;
		return false;
	}
	buf_printf(attributes->out, "%s\"%s\":", attributes->out->length > 1 ? "," : "", lower);
	json_quote(attributes->out, copy, strlen(copy));
	return true;
}

static bool is_json_type(const char *type)
{
	size_t length = strcspn(type, "; ");

	return type_is(type, "application/json") || type_is(type, "text/json") ||
	       (length > 5 && strncasecmp(type + length - 5, "+json", 5) == 0);
}

static bool is_json(const char *text, size_t length)
{
	const char *end = NULL;
	CLEANUP(json_delete_p)
	cJSON *json = cJSON_ParseWithLengthOpts(text, length, &end, 0);

	while (json && end < text + length && *end && strchr(" \t\r\n", *end))
		end++;
	return json && end == text + length;
}

/* false: it says it is JSON, and is not. */
static bool put_data(const char *type, const struct buf *data, struct buf *out)
{
	struct base64_encoder encoder = {0};

	if (*type) {
		buf_puts(out, ",\"datacontenttype\":");
		json_quote(out, type, strlen(type));
	}
	if (!data->length)
		return true;
	if (!*type || is_json_type(type)) {
		if (!is_json(data->data, data->length))
			return false;
		buf_puts(out, ",\"data\":");
		buf_append(out, data->data, data->length);
	} else if (strncasecmp(type, "text/", 5) == 0 && utf8_valid(data->data, data->length)) {
		buf_puts(out, ",\"data\":");
		json_quote(out, data->data, data->length);
	} else {
		buf_puts(out, ",\"data_base64\":\"");
		base64_encode(&encoder, data->data, data->length, out);
		base64_finish(&encoder, out);
		buf_puts(out, "\"");
	}
	return true;
}

static bool compose(struct exchange *exchange)
{
	struct buf data = exchange->event;
	struct attributes attributes = {.out = &exchange->event};
	bool good;

	buf_init(&exchange->event);
	buf_puts(&exchange->event, "{");
	http_request_headers(exchange->request, put_attribute, &attributes);
	good = !attributes.bad && exchange->event.length > 1;
	if (!good)
		exchange_refuse(exchange, EBADMSG, "the ce- headers are no attributes of an event");
	else if (!put_data(header(exchange, "Content-Type"), &data, &exchange->event))
		exchange_refuse(
		        exchange, EBADMSG, "the event's data is not the JSON it says it is");
	buf_puts(&exchange->event, "}");
	buf_deinit(&data);
	return !exchange->over;
}

/* --- both modes ------------------------------------------------------------------------------- */

static void put_key(struct exchange *exchange, const cJSON *json)
{
	struct sha256 *sha256 = sha256_new();
	const char *source = json_string(json, "source", ""), *id = json_string(json, "id", "");
	unsigned char digest[SHA256_SIZE];
	char key[3 + 2 * SHA256_SIZE + 1] = "ce-";

	if (!sha256) {
		exchange->ask.failed = true;
		return;
	}
	sha256_begin(sha256);
	sha256_add(sha256, source, strlen(source) + 1);
	sha256_add(sha256, id, strlen(id));
	sha256_end(sha256, digest);
	sha256_free(sha256);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(key + 3 + 2 * i, 3, "%02x", digest[i]);
	wire_put(&exchange->ask, FIELD_KEY, key);
}

/* A composed event is read again: what goes on is what was judged. */
static void judge(struct exchange *exchange)
{
	CLEANUP(json_delete_p)
	cJSON *json = is_json(exchange->event.data, exchange->event.length)
	                      ? cJSON_ParseWithLength(exchange->event.data, exchange->event.length)
	                      : NULL;

	if (!cJSON_IsObject(json)) {
		exchange_refuse(exchange, EBADMSG, "the event is no JSON object");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(required); i++)
		if (!*json_string(json, required[i], "")) {
			exchange_refuse(exchange, EBADMSG, "the event has no %s", required[i]);
			return;
		}
	if (strncmp(json_string(json, "specversion", ""), "1.", 2) != 0) {
		exchange_refuse(exchange, EBADMSG, "CloudEvents 1.0 are understood, no others");
		return;
	}
	if (exchange->verb == VERB_ENQUEUE)
		put_key(exchange, json);
}

static void event(struct exchange *exchange)
{
	if (type_is(header(exchange, "Content-Type"), structured) || compose(exchange))
		judge(exchange);
}

static void answer(struct exchange *exchange)
{
	exchange_header(exchange, "Preference-Applied", "respond-async");
	exchange_answer(exchange, 202, "", 0);
}

const struct dialect cloudevents_dialect = {.claims = claims,
        .ask = ask,
        .event = event,
        .streams = true,
        .answer = answer,
        .refuse = plain_refuse};
