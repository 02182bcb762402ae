/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/scratch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "fs/fs.h"

#define GRACE_US  1000000  /* after the last close */
#define BACKUP_US 10000000 /* made by renaming a value away; nobody ever opens it */

struct scratch {
	struct fs *fs;
	struct list files; /* by id */
	unsigned count;
	uint64_t last_id;
};

struct scratch *scratch_new(struct fs *fs)
{
	struct scratch *scratch = calloc(1, sizeof(*scratch));

	if (!scratch)
		return NULL;
	scratch->fs = fs;
	list_init(&scratch->files);
	return scratch;
}

static void file_free(struct scratch *scratch, struct scratch_file *file)
{
	list_unlink(&file->link);
	scratch->count--;
	buf_deinit(&file->data);
	free(file->name);
	free(file);
}

struct scratch *scratch_free(struct scratch *scratch)
{
	if (!scratch)
		return NULL;
	while (!list_empty(&scratch->files))
		file_free(scratch, list_first(&scratch->files, struct scratch_file, link));
	free(scratch);
	return NULL;
}

static void sweep(struct scratch *scratch)
{
	int64_t now;
	struct scratch_file *file, *following;

	if (list_empty(&scratch->files))
		return;
	now = clock_monotonic_us(scratch->fs->clock);
	list_each_safe(file, following, &scratch->files, link)
		if (file->expires_us && file->expires_us <= now)
			file_free(scratch, file);
}

struct scratch_file *scratch_find(struct scratch *scratch, uint64_t directory, const char *name)
{
	struct scratch_file *file;

	sweep(scratch);
	list_each(file, &scratch->files, link)
		if (file->directory == directory && file->name && strcmp(file->name, name) == 0)
			return file;
	return NULL;
}

struct scratch_file *scratch_next(struct scratch *scratch, uint64_t directory, uint64_t after)
{
	struct scratch_file *file;

	sweep(scratch);
	list_each(file, &scratch->files, link)
		if (file->id > after && file->directory == directory && file->name &&
		        !file->expires_us)
			return file;
	return NULL;
}

struct scratch_file *scratch_get(struct scratch *scratch, uint64_t id)
{
	struct scratch_file *file;

	list_each(file, &scratch->files, link)
		if (file->id == id)
			return file;
	return NULL;
}

int scratch_make(struct scratch *scratch, uint64_t directory, const char *name, mode_t mode,
        const struct caller *caller, struct scratch_file **out)
{
	struct scratch_file *file;

	sweep(scratch);
	if (scratch->count >= SCRATCH_FILES_MOST)
		return -ENOSPC;
	file = calloc(1, sizeof(*file));
	if (file)
		file->name = strdup(name);
	if (!file || !file->name) {
		free(file);
		return fail(-ENOMEM, "making a scratch file");
	}
	file->id = ++scratch->last_id;
	file->directory = directory;
	file->mode = mode;
	file->uid = caller->uid;
	file->gid = caller->gid;
	file->mtime_us = clock_wall_us(scratch->fs->clock);
	if (!S_ISLNK(mode))
		file->expires_us = clock_monotonic_us(scratch->fs->clock) + BACKUP_US;
	list_append(&scratch->files, &file->link);
	scratch->count++;
	*out = file;
	return 0;
}

int scratch_rename(struct scratch *scratch, struct scratch_file *file, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		return fail(-ENOMEM, "renaming a scratch file");
	free(file->name);
	file->name = copy;
	return 0;
}

void scratch_unlink(struct scratch *scratch, struct scratch_file *file)
{
	free(file->name);
	file->name = NULL;
	if (!file->opens)
		file_free(scratch, file);
}

void scratch_open(struct scratch_file *file)
{
	file->opens++;
	file->expires_us = 0;
}

void scratch_close(struct scratch *scratch, struct scratch_file *file)
{
	assert(file->opens);
	if (--file->opens)
		return;
	if (file->name)
		file->expires_us = clock_monotonic_us(scratch->fs->clock) + GRACE_US;
	else
		file_free(scratch, file);
}
