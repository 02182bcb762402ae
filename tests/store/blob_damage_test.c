/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: the knowledge that a disk lost something, or would be given it as if it were whole. */
#include <errno.h>
#include <glob.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "blob_fixture.h"
#include "store/blob_format.h"
#include "test.h"

static struct buf heard = BUF_INIT;

static void hear(void *userdata, const char *line, size_t length)
{
	buf_append(&heard, line, length);
}

static bool was_heard(const char *text)
{
	return heard.data && strstr(heard.data, text);
}

/* The one pack, for damaging it. */
static int open_only_pack(const struct place *place, struct stat *attr)
{
	CLEANUP(free_p) char *pattern = NULL;
	glob_t found;
	int fd;

	REQUIRE(asprintf(&pattern, "%s/packs/*.pack", place->state) > 0);
	REQUIRE(glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc == 1);
	fd = open(found.gl_pathv[0], O_RDWR | O_CLOEXEC);
	REQUIRE(fd >= 0 && fstat(fd, attr) == 0);
	globfree(&found);
	return fd;
}

static void flip(int fd, off_t at)
{
	unsigned char byte;

	REQUIRE(pread(fd, &byte, 1, at) == 1);
	byte ^= 0x10;
	REQUIRE(pwrite(fd, &byte, 1, at) == 1);
}

/* Each byte of a pack in turn: what is read is right or an error, and what is damaged is named. */
static void no_damage_gives_wrong_bytes(void)
{
	char text[BLOB_TEXT_SIZE], *where;
	struct place place;
	struct stat attr;
	unsigned long refused = 0, absent = 0;
	uint64_t i;
	off_t at;
	int fd, r;

	place_init(&place);
	CHECK_INT(publish(place.blobs, 0, 4), 0);
	fd = open_only_pack(&place, &attr);
	for (at = 0; at < attr.st_size; at++) {
		flip(fd, at);
		place_reopen(&place);
		for (i = 0; i < 4; i++) {
			buf_clear(&heard);
			r = has_content(place.blobs, i);
			REQUIRE(r == 1 || r == 0 || r == -EIO);
			name_of(text, i);
			where = r == -EIO && heard.data ? strstr(heard.data, text) : NULL;
			REQUIRE(r != -EIO || (where && strstr(where, "in pack ")));
			refused += r == -EIO;
			absent += r == 0;
		}
		flip(fd, at);
	}
	place_reopen(&place);
	for (i = 0; i < 4; i++)
		CHECK_INT(has_content(place.blobs, i), 1);
	/* An index that is whole knows every blob; only with a byte of it gone all is re-read. */
	CHECK(refused > 200);
	CHECK_INT(absent, 0);
	close(fd);
	place_deinit(&place);
}

static void ruin_footer(struct place *place)
{
	struct stat attr;
	int fd = open_only_pack(place, &attr);

	flip(fd, attr.st_size - 1);
	close(fd);
}

static void a_damaged_index_is_made_anew(void)
{
	struct blob_sweep_result result;
	struct place place;
	uint64_t i;

	place_init(&place);
	CHECK_INT(publish(place.blobs, 0, 2000), 0);
	CHECK(!blobs_want_sweep(place.blobs));
	ruin_footer(&place);
	buf_clear(&heard);
	place_reopen(&place);
	CHECK(was_heard("its index is damaged; made anew from 2000 records\n"));
	for (i = 0; i < 2000; i++)
		CHECK_INT(has_content(place.blobs, i), 1);
	CHECK_INT(problems_of(place.blobs), 1);
	CHECK(blobs_want_sweep(place.blobs));
	CHECK_INT(blobs_sweep_begin(place.blobs), 0);
	CHECK_INT(blobs_sweep(place.blobs, NULL, &result), 0);
	CHECK_INT(result.packs_before, 1);
	CHECK_INT(result.packs_after, 1);
	CHECK_INT(result.blobs_dropped, 0);
	CHECK(!blobs_want_sweep(place.blobs));
	place_reopen(&place);
	CHECK_INT(problems_of(place.blobs), 0);
	for (i = 0; i < 2000; i++)
		CHECK_INT(has_content(place.blobs, i), 1);
	place_deinit(&place);
}

