/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/apig.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/json.h"

static void put_text(struct buf *out, const char *text)
{
	json_quote(out, text, strlen(text));
}

static void put_name(struct buf *out, const char *name)
{
	char lower[128];
	size_t i;

	for (i = 0; name[i] && i < sizeof(lower); i++)
		lower[i] = (char)tolower((unsigned char)name[i]);
	json_quote(out, lower, i);
}

/* --- headers ---------------------------------------------------------------------------------- */

/* They opened the door, and are nobody's else. */
static bool is_secret(const char *name)
{
	return strcasecmp(name, "Authorization") == 0 || strcasecmp(name, "X-Auth-Token") == 0;
}

struct headers {
	const struct exchange *exchange;
	struct buf *out;
	const char *names[256]; /* that were written */
	size_t count;
	bool hides_secrets;
};

struct joining {
	const char *name;
	struct buf value;
};

static bool join(void *userdata, const char *name, const char *value)
{
	struct joining *joining = userdata;

	if (strcasecmp(name, joining->name) != 0)
		return true;
	if (joining->value.length)
		buf_puts(&joining->value, strcasecmp(name, "Cookie") == 0 ? "; " : ", ");
	buf_puts(&joining->value, value);
	return true;
}

/* A header that comes again is one with all its values. */
static bool put_header(void *userdata, const char *name, const char *value)
{
	struct headers *headers = userdata;
	struct joining joining = {.name = name};

	if (headers->count == ARRAY_SIZE(headers->names))
		return false;
	if (headers->hides_secrets && is_secret(name))
		return true;
	for (size_t i = 0; i < headers->count; i++)
		if (strcasecmp(headers->names[i], name) == 0)
			return true;
	http_request_headers(headers->exchange->request, join, &joining);
	buf_puts(headers->out, headers->count ? "," : "");
	headers->names[headers->count++] = name;
	put_name(headers->out, name);
	buf_puts(headers->out, ":");
	json_quote(
	        headers->out, joining.value.data ? joining.value.data : "", joining.value.length);
	headers->out->failed |= joining.value.failed;
	buf_deinit(&joining.value);
	return true;
}

static void put_headers(const struct exchange *exchange, struct buf *out)
{
	struct headers headers = {.exchange = exchange,
	        .out = out,
	        .hides_secrets = strcmp(exchange->request->kind, "token") == 0};

	buf_puts(out, ",\"headers\":{");
	http_request_headers(exchange->request, put_header, &headers);
	buf_puts(out, "}");
}

/* --- the query -------------------------------------------------------------------------------- */

static bool came_before(const struct url *url, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (strcmp(url->parameters[i].name, url->parameters[at].name) == 0)
			return true;
	return false;
}

/* A text, or all texts when there are several of one name. */
static void put_values(const struct url *url, size_t first, struct buf *out)
{
	size_t count = 0, put = 0;

	for (size_t i = first; i < url->parameter_count; i++)
		count += strcmp(url->parameters[i].name, url->parameters[first].name) == 0;
	buf_puts(out, count > 1 ? "[" : "");
	for (size_t i = first; i < url->parameter_count; i++) {
		if (strcmp(url->parameters[i].name, url->parameters[first].name) != 0)
			continue;
		buf_puts(out, put++ ? "," : "");
		put_text(out, url->parameters[i].value);
	}
	buf_puts(out, count > 1 ? "]" : "");
}

static void put_query(const struct url *url, struct buf *out)
{
	bool first = true;

	buf_puts(out, ",\"queryStringParameters\":{");
	for (size_t i = 0; i < url->parameter_count; i++) {
		if (came_before(url, i))
			continue;
		buf_puts(out, first ? "" : ",");
		put_text(out, url->parameters[i].name);
		buf_puts(out, ":");
		put_values(url, i, out);
		first = false;
	}
	buf_puts(out, "}");
}

void apig_open(const struct exchange *exchange, const char *path, struct buf *out)
{
	buf_puts(out, "{\"httpMethod\":");
	put_text(out, exchange->request->method);
	buf_puts(out, ",\"path\":");
	put_text(out, path);
	put_query(&exchange->url, out);
	put_headers(exchange, out);
}

void apig_add_body(struct buf *out, const char *body, size_t length)
{
	struct base64_encoder encoder = {0};

	buf_puts(out, ",\"isBase64Encoded\":true,\"body\":\"");
	base64_encode(&encoder, body, length, out);
	base64_finish(&encoder, out);
	buf_puts(out, "\"");
}
