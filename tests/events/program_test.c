/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: events of brokers in the form a function expects, and passwords. */
#include <errno.h>
#include <string.h>

#include "base/json_valid.h"
#include "events/event_program.h"
#include "events/program_line.h"
#include "events/program_value.h"
#include "test.h"

#define TIME INT64_C(1685579400000000) /* 2023-06-01T00:30:00Z */
#define HEAD "{\"specversion\":\"1.0\",\"id\":\"k-1-a\","
#define OURS "\"source\":\"/functions/f/triggers/t\",\"type\":\"fnfs.k\","
#define WHEN "\"time\":\"2023-06-01T00:30:00.000Z\""

static void formats(void)
{
	static const struct {
		enum event_format format;
		const char *attributes, *data;
		const char *expected; /* NULL: refused */
	} cases[] = {
	        {FORMAT_CLOUDEVENTS, "", "{\"a\":1}",
	                HEAD OURS WHEN
	                ",\"datacontenttype\":\"application/json\",\"data\":{\"a\":1}}"},
	        {FORMAT_FUNCTIONGRAPH, "", "x",
	                HEAD OURS WHEN ",\"datacontenttype\":\"text/plain\",\"data\":\"x\"}"},
	        {FORMAT_CLOUDEVENTS, "", "\xff",
	                HEAD OURS WHEN ",\"datacontenttype\":\"application/octet-stream\","
	                               "\"data_base64\":\"/w==\"}"},
	        {FORMAT_CLOUDEVENTS,
	                "{\"type\":\"t\",\"source\":\"s\",\"subject\":\"u\","
	                "\"time\":\"2020-01-02T03:04:05.6+02:00\",\"a1\":\"b\",\"n\":-7,\"y\":"
	                "true}",
	                "1",
	                HEAD
	                "\"source\":\"s\",\"type\":\"t\",\"subject\":\"u\","
	                "\"time\":\"2020-01-02T03:04:05.6+02:00\",\"a1\":\"b\",\"n\":-7,\"y\":true,"
	                "\"datacontenttype\":\"application/json\",\"data\":1}"},
	        /* What is none of CloudEvents' is left out, and what it has already is not said twice. */
	        {FORMAT_CLOUDEVENTS,
	                "{\"id\":\"x\",\"specversion\":\"2\",\"data\":1,\"data_base64\":\"\","
	                "\"Upper\":1,"
	                "\"a "
	                "b\":1,\"f\":1.5,\"o\":{},\"z\":null,\"time\":\"yesterday\",\"d\":1,\"d\":"
	                "2}",
	                "x",
	                HEAD OURS WHEN
	                ",\"d\":1,\"datacontenttype\":\"text/plain\",\"data\":\"x\"}"},
	        /* Its type says how it is to be read. */
	        {FORMAT_CLOUDEVENTS, "{\"datacontenttype\":\"text/plain\"}", "{\"a\":1}",
	                HEAD OURS WHEN
	                ",\"datacontenttype\":\"text/plain\",\"data\":\"{\\\"a\\\":1}\"}"},
	        {FORMAT_CLOUDEVENTS, "{\"datacontenttype\":\"application/a+json; x=y\"}", "{}",
	                HEAD OURS WHEN
	                ",\"datacontenttype\":\"application/a+json; x=y\",\"data\":{}}"},
	        {FORMAT_CLOUDEVENTS, "{\"datacontenttype\":\"application/json\"}", "no",
	                HEAD OURS WHEN
	                ",\"datacontenttype\":\"application/json\",\"data_base64\":\"bm8=\"}"},
	        {FORMAT_LAMBDA, "{\"type\":\"t\",\"subject\":\"u\"}", "{\"a\":1}",
	                "{\"version\":\"0\",\"id\":\"k-1-a\",\"detail-type\":\"t\","
	                "\"source\":\"/functions/f/triggers/t\",\"account\":\"000000000000\"," WHEN
	                ",\"region\":\"local\",\"resources\":[\"u\"],\"detail\":{\"a\":1}}"},
	        {FORMAT_LAMBDA, "", "\xff",
	                "{\"version\":\"0\",\"id\":\"k-1-a\",\"detail-type\":\"fnfs.k\","
	                "\"source\":\"/functions/f/triggers/t\",\"account\":\"000000000000\"," WHEN
	                ",\"region\":\"local\",\"resources\":[],\"detail\":{\"data_base64\":\"/"
	                "w==\"}}"},
	        {FORMAT_RAW, "{\"type\":\"t\"}", "{\"a\": 1 }", "{\"a\": 1 }"},
	        {FORMAT_CLOUDEVENTS, "[1]", "x", NULL},
	        {FORMAT_CLOUDEVENTS, "{\"a\":}", "x", NULL},
	        {FORMAT_RAW, "x", "x", NULL},
	        {FORMAT_CLOUDEVENTS, "{\"source\":\"k://u:pw@h\"}", "1",
	                HEAD "\"source\":\"k://u:***@h\",\"type\":\"fnfs.k\"," WHEN
	                     ",\"datacontenttype\":\"application/json\",\"data\":1}"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct event_about about = {.format = cases[i].format,
		        .id = "k-1-a",
		        .time_us = TIME,
		        .function = "f",
		        .trigger = "t",
		        .payload = ""};
		const struct program_event event = {.kind = "k",
		        .attributes = cases[i].attributes,
		        .data = cases[i].data,
		        .length = strlen(cases[i].data),
		        .hide = "k://u:pw@h"};
		struct buf out = BUF_INIT;
		int r = event_program(&out, &about, &event);

		CHECK_INT(r, cases[i].expected ? 0 : -EBADMSG);
		if (r == 0 && !CHECK_STR(out.data, cases[i].expected))
			printf("case %zu\n", i);
		buf_deinit(&out);
	}
}

static void lines(void)
{
	static const struct {
		const char *text;
		enum program_says says;
		size_t used;
	} cases[] = {
	        {"", PROGRAM_SAYS_HALF, 0},
	        {"state conn", PROGRAM_SAYS_HALF, 0},
	        {"state connected\nx", PROGRAM_SAYS_STATE, 16},
	        {"state a-b and so on\n", PROGRAM_SAYS_STATE, 20},
	        {"state\n", PROGRAM_SAYS_NONSENSE, 0},
	        {"state A\n", PROGRAM_SAYS_NONSENSE, 0},
	        {"state  two\n", PROGRAM_SAYS_NONSENSE, 0},
	        {"event a 2\nx", PROGRAM_SAYS_HALF, 0},
	        {"event a 2\nxy", PROGRAM_SAYS_HALF, 0},
	        {"event a 2\nxy\n", PROGRAM_SAYS_EVENT, 13},
	        {"event a 2\n\n\n\n", PROGRAM_SAYS_EVENT, 13},
	        {"event a 0 {}\n\n", PROGRAM_SAYS_EVENT, 14},
	        {"event a 2\nxyz\n", PROGRAM_SAYS_NONSENSE, 0},
	        {"event a\n", PROGRAM_SAYS_NONSENSE, 0},
	        {"event  2\nxy\n", PROGRAM_SAYS_NONSENSE, 0},
	        {"event a -2\n", PROGRAM_SAYS_NONSENSE, 0},
	        {"event a 0x2\n", PROGRAM_SAYS_NONSENSE, 0},
	        {"event a 6291456\n", PROGRAM_SAYS_HALF, 0},
	        {"event a 6291457\n", PROGRAM_SAYS_EVENT, 16},
	        {"event a 2147483648\n", PROGRAM_SAYS_EVENT, 19},
	        {"event a 2147483649\n", PROGRAM_SAYS_NONSENSE, 0},
	        {"event a 99999999999999999999999\n", PROGRAM_SAYS_NONSENSE, 0},
	        {"record - 1\nx\n", PROGRAM_SAYS_RECORD, 13},
	        {"record - 1 {}\nx\n", PROGRAM_SAYS_NONSENSE, 0},
	        {"refused\n", PROGRAM_SAYS_REFUSED, 8},
	        {"refused no such queue\n", PROGRAM_SAYS_REFUSED, 22},
	        {"\n", PROGRAM_SAYS_NONSENSE, 0},
	        {"Event a 1\nx\n", PROGRAM_SAYS_NONSENSE, 0},
	};
	static char longest[PROGRAM_LINE_MOST + 1];
	struct program_line line;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		program_line_read(&line, cases[i].text, strlen(cases[i].text));
		if (!CHECK_INT(line.says, cases[i].says) || !CHECK_INT(line.used, cases[i].used))
			printf("%s\n", cases[i].text);
	}
	program_line_read(&line, "event a\0b 1\nx\n", 14);
	CHECK_INT(line.says, PROGRAM_SAYS_NONSENSE);
	memset(longest, 'x', sizeof(longest));
	program_line_read(&line, longest, PROGRAM_LINE_MOST - 1);
	CHECK_INT(line.says, PROGRAM_SAYS_HALF);
	program_line_read(&line, longest, sizeof(longest));
	CHECK_INT(line.says, PROGRAM_SAYS_NONSENSE);
}

