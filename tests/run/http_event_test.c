/* SPDX-License-Identifier: Apache-2.0 */
/* Events that become requests, responses that become results, posted errors, and Base64 below them. */
#include "run/http_event.h"

#include <errno.h>

#include "base/cleanup.h"
#include "test.h"
#include "run/runtime_error.h"

static struct http_event read_event(const char *text)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct http_event event;

	REQUIRE(http_event_read(&event, text, strlen(text), &why) == 0);
	return event;
}

static bool has_header(const struct http_event *event, const char *line)
{
	const char *end = event->headers.data + event->headers.length;

	for (const char *header = event->headers.data; header < end; header += strlen(header) + 1)
		if (strcmp(header, line) == 0)
			return true;
	return false;
}

static void anything_is_posted(void)
{
	static const char *const events[] = {"{\"a\":1}", "text", "{\"httpMethod\":\"GET\"}",
	        "{\"httpMethod\":\"GET\",\"path\":", "[\"httpMethod\",\"path\"]",
	        "{\"httpMethod\":1,\"path\":\"/\"}"};

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		struct http_event event = read_event(events[i]);

		CHECK(!event.is_apig && event.has_body);
		CHECK_STR(event.method, "POST");
		CHECK_STR(event.target.data, "/");
		CHECK(event.body == events[i] && event.body_length == strlen(events[i]));
		http_event_deinit(&event);
	}
}

static void nothing_is_an_empty_object(void)
{
	struct http_event event = read_event(" \r\n\t");

	CHECK(event.body_length == 2 && memcmp(event.body, "{}", 2) == 0);
	CHECK(has_header(&event, "Content-Type: application/json"));
	http_event_deinit(&event);
}

static void a_description_becomes_a_request(void)
{
	struct http_event event =
	        read_event("{\"httpMethod\":\"PUT\",\"path\":\"a b/%41%zz?#\\u00e4\","
	                   "\"queryStringParameters\":{\"k&\":\"v=\",\"l\":[1,true,null]},"
	                   "\"headers\":{\"X-A\":\"1\",\"X-B\":[\"2\",\"3\"],\"X-C\":\"\","
	                   "\"Connection\":\"x\","
	                   "\"CONTENT-LENGTH\":\"9\"},\"body\":\"aGk=\",\"isBase64Encoded\":true}");

	CHECK(event.is_apig && event.has_body);
	CHECK_STR(event.method, "PUT");
	CHECK_STR(event.target.data, "/a%20b/%41%25zz%3F%23%C3%A4?k%26=v%3D&l=1&l=true&l=");
	CHECK(has_header(&event, "X-A: 1") && has_header(&event, "X-B: 2"));
	CHECK(has_header(&event, "X-B: 3") && has_header(&event, "X-C;"));
	CHECK(has_header(&event, "Content-Type:")); /* libcurl shall not add its own */
	CHECK(!has_header(&event, "Connection: x") && !has_header(&event, "CONTENT-LENGTH: 9"));
	CHECK(event.body_length == 2 && memcmp(event.body, "hi", 2) == 0);
	http_event_deinit(&event);
}

static void bodies_are_what_they_are(void)
{
	struct http_event event =
	        read_event("{\"httpMethod\":\"GET\",\"path\":\"/\",\"body\":\"\"}");

	CHECK(!event.has_body);
	http_event_deinit(&event);
	event = read_event("{\"httpMethod\":\"POST\",\"path\":\"/\"}");
	CHECK(event.has_body && event.body_length == 0);
	http_event_deinit(&event);
	event = read_event("{\"httpMethod\":\"POST\",\"path\":\"/\",\"body\":{\"a\":1}}");
	CHECK(event.body_length == 7 && memcmp(event.body, "{\"a\":1}", 7) == 0);
	http_event_deinit(&event);
	event = read_event("{\"httpMethod\":\"HEAD\",\"path\":\"/\",\"body\":\"x\"}");
	CHECK(!event.has_body);
	http_event_deinit(&event);
}

static void what_cannot_be_sent_is_refused(void)
{
	static const char *const events[] = {
	        "{\"httpMethod\":\"G T\",\"path\":\"/\"}",
	        "{\"httpMethod\":\"\",\"path\":\"/\"}",
	        "{\"httpMethod\":\"CONNECT\",\"path\":\"/\"}",
	        "{\"httpMethod\":\"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG\",\"path\":\"/\"}",
	        "{\"httpMethod\":\"GET\",\"path\":\"/\",\"headers\":{\"A\":\"b\\r\\nC: d\"}}",
	        "{\"httpMethod\":\"GET\",\"path\":\"/\",\"headers\":{\"A:\":\"b\"}}",
	        "{\"httpMethod\":\"GET\",\"path\":\"/\",\"headers\":{\"\":\"b\"}}",
	        "{\"httpMethod\":\"GET\",\"path\":\"/\",\"headers\":{\"A\":{}}}",
	        "{\"httpMethod\":\"GET\",\"path\":\"/\",\"body\":\"*\",\"isBase64Encoded\":true}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		CLEANUP(buf_deinit) struct buf why = BUF_INIT;
		struct http_event event;

		CHECK_INT(http_event_read(&event, events[i], strlen(events[i]), &why), -EBADMSG);
		CHECK(why.length > 0);
	}
}

