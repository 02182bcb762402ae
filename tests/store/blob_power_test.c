/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would lose: what was published, when the power goes. Publishes and sweeps are written down as the disk is
 * asked for them; then, for every point of that, directories are laid out as a disk might be found after a power cut
 * there: of what was not synced any block may have arrived or not, names may be changed or not. What was sealed
 * before that point, and is still referred to, must be whole.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "blob_fixture.h"
#include "store/blob_private.h"
#include "test.h"

enum { STEPS_MOST = 200, BLOCK = 512 };

/* After which event which numbers are sealed and referred to. */
struct promise {
	uint64_t first, count; /* live from here on */
};

struct recording {
	struct place place;
	struct promise promises[STEPS_MOST]; /* by `mark` */
	uint64_t marks;
};

/* The file of a name, by its number; on the disk for sure, or only perhaps. */
struct name {
	char name[40];
	uint64_t file;
};

struct directory {
	struct name names[64];
	size_t count;
};

static struct name *find_name(struct directory *directory, const char *name)
{
	size_t i;

	for (i = 0; i < directory->count; i++)
		if (strcmp(directory->names[i].name, name) == 0)
			return &directory->names[i];
	return NULL;
}

static void set_name(struct directory *directory, const char *name, uint64_t file)
{
	struct name *place = find_name(directory, name);

	if (!place) {
		REQUIRE(directory->count < ARRAY_SIZE(directory->names));
		place = &directory->names[directory->count++];
		snprintf(place->name, sizeof(place->name), "%s", name);
	}
	place->file = file;
}

static void drop_name(struct directory *directory, const char *name)
{
	struct name *place = find_name(directory, name);

	if (place)
		*place = directory->names[--directory->count];
}

/* Which file the name means at that event, if everything before it was done. */
static uint64_t file_at(const struct test_disk *disk, size_t event, const char *name)
{
	uint64_t file = 0;
	size_t i;

	for (i = 0; i < event; i++) {
		const struct disk_event *past = &disk->events[i];
		if (past->verb == DISK_CREATE && strcmp(past->name, name) == 0)
			file = past->file;
		if (past->verb == DISK_RENAME && strcmp(past->to, name) == 0)
			file = file_at(disk, i, past->name);
	}
	return file;
}

static void change_names(const struct test_disk *disk, size_t at, struct directory *directory)
{
	const struct disk_event *event = &disk->events[at];

	if (event->verb == DISK_CREATE)
		set_name(directory, event->name, event->file);
	if (event->verb == DISK_REMOVE)
		drop_name(directory, event->name);
	if (event->verb == DISK_RENAME) {
		drop_name(directory, event->name);
		set_name(directory, event->to, file_at(disk, at, event->name));
	}
}

/* The last sync before the cut that concerns this event, if there is one after it. */
static bool is_synced(const struct test_disk *disk, size_t event, size_t cut)
{
	const struct disk_event *what = &disk->events[event];
	size_t i;

	for (i = event + 1; i < cut; i++) {
		const struct disk_event *later = &disk->events[i];
		if (what->verb == DISK_WRITE ? later->verb == DISK_SYNC && later->file == what->file
		                             : later->verb == DISK_SYNC_DIRECTORY)
			return true;
	}
	return false;
}

/* All blocks, or by the dice none or some of them. */
static void arrive(int fd, const struct disk_event *event, bool synced, uint64_t *random)
{
	bool torn = test_random(random) % 2;
	size_t at, length;

	if (!synced && test_random(random) % 3 == 0)
		return;
	for (at = 0; at < event->data.length; at += length) {
		length = event->data.length - at < BLOCK ? event->data.length - at : BLOCK;
		if (synced || !torn || test_random(random) % 2)
			REQUIRE(pwrite(fd, event->data.data + at, length,
			                (off_t)(event->place + at)) == (ssize_t)length);
	}
}