static void values(void)
{
	static const struct {
		const char *kind, *value;
		int expected;
	} cases[] = {
	        {"nats", "nats://h", 0},
	        {"nats", "tls://h:1/a", 0},
	        {"nats", "redis://h", -EINVAL},
	        {"nats", "nats:h", -EINVAL},
	        {"nats", "nats://?x", -EINVAL},
	        {"nats", "nats://u:p@", -EINVAL},
	        {"nats", "nats://h\x01", -EINVAL},
	        {"redis", "rediss://u:p@h/a", 0},
	        {"kafka", "kafka://a:1,b:2/t", 0},
	        {"kafka", "kafkas://a", 0},
	        {"kafka", "kafka2://a", -EINVAL},
	        {"kafka", "kafka:// a", -EINVAL},
	        {"postgres", "postgresql:///db?host=/run", 0},
	        {"postgres", "postgre://h", -EINVAL},
	        {"amqp", "AMQPS://h/v", 0},
	        {"mqtt", "mqtts://h", 0},
	        {"mqtt", "mqtt", -EINVAL},
	        {"own", "anything", 0},
	        {"own", "any\x7fthing", -EINVAL},
	};
	struct buf why = BUF_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_clear(&why);
		if (!CHECK_INT(program_value_check(cases[i].kind, cases[i].value, &why),
		            cases[i].expected) ||
		        !CHECK_INT(why.length > 0, cases[i].expected != 0))
			printf("%s\n", cases[i].value);
	}
	buf_deinit(&why);
}

