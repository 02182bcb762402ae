/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/triggers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/engine.h"
#include "events/sources.h"
#include "fs/row.h"
#include "model/trigger.h"
#include "model/why.h"

/* --- triggers/ --------------------------------------------------------------------------------- */

static bool next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	struct trigger *trigger = triggers_next(directory->function, after);

	if (!trigger)
		return false;
	entry->object = trigger->id;
	snprintf(entry->name, sizeof(entry->name), "%s", trigger->name);
	return true;
}

static int find(const struct subject *directory, const char *name, uint64_t *object)
{
	struct trigger *trigger = triggers_find(directory->function, name);

	if (!trigger)
		return -ENOENT;
	*object = trigger->id;
	return 0;
}

static int see(struct subject *subject, struct trigger *trigger)
{
	if (!trigger)
		return -ENOENT;
	subject->trigger = trigger;
	subject->function = trigger->function;
	subject->uid = trigger->function->uid;
	subject->gid = trigger->function->gid;
	subject->time_us = trigger->created_us;
	return 0;
}

static int get(struct subject *subject)
{
	return see(subject, triggers_get(engine_triggers(subject->engine), subject->object));
}

static void name_of(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	snprintf(name, EACH_NAME_SIZE, "%s", subject->trigger->name);
}

static int make(
        const struct subject *directory, const char *name, uint64_t *object, struct buf *why)
{
	struct trigger *trigger;
	int r = trigger_create(directory->function, name, &trigger, why);

	if (r == 0)
		*object = trigger->id;
	return r;
}

static int remove_trigger(const struct subject *subject, struct buf *why)
{
	return trigger_remove(subject->trigger, why);
}

static int rename_trigger(const struct subject *subject, const char *name, struct buf *why)
{
	return trigger_rename(subject->trigger, name, why);
}

const struct each triggers_each = {
        .next = next,
        .find = find,
        .get = get,
        .name = name_of,
        .make = make,
        .remove = remove_trigger,
        .rename = rename_trigger,
};

/* --- the source, under the name of its kind ----------------------------------------------------- */

static struct trigger_source *source_of(const struct subject *directory, enum source_kind kind)
{
	struct trigger_source *source = directory->trigger->source;

	return source && source->kind == kind && !source->hidden ? source : NULL;
}

static bool source_next(const struct subject *directory, uint64_t after, struct each_entry *entry,
        enum source_kind kind)
{
	const struct trigger_source *source = source_of(directory, kind);

	if (!source || source->id <= after)
		return false;
	entry->object = source->id;
	snprintf(entry->name, sizeof(entry->name), "%s", source_kind_name(kind));
	return true;
}

static int source_find(
        const struct subject *directory, const char *name, uint64_t *object, enum source_kind kind)
{
	const struct trigger_source *source = source_of(directory, kind);

	if (!source || strcmp(name, source_kind_name(kind)) != 0)
		return -ENOENT;
	*object = source->id;
	return 0;
}

static int source_get(struct subject *subject)
{
	struct trigger_source *source =
	        triggers_source(engine_triggers(subject->engine), subject->object);

	subject->item = source;
	return see(subject, source ? source->trigger : NULL);
}

static void source_name(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	const struct trigger_source *source = subject->item;

	snprintf(name, EACH_NAME_SIZE, "%s", source->kind_name);
}

static int source_make(
        const struct subject *directory, uint64_t *object, enum source_kind kind, struct buf *why)
{
	struct trigger_source *source;
	int r = trigger_source_create(directory->trigger, kind, &source, why);

	if (r == 0)
		*object = source->id;
	return r;
}

static int source_unset(const struct subject *subject, struct buf *why)
{
	return trigger_source_remove(subject->item, why);
}

/* Verbs do not get the row, so each kind has its own. */
#define SOURCE(row_kind, word) \
	static bool word##_next( \
	        const struct subject *directory, uint64_t after, struct each_entry *entry) \
	{ \
		return source_next(directory, after, entry, row_kind); \
	} \
	static int word##_find( \
	        const struct subject *directory, const char *name, uint64_t *object) \
	{ \
		return source_find(directory, name, object, row_kind); \
	} \
	static bool word##_claims(const char *name) \
	{ \
		return strcmp(name, source_kind_name(row_kind)) == 0; \
	} \
	static int word##_make(const struct subject *directory, const char *name, \
	        uint64_t *object, struct buf *why) \
	{ \
		return source_make(directory, object, row_kind, why); \
	} \
	const struct each source_##word##_each = { \
	        .next = word##_next, \
	        .find = word##_find, \
	        .get = source_get, \
	        .name = source_name, \
	        .claims = word##_claims, \
	        .make = word##_make, \
	        .remove = source_unset, \
	}

