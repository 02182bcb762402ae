/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/logs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "engine/engine.h"
#include "engine/log_format.h"
#include "engine/logbook.h"
#include "fs/node.h"

static struct logbook *logbook_of(const struct subject *subject)
{
	return engine_logbook(subject->engine, subject->function);
}

static struct logbook_segment newest(const struct logbook *logbook)
{
	struct logbook_segment segment = {};

	logbook_newest_segment(logbook, &segment);
	return segment;
}

/* --- segments --------------------------------------------------------------------------------- */

static bool next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	struct logbook *logbook = logbook_of(directory);
	struct logbook_segment segment;

	if (!logbook)
		return false;
	if (after)
		after = node_child_restore(after, newest(logbook).id);
	if (!logbook_next(logbook, after, &segment))
		return false;
	entry->object = node_child(directory->function->id, segment.id);
	snprintf(entry->name, sizeof(entry->name), "%s", segment.name);
	return true;
}

static int find(const struct subject *directory, const char *name, uint64_t *object)
{
	struct logbook *logbook = logbook_of(directory);
	struct logbook_segment segment;

	if (!logbook || !logbook_find(logbook, name, &segment))
		return -ENOENT;
	*object = node_child(directory->function->id, segment.id);
	return 0;
}

/* The segment an object id stands for, with its function. */
static struct logbook *find_segment(struct subject *subject, struct logbook_segment *segment)
{
	uint64_t function = node_child_function(subject->object);
	struct logbook *logbook;

	subject->function = functions_get(engine_functions(subject->engine), function);
	logbook = subject->function ? logbook_of(subject) : NULL;
	if (!logbook || !logbook_get(logbook,
	                        node_child_restore(subject->object, newest(logbook).id), segment))
		return NULL;
	return logbook;
}

static int get(struct subject *subject)
{
	struct logbook_segment segment;

	if (!find_segment(subject, &segment))
		return -ENOENT;
	subject->uid = subject->function->uid;
	subject->gid = subject->function->gid;
	subject->time_us = segment.modified_us;
	return 0;
}

static void name_of(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	struct subject again = *subject;
	struct logbook_segment segment = {};

	find_segment(&again, &segment);
	snprintf(name, EACH_NAME_SIZE, "%s", segment.name);
}

static int remove_segment(const struct subject *subject, struct buf *why)
{
	struct subject again = *subject;
	struct logbook_segment segment;
	struct logbook *logbook = find_segment(&again, &segment);

	return logbook ? logbook_remove(logbook, segment.id) : -ENOENT;
}

const struct each segments_each = {
        .next = next,
        .find = find,
        .get = get,
        .name = name_of,
        .remove = remove_segment,
};

static int open_segment(const struct subject *subject, void **reader)
{
	struct subject again = *subject;
	struct logbook_segment segment;
	struct logbook *logbook = find_segment(&again, &segment);
	struct logbook_reader *made = NULL;
	int r = logbook ? logbook_reader_new(&made, logbook, segment.id) : -ENOENT;

	*reader = made;
	return r;
}

static ssize_t read_segment(void *reader, void *data, size_t size, int64_t offset)
{
	return logbook_read(reader, data, size, offset);
}

static void close_segment(void *reader)
{
	logbook_reader_free(reader);
}

static int64_t segment_bytes(const struct subject *subject)
{
	struct subject again = *subject;
	struct logbook_segment segment;

	return find_segment(&again, &segment) ? segment.size : 0;
}

const struct tail segment_tail = {
        .open = open_segment,
        .read = read_segment,
        .close = close_segment,
        .size = segment_bytes,
};

int log_show_current(const struct subject *subject, struct buf *out)
{
	struct logbook *logbook = logbook_of(subject);

	if (!logbook)
		return -EIO;
	buf_puts(out, newest(logbook).name);
	return 0;
}

/* --- follow ----------------------------------------------------------------------------------- */

struct log_follower {
	struct logbook_follower follower;
	struct stream *stream;
	struct log_format format;
	const struct clock *clock;
};

static void lines(struct logbook_follower *follower, const char *text, size_t length)
{
	stream_feed(container_of(follower, struct log_follower, follower)->stream, text, length);
}

static void ended(struct logbook_follower *follower)
{
	stream_end(container_of(follower, struct log_follower, follower)->stream);
}

static int open_follow(const struct subject *subject, struct stream *stream, void **source)
{
	struct logbook *logbook = logbook_of(subject);
	struct log_follower *follower;

	if (!logbook)
		return -EIO;
	follower = calloc(1, sizeof(*follower));
	if (!follower)
		return -ENOMEM;
	follower->follower.lines = lines;
	follower->follower.ended = ended;
	follower->stream = stream;
	follower->format.kind = subject->function->settings.config.log_format;
	follower->clock = engine_clock(subject->engine);
	logbook_follow(logbook, &follower->follower);
	*source = follower;
	return 0;
}

static void close_follow(void *source)
{
	struct log_follower *follower = source;

	logbook_unfollow(&follower->follower);
	free(follower);
}

static void show_lost(void *source, uint64_t count, struct buf *out)
{
	struct log_follower *follower = source;
	char text[80];
	int length =
	        snprintf(text, sizeof(text), "[%" PRIu64 " lines lost: read too slowly]", count);

	log_format_message(&follower->format, out, clock_wall_us(follower->clock), NULL, NULL,
	        "WARN", text, (size_t)length);
}

const struct follow log_follow = {
        .open = open_follow,
        .close = close_follow,
        .show_lost = show_lost,
};

/* --- build ------------------------------------------------------------------------------------ */

struct build_reader {
	int fd;
};

static int open_build(const struct subject *subject, void **reader)
{
	struct build_reader *made;
	int fd = engine_open_build_log(subject->engine, subject->function);

	if (fd < 0)
		return fd;
	made = malloc(sizeof(*made));
	if (!made) {
		close_fd(fd);
		return -ENOMEM;
	}
	made->fd = fd;
	*reader = made;
	return 0;
}

static ssize_t read_build(void *reader, void *data, size_t size, int64_t offset)
{
	ssize_t done = pread(((struct build_reader *)reader)->fd, data, size, offset);

	return done < 0 ? -errno : done;
}

static void close_build(void *reader)
{
	close_fd(((struct build_reader *)reader)->fd);
	free(reader);
}

static int64_t build_bytes(const struct subject *subject)
{
	int64_t size = 0, modified_us;

	engine_stat_build_log(subject->engine, subject->function, &size, &modified_us);
	return size;
}

static int64_t build_modified_us(const struct subject *subject)
{
	int64_t size, modified_us = 0;

	engine_stat_build_log(subject->engine, subject->function, &size, &modified_us);
	return modified_us;
}

const struct tail build_tail = {
        .open = open_build,
        .read = read_build,
        .close = close_build,
        .size = build_bytes,
        .modified_us = build_modified_us,
};

bool log_was_built(const struct subject *subject)
{
	int64_t size, modified_us;

	return engine_stat_build_log(subject->engine, subject->function, &size, &modified_us) == 0;
}
