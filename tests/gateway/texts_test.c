/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: a request that goes to the function it names, and to no other. */
#include <errno.h>

#include "base/cleanup.h"
#include "gateway/patience.h"
#include "gateway/reply.h"
#include "gateway/sniff.h"
#include "gateway/target.h"
#include "gateway/url.h"
#include "test.h"

static void a_url_is_cut_before_it_is_decoded(void)
{
	CLEANUP(url_deinit) struct url url;

	REQUIRE(url_parse(&url, "/function/a%2Fb/c%20d/?x=1&y=%26+z&x=2&&flag") == 0);
	CHECK_STR(url.path, "/function/a%2Fb/c%20d/");
	REQUIRE(url.count == 4);
	CHECK_STR(url.segments[1], "a/b");
	CHECK_STR(url.segments[2], "c d");
	CHECK_STR(url.segments[3], "");
	CHECK_STR(url.rests[0], "/function/a%2Fb/c%20d/");
	CHECK_STR(url.rests[2], "/c%20d/");
	CHECK_STR(url.rests[3], "/");
	REQUIRE(url.parameter_count == 4);
	CHECK_STR(url_parameter(&url, "x"), "1");
	CHECK_STR(url_parameter(&url, "y"), "& z");
	CHECK_STR(url_parameter(&url, "flag"), "");
	CHECK(!url_parameter(&url, "none"));
}

static void a_url_may_be_short(void)
{
	static const struct {
		const char *target;
		size_t segments, parameters;
	} good[] = {{"/", 0, 0}, {"/?", 0, 0}, {"/?a", 0, 1}, {"/a", 1, 0}, {"/a/", 2, 0},
	        {"//", 2, 0}, {"/a?b?c=d", 1, 1}};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		CLEANUP(url_deinit) struct url url;

		CHECK_INT(url_parse(&url, good[i].target), 0);
		CHECK_INT(url.count, good[i].segments);
		CHECK_INT(url.parameter_count, good[i].parameters);
	}
}

static void what_is_no_url_is_refused(void)
{
	static const char *const bad[] = {"", "*", "a", "http://x/", "/%", "/%0", "/%zz", "/%00",
	        "/a%0Ab", "/a\nb", "/a b", "/a/../b", "/.", "/%2e%2e/x", "/?%", "/?a=%0g"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(url_deinit) struct url url;

		if (!CHECK_INT(url_parse(&url, bad[i]), -EINVAL))
			fprintf(stderr, "it was: %s\n", bad[i]);
	}
}

static void a_url_has_an_end(void)
{
	CLEANUP(buf_deinit) struct buf long_path = BUF_INIT;
	CLEANUP(buf_deinit) struct buf long_query = BUF_INIT;
	CLEANUP(url_deinit) struct url first;
	CLEANUP(url_deinit) struct url second;

	for (int i = 0; i <= URL_SEGMENTS_MOST; i++)
		buf_puts(&long_path, "/a");
	buf_puts(&long_query, "/?");
	for (int i = 0; i <= URL_PARAMETERS_MOST; i++)
		buf_puts(&long_query, "a&");
	CHECK_INT(url_parse(&first, long_path.data), -E2BIG);
	CHECK_INT(url_parse(&second, long_query.data), -E2BIG);
}

static void functions_are_named_in_every_manner(void)
{
	static const struct {
		const char *text, *function, *qualifier;
	} good[] = {
	        {"hello", "hello", ""},
	        {"hello:prod", "hello", "prod"},
	        {"hello:1.0.0", "hello", "1.0.0"},
	        {"hello:$LATEST", "hello", "$LATEST"},
	        {"function", "function", ""},
	        {"123456789012:function:hello", "hello", ""},
	        {"123456789012:function:hello:prod", "hello", "prod"},
	        {"arn:aws:lambda:eu-west-1:123456789012:function:hello", "hello", ""},
	        {"arn:aws:lambda:eu-west-1:123456789012:function:hello:7", "hello", "7"},
	        {"urn:fss:eu:project:function:default:hello", "hello", ""},
	        {"urn:fss:eu:project:function:default:hello:latest", "hello", "latest"},
	        {"urn:fss:eu:project:function:default:hello:!prod", "hello", "prod"},
	};
	static const char *const bad[] = {"", ":", "hello:", ":prod", "a:b:c", "a:b:c:d", "he llo",
	        "hello/x", "hello.x", "arn:aws:lambda:eu:1:layer:hello", "hello:pr od",
	        "arn:aws:lambda:eu:1:function:hello:1:2",
	        "urn:fss:eu:p:function:default:", "a:b:c:d:e:f:g:h:i:j:k"};
	struct target_name name;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		CHECK_INT(target_name_parse(&name, good[i].text), 0);
		CHECK_STR(name.function, good[i].function);
		CHECK_STR(name.qualifier, good[i].qualifier);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!CHECK_INT(target_name_parse(&name, bad[i]), -EINVAL))
			fprintf(stderr, "it was: %s\n", bad[i]);
}

static void qualifiers_do_not_contradict(void)
{
	struct target_name name;

	REQUIRE(target_name_parse(&name, "hello:prod") == 0);
	CHECK_INT(target_name_qualify(&name, NULL), 0);
	CHECK_INT(target_name_qualify(&name, "prod"), 0);
	CHECK_INT(target_name_qualify(&name, "test"), -EINVAL);
	CHECK_STR(name.qualifier, "prod");
}