/* Half of the pack, with its index, is gone; what is left is found, the file stays. */
static void a_pack_cut_off_keeps_what_is_left(void)
{
	struct blob_sweep_result result;
	struct place place;
	struct stat attr;
	int fd, left = 0;
	uint64_t i;

	place_init(&place);
	CHECK_INT(publish(place.blobs, 100, 90), 0);
	fd = open_only_pack(&place, &attr);
	REQUIRE(ftruncate(fd, attr.st_size / 2) == 0);
	close(fd);
	buf_clear(&heard);
	place_reopen(&place);
	CHECK(was_heard("blobs may be missing"));
	for (i = 100; i < 190; i++)
		left += has_content(place.blobs, i) == 1;
	CHECK(left > 10 && left < 80);
	CHECK_INT(sweep_keeping(place.blobs, 0, 0, &result), 0);
	CHECK_INT(result.packs_damaged, 1);
	CHECK_INT(count_files(place.state, ".pack"), 1);
	CHECK_INT(publish(place.blobs, 100, 90), 0);
	for (i = 100; i < 190; i++)
		CHECK_INT(has_content(place.blobs, i), 1);
	place_deinit(&place);
}

static void a_record_lost_inside_is_stepped_over(void)
{
	struct place place;
	struct stat attr;
	uint64_t i;
	int fd, left = 0;

	place_init(&place);
	CHECK_INT(publish(place.blobs, 0, 100), 0);
	fd = open_only_pack(&place, &attr);
	flip(fd, PACK_HEADER_SIZE + 9); /* the length of the first record */
	flip(fd, attr.st_size - 1);
	close(fd);
	buf_clear(&heard);
	place_reopen(&place);
	CHECK(was_heard("made anew from 99 records; some of its bytes are no records"));
	for (i = 0; i < 100; i++)
		left += has_content(place.blobs, i) == 1;
	CHECK_INT(left, 99);
	place_deinit(&place);
}

static void a_file_cut_off_under_us_is_an_error(void)
{
	struct blob_batch *batch;
	struct place place;
	struct stat attr;
	uint64_t i;
	int fd, r;

	place_init(&place);
	CHECK_INT(publish(place.blobs, 0, 3000), 0); /* an index that is not in memory */
	fd = open_only_pack(&place, &attr);
	REQUIRE(ftruncate(fd, attr.st_size / 2) == 0);
	for (i = 0; i < 50; i++) {
		r = has_content(place.blobs, i);
		CHECK(r == -EIO || r == 1);
	}
	CHECK(problems_of(place.blobs) > 0);
	REQUIRE(ftruncate(fd, 0) == 0);
	for (i = 0; i < 50; i++)
		CHECK_INT(has_content(place.blobs, i), -EIO);
	REQUIRE(blob_batch_begin(place.blobs, &batch) == 0);
	CHECK_INT(put_number(batch, 1), 0); /* whatever the index was, it is written again */
	CHECK_INT(blob_batch_added_blobs(batch), 1);
	CHECK_INT(blob_batch_seal(batch), 0);
	blob_batch_release(batch);
	CHECK_INT(has_content(place.blobs, 1), 1);
	close(fd);
	place_deinit(&place);
}

static void what_is_put_again_heals(void)
{
	struct place place;
	struct stat attr;
	int fd;

	place_init(&place);
	CHECK_INT(publish(place.blobs, 3, 1), 0);
	fd = open_only_pack(&place, &attr);
	flip(fd, PACK_HEADER_SIZE + PACK_RECORD_SIZE + 3);
	close(fd);
	CHECK_INT(publish(place.blobs, 3, 1), 0); /* nobody knows yet */
	CHECK_INT(has_content(place.blobs, 3), -EIO);
	CHECK_INT(problems_of(place.blobs), 1);
	CHECK_INT(publish(place.blobs, 3, 1), 0);
	CHECK_INT(count_files(place.state, ".pack"), 2);
	CHECK_INT(has_content(place.blobs, 3), 1);
	CHECK_INT(publish(place.blobs, 3, 1), 0);
	CHECK_INT(count_files(place.state, ".pack"), 2);
	place_reopen(&place);
	CHECK_INT(has_content(place.blobs, 3), 1);
	place_deinit(&place);
}