static void passwords(void)
{
	static const struct {
		const char *value, *text, *expected;
	} cases[] = {
	        {"k://h/x", "k://h/x", "k://h/x"},
	        {"k://u:pw@h/x", "at k://u:pw@h/x: pw", "at k://u:***@h/x: ***"},
	        {"k://u:p@w@h", "p@w", "***"},
	        {"k://u:a%20b@h", "a b, a%20b", "***, ***"},
	        {"k://:pw@h", "pw", "***"},
	        {"k://u@h", "u@h", "u@h"},
	        {"nats://token@h a", "nats://token@h a", "nats://***@h a"},
	        {"k://h?a=b&password=x&c=d", "x b d", "*** b d"},
	        {"k://h?sasl.password=geheim", "geheim", "***"},
	        {"k://h?sslPassword=geheim", "geheim", "***"},
	        {"k://h token=geheim", "geheim", "***"},
	        {"k://a:1@h,k://b:22@h", "1 22", "*** ***"},
	        {"k://h?passwordless=geheim", "geheim", "geheim"},
	        {"x", "a\nb\xff", "a?b?"},
	};
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_clear(&out);
		program_value_hide(cases[i].value, cases[i].text, &out);
		if (!CHECK_STR(out.data, cases[i].expected))
			printf("%s\n", cases[i].value);
	}
	buf_deinit(&out);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(formats), TEST(lines), TEST(values), TEST(passwords), {}};

	return test_main(tests, argc, argv);
}
