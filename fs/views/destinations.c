/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A link is understood by the end of its target: NAME/queue, or NAME/aliases/ALIAS/queue, with `..` in front for
 * the function it stands in, or topics/NAME, with or without /publish. It is kept by number, so that it follows when
 * the other one is renamed, and is shown as it leads there from where it stands. When the other one is gone, so
 * is the link.
 */
#include "fs/views/destinations.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/engine.h"
#include "fs/access.h"
#include "fs/row.h"
#include "fs/row_ids.h"
#include "fs/views/config.h"
#include "model/alias.h"
#include "model/topic.h"
#include "model/version.h"
#include "model/why.h"

enum { TAIL_STEPS = 4 };

struct place {
	struct function *function; /* NULL: a topic */
	struct alias *alias;
	struct topic *topic;
};

static const char *name_of_key(enum config_key key)
{
	return key == CONFIG_ON_SUCCESS ? "on_success" : "on_failure";
}

static const struct config_destination *setting_of(
        const struct settings *settings, enum config_key key)
{
	const struct config *config = &settings->config;

	return key == CONFIG_ON_SUCCESS ? &config->on_success : &config->on_failure;
}

static bool resolve_setting(const struct subject *subject, enum config_key key, struct place *place)
{
	const struct config_destination *to = setting_of(config_settings(subject), key);
	struct functions *functions = engine_functions(subject->engine);

	place->function = to->function ? functions_get(functions, to->function) : NULL;
	place->alias = to->alias ? aliases_get(functions, to->alias) : NULL;
	place->topic = to->topic ? topics_get(engine_triggers(subject->engine), to->topic) : NULL;
	return place->topic || (place->function && (!to->alias || place->alias));
}

/* --- the object ------------------------------------------------------------------------------- */

static bool next_of(const struct subject *directory, enum config_key key, uint64_t after,
        struct each_entry *entry)
{
	struct place place;

	entry->object = config_settings(directory)->owner;
	snprintf(entry->name, sizeof(entry->name), "%s", name_of_key(key));
	return after < entry->object && resolve_setting(directory, key, &place);
}

static int find_of(
        const struct subject *directory, enum config_key key, const char *name, uint64_t *object)
{
	struct place place;

	if (strcmp(name, name_of_key(key)) != 0 || !resolve_setting(directory, key, &place))
		return -ENOENT;
	*object = config_settings(directory)->owner;
	return 0;
}

static int get(struct subject *subject)
{
	struct functions *functions = engine_functions(subject->engine);
	struct place place;

	subject->version = versions_get(functions, subject->object);
	subject->function = subject->version ? subject->version->function
	                                     : functions_get(functions, subject->object);
	if (!subject->function ||
	        !resolve_setting(subject, (enum config_key)subject->row->key, &place))
		return -ENOENT;
	subject->uid = subject->function->uid;
	subject->gid = subject->function->gid;
	subject->time_us = subject->function->created_us;
	return 0;
}

static void name_of(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	snprintf(name, EACH_NAME_SIZE, "%s", name_of_key((enum config_key)subject->row->key));
}

/* --- where a link leads ----------------------------------------------------------------------- */

/* The last steps of a path, the last one first; "" where there are no more. */
static void cut(char *path, const char *steps[TAIL_STEPS])
{
	for (size_t i = 0; i < TAIL_STEPS; i++) {
		size_t length = strlen(path);
		char *slash;

		while (length && path[length - 1] == '/')
			path[--length] = 0;
		slash = strrchr(path, '/');
		steps[i] = slash ? slash + 1 : path;
		if (slash)
			*slash = 0;
		else
			path += length;
	}
}

static int refuse(struct buf *why, const char *target)
{
	why_say(why, "a destination is a link to the queue of a function, functions/NAME/queue, or "
	             "of an alias, functions/NAME/aliases/ALIAS/queue, or to a topic, "
	             "topics/NAME; not to ");
	why_quote(why, target);
	return -ENOENT;
}

static struct topic *topic_of(const struct subject *directory, const char *const steps[TAIL_STEPS])
{
	bool to_file = strcmp(steps[0], "publish") == 0 && strcmp(steps[2], "topics") == 0;

	if (!to_file && strcmp(steps[1], "topics") != 0)
		return NULL;
	return topics_find(engine_triggers(directory->engine), steps[to_file ? 1 : 0]);
}

static int resolve(
        const struct subject *directory, const char *target, struct place *place, struct buf *why)
{
	CLEANUP(free_p) char *path = strdup(target);
	const char *steps[TAIL_STEPS], *function;
	bool of_alias;

	if (!path)
		return -ENOMEM;
	cut(path, steps);
	*place = (struct place){.topic = topic_of(directory, steps)};
	if (place->topic)
		return 0;
	of_alias = strcmp(steps[2], "aliases") == 0;
	function = of_alias ? steps[3] : steps[1];
	if (strcmp(steps[0], "queue") != 0 || strcmp(steps[2], "versions") == 0)
		return refuse(why, target);
	place->function = strcmp(function, "..") == 0
	                          ? directory->function
	                          : functions_find(engine_functions(directory->engine), function);
	if (place->function && of_alias)
		place->alias = aliases_find(place->function, steps[1]);
	return place->function && (!of_alias || place->alias) ? 0 : refuse(why, target);
}

