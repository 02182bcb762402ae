/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: functions written for another platform that read the events they expect. */
#include "events/event_format.h"

#include <errno.h>

#include "base/json_valid.h"
#include "events/event_http.h"
#include "test.h"

#define TIME INT64_C(1685579400000000) /* 2023-06-01T00:30:00Z */

static struct event_about about(enum event_format format, const char *payload)
{
	return (struct event_about){.format = format,
	        .id = "id-1",
	        .time_us = TIME,
	        .function = "f",
	        .trigger = "t",
	        .payload = payload};
}

static void check(struct buf *out, enum event_format format, const char *expected)
{
	if (!CHECK_STR(out->data ? out->data : "", expected))
		printf("format %s\n", event_format_name(format));
	if (format != FORMAT_RAW)
		CHECK(json_valid(out->data, out->length));
	buf_deinit(out);
}

static void timers(void)
{
	static const struct {
		enum event_format format;
		const char *payload;
		int64_t offset_s;
		const char *expected;
	} cases[] = {
	        {FORMAT_FUNCTIONGRAPH, "a \"b\"\nc", 8 * 3600,
	                "{\"version\":\"v1.0\",\"time\":\"2023-06-01T08:30:00+08:00\","
	                "\"trigger_type\":\"TIMER\",\"trigger_name\":\"t\","
	                "\"user_event\":\"a \\\"b\\\"\\nc\"}"},
	        {FORMAT_FUNCTIONGRAPH, "", -(3 * 3600 + 1800),
	                "{\"version\":\"v1.0\",\"time\":\"2023-05-31T21:00:00-03:30\","
	                "\"trigger_type\":\"TIMER\",\"trigger_name\":\"t\",\"user_event\":\"\"}"},
	        {FORMAT_CLOUDEVENTS, "", 0,
	                "{\"specversion\":\"1.0\",\"id\":\"id-1\","
	                "\"source\":\"/functions/f/triggers/t\",\"type\":\"fnfs.timer\","
	                "\"time\":\"2023-06-01T00:30:00.000Z\"}"},
	        {FORMAT_CLOUDEVENTS, "{\"a\":1.50}", 0,
	                "{\"specversion\":\"1.0\",\"id\":\"id-1\","
	                "\"source\":\"/functions/f/triggers/t\",\"type\":\"fnfs.timer\","
	                "\"time\":\"2023-06-01T00:30:00.000Z\","
	                "\"datacontenttype\":\"application/json\",\"data\":{\"a\":1.50}}"},
	        {FORMAT_LAMBDA, "{\"a\":1}", 8 * 3600,
	                "{\"version\":\"0\",\"id\":\"id-1\",\"detail-type\":\"Scheduled Event\","
	                "\"source\":\"aws.events\",\"account\":\"000000000000\","
	                "\"time\":\"2023-06-01T00:30:00Z\",\"region\":\"local\","
	                "\"resources\":[\"arn:aws:events:local:000000000000:rule/f-t\"],"
	                "\"detail\":{\"a\":1}}"},
	        {FORMAT_LAMBDA, "text", 0,
	                "{\"version\":\"0\",\"id\":\"id-1\",\"detail-type\":\"Scheduled Event\","
	                "\"source\":\"aws.events\",\"account\":\"000000000000\","
	                "\"time\":\"2023-06-01T00:30:00Z\",\"region\":\"local\","
	                "\"resources\":[\"arn:aws:events:local:000000000000:rule/f-t\"],"
	                "\"detail\":{}}"},
	        {FORMAT_RAW, "{\"a\": 1}", 0, "{\"a\": 1}"},
	        {FORMAT_RAW, "", 0, ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct event_about event = about(cases[i].format, cases[i].payload);
		struct buf out = BUF_INIT;

		event_timer(&out, &event, cases[i].offset_s);
		check(&out, cases[i].format, cases[i].expected);
	}
}

static const char cloud[] =
        "{\"specversion\":\"1.0\",\"id\":\"7\",\"source\":\"/s\",\"type\":\"y\"}";

static void topics(void)
{
#define CLOUD \
	"{\"specversion\":\"1.0\",\"id\":\"id-1\",\"source\":\"/topics/news\"," \
	"\"type\":\"fnfs.topic\",\"time\":\"2023-06-01T00:30:00.000Z\"," \
	"\"datacontenttype\":"
	static const struct {
		enum event_format format;
		const char *data;
		const char *expected;
	} cases[] = {
	        {FORMAT_CLOUDEVENTS, "{\"n\": 12345678901234567890}",
	                CLOUD "\"application/json\",\"data\":{\"n\": 12345678901234567890}}"},
	        {FORMAT_CLOUDEVENTS, "plain \"text\"",
	                CLOUD "\"text/plain\",\"data\":\"plain \\\"text\\\"\"}"},
	        {FORMAT_CLOUDEVENTS, "\xff\xfe",
	                CLOUD "\"application/octet-stream\",\"data_base64\":\"//4=\"}"},
	        {FORMAT_CLOUDEVENTS, cloud, cloud},
	        {FORMAT_FUNCTIONGRAPH, "hi",
	                "{\"record\":[{\"event_version\":\"1.0\",\"smn\":{"
	                "\"topic_urn\":\"urn:smn:local:local:news\","
	                "\"timestamp\":\"2023-06-01T00:30:00.000Z\",\"message_attributes\":null,"
	                "\"message\":\"hi\",\"type\":\"notification\",\"message_id\":\"id-1\","
	                "\"subject\":\"\"},\"event_subscription_urn\":"
	                "\"urn:fss:local:local:function:default:f\",\"event_source\":\"smn\"}],"
	                "\"functionname\":\"f\",\"requestId\":\"id-1\","
	                "\"timestamp\":\"2023-06-01T00:30:00.000Z\"}"},
	        {FORMAT_LAMBDA, "hi",
	                "{\"Records\":[{\"EventSource\":\"aws:sns\",\"EventVersion\":\"1.0\","
	                "\"EventSubscriptionArn\":\"arn:aws:sns:local:000000000000:news:f-t\","
	                "\"Sns\":{\"Type\":\"Notification\",\"MessageId\":\"id-1\","
	                "\"TopicArn\":\"arn:aws:sns:local:000000000000:news\",\"Subject\":null,"
	                "\"Message\":\"hi\",\"Timestamp\":\"2023-06-01T00:30:00.000Z\","
	                "\"MessageAttributes\":{}}}]}"},
	        {FORMAT_RAW, "\xff", "\xff"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct event_about event = about(cases[i].format, "");
		struct buf out = BUF_INIT;

		event_topic(&out, &event, "news", cases[i].data, strlen(cases[i].data));
		check(&out, cases[i].format, cases[i].expected);
	}
}

static void files(void)
{
	static const struct watch_event file = {
	        "/in put", "a b+\xc3\xa4.csv", WATCH_CHANGED, 5, TIME - 1000000, "17", 1000};
#define TAIL(principal) \
	",\"eventTime\":\"2023-06-01T00:30:00.000Z\",\"awsRegion\":\"local\"," \
	"\"eventName\":\"ObjectCreated:Put\",\"userIdentity\":{\"principalId\":\"1000\"}," \
	"\"requestParameters\":{\"sourceIPAddress\":\"127.0.0.1\"},\"s3\":{" principal \
	"\"arn\":\"arn:aws:s3:::/in%20put\"},\"object\":{\"key\":\"a+b%2B%C3%A4.csv\"," \
	"\"size\":5,\"eTag\":\"\",\"sequencer\":\"17\"}}}]}"
	static const char data[] =
	        "{\"change\":\"changed\",\"path\":\"/in put/a b+\xc3\xa4.csv\","
	        "\"directory\":\"/in put\",\"name\":\"a b+\xc3\xa4.csv\",\"size\":5,"
	        "\"modified\":\"2023-06-01T00:29:59.000Z\"}";
	static const struct {
		enum event_format format;
		const char *expected;
	} cases[] = {
	        {FORMAT_FUNCTIONGRAPH,
	                "{\"Records\":[{\"eventVersion\":\"2.0\"" TAIL(
	                        "\"configurationId\":\"t\",\"bucket\":{\"name\":\"/in put\","
	                        "\"ownerIdentity\":{\"PrincipalId\":\"1000\"},")},
	        {FORMAT_LAMBDA,
	                "{\"Records\":[{\"eventVersion\":\"2.1\",\"eventSource\":\"aws:s3\"" TAIL(
	                        "\"s3SchemaVersion\":\"1.0\",\"configurationId\":\"t\","
	                        "\"bucket\":{\"name\":\"/in put\","
	                        "\"ownerIdentity\":{\"principalId\":\"1000\"},")},
	        {FORMAT_RAW, data},
	};
	struct event_about event;
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		event = about(cases[i].format, "");
		event_watch(&out, &event, &file);
		check(&out, cases[i].format, cases[i].expected);
	}
	event = about(FORMAT_CLOUDEVENTS, "");
	event_watch(&out, &event, &file);
	CHECK(strstr(out.data, "\"source\":\"file:///in%20put\",\"type\":\"fnfs.watch.changed\","
	                       "\"subject\":\"a b+\xc3\xa4.csv\"") != NULL);
	CHECK(strstr(out.data, data) != NULL);
	CHECK(json_valid(out.data, out.length));
	buf_deinit(&out);
}

static void requests(void)
{
	static const char apig[] =
	        "{\"httpMethod\":\"POST\",\"path\":\"/items/7\",\"headers\":{\"host\":\"h\","
	        "\"user-agent\":\"curl\",\"content-type\":\"application/json\"},"
	        "\"queryStringParameters\":{\"a\":[\"1\",\"x "
	        "y\"],\"b\":\"2\"},\"body\":\"eyJuIjoxfQ==\","
	        "\"isBase64Encoded\":true,\"pathParameters\":{\"id\":\"7\"}}";
	static const struct {
		enum event_format format;
		const char *expected;
	} cases[] = {
	        {FORMAT_FUNCTIONGRAPH, apig},
	        {FORMAT_RAW, "{\"n\":1}"},
	        {FORMAT_CLOUDEVENTS,
	                "{\"specversion\":\"1.0\",\"id\":\"id-1\","
	                "\"source\":\"/functions/f/triggers/t\",\"type\":\"fnfs.http\","
	                "\"subject\":\"/items/7\",\"time\":\"2023-06-01T00:30:00.000Z\","
	                "\"datacontenttype\":\"application/json\",\"data\":{\"n\":1}}"},
	        {FORMAT_LAMBDA,
	                "{\"version\":\"2.0\",\"routeKey\":\"POST /items/{id}\","
	                "\"rawPath\":\"/items/7\",\"rawQueryString\":\"a=1&a=x%20y&b=2\","
	                "\"headers\":{\"host\":\"h\",\"user-agent\":\"curl\","
	                "\"content-type\":\"application/json\"},"
	                "\"queryStringParameters\":{\"a\":\"1,x y\",\"b\":\"2\"},"
	                "\"pathParameters\":{\"id\":\"7\"},\"requestContext\":{"
	                "\"accountId\":\"000000000000\",\"apiId\":\"local\",\"http\":{"
	                "\"method\":\"POST\",\"path\":\"/items/7\",\"protocol\":\"HTTP/1.1\","
	                "\"userAgent\":\"curl\"},\"requestId\":\"id-1\","
	                "\"routeKey\":\"POST /items/{id}\",\"stage\":\"$default\","
	                "\"time\":\"2023-06-01T00:30:00Z\",\"timeEpoch\":1685579400000},"
	                "\"body\":\"eyJuIjoxfQ==\",\"isBase64Encoded\":true}"},
	};
	static const char binary[] =
	        "{\"headers\":{\"ce-specversion\":\"1.0\",\"ce-id\":\"9\"},\"body\":\"x\"}";
	static const char structured[] =
	        "{\"headers\":{\"Content-Type\":\"application/cloudevents+json; charset=utf-8\"},"
	        "\"body\":\"{}\"}";
	struct event_about event;
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		event = about(cases[i].format, "");
		buf_puts(&out, apig);
		CHECK_INT(event_http(&out, &event, "POST /items/{id}"), 0);
		check(&out, cases[i].format, cases[i].expected);
	}
	event = about(FORMAT_CLOUDEVENTS, "");
	buf_puts(&out, binary);
	CHECK_INT(event_http(&out, &event, "/"), 0);
	check(&out, FORMAT_CLOUDEVENTS,
	        "{\"specversion\":\"1.0\",\"id\":\"9\",\"datacontenttype\":\"text/plain\","
	        "\"data\":\"x\"}");
	buf_puts(&out, structured);
	CHECK_INT(event_http(&out, &event, "/"), 0);
	check(&out, FORMAT_CLOUDEVENTS, "{}");
	buf_puts(&out, "[]");
	CHECK_INT(event_http(&out, &event, "/"), -EBADMSG);
	CHECK_STR(out.data, "[]");
	buf_deinit(&out);
}

