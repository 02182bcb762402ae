/* SPDX-License-Identifier: Apache-2.0 */
#include "blob_fixture.h"

#include <dirent.h>
#include <errno.h>

#include "base/cleanup.h"
#include "base/list.h"
#include "base/sha256.h"
#include "store/blob_private.h"
#include "test.h"

/* All kinds: nothing, a few bytes, text, noise, and now and then many bytes. */
static size_t size_of(uint64_t number, uint64_t *random)
{
	static const size_t most[] = {1, 40, 300, 1500, 6000};

	if (number % 97 == 96)
		return 200000;
	return test_random(random) % most[number % ARRAY_SIZE(most)];
}

void content_of(uint64_t number, struct buf *out)
{
	uint64_t random = number;
	size_t size = size_of(number, &random);

	buf_clear(out);
	buf_printf(out, "%" PRIu64 ":", number);
	while (out->length < size) {
		if (number % 2)
			buf_printf(out, "%" PRIu64 " and so on ", test_random(&random) % 4);
		else
			buf_append(out, &(uint64_t){test_random(&random)}, sizeof(uint64_t));
	}
	if (out->failed)
		abort(); /* not counted: many threads make content */
}

void content_id(const struct buf *content, struct blob_id *out)
{
	struct sha256 *sha256 = sha256_new();

	sha256_of(sha256, content->data, content->length, out->bytes);
	sha256_free(sha256);
}

struct blob_id id_of(uint64_t number)
{
	CLEANUP(buf_deinit) struct buf content = BUF_INIT;
	struct blob_id id;

	content_of(number, &content);
	content_id(&content, &id);
	return id;
}

void name_of(char text[BLOB_TEXT_SIZE], uint64_t number)
{
	struct blob_id id = id_of(number);

	blob_id_format(text, &id);
}

int has_content(struct blobs *blobs, uint64_t number)
{
	CLEANUP(buf_deinit) struct buf content = BUF_INIT, found = BUF_INIT;
	struct blob_id id = id_of(number);
	int r;

	content_of(number, &content);
	r = blob_read(blobs, &id, &found);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return found.length == content.length &&
	                       memcmp(found.data, content.data, content.length) == 0
	               ? 1
	               : -EILSEQ;
}

int put_number(struct blob_batch *batch, uint64_t number)
{
	CLEANUP(buf_deinit) struct buf content = BUF_INIT;

	content_of(number, &content);
	return blob_batch_put(batch, content.data, content.length, NULL);
}

int publish(struct blobs *blobs, uint64_t first, uint64_t count)
{
	struct blob_batch *batch = NULL;
	uint64_t i;
	int r = blob_batch_begin(blobs, &batch);

	for (i = 0; r == 0 && i < count; i++)
		r = put_number(batch, first + i);
	if (r == 0)
		r = blob_batch_seal(batch);
	blob_batch_release(batch);
	return r;
}

int sweep_keeping(
        struct blobs *blobs, uint64_t first, uint64_t count, struct blob_sweep_result *result)
{
	struct blob_set *live = blob_set_new();
	uint64_t i;
	int r;

	REQUIRE(live);
	for (i = 0; i < count; i++) {
		struct blob_id id = id_of(first + i);
		REQUIRE(blob_set_add(live, &id) >= 0);
	}
	r = blobs_sweep_begin(blobs);
	if (r == 0)
		r = blobs_sweep(blobs, live, result);
	blob_set_free(live);
	return r;
}

uint64_t problems_of(struct blobs *blobs)
{
	struct blob_check_result counts;
	int r = blobs_check(blobs, NULL, NULL, &counts);

	return r < 0 ? 1 : counts.problems;
}

int count_files(const char *state, const char *end)
{
	CLEANUP(free_p) char *path = NULL;
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	REQUIRE(asprintf(&path, "%s/packs", state) > 0);
	dir = opendir(path);
	REQUIRE(dir);
	while ((entry = readdir(dir))) {
		size_t length = strlen(entry->d_name);
		count += length > strlen(end) &&
		         strcmp(entry->d_name + length - strlen(end), end) == 0;
	}
	closedir(dir);
	return count;
}

static struct test_disk *test_disk(const struct blob_disk *disk)
{
	return container_of(disk, struct test_disk, disk);
}

