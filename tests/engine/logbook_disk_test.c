/* SPDX-License-Identifier: Apache-2.0 */
/* Without this old logs could be unreadable, wrong, or fill the disk. */
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

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

/* Until the end of the log says what was lost: the retry is a second away. */
static bool is_told(struct bench *bench)
{
	int64_t deadline = (int64_t)uv_hrtime() + INT64_C(20000000000);
	char end[200] = "";

	while ((int64_t)uv_hrtime() < deadline) {
		struct logbook_segment last = newest(bench);
		struct logbook_reader *from = reader(bench, last.id);
		ssize_t done = logbook_read(
		        from, end, sizeof(end) - 1, last.size > 150 ? last.size - 150 : 0);
		logbook_reader_free(from);
		if (done > 0 && (end[done] = 0, strstr(end, " lines lost: ")))
			return true;
		uv_run(&bench->loop, UV_RUN_NOWAIT);
		usleep(10000);
	}
	return false;
}

static void nothing(uv_async_t *async)
{
}

/* The disk takes nothing beyond some point, then it does again. */
static void full_disk(void (*fill_up)(struct bench *bench), void (*relieve)(struct bench *bench))
{
	struct bench bench;
	struct logbook_reader *from;
	uv_async_t alive; /* as in the daemon: the loop does not end */
	int64_t kept, total;
	int i;

	bench_start(&bench);
	uv_async_init(&bench.loop, &alive, nothing);
	bench.limits.segment_bytes = 64 << 20;
	logbook_set_limits(bench.logbook, &bench.limits);
	fill_up(&bench);
	for (i = 0; i < 100; i++) {
		fill(&bench, 100000); /* pauses, once, until the disk has said no */
		uv_run(&bench.loop, UV_RUN_NOWAIT);
	}
	CHECK(!logbook_congested(bench.logbook)); /* nobody is held meanwhile */
	kept = newest(&bench).size;
	CHECK(kept > 0 && kept < 6 << 20); /* nor does the daemon grow: of 10 MB it keeps a part */
	from = reader(&bench, newest(&bench).id);
	CHECK(reads_part(from, bench.text.data, (size_t)kept, 0));
	relieve(&bench);
	CHECK(is_told(&bench));
	CHECK(reads_part(from, bench.text.data, (size_t)kept, 0)); /* nothing shown is taken back */
	logbook_reader_free(from);
	append(&bench, "and on\n");
	count_segments(&bench, &total);
	uv_close((uv_handle_t *)&alive, NULL);
	bench_close(&bench);
	bench_open(&bench);
	CHECK_INT(newest(&bench).size, total);
	bench_end(&bench);
}

static void limit_files(struct bench *bench)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = 100000;
	REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void unlimit_files(struct bench *bench)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = limit.rlim_max;
	REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void file_limit(void)
{
	signal(SIGXFSZ, SIG_IGN);
	full_disk(limit_files, unlimit_files);
}

/* A file takes all but some of a small disk. */
static void take_room(struct bench *bench)
{
	CLEANUP(close_p) int fd = openat(bench->fd, "ballast", O_CREAT | O_WRONLY, 0600);

	REQUIRE(fd >= 0 && posix_fallocate(fd, 0, (4 << 20) - 200000) == 0);
}

static void give_room(struct bench *bench)
{
	unlinkat(bench->fd, "ballast", 0);
}

static void small_disk(void)
{
	CLEANUP(free_p) char *path = test_directory();

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	        mount("tmpfs", path, "tmpfs", 0, "size=4M") < 0) {
		printf("     small_disk needs root: left out\n");
		CHECK_INT(rmdir(path), 0);
		return;
	}
	setenv("TMPDIR", path, 1);
	full_disk(take_room, give_room);
	unsetenv("TMPDIR");
	CHECK_INT(umount(path), 0);
	CHECK_INT(rmdir(path), 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(rotates_by_size), TEST(rotates_by_day),
	        TEST(compression_does_not_show), TEST(random_offsets), TEST(retention_by_size),
	        TEST(retention_by_age), TEST(mends_what_was_left), TEST(file_limit),
	        TEST(small_disk), {}};

	return test_main(tests, argc, argv);
}
