/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The segments of a logbook and what is done to them; how text gets to the disk is in logbook_flush.c
 * and logbook_compress.c. The first segment exists from the beginning, under a file only once there is a
 * line, so that looking at a log that has none leaves no trace.
 */
#include "engine/logbook_private.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "engine/logbook_archive.h"

#define DAY_US              INT64_C(86400000000)
#define SEGMENT_BYTES_LEAST (64 << 10)
#define FOLLOWED_BYTES_MOST (4 << 20) /* told at once; what comes on top in one turn is skipped */

static void close_directory_p(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

static void logbook_close_p(struct logbook **logbook)
{
	logbook_close(*logbook);
}

/* Segments are small where little is kept, so that what is kept can follow the limit. */
static int64_t segment_limit(const struct logbook *logbook)
{
	const struct logbook_limits *limits = &logbook->limits;
	int64_t quarter = limits->retention_bytes / 4;

	if (quarter < SEGMENT_BYTES_LEAST)
		quarter = SEGMENT_BYTES_LEAST;
	return quarter < limits->segment_bytes ? quarter : limits->segment_bytes;
}

/* Into the list, by id. False when there is one of this id. */
static bool insert(struct logbook *logbook, struct segment *segment)
{
	struct list *place = logbook->segments.previous;
	struct segment *before;

	for (; place != &logbook->segments; place = place->previous) {
		before = container_of(place, struct segment, link);
		if (before->id == segment->id)
			return false;
		if (before->id < segment->id)
			break;
	}
	list_prepend(place, &segment->link);
	return true;
}

/* Sizes and state of a segment found on disk. */
static int examine(struct logbook *logbook, struct segment *segment)
{
	struct segment_file *file = NULL;
	struct stat st = {0};
	int r = segment_file_open(&file, segment, logbook->parent_fd, logbook->directory, O_RDONLY);

	if (r < 0)
		return fail(r, "opening log segment %s", segment->name);
	if (fstat(file->fd, &st) < 0)
		r = fail(-errno, "looking at log segment %s", segment->name);
	segment->archived = file->archive != NULL;
	segment->written = file->archive ? archive_size(file->archive) : st.st_size;
	segment->modified_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
	segment->closed = true;
	segment_file_unref(file);
	return r;
}

/* A segment that cannot be read now is left alone: not listed, not removed. */
static int take_in(struct logbook *logbook, const char *file_name)
{
	struct segment *segment;
	int64_t started_ms;
	uint64_t id;

	if (!segment_parse(file_name, &id, &started_ms))
		return 0;
	segment = segment_new(id, started_ms);
	if (!segment)
		return fail(-ENOMEM, "opening the log in %s", logbook->directory);
	if (examine(logbook, segment) < 0 || !insert(logbook, segment))
		segment_unref(segment);
	return 0;
}

static bool is_temporary(const char *name)
{
	size_t length = strlen(name);

	return length > 4 && strcmp(name + length - 4, ".tmp") == 0;
}

static int read_directory(struct logbook *logbook)
{
	int fd = openat(logbook->parent_fd, logbook->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(close_directory_p) DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!directory) {
		r = fail(-errno, "reading the log directory %s", logbook->directory);
		close_fd(fd);
		return r;
	}
	while (r == 0 && (entry = readdir(directory))) {
		if (is_temporary(entry->d_name))
			unlinkat(dirfd(directory), entry->d_name, 0);
		else
			r = take_in(logbook, entry->d_name);
	}
	return r;
}

/* Begins a segment that takes the lines from here on. Its name is after the one before, always. */
static int begin_segment(struct logbook *logbook)
{
	struct segment *newest = list_last(&logbook->segments, struct segment, link), *segment;
	int64_t now_ms = clock_wall_us(logbook->clock) / 1000;

	if (newest && newest->started_ms >= now_ms)
		now_ms = newest->started_ms + 1;
	segment = segment_new(newest ? newest->id + 1 : 1, now_ms);
	if (!segment)
		return fail(-ENOMEM, "beginning a log segment in %s", logbook->directory);
	if (newest)
		newest->closed = true;
	list_append(&logbook->segments, &segment->link);
	return 0;
}

/* Whether the text on disk ends within a line: the daemon was killed while writing. */
static bool ends_in_half_line(struct logbook *logbook, const struct segment *segment)
{
	struct segment_file *file = NULL;
	char last = '\n';
	int r;

	if (!segment->written)
		return false;
	r = segment_file_open(&file, segment, logbook->parent_fd, logbook->directory, O_RDONLY);
	if (r == 0 && pread(file->fd, &last, 1, segment->written - 1) != 1)
		last = '\n';
	segment_file_unref(file);
	return last != '\n';
}

/* The newest segment goes on where it ended, if it is still text. */
static int resume(struct logbook *logbook)
{
	struct segment *newest = list_last(&logbook->segments, struct segment, link);

	if (!newest || newest->archived)
		return begin_segment(logbook);
	newest->closed = false;
	newest->day = newest->started_ms * 1000 / DAY_US;
	if (ends_in_half_line(logbook, newest)) {
		buf_append(&newest->waiting, "\n", 1);
		logbook->unwritten += newest->waiting.length;
		flusher_wake(logbook);
	}
	return 0;
}

/* Out of the list; its file goes, its text stays for those who read it. */
static int forget(struct logbook *logbook, struct segment *segment)
{
	char path[SEGMENT_PATH_SIZE];

	compressor_stop(logbook, segment);
	segment_path(segment, logbook->directory, "", path);
	if (unlinkat(logbook->parent_fd, path, 0) < 0 && errno != ENOENT)
		return fail(-errno, "removing log segment %s", path);
	logbook->unwritten -= segment_unwritten(segment);
	list_unlink(&segment->link);
	segment_unref(segment);
	return 0;
}

static int64_t total_bytes(const struct logbook *logbook)
{
	struct segment *segment;
	int64_t total = 0;

	list_each(segment, &logbook->segments, link)
		total += segment_size(segment);
	return total;
}

/* The oldest go while they are too old or, with a newest one that is full, all are too much. */
static void apply_retention(struct logbook *logbook)
{
	int64_t oldest_us = clock_wall_us(logbook->clock) - logbook->limits.retention_ms * 1000;
	struct segment *segment, *newest = logbook_newest(logbook);
	int64_t excess = total_bytes(logbook) - segment_size(newest) + segment_limit(logbook) -
	                 logbook->limits.retention_bytes;
	int64_t size;

	while ((segment = list_first(&logbook->segments, struct segment, link)) != newest) {
		size = segment_size(segment);
		if (excess <= 0 && segment->modified_us >= oldest_us)
			break;
		if (forget(logbook, segment) < 0)
			break;
		excess -= size;
	}
}

static void rotate(struct logbook *logbook)
{
	struct segment *segment;

	if (begin_segment(logbook) < 0)
		return; /* the old one takes some more */
	list_each(segment, &logbook->segments, link)
		segment->given_up = false;
	apply_retention(logbook);
	compressor_look(logbook);
}

static bool is_full(
        const struct logbook *logbook, const struct segment *segment, size_t more, int64_t now_us)
{
	int64_t size = segment_size(segment);

	if (!size)
		return false;
	return size + (int64_t)more > segment_limit(logbook) || now_us / DAY_US > segment->day;
}

static struct logbook *logbook_new(uv_loop_t *loop, struct archivist *archivist,
        const struct clock *clock, int parent_fd, const char *directory,
        const struct logbook_limits *limits)
{
	struct logbook *logbook = calloc(1, sizeof(*logbook));

	if (!logbook)
		return NULL;
	logbook->loop = loop;
	logbook->archivist = archivist;
	logbook->clock = clock;
	logbook->parent_fd = parent_fd;
	logbook->limits = *limits;
	logbook->format.kind = limits->format;
	list_init(&logbook->segments);
	list_init(&logbook->followers);
	logbook->directory = strdup(directory);
	if (!logbook->directory || flusher_new(logbook) < 0)
		return logbook_close(logbook);
	return logbook;
}

int logbook_open(struct logbook **out, uv_loop_t *loop, struct archivist *archivist,
        const struct clock *clock, int parent_fd, const char *directory,
        const struct logbook_limits *limits)
{
	CLEANUP(logbook_close_p)
	struct logbook *logbook = logbook_new(loop, archivist, clock, parent_fd, directory, limits);
	int r;

	if (!logbook)
		return fail(-ENOMEM, "opening the log in %s", directory);
	if (mkdirat(parent_fd, directory, 0700) < 0 && errno != EEXIST)
		return fail(-errno, "making the log directory %s", directory);
	r = read_directory(logbook);
	if (r < 0)
		return r;
	r = resume(logbook);
	if (r < 0)
		return r;
	apply_retention(logbook);
	compressor_look(logbook);
	*out = take(logbook);
	return 0;
}

static void end_followers(struct logbook *logbook)
{
	struct logbook_follower *follower, *following;

	list_each_safe(follower, following, &logbook->followers, link) {
		list_unlink(&follower->link);
		if (follower->ended)
			follower->ended(follower);
	}
}

struct logbook *logbook_close(struct logbook *logbook)
{
	struct segment *segment, *following;

	if (!logbook)
		return NULL;
	compressor_stop(logbook, NULL);
	if (logbook->flusher)
		flusher_close(logbook);
	end_followers(logbook);
	list_each_safe(segment, following, &logbook->segments, link) {
		list_unlink(&segment->link);
		segment_unref(segment);
	}
	buf_deinit(&logbook->fresh);
	free(logbook->directory);
	free(logbook);
	return NULL;
}

void logbook_set_limits(struct logbook *logbook, const struct logbook_limits *limits)
{
	logbook->limits = *limits;
	logbook->format.kind = limits->format;
	apply_retention(logbook);
}

static void tell_later(struct logbook *logbook, const char *text, size_t length)
{
	if (list_empty(&logbook->followers))
		return;
	if (logbook->fresh.length + length <= FOLLOWED_BYTES_MOST)
		buf_append(&logbook->fresh, text, length);
	flusher_wake(logbook);
}

void logbook_append(struct logbook *logbook, const char *text, size_t length)
{
	int64_t now_us = clock_wall_us(logbook->clock);
	struct segment *segment;
	size_t before;

	assert(!length || text[length - 1] == '\n');
	tell_later(logbook, text, length);
	if (!length || flusher_refuses(logbook, text, length))
		return;
	segment = logbook_newest(logbook); /* a word of what was lost may have gone before */
	if (is_full(logbook, segment, length, now_us)) {
		rotate(logbook);
		segment = logbook_newest(logbook);
	}
	if (!segment_size(segment))
		segment->day = now_us / DAY_US;
	before = segment->waiting.length;
	buf_append(&segment->waiting, text, length);
	logbook->unwritten += segment->waiting.length - before;
	segment->waiting.failed = false; /* no memory: this text is lost, later text is not */
	segment->modified_us = now_us;
	flusher_wake(logbook);
}

static void describe(
        const struct logbook *logbook, const struct segment *segment, struct logbook_segment *out)
{
	*out = (struct logbook_segment){
	        .id = segment->id,
	        .size = segment_size(segment),
	        .modified_us = segment->modified_us,
	        .newest = segment == logbook_newest(logbook),
	};
	memcpy(out->name, segment->name, sizeof(out->name));
}

void logbook_newest_segment(const struct logbook *logbook, struct logbook_segment *out)
{
	describe(logbook, logbook_newest(logbook), out);
}

bool logbook_next(const struct logbook *logbook, uint64_t after, struct logbook_segment *out)
{
	struct segment *segment;

	list_each(segment, &logbook->segments, link) {
		if (segment->id <= after)
			continue;
		describe(logbook, segment, out);
		return true;
	}
	return false;
}

bool logbook_find(const struct logbook *logbook, const char *name, struct logbook_segment *out)
{
	struct segment *segment;

	list_each(segment, &logbook->segments, link) {
		if (strcmp(segment->name, name) != 0)
			continue;
		describe(logbook, segment, out);
		return true;
	}
	return false;
}

struct segment *logbook_segment_by_id(const struct logbook *logbook, uint64_t id)
{
	struct segment *segment = logbook_newest(logbook);

	if (segment->id == id)
		return segment;
	list_each(segment, &logbook->segments, link)
		if (segment->id == id)
			return segment;
	return NULL;
}

bool logbook_get(const struct logbook *logbook, uint64_t id, struct logbook_segment *out)
{
	struct segment *segment = logbook_segment_by_id(logbook, id);

	if (segment)
		describe(logbook, segment, out);
	return segment != NULL;
}

int logbook_remove(struct logbook *logbook, uint64_t id)
{
	struct segment *segment = logbook_segment_by_id(logbook, id);
	int r;

	if (!segment)
		return -ENOENT;
	if (segment != logbook_newest(logbook))
		return forget(logbook, segment);
	if (!segment_size(segment))
		return 0; /* else who removes until nothing is left would never end */
	r = begin_segment(logbook);
	if (r < 0)
		return r;
	/* Its file is what remembers which ids were given out. */
	segment_file_open(&logbook_newest(logbook)->file, logbook_newest(logbook),
	        logbook->parent_fd, logbook->directory, O_RDWR | O_CREAT);
	return forget(logbook, segment);
}

void logbook_follow(struct logbook *logbook, struct logbook_follower *follower)
{
	flusher_tell(logbook); /* what came before is not for the new one */
	list_append(&logbook->followers, &follower->link);
}

void logbook_unfollow(struct logbook_follower *follower)
{
	list_unlink(&follower->link);
}
