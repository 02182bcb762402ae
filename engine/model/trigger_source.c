/* SPDX-License-Identifier: Apache-2.0 */
/* The one source of a trigger. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/log.h"
#include "model/function.h"
#include "model/triggers_private.h"
#include "model/why.h"

static const char *const kinds[SOURCE_KINDS] = {
        [SOURCE_TIMER] = "timer",
        [SOURCE_HTTP] = "http",
        [SOURCE_WATCH] = "watch",
        [SOURCE_TOPIC] = "topic",
        [SOURCE_PROGRAM] = "",
};

const char *source_kind_name(enum source_kind kind)
{
	return kinds[kind];
}

bool source_kind_is_program(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	for (int kind = 0; kind < SOURCE_KINDS; kind++)
		if (strcmp(kinds[kind], name) == 0)
			return false;
	return *name >= 'a' && *name <= 'z' && strlen(name) <= SOURCE_KIND_LONGEST &&
	       !name[strspn(name, plain)];
}

static int kind_find(const char *name)
{
	for (int kind = 0; kind < SOURCE_PROGRAM; kind++)
		if (strcmp(kinds[kind], name) == 0)
			return kind;
	return source_kind_is_program(name) ? SOURCE_PROGRAM : -1;
}

static struct trigger_source *source_free(struct trigger_source *source)
{
	if (!source)
		return NULL;
	list_unlink(&source->topic_link);
	free(source->value);
	free(source->groups);
	free(source);
	return NULL;
}

static void source_free_p(struct trigger_source **source)
{
	source_free(*source);
}

static struct trigger_source *source_new(
        struct trigger *trigger, enum source_kind kind, const char *kind_name, const char *value)
{
	CLEANUP(source_free_p) struct trigger_source *source = calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	list_init(&source->topic_link);
	source->trigger = trigger;
	source->kind = kind;
	snprintf(source->kind_name, sizeof(source->kind_name), "%s", kind_name);
	source->value = strdup(value);
	return source->value ? take(source) : NULL;
}

static void add(struct trigger_source *source, uint64_t id)
{
	source->id = id;
	source->trigger->source = source;
	if (map_put(&source->trigger->triggers->sources, id, source) < 0)
		assert(!"there is room");
}

void trigger_source_drop(struct trigger_source *source)
{
	map_remove(&source->trigger->triggers->sources, source->id);
	source->trigger->source = NULL;
	source_free(source);
}

/* --- who set it --- */

