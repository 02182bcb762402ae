/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/topics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/engine.h"
#include "events/topics.h"
#include "fs/behaviours/follow.h"
#include "model/trigger.h"

static bool next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	struct topic *topic = topics_next(engine_triggers(directory->engine), after);

	if (!topic)
		return false;
	entry->object = topic->id;
	snprintf(entry->name, sizeof(entry->name), "%s", topic->name);
	return true;
}

static int find(const struct subject *directory, const char *name, uint64_t *object)
{
	struct topic *topic = topics_find(engine_triggers(directory->engine), name);

	if (!topic)
		return -ENOENT;
	*object = topic->id;
	return 0;
}

static int get(struct subject *subject)
{
	struct topic *topic = topics_get(engine_triggers(subject->engine), subject->object);

	if (!topic)
		return -ENOENT;
	subject->topic = topic;
	subject->uid = topic->uid;
	subject->gid = topic->gid;
	subject->time_us = topic->created_us;
	return 0;
}

static void name_of(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	snprintf(name, EACH_NAME_SIZE, "%s", subject->topic->name);
}

static int make(
        const struct subject *directory, const char *name, uint64_t *object, struct buf *why)
{
	struct topic *topic;
	int r = topic_create(
	        engine_triggers(directory->engine), name, &directory->caller, &topic, why);

	if (r == 0)
		*object = topic->id;
	return r;
}

static int remove_topic(const struct subject *subject, struct buf *why)
{
	return topic_remove(subject->topic, why);
}

static int busy(const struct subject *subject, struct buf *why)
{
	return topic_check_unused(subject->topic, why);
}

static int rename_topic(const struct subject *subject, const char *name, struct buf *why)
{
	return topic_rename(subject->topic, name, why);
}

static int own(const struct subject *subject, uid_t uid, gid_t gid)
{
	return topic_own(subject->topic, uid, gid);
}

const struct each topics_each = {
        .next = next,
        .find = find,
        .get = get,
        .name = name_of,
        .make = make,
        .remove = remove_topic,
        .busy = busy,
        .rename = rename_topic,
        .own = own,
};

/* --- facts ------------------------------------------------------------------------------------- */

int topic_show_subscribers_text(const struct subject *subject, struct buf *out)
{
	topic_show_subscribers(subject->topic, out);
	return 0;
}

int topic_show_count(const struct subject *subject, struct buf *out)
{
	buf_printf(out, "%" PRIu64 "\n", subject->topic->published);
	return 0;
}

int topic_show_status_text(const struct subject *subject, struct buf *out)
{
	topic_show_status(engine_sources(subject->engine), subject->topic, out);
	return 0;
}

/* --- follow ------------------------------------------------------------------------------------ */

struct topic_reader {
	struct topic_follower follower;
	struct stream *stream;
};

static void line(struct topic_follower *follower, const char *text, size_t length)
{
	stream_feed(container_of(follower, struct topic_reader, follower)->stream, text, length);
}

static void ended(struct topic_follower *follower)
{
	stream_end(container_of(follower, struct topic_reader, follower)->stream);
}

static int open_follow(const struct subject *subject, struct stream *stream, void **source)
{
	struct topic_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	reader->follower.line = line;
	reader->follower.ended = ended;
	reader->stream = stream;
	topic_follow(engine_sources(subject->engine), subject->topic, &reader->follower);
	*source = reader;
	return 0;
}

static void close_follow(void *source)
{
	struct topic_reader *reader = source;

	topic_unfollow(&reader->follower);
	free(reader);
}

/* As a line of JSON, for most of the others are. */
static void show_lost(void *source, uint64_t count, struct buf *out)
{
	buf_printf(out, "{\"lost\":%" PRIu64 "}\n", count);
}

const struct follow topic_events_follow = {
        .open = open_follow,
        .close = close_follow,
        .show_lost = show_lost,
};
