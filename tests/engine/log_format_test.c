/* SPDX-License-Identifier: Apache-2.0 */
/* Without this a function's output could break the log that carries it: its lines, or a terminal. */
#include "engine/log_format.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/utf8.h"
#include "test.h"

#define NOW_US INT64_C(1773742402123456) /* 2026-03-17T10:13:22.123 */
#define TIME   "2026-03-17T10:13:22.123Z"
#define ID     "f0e1d2c3-0000-4000-8000-000000000001"

static char *message(enum config_log_format kind, const char *text, size_t length)
{
	struct log_format format = {.kind = kind};
	struct buf out = BUF_INIT;

	log_format_message(&format, &out, NOW_US, ID, "latest", "INFO", text, length);
	return buf_take(&out);
}

static void check_message(const char *text, size_t length, const char *expected)
{
	CLEANUP(free_p) char *line = message(LOG_FORMAT_TEXT, text, length);

	CHECK_STR(line, expected);
}

#define PREFIX TIME " " ID " latest INFO "

static void messages(void)
{
	check_message("hello", 5, PREFIX "hello\n");
	check_message("", 0, PREFIX "\n");
	check_message("\n", 1, PREFIX "\n");
	check_message("one\ntwo\n", 8, PREFIX "one\n" PREFIX "two\n");
	check_message("one\n\ntwo", 8, PREFIX "one\n" PREFIX "\n" PREFIX "two\n");
	check_message("one\n\n", 5, PREFIX "one\n" PREFIX "\n");
}

static void escapes(void)
{
	check_message("tab\tis kept", 11, PREFIX "tab\tis kept\n");
	check_message("nul\0x", 5, PREFIX "nul\\x00x\n");
	check_message("\x1b[31mred", 8, PREFIX "\\x1b[31mred\n");
	check_message("gr\xc3\xbc\xc3\x9f", 6, PREFIX "gr\xc3\xbc\xc3\x9f\n");
	check_message("bad\xff\xc3", 5, PREFIX "bad\\xff\\xc3\n");
	check_message("c1\xc2\x9b", 4, PREFIX "c1\\xc2\\x9b\n");
	check_message("nbsp\xc2\xa0", 6, PREFIX "nbsp\xc2\xa0\n");
	check_message("del\x7f", 4, PREFIX "del\\x7f\n");
}

/* Bytes are looked at eight at a time: each must be seen wherever it stands. */
static void any_byte_anywhere(void)
{
	char text[24], expected[sizeof(PREFIX) + sizeof(text) + 8];
	size_t at;
	int byte;

	for (byte = 0; byte < 0x80; byte++)
		for (at = 0; at < sizeof(text) && byte != '\n'; at++) {
			memset(text, 'x', sizeof(text));
			text[at] = (char)byte;
			snprintf(expected, sizeof(expected),
			        byte == '\t' || (byte >= ' ' && byte < 0x7f) ? PREFIX "%.*s%c%.*s\n"
			                                                     : PREFIX
			                "%.*s\\x%02x%.*s\n",
			        (int)at, "xxxxxxxxxxxxxxxxxxxxxxxx", byte,
			        (int)(sizeof(text) - 1 - at), "xxxxxxxxxxxxxxxxxxxxxxxx");
			check_message(text, sizeof(text), expected);
		}
}

static void random_line(uint64_t *seed, char *line, size_t length)
{
	static const char *const kinds[] = {
	        "\xc3\xbc", "\xff", "\t", "\"", "\\", "\x1b", "\xc2\x9b"};
	size_t i;

	for (i = 0; i < length; i++)
		line[i] = (char)(' ' + test_random(seed) % 95);
	for (i = 0; length > 2 && i < test_random(seed) % 4; i++) {
		const char *kind = kinds[test_random(seed) % ARRAY_SIZE(kinds)];
		memcpy(line + test_random(seed) % (length - 1), kind, strlen(kind));
	}
}

