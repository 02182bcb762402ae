/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the gateway reads beside HTTP itself: targets, names of functions, replies of functions, whole and in
 * pieces. The first byte says which. A reply in pieces is the same however it was cut; a header that is made
 * of one has no line's end in it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "gateway/lambda.h"
#include "gateway/reply.h"
#include "gateway/sniff.h"
#include "gateway/target.h"
#include "gateway/url.h"

#define HOLDS(condition) \
	do { \
		if (!(condition)) \
			abort(); \
	} while (0)

static void check_url(const char *text)
{
	CLEANUP(url_deinit) struct url url;
	int r = url_parse(&url, text);

	HOLDS(r == 0 || r == -EINVAL || r == -E2BIG);
	if (r < 0)
		return;
	HOLDS(strncmp(url.path, text, strlen(url.path)) == 0);
	for (size_t i = 0; i < url.count; i++) {
		HOLDS(strcmp(url.segments[i], "..") != 0 && !strchr(url.segments[i], '\n'));
		HOLDS(url.rests[i][0] == '/' && strlen(url.rests[i]) <= strlen(url.path));
	}
	for (size_t i = 0; i < url.parameter_count; i++)
		HOLDS(url.parameters[i].name && url.parameters[i].value);
}

static void check_target(const char *text)
{
	struct target_name name;

	if (target_name_parse(&name, text) < 0)
		return;
	HOLDS(name.function[0] && !strpbrk(name.function, "/:. \n"));
	HOLDS(!strpbrk(name.qualifier, "/: \n"));
}

static void check_headers(const struct buf *headers)
{
	for (size_t i = 0; i < headers->length; i++)
		HOLDS(headers->data[i] != '\n' && headers->data[i] != '\r');
}

static void check_reply(const char *text, size_t length)
{
	struct reply reply;

	sniff_type(text, length);
	if (reply_parse(&reply, text, length) < 0)
		return;
	HOLDS(reply.status >= 200 && reply.status <= 599);
	check_headers(&reply.headers);
	reply_deinit(&reply);
}

static int feed(struct reply_reader *reader, const char *text, size_t length, size_t step)
{
	int r = 0;

	for (size_t at = 0; at < length && r == 0; at += step)
		r = reply_reader_feed(reader, text + at, length - at < step ? length - at : step);
	return r;
}

static void check_pieces(const char *text, size_t length, size_t step)
{
	struct reply_reader whole = {0}, cut = {0};
	int r = feed(&whole, text, length, length ? length : 1);
	int s = feed(&cut, text, length, step);

	HOLDS((r < 0) == (s < 0));
	if (r == 0) {
		HOLDS(whole.in_body == cut.in_body && whole.ended == cut.ended);
		HOLDS(whole.reply.body.length == cut.reply.body.length);
		check_headers(&whole.reply.headers);
	}
	reply_reader_deinit(&whole);
	reply_reader_deinit(&cut);
}

/* Whatever an object says is read or refused, and what is read can be described. */
static void check_lambda(const char *text)
{
	CLEANUP(json_delete_p) cJSON *body = cJSON_Parse(text);
	CLEANUP(json_delete_p) cJSON *function = cJSON_CreateObject();
	CLEANUP(json_delete_p) cJSON *alias = cJSON_CreateObject();
	CLEANUP(json_delete_p) cJSON *shown = NULL;
	CLEANUP(json_delete_p) cJSON *shown_alias = NULL;
	CLEANUP(buf_deinit) struct buf archive = BUF_INIT;
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;

	if (!cJSON_IsObject(body))
		return;
	if (lambda_read_function(body, function, &why) < 0)
		HOLDS(why.length);
	if (lambda_read_alias(body, alias, &why) < 0)
		HOLDS(why.length);
	if (lambda_read_archive(cJSON_GetObjectItemCaseSensitive(body, "Code"), &archive, &why) < 0)
		HOLDS(why.length);
	shown = lambda_function(body);
	shown_alias = lambda_alias(body);
	HOLDS(cJSON_IsObject(shown) && cJSON_IsObject(shown_alias));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(free_p) char *text = malloc(size + 1);
	size_t length = size ? size - 1 : 0;

	HOLDS(text);
	memcpy(text, data + (size ? 1 : 0), length);
	text[length] = 0;
	switch (size ? data[0] % 5 : 0) {
	case 0:
		check_url(text);
		break;
	case 1:
		check_target(text);
		break;
	case 2:
		check_reply(text, length);
		break;
	case 3:
		check_lambda(text);
		break;
	default:
		check_pieces(text, length, data[0] / 5 + 1);
	}
	return 0;
}

void fuzz_sample(struct buf *out)
{
	buf_puts(out, "\x2c{\"statusCode\":200,\"headers\":{\"A\":[\"b\",\"c\"]},"
	              "\"isBase64Encoded\":true,\"body\":\"aGVsbG8gd29ybGQh\"}");
}
