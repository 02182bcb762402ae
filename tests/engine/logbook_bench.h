/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A logbook in a directory of its own under a fake clock, and beside it the text it should hold. */
#include "engine/logbook.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "engine/archivist.h"
#include "test.h"

#define START_US INT64_C(1773742402123456) /* 2026-03-17T10:13:22.123 */
#define HOUR_US  INT64_C(3600000000)

struct fake {
	struct clock clock;
	int64_t now_us;
};

static inline int64_t fake_now(const struct clock *clock)
{
	return container_of(clock, struct fake, clock)->now_us;
}

struct bench {
	uv_loop_t loop;
	struct archivist *archivist;
	struct fake fake;
	char *path;
	int fd;
	struct logbook_limits limits;
	struct logbook *logbook;
	struct buf text;
	uint64_t seed;
};

static inline void bench_open(struct bench *bench)
{
	REQUIRE(logbook_open(&bench->logbook, &bench->loop, bench->archivist, &bench->fake.clock,
	                bench->fd, "logs", &bench->limits) == 0);
}

static inline void bench_close(struct bench *bench)
{
	bench->logbook = logbook_close(bench->logbook);
	uv_run(&bench->loop, UV_RUN_DEFAULT);
}

static inline void bench_start(struct bench *bench)
{
	*bench = (struct bench){
	        .fake = {{fake_now, fake_now}, START_US},
	        .limits = {.segment_bytes = 1 << 20,
	                .retention_ms = 30 * 24 * HOUR_US / 1000,
	                .retention_bytes = 1 << 30},
	        .seed = 1,
	};
	uv_loop_init(&bench->loop);
	REQUIRE(archivist_new(&bench->archivist, &bench->loop) == 0);
	bench->path = test_directory();
	bench->fd = open(bench->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bench_open(bench);
}

static inline void bench_end(struct bench *bench)
{
	bench->logbook = logbook_close(bench->logbook);
	bench->archivist = archivist_free(bench->archivist);
	uv_run(&bench->loop, UV_RUN_DEFAULT);
	CHECK_INT(uv_loop_close(&bench->loop), 0);
	close(bench->fd);
	buf_deinit(&bench->text);
	test_directory_remove(bench->path);
}

/* Everything that can happen without new lines has happened: written, compressed. */
static inline void settle(struct bench *bench)
{
	uv_run(&bench->loop, UV_RUN_DEFAULT);
}

static inline void append(struct bench *bench, const char *text)
{
	logbook_append(bench->logbook, text, strlen(text));
	buf_puts(&bench->text, text);
}

static inline void append_random_line(struct bench *bench)
{
	char line[400];
	size_t length = test_random(&bench->seed) % (sizeof(line) - 1), i;

	for (i = 0; i < length; i++)
		line[i] = (char)('a' + test_random(&bench->seed) % 20);
	line[length++] = '\n';
	logbook_append(bench->logbook, line, length);
	buf_append(&bench->text, line, length);
}

static inline int count_segments(struct bench *bench, int64_t *total)
{
	struct logbook_segment segment = {0};
	int count = 0;

	for (*total = 0; logbook_next(bench->logbook, segment.id, &segment); count++)
		*total += segment.size;
	return count;
}

static inline struct logbook_segment newest(struct bench *bench)
{
	struct logbook_segment segment = {0};

	while (logbook_next(bench->logbook, segment.id, &segment))
		;
	CHECK(segment.newest);
	return segment;
}

static inline struct logbook_segment oldest(struct bench *bench)
{
	struct logbook_segment segment = {0};

	CHECK(logbook_next(bench->logbook, 0, &segment));
	return segment;
}

static inline struct logbook_reader *reader(struct bench *bench, uint64_t id)
{
	struct logbook_reader *made = NULL;

	REQUIRE(logbook_reader_new(&made, bench->logbook, id) == 0);
	return made;
}

static inline bool reads(
        struct logbook_reader *from, const char *expected, size_t size, int64_t offset)
{
	CLEANUP(free_p) char *data = malloc(size + 10);
	ssize_t done = logbook_read(from, data, size + 10, offset);

	return done == (ssize_t)size && memcmp(data, expected, size) == 0;
}

static inline bool reads_part(
        struct logbook_reader *from, const char *expected, size_t size, int64_t offset)
{
	CLEANUP(free_p) char *data = malloc(size);

	return logbook_read(from, data, size, offset) == (ssize_t)size &&
	       memcmp(data, expected, size) == 0;
}

/* All segments one after the other are the text, however they are kept. */
static inline void check_text(struct bench *bench)
{
	struct logbook_segment segment = {0};
	size_t at = 0;

	while (logbook_next(bench->logbook, segment.id, &segment)) {
		struct logbook_reader *from = reader(bench, segment.id);
		REQUIRE(at + (size_t)segment.size <= bench->text.length);
		CHECK(reads(from, bench->text.data + at, (size_t)segment.size, 0));
		logbook_reader_free(from);
		at += (size_t)segment.size;
	}
	CHECK_INT(at, bench->text.length);
}

/* What lies in the directory: files, and how many of them are compressed. */
static inline int count_files(struct bench *bench, int *compressed)
{
	int fd = openat(bench->fd, "logs", O_RDONLY | O_DIRECTORY), count = 0;
	DIR *directory = fdopendir(fd);
	struct dirent *entry;

	*compressed = 0;
	while ((entry = readdir(directory))) {
		CLEANUP(close_p) int file = openat(fd, entry->d_name, O_RDONLY);
		unsigned char magic[4] = {0};
		if (entry->d_name[0] == '.')
			continue;
		if (read(file, magic, 4) == 4 && memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0)
			++*compressed;
		count++;
	}
	closedir(directory);
	return count;
}

static inline void fill(struct bench *bench, size_t bytes)
{
	size_t end = bench->text.length + bytes;

	while (bench->text.length < end) {
		append_random_line(bench);
		if (logbook_congested(bench->logbook))
			uv_run(&bench->loop, UV_RUN_ONCE);
	}
}