static void lay_out_file(const struct test_disk *disk, size_t cut, const char *packs,
        const struct name *name, uint64_t *random)
{
	CLEANUP(free_p) char *path = NULL;
	CLEANUP(close_p) int fd = -1;
	size_t i;

	REQUIRE(asprintf(&path, "%s/%s", packs, name->name) > 0);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	REQUIRE(fd >= 0);
	for (i = 0; i < cut; i++)
		if (disk->events[i].verb == DISK_WRITE && disk->events[i].file == name->file)
			arrive(fd, &disk->events[i], is_synced(disk, i, cut), random);
}

static char *lay_out(const struct test_disk *disk, size_t cut, uint64_t *random)
{
	CLEANUP(free_p) char *packs = NULL;
	struct directory directory = {.count = 0};
	char *state = test_directory();
	size_t i;

	REQUIRE(asprintf(&packs, "%s/packs", state) > 0 && mkdir(packs, 0700) == 0);
	for (i = 0; i < cut; i++)
		if (is_synced(disk, i, cut) || test_random(random) % 2)
			change_names(disk, i, &directory);
	for (i = 0; i < directory.count; i++)
		lay_out_file(disk, cut, packs, &directory.names[i], random);
	return state;
}

static void verify(const struct recording *recording, size_t cut, uint64_t *random)
{
	const struct test_disk *disk = &recording->place.disk;
	const struct promise *promise = &recording->promises[cut ? disk->events[cut - 1].mark : 0];
	char *state = lay_out(disk, cut, random);
	struct test_disk after;
	struct blobs *blobs = NULL;
	uint64_t i;

	test_disk_init(&after); /* which does not sync: there are many */
	REQUIRE(blobs_open_on(&blobs, state, &after.disk) == 0);
	for (i = 0; i < promise->count; i++)
		REQUIRE(has_content(blobs, promise->first + i) == 1);
	REQUIRE(problems_of(blobs) == 0);
	CHECK_INT(count_files(state, ".tmp"), 0);
	CHECK_INT(publish(blobs, 5000, 3), 0); /* and it goes on */
	blobs_close(blobs);
	test_directory_remove(state);
}

/* From here on this much is sealed, and will be referred to at least until the next promise. */
static void promise(struct recording *recording, uint64_t first, uint64_t count)
{
	recording->marks++;
	REQUIRE(recording->marks < STEPS_MOST);
	recording->promises[recording->marks] = (struct promise){first, count};
	recording->place.disk.mark = recording->marks;
}

static void record(struct recording *recording, int publishes)
{
	struct blobs *blobs;
	uint64_t first = 0, next = 0;
	int i;

	place_init(&recording->place);
	blobs = recording->place.blobs;
	recording->place.disk.recording = true;
	for (i = 0; i < publishes; i++) {
		REQUIRE(publish(blobs, next, 3) == 0);
		next += 3;
		promise(recording, first, next - first);
		if (i % 5 == 4) {
			first += 7; /* rows go before a sweep begins */
			promise(recording, first, next - first);
			REQUIRE(sweep_keeping(blobs, first, next - first, NULL) == 0);
		}
		if (blobs_want_sweep(blobs)) {
			REQUIRE(blobs_sweep_begin(blobs) == 0);
			REQUIRE(blobs_sweep(blobs, NULL, NULL) == 0);
		}
	}
}

static void sealed_is_whole_after_a_power_cut(void)
{
	static struct recording recording;
	uint64_t random = test_seed();
	int tries = test_long() ? 60 : 4, t;
	size_t cut;

	record(&recording, 20);
	for (cut = 0; cut <= recording.place.disk.count; cut++)
		for (t = 0; t < tries; t++)
			verify(&recording, cut, &random);
	printf("%zu points, %d times each\n", cut, tries);
	CHECK(cut > 100);
	place_deinit(&recording.place);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(sealed_is_whole_after_a_power_cut), {}};

	return test_main(tests, argc, argv);
}
