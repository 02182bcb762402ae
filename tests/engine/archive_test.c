/* SPDX-License-Identifier: Apache-2.0 */
/* Without this a damaged old log could crash the daemon, or show lines that were never logged. */
#include "engine/logbook_archive.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "test.h"

/* A text of several pieces and its archive. */
struct bench {
	struct buf text;
	struct buf packed;
	uint64_t seed;
};

static int file_of(const void *data, size_t size)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);

	REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	return fd;
}

static void bench_start(struct bench *bench, size_t size)
{
	atomic_bool canceled = false;
	CLEANUP(close_p) int from = -1;
	CLEANUP(close_p) int to = memfd_create("archive", MFD_CLOEXEC);
	off_t packed;

	*bench = (struct bench){.seed = test_seed()};
	while (bench->text.length < size)
		buf_printf(&bench->text, "%zu %llu\n", bench->text.length,
		        (unsigned long long)test_random(&bench->seed) % 100000);
	bench->text.length = size;
	from = file_of(bench->text.data, size);
	REQUIRE(archive_write(from, (int64_t)size, to, &canceled) == 0);
	packed = lseek(to, 0, SEEK_END);
	REQUIRE(pread(to, buf_reserve(&bench->packed, (size_t)packed), (size_t)packed, 0) ==
	        packed);
	buf_added(&bench->packed, (size_t)packed);
}

static void bench_end(struct bench *bench)
{
	buf_deinit(&bench->text);
	buf_deinit(&bench->packed);
}

/*
 * Reads all there is in pieces of some size. Every byte that can be read must be right. Returns how many
 * could; a damaged piece is stepped over.
 */
static int64_t read_right(struct bench *bench, const void *packed, size_t size, bool whole)
{
	CLEANUP(close_p) int fd = file_of(packed, size);
	CLEANUP(free_p) char *data = malloc(200000);
	struct archive *archive = NULL;
	int64_t right = 0, offset = 0;
	size_t step = whole ? 200000 : test_random(&bench->seed) % 200000 + 1;
	ssize_t done;

	if (archive_open(&archive, fd) < 0)
		return 0;
	while (offset < archive_size(archive)) {
		done = archive_read(archive, data, step, offset);
		if (done == -EIO) {
			offset = (offset / ARCHIVE_PIECE + 1) * ARCHIVE_PIECE;
			continue;
		}
		if (!CHECK(done > 0 && offset + done <= (int64_t)bench->text.length &&
		            memcmp(data, bench->text.data + offset, (size_t)done) == 0))
			break;
		right += done;
		offset += done;
	}
	archive_free(archive);
	return right;
}

static void sizes(void)
{
	static const size_t wanted[] = {
	        1, 100, ARCHIVE_PIECE - 1, ARCHIVE_PIECE, ARCHIVE_PIECE + 1, 5 * ARCHIVE_PIECE};
	struct bench bench;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wanted); i++) {
		bench_start(&bench, wanted[i]);
		CHECK_INT(read_right(&bench, bench.packed.data, bench.packed.length, true),
		        wanted[i]);
		CHECK_INT(read_right(&bench, bench.packed.data, bench.packed.length, false),
		        wanted[i]);
		bench_end(&bench);
	}
}

static void is_plain_text(void)
{
	static const char *const texts[] = {"", "2026-03-17T10:13:22.123Z x", "abc"};
	struct archive *archive = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		CLEANUP(close_p) int fd = file_of(texts[i], strlen(texts[i]));
		CHECK_INT(archive_open(&archive, fd), -EBADMSG);
	}
}

/* Cut off anywhere: what is whole is read. */
static void cut_off(void)
{
	struct bench bench;
	size_t length, i;
	int64_t right;

	bench_start(&bench, 5 * ARCHIVE_PIECE + 777);
	for (i = 0; i < 300; i++) {
		length = test_random(&bench.seed) % bench.packed.length;
		read_right(&bench, bench.packed.data, length, false);
	}
	/* Without its index nothing is lost. */
	length = bench.packed.length - 9;
	right = read_right(&bench, bench.packed.data, length, true);
	CHECK_INT(right, bench.text.length);
	/* Without the end of the last frame only that is. */
	length = bench.packed.length - (8 + 6 * 8 + 9) - 1;
	right = read_right(&bench, bench.packed.data, length, true);
	CHECK_INT(right, 5 * ARCHIVE_PIECE);
	bench_end(&bench);
}

/* With bytes changed anywhere. */
static void damaged(void)
{
	struct bench bench;
	CLEANUP(free_p) char *copy = NULL;
	int64_t right, losses = 0;
	int i, n;

	bench_start(&bench, 5 * ARCHIVE_PIECE + 777);
	copy = malloc(bench.packed.length);
	for (i = 0; i < (test_long() ? 20000 : 1000); i++) {
		memcpy(copy, bench.packed.data, bench.packed.length);
		for (n = (int)(test_random(&bench.seed) % 3); n >= 0; n--)
			copy[test_random(&bench.seed) % bench.packed.length] ^=
			        (char)(1 << test_random(&bench.seed) % 8);
		right = read_right(&bench, copy, bench.packed.length, false);
		losses += right < (int64_t)bench.text.length;
	}
	CHECK(losses > i / 2); /* else nothing was damaged */
	bench_end(&bench);
}

/* Every byte of the index: the sizes in it must not be believed. */
static void damaged_index(void)
{
	struct bench bench;
	CLEANUP(free_p) char *copy = NULL;
	size_t index = 8 + 6 * 8 + 9, i;
	int bit;

	bench_start(&bench, 5 * ARCHIVE_PIECE + 777);
	copy = malloc(bench.packed.length);
	for (i = bench.packed.length - index; i < bench.packed.length; i++) {
		for (bit = 0; bit < 8; bit++) {
			memcpy(copy, bench.packed.data, bench.packed.length);
			copy[i] ^= (char)(1 << bit);
			CHECK(read_right(&bench, copy, bench.packed.length, true) >=
			        5 * ARCHIVE_PIECE);
		}
	}
	bench_end(&bench);
}

static void cancels(void)
{
	atomic_bool canceled = true;
	CLEANUP(close_p) int from = file_of("text\n", 5);
	CLEANUP(close_p) int to = file_of("", 0);

	CHECK_INT(archive_write(from, 5, to, &canceled), -ECANCELED);
	atomic_store(&canceled, false);
	CHECK_INT(archive_write(from, 6, to, &canceled), -EIO); /* there is less than was said */
}

static void say_nothing(void *userdata, const char *line, size_t length)
{
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(sizes), TEST(is_plain_text), TEST(cut_off),
	        TEST(damaged), TEST(damaged_index), TEST(cancels), {}};

	log_set_sink(say_nothing, NULL); /* each damaged piece is told */
	return test_main(tests, argc, argv);
}
