/* SPDX-License-Identifier: Apache-2.0 */
/* Without this a log could lose lines, lie about its size, or make the daemon grow. */
#include "logbook_bench.h"

static void is_empty_at_first(void)
{
	struct bench bench;
	struct logbook_reader *from;
	int64_t total;
	int compressed;

	bench_start(&bench);
	CHECK_INT(count_segments(&bench, &total), 1);
	CHECK_INT(newest(&bench).size, 0);
	CHECK_STR(newest(&bench).name, "2026-03-17T10-13-22.123.log");
	settle(&bench);
	CHECK_INT(count_files(&bench, &compressed), 0); /* looking leaves no trace */
	from = reader(&bench, newest(&bench).id);
	CHECK(reads(from, "", 0, 0));
	append(&bench, "first\n");
	CHECK(reads(from, "first\n", 6, 0));
	settle(&bench);
	CHECK_INT(count_files(&bench, &compressed), 1);
	CHECK(reads(from, "first\n", 6, 0));
	CHECK(reads(from, "t\n", 2, 4));
	CHECK(reads(from, "", 0, 6));
	CHECK(reads(from, "", 0, 1000));
	logbook_reader_free(from);
	bench_end(&bench);
}

static void sizes_are_true(void)
{
	struct bench bench;
	int64_t total;

	bench_start(&bench);
	append(&bench, "one\n");
	CHECK_INT(newest(&bench).size, 4);
	check_text(&bench);
	settle(&bench);
	append(&bench, "two\n");
	CHECK_INT(newest(&bench).size, 8);
	check_text(&bench);
	fill(&bench, 300000); /* much at once: a worker is writing while we look */
	uv_run(&bench.loop, UV_RUN_NOWAIT);
	fill(&bench, 5000);
	count_segments(&bench, &total);
	CHECK_INT(total, bench.text.length);
	check_text(&bench);
	settle(&bench);
	check_text(&bench);
	bench_end(&bench);
}

static void goes_on_after_a_restart(void)
{
	struct bench bench;
	struct logbook_segment before, after;
	int i;

	bench_start(&bench);
	for (i = 0; i < 5; i++) {
		fill(&bench, 500000);
		before = newest(&bench);
		bench.fake.now_us += 1000000;
		bench_close(&bench);
		bench_open(&bench);
		after = newest(&bench);
		CHECK_INT(after.id, before.id);
		CHECK_STR(after.name, before.name);
		CHECK_INT(after.size, before.size);
		check_text(&bench);
	}
	bench_end(&bench);
}

/* A reader goes on through rotation, compression and removal, and the end of the logbook. */
static void readers_stay(void)
{
	struct bench bench;
	struct logbook_reader *early, *late;
	struct logbook_segment first;

	bench_start(&bench);
	early = reader(&bench, newest(&bench).id);
	append(&bench, "one\n");
	first = newest(&bench);
	CHECK(reads(early, "one\n", 4, 0));
	bench.fake.now_us += 24 * HOUR_US;
	append(&bench, "two\n");
	CHECK(reads(early, "one\n", 4, 0));
	settle(&bench);
	CHECK(reads(early, "one\n", 4, 0));
	late = reader(&bench, first.id);
	CHECK(reads(late, "one\n", 4, 0));
	CHECK_INT(logbook_remove(bench.logbook, first.id), 0);
	CHECK_INT(logbook_remove(bench.logbook, first.id), -ENOENT);
	CHECK(!logbook_get(bench.logbook, first.id, &first));
	bench_close(&bench);
	CHECK(reads(early, "one\n", 4, 0));
	CHECK(reads(late, "one\n", 4, 0));
	logbook_reader_free(early);
	logbook_reader_free(late);
	bench_open(&bench);
	bench_end(&bench);
}

static void removing_the_newest(void)
{
	struct bench bench;
	struct logbook_reader *from;
	uint64_t id;
	int64_t total;
	int compressed;

	bench_start(&bench);
	append(&bench, "written\n");
	settle(&bench);
	append(&bench, "waiting\n");
	id = newest(&bench).id;
	from = reader(&bench, id);
	CHECK_INT(logbook_remove(bench.logbook, id), 0);
	CHECK(reads(from, "written\nwaiting\n", 16, 0));
	settle(&bench);
	CHECK(reads(from, "written\nwaiting\n", 16, 0));
	CHECK_INT(count_segments(&bench, &total), 1);
	CHECK_INT(total, 0);
	CHECK(newest(&bench).id > id);
	id = newest(&bench).id;
	CHECK_INT(logbook_remove(bench.logbook, id), 0); /* an empty one stays */
	CHECK_INT(newest(&bench).id, id);
	bench_close(&bench);
	bench_open(&bench);
	CHECK_INT(newest(&bench).id, id); /* an id is not given out again */
	buf_clear(&bench.text);
	append(&bench, "fresh\n");
	settle(&bench);
	check_text(&bench);
	CHECK_INT(count_files(&bench, &compressed), 1);
	logbook_reader_free(from);
	bench_end(&bench);
}