static bool next_of_three(void *userdata, const char **name, const char **value)
{
	static const char *const headers[][2] = {
	        {"Set-Cookie", "a"}, {"set-cookie", "b"}, {"X", "\xe4 \"q\""}, {"Upgrade", "z"}};
	size_t *at = userdata;

	if (*at == ARRAY_SIZE(headers))
		return false;
	*name = headers[*at][0];
	*value = headers[(*at)++][1];
	return true;
}

static void a_response_becomes_a_result(void)
{
	struct http_reply reply = {0};
	size_t at = 0;

	CHECK_INT(http_reply_begin(&reply, 201, next_of_three, &at), 0);
	http_reply_body(&reply, "hel", 3);
	http_reply_body(&reply, "l", 1);
	http_reply_body(&reply, "o", 1);
	http_reply_end(&reply);
	CHECK_STR(reply.out.data,
	        "{\"statusCode\":201,\"headers\":{\"Set-Cookie\":[\"a\",\"b\"],\"X\":[\"\xc3\xa4 "
	        "\\\"q\\\"\"]},\"isBase64Encoded\":true,\"body\":\"aGVsbG8=\"}");
	buf_deinit(&reply.out);
}

static void base64_goes_there_and_back(void)
{
	unsigned char data[200], state = 1;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = state = (unsigned char)(state * 37 + 11);
	for (size_t length = 0; length < sizeof(data); length++)
		for (size_t step = 1; step < 9; step++) {
			CLEANUP(buf_deinit) struct buf text = BUF_INIT;
			CLEANUP(buf_deinit) struct buf back = BUF_INIT;
			struct base64_encoder encoder = {.rest_length = 0};

			for (size_t at = 0; at < length; at += step)
				base64_encode(&encoder, data + at,
				        at + step < length ? step : length - at, &text);
			base64_finish(&encoder, &text);
			CHECK(text.length == (length + 2) / 3 * 4);
			CHECK_INT(base64_decode(text.data, text.length, &back), 0);
			CHECK(back.length == length &&
			        (!length || memcmp(back.data, data, length) == 0));
		}
}

static const char *posted(const char *body, const char *type, bool has_cause)
{
	static char said[1024];
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;

	runtime_error_read(&out, body, strlen(body), type, has_cause);
	snprintf(said, sizeof(said), "%s", out.data);
	return said;
}

static void posted_errors_are_made_alike(void)
{
	CHECK_STR(posted("{\"errorMessage\":\"m\",\"errorType\":\"t\",\"stackTrace\":[\"s\"]}",
	                  NULL, false),
	        "{\"errorMessage\":\"m\",\"errorType\":\"t\",\"stackTrace\":[\"s\"]}");
	CHECK_STR(posted("{}", "Function.Odd", false),
	        "{\"errorMessage\":\"\",\"errorType\":\"Function.Odd\",\"stackTrace\":[]}");
	CHECK_STR(posted("", "Function.odd", false),
	        "{\"errorMessage\":\"\",\"errorType\":\"Function.Unknown\",\"stackTrace\":[]}");
	CHECK_STR(posted("no json", "unhandled", false),
	        "{\"errorMessage\":\"no "
	        "json\",\"errorType\":\"Runtime.Unknown\",\"stackTrace\":[]}");
	CHECK_STR(posted("{\"errorMessage\":\"m\",\"errorType\":\"t\",\"trace\":[\"s\"],"
	                 "\"errorCause\":1}",
	                  NULL, true),
	        "{\"errorMessage\":\"m\",\"errorType\":\"t\",\"stackTrace\":[\"s\"]}");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(anything_is_posted),
	        TEST(nothing_is_an_empty_object), TEST(a_description_becomes_a_request),
	        TEST(bodies_are_what_they_are), TEST(what_cannot_be_sent_is_refused),
	        TEST(a_response_becomes_a_result), TEST(base64_goes_there_and_back),
	        TEST(posted_errors_are_made_alike), {}};

	return test_main(tests, argc, argv);
}