static int take_groups(struct trigger_source *source, const gid_t *groups, size_t count)
{
	gid_t *copy = calloc(count + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	if (count)
		memcpy(copy, groups, count * sizeof(*copy));
	free(source->groups);
	source->groups = copy;
	source->group_count = count;
	return 0;
}

static int read_groups(struct trigger_source *source, const char *text)
{
	gid_t *groups = calloc(strlen(text) / 2 + 1, sizeof(*groups));
	size_t count = 0;
	char *end;
	int r;

	if (!groups)
		return -ENOMEM;
	for (; *text; text = end + strspn(end, " ")) {
		groups[count++] = (gid_t)strtoul(text, &end, 10);
		if (end == text)
			break; /* nothing we wrote */
	}
	r = take_groups(source, groups, count);
	free(groups);
	return r;
}

/* --- from the store --- */

static int load_source(void *userdata, const struct store_source_row *row)
{
	struct triggers *triggers = userdata;
	struct trigger *trigger = triggers_get(triggers, row->trigger);
	CLEANUP(source_free_p) struct trigger_source *source = NULL;
	int kind = kind_find(row->kind);

	assert(trigger);
	if (kind < 0) {
		log_line(LOG_WARNING, "%s: this fnfs has no source '%s', which trigger %s has",
		        trigger->function->name, row->kind, trigger->name);
		return 0;
	}
	source = source_new(trigger, (enum source_kind)kind, row->kind, row->value);
	if (!source || read_groups(source, row->groups) < 0 || map_reserve(&triggers->sources) < 0)
		return fail(-ENOMEM, "loading triggers");
	source->hidden = !*row->value;
	source->uid = row->uid;
	source->gid = row->gid;
	source->start_us = row->start_us;
	source->from_us = row->from_us;
	source->topic = row->topic ? topics_get(triggers, row->topic) : NULL;
	if (source->topic)
		list_append(&source->topic->sources, &source->topic_link);
	add(source, row->id);
	take(source);
	return 0;
}

int trigger_sources_load(struct triggers *triggers)
{
	return store_each_source(triggers->store, load_source, triggers);
}

/* --- changes --- */

static int make_room(struct trigger *trigger, struct buf *why)
{
	struct trigger_source *other = trigger->source;

	if (!other)
		return 0;
	if (*other->value) {
		why_say(why, "trigger %s has a source already, its %s: remove that first",
		        trigger->name, other->kind_name);
		return -EEXIST;
	}
	return trigger_source_remove(other, why);
}

static int create(struct trigger *trigger, enum source_kind kind, const char *kind_name,
        struct trigger_source **out, struct buf *why)
{
	struct triggers *triggers = trigger->triggers;
	CLEANUP(source_free_p) struct trigger_source *source = NULL;
	struct command_result made;
	int r = make_room(trigger, why);

	if (r < 0)
		return r;
	source = source_new(trigger, kind, kind_name, "");
	if (!source || take_groups(source, NULL, 0) < 0 || map_reserve(&triggers->sources) < 0)
		return why_store(why, fail(-ENOMEM, "making a source of events"));
	r = store_apply(triggers->store,
	        &(struct command){COMMAND_SOURCE_CREATE, .object = trigger->id, .name = kind_name},
	        &made);
	if (r < 0)
		return why_store(why, r);
	add(source, made.child);
	*out = source;
	take(source);
	return 0;
}

int trigger_source_create(struct trigger *trigger, enum source_kind kind,
        struct trigger_source **out, struct buf *why)
{
	return create(trigger, kind, kinds[kind], out, why);
}

int trigger_source_create_program(struct trigger *trigger, const char *kind_name,
        struct trigger_source **out, struct buf *why)
{
	return create(trigger, SOURCE_PROGRAM, kind_name, out, why);
}

static int store_value(struct trigger_source *source, const char *value, const struct topic *topic,
        const struct source_setter *by)
{
	CLEANUP(buf_deinit) struct buf groups = BUF_INIT;
	size_t i;

	buf_puts(&groups, "");
	for (i = 0; i < by->group_count; i++)
		buf_printf(&groups, "%s%u", i ? " " : "", (unsigned)by->groups[i]);
	if (groups.failed)
		return fail(-ENOMEM, "setting a source of events");
	return store_apply(source->trigger->triggers->store,
	        &(struct command){COMMAND_SOURCE_SET, .child = source->id, .value = value,
	                .target = topic ? topic->id : 0, .uid = by->uid, .gid = by->gid,
	                .groups = groups.data, .time_us = by->time_us},
	        NULL);
}

int trigger_source_set(struct trigger_source *source, const char *value, struct topic *topic,
        const struct source_setter *by, struct buf *why)
{
	CLEANUP(free_p) char *copy = strdup(value);
	int r = copy ? take_groups(source, by->groups, by->group_count) : -ENOMEM;

	if (r < 0)
		return why_store(why, fail(-ENOMEM, "setting a source of events"));
	r = store_value(source, value, topic, by);
	if (r < 0)
		return why_store(why, r);
	free(source->value);
	source->value = take(copy);
	source->hidden = false;
	source->uid = by->uid;
	source->gid = by->gid;
	source->start_us = source->from_us = by->time_us;
	list_unlink(&source->topic_link);
	source->topic = topic;
	if (topic)
		list_append(&topic->sources, &source->topic_link);
	trigger_changed(source->trigger);
	return 0;
}

int trigger_source_remove(struct trigger_source *source, struct buf *why)
{
	struct trigger *trigger = source->trigger;
	int r = store_apply(trigger->triggers->store,
	        &(struct command){COMMAND_SOURCE_REMOVE, .child = source->id}, NULL);

	if (r < 0)
		return why_store(why, r);
	trigger_source_drop(source);
	trigger_changed(trigger);
	return 0;
}

int trigger_source_watched(struct trigger_source *source, enum command_kind kind, const char *json)
{
	return store_apply(source->trigger->triggers->store,
	        &(struct command){kind, .child = source->id, .value = json}, NULL);
}

int trigger_source_each_watched(struct trigger_source *source,
        int (*each)(void *userdata, const char *name, const char *stamp), void *userdata)
{
	return store_each_watched(source->trigger->triggers->store, source->id, each, userdata);
}

struct trigger_source *triggers_source(const struct triggers *triggers, uint64_t id)
{
	return map_get(&triggers->sources, id);
}