static int check_topic(const struct subject *directory, const struct topic *topic)
{
	struct access_place place = {.row = ROW_TOPIC,
	        .object = topic->id,
	        .mode = 0755,
	        .uid = topic->uid,
	        .gid = topic->gid};
	int r = access_row(directory, &place, ACCESS_SEARCH);

	place.row = ROW_TOPIC_PUBLISH;
	place.mode = 0644;
	return r < 0 ? r : access_row(directory, &place, ACCESS_WRITE);
}

static int check_queue(const struct subject *directory, const struct place *to)
{
	struct access_place place = {.row = ROW_FUNCTION,
	        .object = to->function->id,
	        .mode = 0755,
	        .uid = to->function->uid,
	        .gid = to->function->gid};
	int r = access_row(directory, &place, ACCESS_SEARCH);

	if (r == 0 && to->alias) {
		place.row = ROW_ALIASES;
		r = access_row(directory, &place, ACCESS_SEARCH);
		place.row = ROW_ALIAS;
		place.object = to->alias->id;
		if (r == 0)
			r = access_row(directory, &place, ACCESS_SEARCH);
	}
	place.row = to->alias ? ROW_ALIAS_QUEUE : ROW_QUEUE;
	return r < 0 ? r : access_row(directory, &place, ACCESS_WRITE | ACCESS_SEARCH);
}

/* Whoever links may be the cause of calls there, so that one must be able to make them. */
static int check_access(const struct subject *directory, const struct place *to)
{
	return to->topic ? check_topic(directory, to->topic) : check_queue(directory, to);
}

static int link_to(const struct subject *directory, enum config_key key, const char *target,
        uint64_t *object, struct buf *why)
{
	struct settings *settings = config_settings(directory);
	struct place place;
	char text[64];
	int r = resolve(directory, target, &place, why);

	if (r < 0)
		return r;
	r = check_access(directory, &place);
	if (r < 0) {
		why_say(why, "the %s %s is not yours to write to",
		        place.topic ? "topic" : "queue of",
		        place.topic ? place.topic->name : place.function->name);
		return r;
	}
	if (place.topic)
		snprintf(text, sizeof(text), "topic %" PRIu64, place.topic->id);
	else if (place.alias)
		snprintf(text, sizeof(text), "%" PRIu64 "/%" PRIu64, place.function->id,
		        place.alias->id);
	else
		snprintf(text, sizeof(text), "%" PRIu64, place.function->id);
	r = settings_set(settings, key, text, why);
	*object = settings->owner;
	return r;
}

static int unlink_it(const struct subject *subject, struct buf *why)
{
	if (subject->version)
		return 0; /* what was published goes with its version */
	return settings_set(
	        config_settings(subject), (enum config_key)subject->row->key, "nowhere", why);
}

#define EACH_OF(which, setting) \
	static bool which##_next( \
	        const struct subject *directory, uint64_t after, struct each_entry *entry) \
	{ \
		return next_of(directory, setting, after, entry); \
	} \
	static int which##_find( \
	        const struct subject *directory, const char *name, uint64_t *object) \
	{ \
		return find_of(directory, setting, name, object); \
	} \
	static bool which##_claims(const char *name) \
	{ \
		return strcmp(name, name_of_key(setting)) == 0; \
	} \
	static int which##_link(const struct subject *directory, const char *name, \
	        const char *target, uint64_t *object, struct buf *why) \
	{ \
		return link_to(directory, setting, target, object, why); \
	} \
	const struct each which##_each = { \
	        .next = which##_next, \
	        .find = which##_find, \
	        .get = get, \
	        .name = name_of, \
	        .claims = which##_claims, \
	        .link = which##_link, \
	        .remove = unlink_it, \
	}

EACH_OF(on_success, CONFIG_ON_SUCCESS);
EACH_OF(on_failure, CONFIG_ON_FAILURE);

int destination_show(const struct subject *subject, struct buf *out)
{
	struct place place;

	if (!resolve_setting(subject, (enum config_key)subject->row->key, &place))
		return -ENOENT;
	buf_puts(out, subject->version ? "../../../" : "../");
	if (place.topic) {
		buf_printf(out, "../../topics/%s", place.topic->name);
		return 0;
	}
	if (place.function != subject->function)
		buf_printf(out, "../%s/", place.function->name);
	if (place.alias)
		buf_printf(out, "aliases/%s/", place.alias->name);
	buf_puts(out, "queue");
	return 0;
}
