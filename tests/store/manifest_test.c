/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would find names in a published directory that are not in it, or not find those that
 * are.
 */
#include <errno.h>

#include "base/cleanup.h"
#include "store/manifest_reader.h"
#include "store/manifest_writer.h"
#include "test.h"

struct store {
	char *directory;
	struct blobs *blobs;
	struct blob_batch *batch;
	struct snapshot_recent *recent;
};

static void store_open(struct store *store)
{
	store->directory = test_directory();
	REQUIRE(blobs_open(&store->blobs, store->directory) == 0);
	REQUIRE(blob_batch_begin(store->blobs, &store->batch) == 0);
	store->recent = snapshot_recent_new(store->blobs, 20000);
}

static void store_close(struct store *store)
{
	snapshot_recent_free(store->recent);
	blob_batch_release(store->batch);
	blobs_close(store->blobs);
	test_directory_remove(store->directory);
}

static void name_of_entry(char name[32], int i)
{
	snprintf(name, 32, "name%06d", i * 2);
}

static struct blob_id write_entries(struct store *store, int count, int changed)
{
	struct manifest_writer writer;
	struct blob_id id;
	char name[32];
	int i;

	manifest_writer_init(&writer, store->batch);
	for (i = 0; i < count; i++) {
		struct manifest_entry entry = {.name = name,
		        .kind = MANIFEST_SYMLINK,
		        .mode = 0777,
		        .mtime = {-5 - (i == changed), 999999999},
		        .target = "target",
		        .size = 6};
		name_of_entry(name, i);
		CHECK_INT(manifest_writer_add(&writer, &entry), 0);
	}
	CHECK_INT(manifest_writer_finish(&writer, &id), 0);
	manifest_writer_deinit(&writer);
	return id;
}

static void check_entry(const struct manifest_entry *entry, int i)
{
	char name[32];

	name_of_entry(name, i);
	CHECK_STR(entry->name, name);
	CHECK_INT(entry->mtime.tv_sec, -5);
	CHECK_INT(entry->mtime.tv_nsec, 999999999);
	CHECK(entry->size == 6 && memcmp(entry->target, "target", 6) == 0);
}

static void check_reading(struct store *store, const struct blob_id *id, int count)
{
	struct manifest_reader reader;
	struct manifest_entry entry;
	char name[32];
	int i, step = count / 50 + 1;

	REQUIRE(manifest_reader_open(&reader, store->recent, id) == 0);
	for (i = 0; manifest_reader_next(&reader, &entry) > 0; i++)
		check_entry(&entry, i);
	CHECK_INT(i, count);
	CHECK_INT(manifest_reader_next(&reader, &entry), 0);
	for (i = count - 1; i >= 0; i -= step) {
		CHECK_INT(manifest_reader_seek(&reader, (uint64_t)i), 0);
		CHECK_INT(manifest_reader_next(&reader, &entry), 1);
		check_entry(&entry, i);
		name_of_entry(name, i);
		CHECK_INT(manifest_reader_find(&reader, name, &entry), 1);
		check_entry(&entry, i);
		CHECK_INT(reader.place, i + 1);
		name[9]++; /* an odd one: between two that are there */
		CHECK_INT(manifest_reader_find(&reader, name, &entry), 0);
	}
	CHECK_INT(manifest_reader_find(&reader, "a", &entry), 0);
	CHECK_INT(manifest_reader_find(&reader, "z", &entry), 0);
	CHECK_INT(manifest_reader_seek(&reader, (uint64_t)count + 5), 0);
	CHECK_INT(manifest_reader_next(&reader, &entry), 0);
	manifest_reader_close(&reader);
}

static void every_size_reads_back(void)
{
	static const int counts[] = {0, 1, 2, 15, 16, 17, 31, 33, 64, 100, 257, 1000, 20000};
	struct blob_id ids[ARRAY_SIZE(counts)];
	struct store store;
	size_t i;

	store_open(&store);
	for (i = 0; i < ARRAY_SIZE(counts); i++)
		ids[i] = write_entries(&store, counts[i], -1);
	REQUIRE(blob_batch_seal(store.batch) == 0);
	for (i = 0; i < ARRAY_SIZE(counts); i++)
		check_reading(&store, &ids[i], counts[i]);
	store_close(&store);
}