/* Lines that were read together look like lines that came one by one. */
static void lines_of_a_run(enum config_log_format kind)
{
	struct log_format format = {.kind = kind};
	struct log_run run = {.wall_us = NOW_US, .request_id = ID, .version = "latest"};
	CLEANUP(buf_deinit) struct buf together = BUF_INIT, single = BUF_INIT;
	uint64_t seed = test_seed();
	char line[200];
	int i;

	buf_puts(&together, "what was there\n");
	buf_puts(&single, "what was there\n");
	for (i = 0; i < 2000; i++) {
		const char *level = test_random(&seed) % 8 ? "INFO" : "ERROR";
		size_t length = test_random(&seed) % sizeof(line);

		random_line(&seed, line, length);
		log_format_line(&format, &together, &run, level, line, length);
		log_format_message(&format, &single, NOW_US, ID, "latest", level, line, length);
	}
	CHECK_STR(together.data, single.data);
}

static void lines_together(void)
{
	lines_of_a_run(LOG_FORMAT_TEXT);
	lines_of_a_run(LOG_FORMAT_JSON);
}

static size_t count(const char *text, char wanted)
{
	size_t found = 0;

	for (; *text; text++)
		found += *text == wanted;
	return found;
}

static void long_messages_are_cut(void)
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;
	CLEANUP(free_p) char *lines = NULL;
	int i;

	buf_puts(&text, "x");
	for (i = 0; i < 3 * LOG_LINE_MAX / 2; i++)
		buf_puts(&text, "\xc3\xbc"); /* a cut must not fall inside a character */
	lines = message(LOG_FORMAT_TEXT, text.data, text.length);
	REQUIRE(lines);
	CHECK_INT(count(lines, '\n'), 4);
	CHECK_INT(count(lines, '\\'), 0);
	CHECK_INT(strlen(lines), text.length + 4 * strlen(PREFIX "\n"));
	CHECK(utf8_valid(lines, strlen(lines)));
}

static void frames(void)
{
	struct log_format format = {0};
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;
	struct log_finish finish = {.request_id = ID,
	        .duration_us = 2049,
	        .memory_used_bytes = 38309725,
	        .memory_limit_bytes = 128 << 20};

	log_format_start(&format, &out, NOW_US, ID, "latest");
	log_format_finish(&format, &out, NOW_US, &finish);
	CHECK_STR(out.data,
	        TIME " Start invoke request '" ID "', version: latest\n" TIME
	             " Finish invoke request '" ID "', duration: 2.049ms, billing duration: 3ms, "
	             "memory used: 36.535MB, billing memory: 128MB\n");
	buf_clear(&out);
	finish = (struct log_finish){.request_id = ID,
	        .failed = true,
	        .duration_us = -1,
	        .memory_used_bytes = -1,
	        .memory_limit_bytes = 16 << 20};
	log_format_finish(&format, &out, NOW_US + 1000, &finish);
	CHECK_STR(out.data, "2026-03-17T10:13:22.124Z Finish invoke request '" ID
	                    "' (invoke Failed), duration: 0.000ms, billing duration: 0ms, "
	                    "memory used: 0.000MB, billing memory: 16MB\n");
}

static void without_a_call(void)
{
	struct log_format format = {0};
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;

	log_format_message(&format, &out, NOW_US, NULL, "", "WARNING", "loading", 7);
	CHECK_STR(out.data, TIME " - - WARNING loading\n");
}

/* Every line of JSON must be one object whose message is what was printed. */
static void json_lines(void)
{
	static const char text[] = "two \"quoted\"\nlines\x01 \xff";
	CLEANUP(free_p) char *line = message(LOG_FORMAT_JSON, text, sizeof(text) - 1);
	CLEANUP(json_delete_p) cJSON *object = cJSON_Parse(line);

	REQUIRE(object);
	CHECK_INT(count(line, '\n'), 1);
	CHECK_STR(json_string(object, "time", NULL), TIME);
	CHECK_STR(json_string(object, "type", NULL), "log");
	CHECK_STR(json_string(object, "requestId", NULL), ID);
	CHECK_STR(json_string(object, "version", NULL), "latest");
	CHECK_STR(json_string(object, "level", NULL), "INFO");
	CHECK_STR(json_string(object, "message", NULL), "two \"quoted\"\nlines\x01 \xef\xbf\xbd");
}