/* Whether this change fails; else it may be written down. */
static int change(const struct blob_disk *disk, enum disk_verb verb, struct disk_event **out)
{
	struct test_disk *test = test_disk(disk);
	static struct disk_event nowhere;

	test->changes++;
	*out = &nowhere;
	if (test->failing_in >= 0 && test->failing_in-- == 0) {
		test->failing_in = 0;
		if (verb == DISK_REMOVE) /* which a full disk allows */
			return 0;
		test->failed = true;
		return test->error;
	}
	if (!test->recording)
		return 0;
	if (test->count == test->capacity) {
		test->capacity = test->capacity ? test->capacity * 2 : 64;
		test->events = realloc(test->events, test->capacity * sizeof(*test->events));
		REQUIRE(test->events);
	}
	*out = &test->events[test->count++];
	**out = (struct disk_event){.verb = verb, .mark = test->mark};
	return 0;
}

static int create(const struct blob_disk *disk, int directory, const char *name)
{
	struct test_disk *test = test_disk(disk);
	struct disk_event *event;
	int fd, r = change(disk, DISK_CREATE, &event);

	if (r < 0)
		return r;
	fd = blob_disk_system.create(disk, directory, name);
	if (fd >= 0 && fd < (int)ARRAY_SIZE(test->files_by_fd) && test->recording) {
		event->file = test->files_by_fd[fd] = ++test->files;
		snprintf(event->name, sizeof(event->name), "%s", name);
	}
	return fd;
}

static int write_to(
        const struct blob_disk *disk, int fd, const void *data, size_t length, uint64_t place)
{
	struct disk_event *event;
	int r = change(disk, DISK_WRITE, &event);

	if (r < 0)
		return r;
	if (test_disk(disk)->recording) {
		event->file = test_disk(disk)->files_by_fd[fd];
		event->place = place;
		buf_append(&event->data, data, length);
	}
	return blob_disk_system.write(disk, fd, data, length, place);
}

static int sync_to(const struct blob_disk *disk, int fd)
{
	struct disk_event *event;
	int r = change(disk, DISK_SYNC, &event);

	if (r < 0)
		return r;
	if (test_disk(disk)->recording)
		event->file = test_disk(disk)->files_by_fd[fd];
	return 0;
}

static int rename_to(const struct blob_disk *disk, int directory, const char *from, const char *to)
{
	struct test_disk *test = test_disk(disk);
	void (*before_rename)(void *userdata) = take(test->before_rename);
	struct disk_event *event;
	int r;

	if (before_rename)
		before_rename(test->userdata);
	r = change(disk, DISK_RENAME, &event);
	if (r < 0)
		return r;
	if (test->recording) {
		snprintf(event->name, sizeof(event->name), "%s", from);
		snprintf(event->to, sizeof(event->to), "%s", to);
	}
	return blob_disk_system.rename(disk, directory, from, to);
}

static int remove_from(const struct blob_disk *disk, int directory, const char *name)
{
	struct disk_event *event;
	int r = change(disk, DISK_REMOVE, &event);

	if (r < 0)
		return r;
	if (test_disk(disk)->recording)
		snprintf(event->name, sizeof(event->name), "%s", name);
	return blob_disk_system.remove(disk, directory, name);
}

static int sync_directory(const struct blob_disk *disk, int directory)
{
	struct disk_event *event;

	return change(disk, DISK_SYNC_DIRECTORY, &event);
}

void test_disk_init(struct test_disk *disk)
{
	*disk = (struct test_disk){
	        .disk = {create, write_to, sync_to, rename_to, remove_from, sync_directory},
	        .failing_in = -1,
	        .error = -ENOSPC,
	};
}

void test_disk_deinit(struct test_disk *disk)
{
	size_t i;

	for (i = 0; i < disk->count; i++)
		buf_deinit(&disk->events[i].data);
	free(disk->events);
}

static void place_open(struct place *place)
{
	REQUIRE(blobs_open_on(&place->blobs, place->state, &place->disk.disk) == 0);
}

void place_init(struct place *place)
{
	place->state = test_directory();
	test_disk_init(&place->disk);
	place_open(place);
}

void place_reopen(struct place *place)
{
	place->blobs = blobs_close(place->blobs);
	place_open(place);
}

void place_deinit(struct place *place)
{
	blobs_close(place->blobs);
	test_disk_deinit(&place->disk);
	place->state = test_directory_remove(place->state);
}