SOURCE(SOURCE_TIMER, timer);
SOURCE(SOURCE_HTTP, http);
SOURCE(SOURCE_WATCH, watch);
SOURCE(SOURCE_TOPIC, topic);

int source_show(const struct subject *subject, struct buf *out)
{
	const struct trigger_source *source = subject->item;

	if (*source->value)
		buf_printf(out, "%s\n", source->topic ? source->topic->name : source->value);
	return 0;
}

/* What was made by the open that this write came through is not seen any more when it is refused. */
int source_set(const struct subject *subject, const char *text, struct buf *why)
{
	struct trigger_source *source = subject->item;
	int r = sources_set(engine_sources(subject->engine), source, text, &subject->caller, why);

	if (r < 0 && !*source->value)
		source->hidden = true;
	return r;
}

/* --- kinds that are programs --------------------------------------------------------------------- */

static const struct trigger_source *program_of(const struct subject *directory)
{
	return source_of(directory, SOURCE_PROGRAM);
}

static bool program_next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	const struct trigger_source *source = program_of(directory);

	if (!source || source->id <= after)
		return false;
	entry->object = source->id;
	snprintf(entry->name, sizeof(entry->name), "%s", source->kind_name);
	return true;
}

static int program_find(const struct subject *directory, const char *name, uint64_t *object)
{
	const struct trigger_source *source = program_of(directory);

	if (!source || strcmp(name, source->kind_name) != 0)
		return -ENOENT;
	*object = source->id;
	return 0;
}

/* What `sed -i` and others write to before they rename it. */
static bool is_temporary(const char *name)
{
	return (strncmp(name, "sed", 3) == 0 && strlen(name) == 9) ||
	       (strncmp(name, "tmp", 3) == 0 && strlen(name) == 11);
}

static bool program_claims(const char *name)
{
	return source_kind_is_program(name) && !is_temporary(name);
}

static int program_make(
        const struct subject *directory, const char *name, uint64_t *object, struct buf *why)
{
	struct trigger_source *source;
	char path[4096];
	int r = sources_find_program(
	        engine_sources(directory->engine), name, path, sizeof(path), why);

	if (r == 0)
		r = trigger_source_create_program(directory->trigger, name, &source, why);
	if (r == 0)
		*object = source->id;
	return r;
}

const struct each source_program_each = {
        .next = program_next,
        .find = program_find,
        .get = source_get,
        .name = source_name,
        .claims = program_claims,
        .make = program_make,
        .remove = source_unset,
};

/* --- values and facts --------------------------------------------------------------------------- */

int trigger_show(const struct subject *subject, struct buf *out)
{
	enum trigger_key key = (enum trigger_key)subject->row->key;

	if (key == TRIGGER_FORMAT)
		buf_puts(out, event_format_name(trigger_format(subject->trigger)));
	else
		trigger_settings_show(&subject->trigger->settings, key, out);
	if (key != TRIGGER_PAYLOAD || *subject->trigger->settings.payload)
		buf_puts(out, "\n");
	return 0;
}

int trigger_set_text(const struct subject *subject, const char *text, struct buf *why)
{
	return trigger_set(subject->trigger, (enum trigger_key)subject->row->key, text, why);
}

int trigger_show_target(const struct subject *subject, struct buf *out)
{
	buf_printf(out, "%s\n", trigger_target_name(subject->trigger));
	return 0;
}

int trigger_set_target_text(const struct subject *subject, const char *text, struct buf *why)
{
	return trigger_set_target(subject->trigger, text, why);
}

int trigger_show_status(const struct subject *subject, struct buf *out)
{
	sources_show_status(engine_sources(subject->engine), subject->trigger, out);
	return 0;
}

int trigger_show_fired(const struct subject *subject, struct buf *out)
{
	buf_printf(out, "%" PRIu64 "\n", subject->trigger->fired);
	return 0;
}

int trigger_show_errors(const struct subject *subject, struct buf *out)
{
	buf_printf(out, "%" PRIu64 "\n", subject->trigger->errors);
	return 0;
}

static int show_time(int64_t time_us, struct buf *out)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(text, time_us);
	buf_printf(out, "%s\n", text);
	return 0;
}

static int show_nothing(struct buf *out)
{
	buf_puts(out, "-\n");
	return 0;
}

int trigger_show_last(const struct subject *subject, struct buf *out)
{
	int64_t last_us = subject->trigger->last_us;

	return last_us ? show_time(last_us, out) : show_nothing(out);
}

int trigger_show_next(const struct subject *subject, struct buf *out)
{
	int64_t next_us = sources_next_us(engine_sources(subject->engine), subject->trigger);

	return next_us != INT64_MAX ? show_time(next_us, out) : show_nothing(out);
}
