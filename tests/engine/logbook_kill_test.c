/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon killed at any moment, while it writes, rotates, compresses and removes. Without this a crash
 * could tear a hole into the log, repeat lines of it, or leave segments nobody can read.
 */
#include <signal.h>
#include <sys/wait.h>

#include "logbook_bench.h"

#define LINE_SIZE 100

static void format_line(char line[LINE_SIZE + 1], unsigned long number)
{
	int length = snprintf(line, LINE_SIZE, "%020lu ", number);

	memset(line + length, 'a' + (int)(number % 26), (size_t)(LINE_SIZE - length));
	line[LINE_SIZE - 1] = '\n';
	line[LINE_SIZE] = 0;
}

/* Writes numbered lines, in bursts small and large, until it is killed. */
static void write_on(struct bench *bench, unsigned long number)
{
	char line[LINE_SIZE + 1];
	int i;

	for (;;) {
		for (i = (int)(test_random(&bench->seed) % (bench->seed % 8 ? 20 : 4000)); i >= 0;
		        i--) {
			format_line(line, number++);
			logbook_append(bench->logbook, line, LINE_SIZE);
		}
		while (logbook_congested(bench->logbook))
			uv_run(&bench->loop, UV_RUN_ONCE);
		uv_run(&bench->loop, UV_RUN_NOWAIT);
	}
}

static void limit(struct bench *bench)
{
	bench->limits.segment_bytes = 100000;
	bench->limits.retention_bytes = 1 << 20;
}

/* This program again, as the daemon: a process with threads must not go on after a fork. */
static pid_t start_writer(struct bench *bench, unsigned long number)
{
	char first[32], seed[32], now[32];
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (pid)
		return pid;
	snprintf(first, sizeof(first), "%lu", number);
	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)bench->seed);
	snprintf(now, sizeof(now), "%lld", (long long)bench->fake.now_us);
	execl("/proc/self/exe", "logbook_kill_test", "--write", bench->path, first, seed, now,
	        NULL);
	_exit(1);
}

static void writer(char **arguments)
{
	struct bench bench = {
	        .fake = {{fake_now, fake_now}, strtoll(arguments[3], NULL, 10)},
	        .limits = {.retention_ms = HOUR_US},
	        .seed = strtoull(arguments[2], NULL, 10),
	        .fd = open(arguments[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	};

	limit(&bench);
	uv_loop_init(&bench.loop);
	REQUIRE(archivist_new(&bench.archivist, &bench.loop) == 0);
	bench_open(&bench);
	write_on(&bench, strtoul(arguments[1], NULL, 10));
}

/* Reads all there is: consecutive numbers, whole lines, but for half a line where it was killed. */
static unsigned long check_lines(struct bench *bench)
{
	struct logbook_segment segment = {0};
	char line[LINE_SIZE + 1], expected[LINE_SIZE + 1];
	unsigned long next = 0, broken = 0;
	int64_t at;

	while (logbook_next(bench->logbook, segment.id, &segment)) {
		struct logbook_reader *from = reader(bench, segment.id);
		for (at = 0; at < segment.size; at += LINE_SIZE) {
			REQUIRE(logbook_read(from, line, LINE_SIZE, at) == LINE_SIZE);
			if (!next)
				next = strtoul(line, NULL, 10);
			format_line(expected, next++);
			line[LINE_SIZE] = 0;
			broken += !CHECK_STR(line, expected);
			if (broken > 3)
				exit(1);
		}
		logbook_reader_free(from);
	}
	return next;
}

/* The half line at the end was completed by a newline: cut it off for the numbers to go on. */
static void drop_half_line(struct bench *bench)
{
	struct logbook_segment last;
	char name[64];

	settle(bench);
	last = newest(bench);
	bench_close(bench);
	if (last.size % LINE_SIZE) {
		snprintf(name, sizeof(name), "logs/%06llu-%s", (unsigned long long)last.id,
		        last.name);
		CLEANUP(close_p) int fd = openat(bench->fd, name, O_RDWR);
		char end = 0;
		REQUIRE(fd >= 0 && pread(fd, &end, 1, last.size - 1) == 1);
		CHECK(end == '\n');
		REQUIRE(ftruncate(fd, last.size - last.size % LINE_SIZE) == 0);
	}
	bench_open(bench);
}

static void killed_at_any_moment(void)
{
	struct bench bench;
	unsigned long next = 1, before;
	uint64_t seed = test_seed();
	int round, status;
	pid_t pid;

	bench_start(&bench);
	limit(&bench);
	for (round = 0; round < (test_long() ? 1000 : 25); round++) {
		bench.seed = test_random(&seed);
		bench.fake.now_us += 1000;
		bench_close(&bench);
		pid = start_writer(&bench, next);
		usleep((useconds_t)(test_random(&seed) % 60000));
		kill(pid, SIGKILL);
		REQUIRE(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
		bench_open(&bench);
		drop_half_line(&bench);
		before = next;
		next = check_lines(&bench);
		if (!next)
			next = before; /* killed before its first line */
		CHECK(next >= before);
	}
	CHECK(next > 1);
	bench_end(&bench);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(killed_at_any_moment), {}};

	if (argc == 6 && strcmp(argv[1], "--write") == 0)
		writer(argv + 2);
	return test_main(tests, argc, argv);
}
