/* SPDX-License-Identifier: Apache-2.0 */
#include "model/topic.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fail.h"
#include "model/function.h"
#include "model/triggers_private.h"
#include "model/why.h"

enum { NAME_LONGEST = 63 };

static struct topic *topic_free(struct topic *topic)
{
	if (!topic)
		return NULL;
	free(topic->name);
	free(topic);
	return NULL;
}

static void topic_free_p(struct topic **topic)
{
	topic_free(*topic);
}

static struct topic *topic_new(struct triggers *triggers, const struct store_topic_row *row)
{
	CLEANUP(topic_free_p) struct topic *topic = calloc(1, sizeof(*topic));

	if (!topic)
		return NULL;
	list_init(&topic->sources);
	topic->triggers = triggers;
	topic->uid = row->uid;
	topic->gid = row->gid;
	topic->created_us = row->created_us;
	topic->published = topic->stored = row->published;
	topic->name = strdup(row->name);
	return topic->name ? take(topic) : NULL;
}

/* After this it can be added without fail. */
static int reserve(struct topic *topic)
{
	struct triggers *triggers = topic->triggers;

	if (ordered_reserve(&triggers->topics_ordered) < 0 || map_reserve(&triggers->topics) < 0)
		return -ENOMEM;
	return names_put(&triggers->topics_by_name, topic->name, topic);
}

static void add(struct topic *topic, uint64_t id)
{
	topic->id = id;
	ordered_put(&topic->triggers->topics_ordered, id, topic);
	if (map_put(&topic->triggers->topics, id, topic) < 0)
		assert(!"there is room");
}

static int load_topic(void *userdata, const struct store_topic_row *row)
{
	CLEANUP(topic_free_p) struct topic *topic = topic_new(userdata, row);

	if (!topic || reserve(topic) < 0)
		return fail(-ENOMEM, "loading topics");
	add(topic, row->id);
	take(topic);
	return 0;
}

int topics_load(struct triggers *triggers)
{
	return store_each_topic(triggers->store, load_topic, triggers);
}

void topics_free(struct triggers *triggers)
{
	for (size_t i = 0; i < triggers->topics_ordered.count; i++)
		topic_free(triggers->topics_ordered.slots[i].object);
	ordered_deinit(&triggers->topics_ordered);
	map_deinit(&triggers->topics);
	names_deinit(&triggers->topics_by_name);
}

static int check_free(const struct triggers *triggers, const char *name, struct buf *why)
{
	int r = name_check(name, NAME_LONGEST, why);

	if (r == 0 && topics_find(triggers, name)) {
		why_say(why, "there is a topic %s already", name);
		r = -EEXIST;
	}
	return r;
}

int topic_create(struct triggers *triggers, const char *name, const struct caller *owner,
        struct topic **out, struct buf *why)
{
	CLEANUP(topic_free_p) struct topic *topic = NULL;
	const struct store_topic_row row = {.name = name,
	        .uid = owner->uid,
	        .gid = owner->gid,
	        .created_us = clock_wall_us(&clock_system)};
	struct command command = {COMMAND_TOPIC_CREATE, .name = name, .uid = row.uid,
	        .gid = row.gid, .time_us = row.created_us};
	struct command_result made;
	int r = check_free(triggers, name, why);

	if (r < 0)
		return r;
	topic = topic_new(triggers, &row);
	if (!topic || reserve(topic) < 0)
		return why_store(why, fail(-ENOMEM, "creating topic %s", name));
	r = store_apply(triggers->store, &command, &made);
	if (r < 0) {
		names_remove(&triggers->topics_by_name, name);
		return why_store(why, r);
	}
	add(topic, made.object);
	if (out)
		*out = topic;
	take(topic);
	return 0;
}

int topic_rename(struct topic *topic, const char *name, struct buf *why)
{
	struct triggers *triggers = topic->triggers;
	CLEANUP(free_p) char *copy = NULL;
	int r;

	if (strcmp(topic->name, name) == 0)
		return 0;
	r = check_free(triggers, name, why);
	if (r < 0)
		return r;
	copy = strdup(name);
	if (!copy || names_put(&triggers->topics_by_name, copy, topic) < 0)
		return why_store(why, fail(-ENOMEM, "renaming topic %s", topic->name));
	r = store_apply(triggers->store,
	        &(struct command){COMMAND_TOPIC_RENAME, .object = topic->id, .name = name}, NULL);
	if (r < 0) {
		names_remove(&triggers->topics_by_name, copy);
		return why_store(why, r);
	}
	names_remove(&triggers->topics_by_name, topic->name);
	free(topic->name);
	topic->name = take(copy);
	return 0;
}

int topic_own(struct topic *topic, uid_t uid, gid_t gid)
{
	int r;

	if (topic->uid == uid && topic->gid == gid)
		return 0;
	r = store_apply(topic->triggers->store,
	        &(struct command){COMMAND_TOPIC_OWN, .object = topic->id, .uid = uid, .gid = gid},
	        NULL);
	if (r < 0)
		return r;
	topic->uid = uid;
	topic->gid = gid;
	return 0;
}

int topic_check_unused(const struct topic *topic, struct buf *why)
{
	const struct trigger_source *source =
	        list_first(&topic->sources, struct trigger_source, topic_link);

	if (!source)
		return 0;
	why_say(why, "trigger %s of %s subscribes to %s", source->trigger->name,
	        source->trigger->function->name, topic->name);
	return -EBUSY;
}

int topic_remove(struct topic *topic, struct buf *why)
{
	struct triggers *triggers = topic->triggers;
	int r = topic_check_unused(topic, why);

	if (r < 0)
		return r;
	r = store_apply(triggers->store,
	        &(struct command){COMMAND_TOPIC_REMOVE, .object = topic->id}, NULL);
	if (r < 0)
		return why_store(why, r);
	ordered_remove(&triggers->topics_ordered, topic->id);
	map_remove(&triggers->topics, topic->id);
	names_remove(&triggers->topics_by_name, topic->name);
	if (triggers->events.topic_removed)
		triggers->events.topic_removed(triggers->userdata, topic);
	topic_free(topic);
	return 0;
}

int topic_store_count(struct topic *topic)
{
	int r;

	if (topic->stored == topic->published)
		return 0;
	r = store_apply(topic->triggers->store,
	        &(struct command){
	                COMMAND_TOPIC_COUNT, .object = topic->id, .fired = topic->published},
	        NULL);
	if (r == 0)
		topic->stored = topic->published;
	return r;
}

struct topic *topics_get(const struct triggers *triggers, uint64_t id)
{
	return map_get(&triggers->topics, id);
}

struct topic *topics_find(const struct triggers *triggers, const char *name)
{
	return names_get(&triggers->topics_by_name, name);
}

struct topic *topics_next(const struct triggers *triggers, uint64_t after_id)
{
	return ordered_after(&triggers->topics_ordered, after_id);
}
