/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/reply.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/json.h"

enum { HEAD_MOST = 1 << 20 };

static const char body_mark[] = ",\"isBase64Encoded\":true,\"body\":\"";

void reply_deinit(struct reply *reply)
{
	buf_deinit(&reply->headers);
	buf_deinit(&reply->body);
}

/* They speak of the connection, which is ours. */
static bool is_of_connection(const char *name)
{
	static const char *const names[] = {"connection", "content-length", "keep-alive",
	        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "date"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(names[i], name) == 0)
			return true;
	return false;
}

bool reply_header(struct buf *headers, const char *name, const char *value)
{
	const char *c;

	for (c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("!#$%&'*+-.^_`|~", *c))
			return false;
	if (c == name || c - name > 100 || is_of_connection(name))
		return false;
	for (c = value; *c; c++)
		if (((unsigned char)*c < ' ' && *c != '\t') || *c == 127)
			return false;
	if (!*value)
		return false; /* libmicrohttpd sends none without a value */
	buf_printf(headers, "%s: %s", name, value);
	buf_append(headers, "", 1);
	return true;
}

static void put_header(struct buf *headers, const char *name, const cJSON *value)
{
	char number[32];

	if (cJSON_IsString(value))
		reply_header(headers, name, value->valuestring);
	else if (cJSON_IsBool(value))
		reply_header(headers, name, cJSON_IsTrue(value) ? "true" : "false");
	else if (cJSON_IsNumber(value)) {
		snprintf(number, sizeof(number), "%.17g", value->valuedouble);
		reply_header(headers, name, number);
	}
}

static void put_headers(struct buf *headers, const cJSON *object)
{
	const cJSON *header, *value;

	if (!cJSON_IsObject(object))
		return;
	cJSON_ArrayForEach(header, object) {
		if (!cJSON_IsArray(header)) {
			put_header(headers, header->string, header);
			continue;
		}
		cJSON_ArrayForEach(value, header)
			put_header(headers, header->string, value);
	}
}

static int read_head(struct reply *reply, const cJSON *json)
{
	double status = json_number(json, "statusCode", 0);
	const char *text = json_string(json, "statusCode", NULL);

	if (text && strlen(text) == 3 && strspn(text, "0123456789") == 3)
		status = (text[0] - '0') * 100 + (text[1] - '0') * 10 + text[2] - '0';
	/* What is below 200 promises another answer. */
	if (!(status >= 200 && status <= 599))
		return -EBADMSG;
	reply->status = (int)status;
	put_headers(&reply->headers, cJSON_GetObjectItemCaseSensitive(json, "headers"));
	put_headers(&reply->headers, cJSON_GetObjectItemCaseSensitive(json, "multiValueHeaders"));
	return reply->headers.failed ? -ENOMEM : 0;
}

static int read_body(struct reply *reply, const cJSON *json)
{
	const cJSON *body = cJSON_GetObjectItemCaseSensitive(json, "body");
	CLEANUP(free_p) char *printed = NULL;
	const char *text = cJSON_IsString(body) ? body->valuestring : "";

	if (body && !cJSON_IsString(body) && !cJSON_IsNull(body)) {
		text = printed = cJSON_PrintUnformatted(body);
		if (!text)
			return -ENOMEM;
	}
	if (!json_bool(json, "isBase64Encoded", 0))
		buf_puts(&reply->body, text);
	else if (base64_decode(text, strlen(text), &reply->body) < 0)
		return -EBADMSG;
	return reply->body.failed ? -ENOMEM : 0;
}

int reply_parse(struct reply *reply, const char *text, size_t length)
{
	CLEANUP(json_delete_p) cJSON *json = NULL;
	int r;

	memset(reply, 0, sizeof(*reply));
	/* Most responses are none and need not be parsed. */
	if (!length || !memmem(text, length, "\"statusCode\"", 12))
		return -EBADMSG;
	json = cJSON_ParseWithLength(text, length);
	if (!cJSON_IsObject(json))
		return -EBADMSG;
	r = read_head(reply, json);
	if (r == 0)
		r = read_body(reply, json);
	if (r < 0)
		reply_deinit(reply);
	return r;
}

/* --- in pieces -------------------------------------------------------------------------------- */

/* Inside a text the mark's quotes would be escaped: where it stands the body begins. */
static int take_head(struct reply_reader *reader, size_t head)
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;
	CLEANUP(json_delete_p) cJSON *json = NULL;

	buf_append(&text, reader->head.data, head);
	buf_puts(&text, "}");
	if (text.failed)
		return -ENOMEM;
	json = cJSON_ParseWithLength(text.data, text.length);
	return cJSON_IsObject(json) ? read_head(&reader->reply, json) : -EBADMSG;
}

/* Behind padding nothing may come, wherever the pieces were cut. */
static int decode(struct reply_reader *reader, const char *text, size_t length)
{
	int r;

	if (!length)
		return 0;
	if (reader->padded)
		return -EBADMSG;
	reader->padded = memchr(text, '=', length) != NULL;
	r = base64_decode(text, length, &reader->reply.body);
	return r == -EINVAL ? -EBADMSG : r;
}

static int take_body(struct reply_reader *reader, const char *data, size_t length)
{
	const char *quote = reader->ended || !length ? NULL : memchr(data, '"', length);
	size_t end = reader->ended ? 0 : quote ? (size_t)(quote - data) : length;
	size_t at = 0, whole;
	int r = 0;

	while (at < end && reader->quad_length)
		if (reader->quad[reader->quad_length++] = data[at++], reader->quad_length == 4) {
			reader->quad_length = 0;
			r = decode(reader, reader->quad, 4);
		}
	whole = (end - at) / 4 * 4;
	if (r == 0)
		r = decode(reader, data + at, whole);
	for (at += whole; at < end; at++)
		reader->quad[reader->quad_length++] = data[at];
	reader->ended |= quote != NULL; /* behind it is a brace */
	return r == 0 && reader->ended && reader->quad_length ? -EBADMSG : r;
}

int reply_reader_feed(struct reply_reader *reader, const char *data, size_t length)
{
	const char *mark;
	size_t head;
	int r;

	if (reader->in_body)
		return take_body(reader, data, length);
	if (!length)
		return 0;
	buf_append(&reader->head, data, length);
	if (reader->head.failed)
		return -ENOMEM;
	mark = memmem(reader->head.data, reader->head.length, body_mark, sizeof(body_mark) - 1);
	if (!mark)
		return reader->head.length > HEAD_MOST ? -EBADMSG : 0;
	head = (size_t)(mark - reader->head.data);
	r = take_head(reader, head);
	reader->in_body = r == 0;
	head += sizeof(body_mark) - 1;
	if (r == 0)
		r = take_body(reader, reader->head.data + head, reader->head.length - head);
	buf_deinit(&reader->head);
	return r;
}

void reply_reader_deinit(struct reply_reader *reader)
{
	buf_deinit(&reader->head);
	reply_deinit(&reader->reply);
}
