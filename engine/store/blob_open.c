/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Birth and death of the blob store. A `.pack` is never removed here, whatever state it is in: it has its
 * name, so it was whole once, and somebody may rely on what is left of it. A `.tmp` never became one.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/blob_private.h"

static void blobs_close_p(struct blobs **blobs)
{
	blobs_close(*blobs);
}

static int open_pack(struct blobs *blobs, uint64_t number, struct blob_reader *reader)
{
	char name[PACK_NAME_SIZE];
	struct pack *pack = NULL;
	int fd, r;

	pack_name(name, number);
	fd = openat(blobs->directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(-errno, "opening pack %" PRIu64, number);
	r = pack_open(&pack, fd, number, reader);
	if (r == 0)
		r = blobs_replace(blobs, pack, NULL, 0);
	if (r == 0 && number >= blobs->next_number)
		blobs->next_number = number + 1;
	pack_unref(pack);
	return r;
}

static bool is_temporary(const char *name)
{
	const char *end = strrchr(name, '.');

	return end && strcmp(end, ".tmp") == 0;
}

static int look_at(struct blobs *blobs, const char *name, struct blob_reader *reader)
{
	uint64_t number;
	int r = 0;

	if (is_temporary(name)) {
		r = blobs->disk->remove(blobs->disk, blobs->directory, name);
		return r < 0 ? fail(r, "removing %s", name) : 0;
	}
	return pack_name_parse(name, &number) ? open_pack(blobs, number, reader) : 0;
}

static int open_packs(struct blobs *blobs, struct blob_reader *reader)
{
	int fd = openat(blobs->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = -errno;
		close_fd(fd);
		return fail(r, "listing the packs");
	}
	while (r == 0 && (errno = 0, entry = readdir(dir)))
		r = look_at(blobs, entry->d_name, reader);
	if (r == 0 && errno)
		r = fail(-errno, "listing the packs");
	closedir(dir);
	return r;
}

/* The directory of packs, made durable when it is new. */
static int open_directory(struct blobs *blobs, const char *state_dir)
{
	CLEANUP(close_p) int state = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (state < 0)
		return fail(-errno, "opening %s", state_dir);
	if (mkdirat(state, "packs", 0700) == 0) {
		r = blobs->disk->sync_directory(blobs->disk, state);
		if (r < 0)
			return fail(r, "syncing %s", state_dir);
	} else if (errno != EEXIST) {
		return fail(-errno, "creating %s/packs", state_dir);
	}
	blobs->directory = openat(state, "packs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return blobs->directory < 0 ? fail(-errno, "opening %s/packs", state_dir) : 0;
}

static struct blobs *blobs_new(const struct blob_disk *disk)
{
	struct blobs *blobs = calloc(1, sizeof(*blobs));

	if (!blobs)
		return NULL;
	blobs->disk = disk;
	blobs->directory = -1;
	blobs->next_number = 1;
	pthread_mutex_init(&blobs->lock, NULL);
	list_init(&blobs->batches);
	list_init(&blobs->retained);
	atomic_init(&blobs->stop, false);
	atomic_init(&blobs->check_stop, false);
	blobs->table = calloc(1, sizeof(*blobs->table));
	if (!blobs->table)
		return blobs_close(blobs);
	atomic_init(&blobs->table->references, 1);
	return blobs;
}

int blobs_open_on(struct blobs **out, const char *state_dir, const struct blob_disk *disk)
{
	CLEANUP(blobs_close_p) struct blobs *blobs = blobs_new(disk);
	struct blob_reader *reader;
	int r;

	if (!blobs)
		return fail(-ENOMEM, "opening the packs");
	r = open_directory(blobs, state_dir);
	if (r < 0)
		return r;
	reader = blobs_reader(blobs);
	if (!reader)
		return -ENOMEM;
	r = open_packs(blobs, reader);
	blobs_reader_done(blobs, reader);
	if (r < 0)
		return r;
	*out = take(blobs);
	return 0;
}

int blobs_open(struct blobs **out, const char *state_dir)
{
	return blobs_open_on(out, state_dir, &blob_disk_system);
}

struct blobs *blobs_close(struct blobs *blobs)
{
	if (!blobs)
		return NULL;
	assert(list_empty(&blobs->batches) && !blobs->sweep_begun);
	while (blobs->readers_count)
		blob_reader_free(blobs->readers[--blobs->readers_count]);
	assert(!blobs->table || blobs->table->references == 1);
	table_unref(blobs->table);
	blob_set_deinit(&blobs->damaged);
	close_fd(blobs->directory);
	pthread_mutex_destroy(&blobs->lock);
	free(blobs);
	return NULL;
}