static void a_change_costs_a_page_of_each_level(void)
{
	struct store store;
	struct blob_id first, again, changed;
	uint64_t blobs, more;
	int i;

	store_open(&store);
	first = write_entries(&store, 20000, -1);
	blobs = blob_batch_added_blobs(store.batch);
	CHECK(blobs > 20000 / 64 && blobs < 20000 / 20);
	again = write_entries(&store, 20000, -1);
	CHECK(blob_id_equal(&first, &again));
	CHECK_INT(blob_batch_added_blobs(store.batch), blobs);
	for (i = 0; i < 20000; i += 3333) {
		changed = write_entries(&store, 20000, i);
		CHECK(!blob_id_equal(&first, &changed));
		more = blob_batch_added_blobs(store.batch) - blobs;
		CHECK(more >= 2 && more <= 4);
		blobs += more;
	}
	store_close(&store);
}

static void what_makes_no_sense_is_refused(void)
{
	static const struct {
		const char *bytes;
		size_t length;
	} pages[] = {
	        {"", 0}, {"M\1", 2}, {"X\1\0", 3}, {"M\2\0", 3},
	        {"M\1\1", 3},  /* an empty page of references */
	        {"M\1\14", 3}, /* too high */
	};
	struct manifest_cursor cursor;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pages); i++)
		CHECK_INT(manifest_begin(&cursor, pages[i].bytes, pages[i].length), -EBADMSG);
}

/* A page with one fifo of this name, whose mode takes one byte. */
static int read_name(const char *name)
{
	struct manifest_entry entry = {.name = name, .kind = MANIFEST_FIFO, .mode = 0100};
	CLEANUP(buf_deinit) struct buf page = BUF_INIT;
	struct manifest_cursor cursor;

	manifest_page_begin(&page, 0);
	manifest_put_entry(&page, "", &entry);
	REQUIRE(manifest_begin(&cursor, page.data, page.length) == 0);
	return manifest_next_entry(&cursor, &entry);
}

static void names_that_lead_astray_are_refused(void)
{
	char name[300];

	CHECK_INT(read_name("fine"), 1);
	CHECK_INT(read_name("..."), 1);
	CHECK_INT(read_name(""), -EBADMSG);
	CHECK_INT(read_name("."), -EBADMSG);
	CHECK_INT(read_name(".."), -EBADMSG);
	CHECK_INT(read_name("a/b"), -EBADMSG);
	CHECK_INT(read_name("/"), -EBADMSG);
	memset(name, 'x', sizeof(name));
	name[255] = 0;
	CHECK_INT(read_name(name), 1);
	name[255] = 'x';
	name[256] = 0;
	CHECK_INT(read_name(name), -EBADMSG);
}

static void names_out_of_order_are_refused(void)
{
	struct manifest_entry entry = {.name = "b", .kind = MANIFEST_FIFO};
	CLEANUP(buf_deinit) struct buf page = BUF_INIT;
	struct manifest_cursor cursor;

	manifest_page_begin(&page, 0);
	manifest_put_entry(&page, "", &entry);
	entry.name = "a";
	manifest_put_entry(&page, "b", &entry);
	REQUIRE(manifest_begin(&cursor, page.data, page.length) == 0);
	CHECK_INT(manifest_next_entry(&cursor, &entry), 1);
	CHECK_INT(manifest_next_entry(&cursor, &entry), -EBADMSG);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(every_size_reads_back),
	        TEST(a_change_costs_a_page_of_each_level), TEST(what_makes_no_sense_is_refused),
	        TEST(names_that_lead_astray_are_refused), TEST(names_out_of_order_are_refused), {}};

	return test_main(tests, argc, argv);
}