static void json_frames(void)
{
	struct log_format format = {.kind = LOG_FORMAT_JSON};
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;
	struct log_finish finish = {.request_id = ID,
	        .failed = true,
	        .duration_us = 2049,
	        .memory_used_bytes = 1 << 20,
	        .memory_limit_bytes = 1 << 20};
	CLEANUP(json_delete_p) cJSON *object = NULL;

	log_format_finish(&format, &out, NOW_US, &finish);
	object = cJSON_Parse(out.data);
	REQUIRE(object);
	CHECK_STR(json_string(object, "type", NULL), "finish");
	CHECK_STR(json_string(object, "status", NULL), "failed");
	CHECK_INT(json_number(object, "durationMs", 0) * 1000, 2049);
	CHECK_INT(json_number(object, "billingDurationMs", 0), 3);
	CHECK_INT(json_number(object, "memoryUsedMB", 0), 1);
}

static void collect(void *userdata, const char *line, size_t length)
{
	struct buf *out = userdata;

	buf_append(out, "[", 1);
	buf_append(out, line, length);
	buf_append(out, "]", 1);
}

static void feed(struct log_lines *lines, struct buf *out, const char *text)
{
	log_lines_feed(lines, text, strlen(text), collect, out);
}

static void splits_lines(void)
{
	struct log_lines lines = {0};
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;

	feed(&lines, &out, "one\ntwo\r\n\nth");
	CHECK_STR(out.data, "[one][two][]");
	feed(&lines, &out, "ree\nfo");
	feed(&lines, &out, "ur");
	CHECK_STR(out.data, "[one][two][][three]");
	log_lines_flush(&lines, collect, &out);
	log_lines_flush(&lines, collect, &out);
	CHECK_STR(out.data, "[one][two][][three][four]");
	log_lines_deinit(&lines);
}

struct sum {
	size_t lines, bytes, longest;
	char rest[64];
};

static void add(void *userdata, const char *line, size_t length)
{
	struct sum *sum = userdata;

	sum->lines++;
	sum->bytes += length;
	if (length > sum->longest)
		sum->longest = length;
	if (length < sizeof(sum->rest))
		snprintf(sum->rest, sizeof(sum->rest), "%.*s", (int)length, line);
}

/* A line without an end costs one line of memory, and none of its bytes. */
static void endless_line(void)
{
	struct log_lines lines = {0};
	struct sum sum = {0};
	char chunk[5000];
	int i;

	memset(chunk, 'x', sizeof(chunk));
	for (i = 0; i < 1000; i++)
		log_lines_feed(&lines, chunk, sizeof(chunk), add, &sum);
	CHECK_INT(sum.longest, LOG_LINE_MAX);
	CHECK(lines.partial.capacity <= 4 * LOG_LINE_MAX);
	log_lines_feed(&lines, "end\n", 4, add, &sum);
	CHECK_INT(sum.bytes, 1000 * sizeof(chunk) + 3);
	CHECK(sum.longest <= LOG_LINE_MAX);
	log_lines_deinit(&lines);
}

/* However the bytes are cut into chunks, the lines are the same. */
static void any_chunks(void)
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT, whole = BUF_INIT, pieces = BUF_INIT;
	struct log_lines lines = {0};
	uint64_t seed = test_seed();
	size_t at, step;
	int i;

	for (i = 0; i < 60000; i++)
		buf_printf(&text, "%c", (int)(test_random(&seed) % 4000 ? 'a' + i % 26 : '\n'));
	log_lines_feed(&lines, text.data, text.length, collect, &whole);
	log_lines_flush(&lines, collect, &whole);
	for (at = 0; at < text.length; at += step) {
		step = test_random(&seed) % 9000 + 1;
		if (step > text.length - at)
			step = text.length - at;
		log_lines_feed(&lines, text.data + at, step, collect, &pieces);
	}
	log_lines_flush(&lines, collect, &pieces);
	CHECK_STR(pieces.data, whole.data);
	log_lines_deinit(&lines);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(messages), TEST(escapes), TEST(any_byte_anywhere),
	        TEST(lines_together), TEST(long_messages_are_cut), TEST(frames),
	        TEST(without_a_call), TEST(json_lines), TEST(json_frames), TEST(splits_lines),
	        TEST(endless_line), TEST(any_chunks), {}};

	return test_main(tests, argc, argv);
}
