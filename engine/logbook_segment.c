/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/logbook_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "engine/logbook_archive.h"

/* 2026-11-23T22-54-57.123.log: no colons (they confuse scp and make), sorted by age in any locale. */
static void format_name(char *name, size_t size, int64_t started_ms)
{
	time_t seconds = (time_t)(started_ms / 1000);
	struct tm parts;
	size_t length;

	gmtime_r(&seconds, &parts);
	length = strftime(name, size, "%Y-%m-%dT%H-%M-%S", &parts);
	snprintf(name + length, size - length, ".%03d.log", (int)(started_ms % 1000));
}

static bool parse_name(const char *name, int64_t *started_ms)
{
	struct tm parts = {0};
	unsigned ms;
	char again[sizeof(((struct segment *)0)->name)];

	if (sscanf(name, "%4d-%2d-%2dT%2d-%2d-%2d.%3u.log", &parts.tm_year, &parts.tm_mon,
	            &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &ms) != 7)
		return false;
	parts.tm_year -= 1900;
	parts.tm_mon -= 1;
	*started_ms = (int64_t)timegm(&parts) * 1000 + ms;
	format_name(again, sizeof(again), *started_ms);
	return strcmp(again, name) == 0;
}

bool segment_parse(const char *file_name, uint64_t *id, int64_t *started_ms)
{
	char *end;

	if (*file_name < '0' || *file_name > '9')
		return false;
	*id = strtoull(file_name, &end, 10);
	return *id && *id < UINT64_MAX / 2 && *end == '-' && parse_name(end + 1, started_ms);
}

void segment_path(const struct segment *segment, const char *directory, const char *suffix,
        char path[SEGMENT_PATH_SIZE])
{
	snprintf(path, SEGMENT_PATH_SIZE, "%s/%06" PRIu64 "-%s%s", directory, segment->id,
	        segment->name, suffix);
}

struct segment *segment_new(uint64_t id, int64_t started_ms)
{
	struct segment *segment = calloc(1, sizeof(*segment));

	if (!segment)
		return NULL;
	list_init(&segment->link);
	segment->references = 1;
	segment->id = id;
	segment->started_ms = started_ms;
	segment->modified_us = started_ms * 1000;
	format_name(segment->name, sizeof(segment->name), started_ms);
	return segment;
}

struct segment *segment_ref(struct segment *segment)
{
	segment->references++;
	return segment;
}

struct segment *segment_unref(struct segment *segment)
{
	if (!segment || --segment->references)
		return NULL;
	segment_file_unref(segment->file);
	buf_deinit(&segment->writing);
	buf_deinit(&segment->waiting);
	free(segment);
	return NULL;
}

int64_t segment_size(const struct segment *segment)
{
	return segment->written + (int64_t)segment_unwritten(segment);
}

static void file_unref_p(struct segment_file **file)
{
	segment_file_unref(*file);
}

int segment_file_open(struct segment_file **out, const struct segment *segment, int parent_fd,
        const char *directory, int flags)
{
	CLEANUP(file_unref_p) struct segment_file *file = calloc(1, sizeof(*file));
	char path[SEGMENT_PATH_SIZE];
	int r;

	if (!file)
		return -ENOMEM;
	segment_path(segment, directory, "", path);
	file->references = 1;
	file->fd = openat(parent_fd, path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (file->fd < 0)
		return -errno;
	r = flags & O_CREAT ? -EBADMSG : archive_open(&file->archive, file->fd);
	if (r < 0 && r != -EBADMSG)
		return r;
	*out = take(file);
	return 0;
}

struct segment_file *segment_file_ref(struct segment_file *file)
{
	file->references++;
	return file;
}

struct segment_file *segment_file_unref(struct segment_file *file)
{
	if (!file || --file->references)
		return NULL;
	archive_free(file->archive);
	close_fd(file->fd);
	free(file);
	return NULL;
}

int segment_write(int fd, const char *data, size_t size, int64_t offset, size_t *done)
{
	ssize_t step;

	for (*done = 0; *done < size; *done += (size_t)step) {
		step = pwrite(fd, data + *done, size - *done, offset + (int64_t)*done);
		if (step < 0 && errno == EINTR)
			step = 0;
		else if (step <= 0)
			return step < 0 ? -errno : -ENOSPC;
	}
	return 0;
}