/* A name may hold any byte: what comes of it is JSON all the same. */
static void names_of_all_bytes(void)
{
	char name[256];

	for (int i = 1; i < 256; i++)
		name[i - 1] = (char)i;
	name[255] = 0;
	for (int format = FORMAT_FUNCTIONGRAPH; format < EVENT_FORMATS; format++) {
		struct event_about event = about((enum event_format)format, "");
		struct buf out = BUF_INIT;

		event_watch(&out, &event,
		        &(struct watch_event){.directory = name, .name = name, .sequence = ""});
		CHECK(json_valid(out.data, out.length));
		buf_deinit(&out);
	}
}

static void json_to_the_letter(void)
{
	static const char *const good[] = {"0", "-0.5e+10", " [ ] ", "{}", "[[],{\"a\":[1,\"\"]}]",
	        "\"\\u00e4\\n\xc3\xa4\"", "true", "null", "[false,1E9]", "{\"a\":{},\"b\":[{}]}",
	        "\"\\ud83d\\ude00\""};
	static const char *const bad[] = {"", " ", "01", "+1", "1.", ".5", "1e", "[1,]", "[,1]",
	        "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "\"\n\"", "\"\\x\"", "\"\\u12g4\"",
	        "\"\xff\"", "\"", "[", "]", "[1}", "{\"a\":1]", "1 2", "truex", "nul", "[1 2]",
	        "\"\xed\xa0\x80\"", "NaN", "\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83d\\u0041\""};
	char deep[2000];

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		if (!CHECK(json_valid(good[i], strlen(good[i]))))
			printf("good %zu\n", i);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!CHECK(!json_valid(bad[i], strlen(bad[i]))))
			printf("bad %zu\n", i);
	CHECK(!json_valid("1\0", 2));
	memset(deep, '[', 512);
	memset(deep + 512, ']', 512);
	CHECK(json_valid(deep, 1024));
	memset(deep, '[', 1000);
	memset(deep + 1000, ']', 1000);
	CHECK(!json_valid(deep, 2000));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(timers), TEST(topics), TEST(files), TEST(requests),
	        TEST(names_of_all_bytes), TEST(json_to_the_letter), {}};

	return test_main(tests, argc, argv);
}