static void replies_are_read(void)
{
	static const char text[] =
	        "{\"statusCode\":201,\"headers\":{\"A\":\"b\",\"Many\":[\"1\",\"2\"],\"N\":5,"
	        "\"Bad name\":\"x\",\"Split\":\"a\\r\\nb\",\"Content-Length\":\"7\"},"
	        "\"isBase64Encoded\":true,\"body\":\"aGk=\"}";
	struct reply reply;

	REQUIRE(reply_parse(&reply, text, strlen(text)) == 0);
	CHECK_INT(reply.status, 201);
	CHECK_INT(reply.headers.length, 5 + 8 + 8 + 5);
	CHECK(memcmp(reply.headers.data, "A: b\0Many: 1\0Many: 2\0N: 5", 26) == 0);
	CHECK_STR(reply.body.data, "hi");
	reply_deinit(&reply);
	REQUIRE(reply_parse(&reply, "{\"statusCode\":\"404\",\"body\":{\"a\":1}}", 34 + 1) == 0);
	CHECK_INT(reply.status, 404);
	CHECK_STR(reply.body.data, "{\"a\":1}");
	reply_deinit(&reply);
}

static void what_is_no_reply_is_none(void)
{
	static const char *const bad[] = {"", "{}", "[]", "hello",
	        "{\"statusCode\":", "{\"statusCode\":99}", "{\"statusCode\":100}",
	        "{\"statusCode\":600}", "{\"statusCode\":\"abc\"}", "{\"statusCode\":null}",
	        "[\"statusCode\"]", "{\"statusCode\":200,\"isBase64Encoded\":true,\"body\":\"!\"}"};
	struct reply reply;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!CHECK_INT(reply_parse(&reply, bad[i], strlen(bad[i])), -EBADMSG))
			fprintf(stderr, "it was: %s\n", bad[i]);
}

/* As run/http_event.c makes it, cut anywhere. */
static void replies_come_in_pieces(void)
{
	static const char text[] =
	        "{\"statusCode\":200,\"headers\":{\"X\":[\"\\\",\\\"isBase64Encoded"
	        "\\\":true,\\\"body\\\":\\\"\"]},\"isBase64Encoded\":true,"
	        "\"body\":\"aGVsbG8gd29ybGQh\"}";
	size_t length = strlen(text);

	for (size_t step = 1; step <= length; step++) {
		struct reply_reader reader = {0};

		for (size_t at = 0; at < length; at += step)
			CHECK_INT(reply_reader_feed(&reader, text + at,
			                  length - at < step ? length - at : step),
			        0);
		CHECK(reader.in_body && reader.ended && reader.reply.status == 200);
		CHECK_STR(reader.reply.body.data, "hello world!");
		CHECK(reader.reply.headers.length > 0);
		reply_reader_deinit(&reader);
	}
}

static void responses_look_like_something(void)
{
	static const struct {
		const char *data, *type;
		size_t length;
	} cases[] = {{"{\"a\":1}", "application/json", 7}, {" [1]", "application/json", 4},
	        {"\"x\"", "application/json", 3}, {"hello", "text/plain; charset=utf-8", 5},
	        {"", "text/plain; charset=utf-8", 0},
	        {"gr\xc3\xbc\xc3", "text/plain; charset=utf-8", 5},
	        {"\x89PNG\r\n", "application/octet-stream", 6},
	        {"a\0b", "application/octet-stream", 3}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_STR(sniff_type(cases[i].data, cases[i].length), cases[i].type);
}

static unsigned late_count;

static void late(struct patience_wait *wait)
{
	late_count++;
}

static void patience_has_an_end(void)
{
	struct patience patience;
	struct patience_wait drips, rests, sends;

	patience_init(&patience);
	patience_wait_init(&drips);
	patience_wait_init(&rests);
	patience_wait_init(&sends);
	patience_enter(&patience, &drips, PHASE_HEAD, 0);
	patience_enter(&patience, &rests, PHASE_RESTS, 0);
	patience_enter(&patience, &sends, PHASE_BODY, 0);
	patience_sweep(&patience, 59000, late);
	CHECK_INT(late_count, 0);
	patience_sweep(&patience, 61000, late);
	CHECK_INT(late_count, 1);
	patience_sweep(&patience, 61500, late); /* not twice in a second */
	CHECK_INT(late_count, 1);
	patience_leave(&drips);
	patience_sweep(&patience, 119000, late);
	CHECK_INT(late_count, 1);
	patience_enter(&patience, &sends, PHASE_ANSWER, 119000);
	patience_sweep(&patience, 200000, late);
	CHECK_INT(late_count, 1);
	patience_sweep(&patience, 240000, late);
	CHECK_INT(late_count, 2);
	patience_leave(&sends);
	patience_sweep(&patience, 1 << 30, late);
	CHECK_INT(late_count, 2);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(a_url_is_cut_before_it_is_decoded),
	        TEST(a_url_may_be_short), TEST(what_is_no_url_is_refused), TEST(a_url_has_an_end),
	        TEST(functions_are_named_in_every_manner), TEST(qualifiers_do_not_contradict),
	        TEST(replies_are_read), TEST(what_is_no_reply_is_none),
	        TEST(replies_come_in_pieces), TEST(responses_look_like_something),
	        TEST(patience_has_an_end), {}};

	return test_main(tests, argc, argv);
}