static void a_newer_pack_is_refused(void)
{
	struct pack_footer footer = {PACK_VERSION + 1, 0, 1, {0}};
	unsigned char entry[PACK_ENTRY_SIZE], bytes[PACK_FOOTER_SIZE];
	struct sha256 *sha256 = sha256_new();
	struct blobs *blobs = NULL;
	struct place place;
	struct stat attr;
	int fd;

	place_init(&place);
	CHECK_INT(publish(place.blobs, 0, 1), 0);
	fd = open_only_pack(&place, &attr);
	footer.index_place = (uint64_t)attr.st_size - PACK_FOOTER_SIZE - PACK_ENTRY_SIZE;
	REQUIRE(pread(fd, entry, sizeof(entry), (off_t)footer.index_place) == sizeof(entry));
	sha256_begin(sha256);
	sha256_add(sha256, entry, sizeof(entry));
	footer_put(bytes, &footer, sha256);
	REQUIRE(pwrite(fd, bytes, sizeof(bytes), attr.st_size - PACK_FOOTER_SIZE) == sizeof(bytes));
	place.blobs = blobs_close(place.blobs);
	CHECK_INT(blobs_open(&blobs, place.state), -EPROTO);
	CHECK(was_heard("version 2"));
	close(fd);
	sha256_free(sha256);
	place_deinit(&place);
}

/* A blob that cannot be read keeps its pack, unless another pack has it whole. */
static void a_sweep_keeps_what_it_cannot_read(void)
{
	struct blob_sweep_result result;
	struct place place;
	struct stat attr;
	int fd;

	place_init(&place);
	CHECK_INT(publish(place.blobs, 0, 20), 0);
	fd = open_only_pack(&place, &attr);
	flip(fd, PACK_HEADER_SIZE + PACK_RECORD_SIZE);
	close(fd);
	CHECK_INT(sweep_keeping(place.blobs, 0, 5, &result), 0);
	CHECK_INT(result.packs_damaged, 1);
	CHECK_INT(has_content(place.blobs, 0), -EIO);
	CHECK_INT(has_content(place.blobs, 1), 1);
	CHECK_INT(publish(place.blobs, 0, 5), 0);
	CHECK_INT(has_content(place.blobs, 0), 1);
	place_reopen(&place);
	CHECK_INT(sweep_keeping(place.blobs, 0, 5, &result), 0);
	CHECK_INT(result.packs_damaged, 0);
	CHECK_INT(problems_of(place.blobs), 0);
	CHECK_INT(has_content(place.blobs, 0), 1);
	CHECK_INT(has_content(place.blobs, 10), 0);
	place_deinit(&place);
}

static void remember(void *userdata, const char *sentence)
{
	buf_puts(userdata, sentence);
	buf_puts(userdata, "\n");
}

static void a_check_says_what_it_found(void)
{
	CLEANUP(buf_deinit) struct buf said = BUF_INIT;
	struct blob_check_result counts;
	char text[BLOB_TEXT_SIZE];
	struct place place;
	struct stat attr;
	int fd;

	place_init(&place);
	CHECK_INT(publish(place.blobs, 0, 10), 0);
	blobs_check_stop(place.blobs, true);
	CHECK_INT(blobs_check(place.blobs, remember, &said, &counts), -ECANCELED);
	blobs_check_stop(place.blobs, false);
	CHECK_INT(blobs_check(place.blobs, remember, &said, &counts), 0);
	CHECK_INT(counts.packs, 1);
	CHECK_INT(counts.records, 10);
	CHECK_INT(counts.problems, 0);
	fd = open_only_pack(&place, &attr);
	CHECK_INT(counts.bytes, attr.st_size);
	flip(fd, PACK_HEADER_SIZE + PACK_RECORD_SIZE);
	flip(fd, attr.st_size - 1);
	CHECK_INT(blobs_check(place.blobs, remember, &said, &counts), 0);
	CHECK_INT(counts.problems, 2);
	name_of(text, 0);
	CHECK(said.data && strstr(said.data, text));
	CHECK(said.data && strstr(said.data, "its index has been damaged since it was opened\n"));
	close(fd);
	place_deinit(&place);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(no_damage_gives_wrong_bytes),
	        TEST(a_damaged_index_is_made_anew),
	        TEST(a_pack_cut_off_keeps_what_is_left),
	        TEST(a_record_lost_inside_is_stepped_over),
	        TEST(a_file_cut_off_under_us_is_an_error),
	        TEST(what_is_put_again_heals),
	        TEST(a_newer_pack_is_refused),
	        TEST(a_sweep_keeps_what_it_cannot_read),
	        TEST(a_check_says_what_it_found),
	        {},
	};
	int r;

	log_set_sink(hear, NULL);
	r = test_main(tests, argc, argv);
	buf_deinit(&heard);
	return r;
}