/* Removed while a worker writes its text, and while one compresses it. */
static void removing_what_is_worked_on(void)
{
	struct bench bench;
	struct logbook_reader *from;
	struct logbook_segment last;
	int64_t total;
	int compressed, i;

	bench_start(&bench);
	for (i = 0; i < 20; i++) {
		fill(&bench, 900000);
		uv_run(&bench.loop, UV_RUN_NOWAIT);
		last = newest(&bench);
		from = reader(&bench, last.id);
		CHECK_INT(logbook_remove(bench.logbook, last.id), 0);
		uv_run(&bench.loop, UV_RUN_NOWAIT);
		CHECK(reads(from, bench.text.data + bench.text.length - last.size,
		        (size_t)last.size, 0));
		logbook_reader_free(from);
		buf_clear(&bench.text);
	}
	for (i = 0; i < 20; i++) {
		fill(&bench, 1200000);
		while (newest(&bench).size > 0 && logbook_congested(bench.logbook))
			uv_run(&bench.loop, UV_RUN_ONCE);
		uv_run(&bench.loop, UV_RUN_NOWAIT);
		while (count_segments(&bench, &total) > 1)
			CHECK_INT(logbook_remove(bench.logbook, oldest(&bench).id), 0);
	}
	settle(&bench);
	CHECK_INT(count_segments(&bench, &total), 1);
	CHECK_INT(count_files(&bench, &compressed), 1);
	CHECK_INT(compressed, 0);
	bench_end(&bench);
}

struct listener {
	struct logbook_follower follower;
	struct buf heard;
	int ended;
};

static void hear(struct logbook_follower *follower, const char *text, size_t length)
{
	buf_append(&container_of(follower, struct listener, follower)->heard, text, length);
	CHECK(length && text[length - 1] == '\n');
}

static void hear_end(struct logbook_follower *follower)
{
	container_of(follower, struct listener, follower)->ended++;
}

static void followers(void)
{
	struct bench bench;
	struct listener a = {.follower = {.lines = hear, .ended = hear_end}}, b = a;

	bench_start(&bench);
	append(&bench, "before\n");
	logbook_follow(bench.logbook, &a.follower);
	append(&bench, "one\n");
	logbook_follow(bench.logbook, &b.follower);
	append(&bench, "two\n");
	settle(&bench);
	CHECK_STR(a.heard.data, "one\ntwo\n");
	CHECK_STR(b.heard.data, "two\n");
	logbook_unfollow(&b.follower);
	bench.fake.now_us += 24 * HOUR_US;
	append(&bench, "three\n"); /* in another segment */
	bench_close(&bench);
	CHECK_STR(a.heard.data, "one\ntwo\nthree\n");
	CHECK_STR(b.heard.data, "two\n");
	CHECK_INT(a.ended, 1);
	CHECK_INT(b.ended, 0);
	logbook_unfollow(&a.follower); /* harmless */
	buf_deinit(&a.heard);
	buf_deinit(&b.heard);
	bench_open(&bench);
	bench_end(&bench);
}

static void count_drained(void *userdata)
{
	++*(int *)userdata;
}

static void back_pressure(void)
{
	struct bench bench;
	int drained = 0, rounds = 0;

	bench_start(&bench);
	bench.limits.segment_bytes = 64 << 20;
	logbook_set_limits(bench.logbook, &bench.limits);
	logbook_on_drained(bench.logbook, count_drained, &drained);
	while (!logbook_congested(bench.logbook)) {
		append_random_line(&bench);
		REQUIRE(++rounds < 100000);
	}
	CHECK(bench.text.length > 1 << 20);
	CHECK_INT(drained, 0);
	settle(&bench);
	CHECK_INT(drained, 1);
	CHECK(!logbook_congested(bench.logbook));
	check_text(&bench);
	bench_end(&bench);
}

/* Short lines still fit where a long one did not: some of them stand between words of what was lost. */
#define BORDER (64 << 10)

/* Who does not pause does not make the daemon grow: lines are dropped, and that is said. */
static void refuses_a_flood(void)
{
	struct bench bench;
	struct logbook_reader *from;
	static char end[BORDER + 1];
	int64_t size;

	bench_start(&bench);
	bench.limits.segment_bytes = 128 << 20;
	logbook_set_limits(bench.logbook, &bench.limits);
	while (bench.text.length < 66 << 20)
		append_random_line(&bench);
	CHECK(newest(&bench).size <= (64 << 20) + 200);
	settle(&bench);
	size = newest(&bench).size;
	from = reader(&bench, newest(&bench).id);
	CHECK_INT(logbook_read(from, end, BORDER, size - BORDER), BORDER);
	CHECK(strstr(end, " lines lost: "));
	CHECK(reads_part(from, bench.text.data, (size_t)size - BORDER, 0));
	logbook_reader_free(from);
	bench_end(&bench);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(is_empty_at_first), TEST(sizes_are_true),
	        TEST(goes_on_after_a_restart), TEST(readers_stay), TEST(removing_the_newest),
	        TEST(removing_what_is_worked_on), TEST(followers), TEST(back_pressure),
	        TEST(refuses_a_flood), {}};

	return test_main(tests, argc, argv);
}
