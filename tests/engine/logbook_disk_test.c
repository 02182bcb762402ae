/* SPDX-License-Identifier: Apache-2.0 */
/* Without this old logs could be unreadable, wrong, or fill the disk. */
#include "logbook_bench.h"

static void rotates_by_size(void)
{
	struct bench bench;
	struct logbook_segment segment = {0}, again;
	char last[32] = "";
	int64_t total;
	int compressed;

	bench_start(&bench);
	fill(&bench, 10 << 20);
	settle(&bench);
	CHECK_INT(count_segments(&bench, &total), 11);
	CHECK_INT(total, bench.text.length);
	CHECK_INT(count_files(&bench, &compressed), 11);
	CHECK_INT(compressed, 10);
	check_text(&bench);
	while (logbook_next(bench.logbook, segment.id, &segment)) {
		CHECK(segment.size <= bench.limits.segment_bytes);
		CHECK(strcmp(last, segment.name) < 0); /* the clock stands still here */
		CHECK(logbook_find(bench.logbook, segment.name, &again));
		CHECK_INT(again.id, segment.id);
		memcpy(last, segment.name, sizeof(last));
	}
	CHECK(!logbook_find(bench.logbook, "2026-03-17T10-13-22.122.log", &again));
	bench_close(&bench);
	bench_open(&bench);
	check_text(&bench);
	bench_end(&bench);
}

static void rotates_by_day(void)
{
	struct bench bench;
	int64_t total;

	bench_start(&bench);
	bench.fake.now_us += 48 * HOUR_US; /* an empty segment does not count as one of its day */
	append(&bench, "one\n");
	append(&bench, "two\n");
	CHECK_INT(count_segments(&bench, &total), 1);
	bench.fake.now_us += 14 * HOUR_US; /* past midnight, UTC */
	append(&bench, "three\n");
	append(&bench, "four\n");
	CHECK_INT(count_segments(&bench, &total), 2);
	CHECK_STR(newest(&bench).name, "2026-03-20T00-13-22.123.log");
	bench.fake.now_us -= 14 * HOUR_US; /* a clock set back does not rotate each line */
	append(&bench, "five\n");
	append(&bench, "six\n");
	CHECK_INT(count_segments(&bench, &total), 2);
	settle(&bench);
	check_text(&bench);
	bench_end(&bench);
}

/* Segments keep id, name, size and time when they are compressed. */
static void compression_does_not_show(void)
{
	struct bench bench;
	struct logbook_segment before, after;

	bench_start(&bench);
	fill(&bench, 700000);
	bench.fake.now_us += 1234567;
	append(&bench, "end\n");
	before = newest(&bench);
	bench.fake.now_us += 24 * HOUR_US;
	append(&bench, "next\n");
	settle(&bench);
	CHECK(logbook_get(bench.logbook, before.id, &after));
	CHECK(!after.newest);
	CHECK_STR(after.name, before.name);
	CHECK_INT(after.size, before.size);
	CHECK_INT(after.modified_us, before.modified_us);
	bench_close(&bench);
	bench_open(&bench);
	CHECK(logbook_get(bench.logbook, before.id, &after));
	CHECK_INT(after.size, before.size);
	CHECK_INT(after.modified_us, before.modified_us);
	bench_end(&bench);
}

static void random_offsets(void)
{
	struct bench bench;
	struct logbook_segment segment;
	struct logbook_reader *from;
	int i;

	bench_start(&bench);
	bench.seed = test_seed();
	bench.limits.segment_bytes = 3 << 20;
	logbook_set_limits(bench.logbook, &bench.limits);
	fill(&bench, 4 << 20);
	settle(&bench);
	segment = oldest(&bench);
	from = reader(&bench, segment.id);
	for (i = 0; i < 3000; i++) {
		size_t offset = test_random(&bench.seed) % (size_t)segment.size;
		size_t size = test_random(&bench.seed) % (i % 10 ? 4096 : 300000) + 1;
		if (size > (size_t)segment.size - offset)
			size = (size_t)segment.size - offset;
		CHECK(reads_part(from, bench.text.data + offset, size, (int64_t)offset));
	}
	CHECK_INT(logbook_read(from, &i, sizeof(i), -1), -EINVAL);
	logbook_reader_free(from);
	bench_end(&bench);
}

static void retention_by_size(void)
{
	struct bench bench;
	int64_t total;
	int i;

	bench_start(&bench);
	bench.limits.retention_bytes = 4 << 20;
	logbook_set_limits(bench.logbook, &bench.limits);
	for (i = 0; i < 40; i++) {
		fill(&bench, 1 << 19);
		count_segments(&bench, &total);
		CHECK(total <= bench.limits.retention_bytes);
	}
	CHECK(total >= bench.limits.retention_bytes / 2);
	/* What is left is the end of the text. */
	buf_consume(&bench.text, bench.text.length - (size_t)total);
	check_text(&bench);
	bench.limits.retention_bytes = 1 << 20;
	logbook_set_limits(bench.logbook, &bench.limits);
	fill(&bench, 1 << 19);
	count_segments(&bench, &total);
	CHECK(total <= 1 << 20);
	bench_end(&bench);
}

static void retention_by_age(void)
{
	struct bench bench;
	int64_t total;
	int day;

	bench_start(&bench);
	for (day = 0; day < 40; day++) {
		append(&bench, "a line a day\n");
		bench.fake.now_us += 24 * HOUR_US;
		settle(&bench);
	}
	CHECK_INT(count_segments(&bench, &total), 31);
	bench_close(&bench);
	bench.fake.now_us += 10 * 24 * HOUR_US;
	bench_open(&bench);
	CHECK_INT(count_segments(&bench, &total), 20);
	bench.limits.retention_ms = 24 * HOUR_US / 1000;
	logbook_set_limits(bench.logbook, &bench.limits);
	CHECK_INT(count_segments(&bench, &total), 1); /* never the newest */
	bench_end(&bench);
}

/* As a daemon that was killed leaves it. */
static void mends_what_was_left(void)
{
	struct bench bench;
	CLEANUP(close_p) int fd = -1;
	int compressed;

	bench_start(&bench);
	append(&bench, "whole\nhalf a li\n");
	bench_close(&bench);
	fd = openat(bench.fd, "logs/000001-2026-03-17T10-13-22.123.log", O_RDWR);
	REQUIRE(fd >= 0 && ftruncate(fd, 15 - 1) == 0);
	close(openat(bench.fd, "logs/000001-2026-03-17T10-13-22.123.log.tmp", O_CREAT, 0600));
	close(openat(bench.fd, "logs/README", O_CREAT, 0600));
	bench_open(&bench);
	append(&bench, "next\n");
	buf_clear(&bench.text);
	buf_puts(&bench.text, "whole\nhalf a l\nnext\n");
	check_text(&bench);
	settle(&bench);
	check_text(&bench);
	CHECK_INT(count_files(&bench, &compressed), 2); /* what is not ours is left alone */
	bench_end(&bench);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(rotates_by_size), TEST(rotates_by_day),
	        TEST(compression_does_not_show), TEST(random_offsets), TEST(retention_by_size),
	        TEST(retention_by_age), TEST(mends_what_was_left), {}};

	return test_main(tests, argc, argv);
}
