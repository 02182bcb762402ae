/* SPDX-License-Identifier: Apache-2.0 */
#include "model/trigger.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "model/alias.h"
#include "model/functions_private.h"
#include "model/triggers_private.h"
#include "model/version.h"
#include "model/why.h"

enum { NAME_LONGEST = 63 };

/* --- life ----------------------------------------------------------------------------------- */

static struct trigger *trigger_free(struct trigger *trigger)
{
	if (!trigger)
		return NULL;
	if (trigger->source)
		trigger_source_drop(trigger->source);
	trigger_settings_deinit(&trigger->settings);
	free(trigger->name);
	free(trigger);
	return NULL;
}

static void trigger_free_p(struct trigger **trigger)
{
	trigger_free(*trigger);
}

static struct trigger *trigger_new(
        struct triggers *triggers, struct function *function, const char *name, int64_t created_us)
{
	CLEANUP(trigger_free_p) struct trigger *trigger = calloc(1, sizeof(*trigger));

	if (!trigger || trigger_settings_init(&trigger->settings) < 0)
		return NULL;
	trigger->triggers = triggers;
	trigger->function = function;
	trigger->created_us = created_us;
	trigger->name = strdup(name);
	return trigger->name ? take(trigger) : NULL;
}

/* After this it can be added without fail. */
static int reserve(struct trigger *trigger)
{
	struct triggers *triggers = trigger->triggers;

	if (ordered_reserve(&trigger->function->triggers) < 0 ||
	        ordered_reserve(&triggers->ordered) < 0 || map_reserve(&triggers->by_id) < 0)
		return -ENOMEM;
	return names_put(&trigger->function->triggers_by_name, trigger->name, trigger);
}

static void add(struct trigger *trigger, uint64_t id)
{
	trigger->id = id;
	ordered_put(&trigger->function->triggers, id, trigger);
	ordered_put(&trigger->triggers->ordered, id, trigger);
	if (map_put(&trigger->triggers->by_id, id, trigger) < 0)
		assert(!"there is room");
}

static void drop(struct trigger *trigger)
{
	ordered_remove(&trigger->function->triggers, trigger->id);
	ordered_remove(&trigger->triggers->ordered, trigger->id);
	map_remove(&trigger->triggers->by_id, trigger->id);
	names_remove(&trigger->function->triggers_by_name, trigger->name);
}

void trigger_changed(struct trigger *trigger)
{
	struct triggers *triggers = trigger->triggers;

	if (triggers->events.changed)
		triggers->events.changed(triggers->userdata, trigger);
}

static void forget(struct trigger *trigger)
{
	struct triggers *triggers = trigger->triggers;

	drop(trigger);
	if (triggers->events.removed)
		triggers->events.removed(triggers->userdata, trigger);
	trigger_free(trigger);
}

void triggers_removed(struct function *function)
{
	struct trigger *trigger;

	while ((trigger = ordered_last(&function->triggers)))
		forget(trigger);
}

/* --- from the store ------------------------------------------------------------------------- */

static int load_trigger(void *userdata, const struct store_trigger_row *row)
{
	struct triggers *triggers = userdata;
	CLEANUP(trigger_free_p) struct trigger *trigger = NULL;
	struct function *function;
	int r = functions_load(triggers->functions, row->function, &function);

	if (r < 0)
		return r;
	trigger = trigger_new(triggers, function, row->name, row->created_us);
	if (!trigger || reserve(trigger) < 0)
		return fail(-ENOMEM, "loading triggers");
	trigger->version = row->version ? versions_get(triggers->functions, row->version) : NULL;
	trigger->alias = row->alias ? aliases_get(triggers->functions, row->alias) : NULL;
	trigger->last_us = row->last_us;
	trigger->fired = row->fired;
	trigger->errors = row->errors;
	add(trigger, row->id);
	take(trigger);
	return 0;
}

/* A value that is refused today does not keep the daemon from starting. */
static int load_setting(void *userdata, uint64_t owner, const char *name, const char *value)
{
	struct trigger *trigger = triggers_get(userdata, owner);
	int key = trigger ? trigger_key_find(name) : -1, r = -EINVAL;

	if (!trigger)
		return 0;
	if (key >= 0)
		r = trigger_settings_parse(&trigger->settings, (enum trigger_key)key, value, NULL);
	if (r == -ENOMEM)
		return fail(r, "loading triggers");
	if (r < 0)
		log_line(LOG_WARNING, "%s: trigger %s: the stored %s '%s' is not usable",
		        trigger->function->name, trigger->name, name, value);
	return 0;
}

static void triggers_free_p(struct triggers **triggers)
{
	triggers_free(*triggers);
}

int triggers_new(struct triggers **out, struct store *store, struct functions *functions,
        const struct triggers_events *events, void *userdata)
{
	CLEANUP(triggers_free_p) struct triggers *triggers = calloc(1, sizeof(*triggers));
	int r;

	if (!triggers)
		return fail(-ENOMEM, "loading triggers");
	triggers->store = store;
	triggers->functions = functions;
	triggers->userdata = userdata;
	functions->triggers = triggers;
	r = topics_load(triggers);
	if (r == 0)
		r = store_each_trigger(store, load_trigger, triggers);
	if (r == 0)
		r = trigger_sources_load(triggers);
	if (r == 0)
		r = store_each_trigger_setting(store, load_setting, triggers);
	if (r < 0)
		return r;
	if (events)
		triggers->events = *events;
	*out = take(triggers);
	return 0;
}

struct triggers *triggers_free(struct triggers *triggers)
{
	struct trigger *trigger;

	if (!triggers)
		return NULL;
	while ((trigger = ordered_last(&triggers->ordered))) {
		drop(trigger);
		trigger_free(trigger);
	}
	triggers->functions->triggers = NULL;
	topics_free(triggers);
	ordered_deinit(&triggers->ordered);
	map_deinit(&triggers->by_id);
	map_deinit(&triggers->sources);
	free(triggers);
	return NULL;
}

/* --- names ---------------------------------------------------------------------------------- */

static int check_free(const struct function *function, const char *name, struct buf *why)
{
	int r = name_check(name, NAME_LONGEST, why);

	if (r == 0 && triggers_find(function, name)) {
		why_say(why, "there is a trigger %s already", name);
		r = -EEXIST;
	}
	return r;
}

int trigger_create(
        struct function *function, const char *name, struct trigger **out, struct buf *why)
{
	struct triggers *triggers = function->functions->triggers;
	struct command command = {COMMAND_TRIGGER_CREATE, .object = function->id, .name = name,
	        .time_us = clock_wall_us(&clock_system)};
	CLEANUP(trigger_free_p) struct trigger *trigger = NULL;
	struct command_result made;
	int r = check_free(function, name, why);

	if (r < 0)
		return r;
	trigger = trigger_new(triggers, function, name, command.time_us);
	if (!trigger || reserve(trigger) < 0)
		return why_store(why, fail(-ENOMEM, "creating trigger %s", name));
	r = store_apply(triggers->store, &command, &made);
	if (r < 0) {
		names_remove(&function->triggers_by_name, name);
		return why_store(why, r);
	}
	add(trigger, made.object);
	if (out)
		*out = trigger;
	take(trigger);
	return 0;
}

int trigger_rename(struct trigger *trigger, const char *name, struct buf *why)
{
	struct function *function = trigger->function;
	CLEANUP(free_p) char *copy = NULL;
	int r;

	if (strcmp(trigger->name, name) == 0)
		return 0;
	r = check_free(function, name, why);
	if (r < 0)
		return r;
	copy = strdup(name);
	if (!copy || names_put(&function->triggers_by_name, copy, trigger) < 0)
		return why_store(why, fail(-ENOMEM, "renaming trigger %s", trigger->name));
	r = store_apply(trigger->triggers->store,
	        &(struct command){COMMAND_TRIGGER_RENAME, .object = trigger->id, .name = name},
	        NULL);
	if (r < 0) {
		names_remove(&function->triggers_by_name, copy);
		return why_store(why, r);
	}
	names_remove(&function->triggers_by_name, trigger->name);
	free(trigger->name);
	trigger->name = take(copy);
	trigger_changed(trigger);
	return 0;
}

int trigger_remove(struct trigger *trigger, struct buf *why)
{
	int r = store_apply(trigger->triggers->store,
	        &(struct command){COMMAND_TRIGGER_REMOVE, .object = trigger->id}, NULL);

	if (r < 0)
		return why_store(why, r);
	forget(trigger);
	return 0;
}

/* --- values --------------------------------------------------------------------------------- */

int trigger_set(struct trigger *trigger, enum trigger_key key, const char *text, struct buf *why)
{
	CLEANUP(buf_deinit) struct buf before = BUF_INIT;
	CLEANUP(buf_deinit) struct buf after = BUF_INIT;
	int r;

	buf_puts(&before, "");
	trigger_settings_show(&trigger->settings, key, &before);
	if (before.failed)
		return why_store(why, fail(-ENOMEM, "setting a trigger"));
	r = trigger_settings_parse(&trigger->settings, key, text, why);
	if (r < 0)
		return r == -ENOMEM ? why_store(why, fail(r, "setting a trigger")) : r;
	buf_puts(&after, "");
	trigger_settings_show(&trigger->settings, key, &after);
	if (!after.failed && strcmp(before.data, after.data) == 0)
		return 0;
	r = after.failed ? fail(-ENOMEM, "setting a trigger")
	                 : store_apply(trigger->triggers->store,
	                           &(struct command){COMMAND_SETTING_SET, .object = trigger->id,
	                                   .name = trigger_key_name(key), .value = after.data},
	                           NULL);
	if (r < 0) {
		/* What it was takes no more memory than what it is: only a payload takes any at all. */
		trigger_settings_parse(&trigger->settings, key, before.data, NULL);
		return why_store(why, r);
	}
	trigger_changed(trigger);
	return 0;
}

static int find_target(const struct function *function, const char *name, struct version **version,
        struct alias **alias, struct buf *why)
{
	*version = NULL;
	*alias = NULL;
	if (strcmp(name, "latest") == 0)
		return 0;
	*alias = aliases_find(function, name);
	if (!*alias)
		*version = versions_find(function, name);
	if (*alias || *version)
		return 0;
	why_say(why, "target is latest, or an alias or a version of %s; not ", function->name);
	why_quote(why, name);
	return -EINVAL;
}

int trigger_set_target(struct trigger *trigger, const char *name, struct buf *why)
{
	struct version *version;
	struct alias *alias;
	int r = find_target(trigger->function, name, &version, &alias, why);

	if (r < 0 || (version == trigger->version && alias == trigger->alias))
		return r;
	r = store_apply(trigger->triggers->store,
	        &(struct command){COMMAND_TRIGGER_TARGET, .object = trigger->id,
	                .child = version ? version->id : 0, .target = alias ? alias->id : 0},
	        NULL);
	if (r < 0)
		return why_store(why, r);
	trigger->version = version;
	trigger->alias = alias;
	trigger_changed(trigger);
	return 0;
}

const char *trigger_target_name(const struct trigger *trigger)
{
	return trigger->alias     ? trigger->alias->name
	       : trigger->version ? trigger->version->name
	                          : "latest";
}

/* Those that FunctionGraph has, too. */
static bool is_native(const struct trigger_source *source)
{
	if (source->kind == SOURCE_PROGRAM)
		return strcmp(source->kind_name, "kafka") == 0 ||
		       strcmp(source->kind_name, "amqp") == 0;
	return source->kind != SOURCE_TOPIC;
}

enum event_format trigger_format(const struct trigger *trigger)
{
	if (trigger->settings.format != FORMAT_DEFAULT)
		return trigger->settings.format;
	return !trigger->source || is_native(trigger->source) ? FORMAT_FUNCTIONGRAPH
	                                                      : FORMAT_CLOUDEVENTS;
}

int trigger_store_fired(struct trigger *trigger, bool durable)
{
	const struct trigger_source *source = trigger->source;

	return store_apply(trigger->triggers->store,
	        &(struct command){COMMAND_TRIGGER_FIRED, .object = trigger->id,
	                .time_us = trigger->last_us, .fired = trigger->fired,
	                .errors = trigger->errors, .from_us = source ? source->from_us : 0,
	                .durable = durable},
	        NULL);
}

/* --- finding -------------------------------------------------------------------------------- */

struct trigger *triggers_get(const struct triggers *triggers, uint64_t id)
{
	return map_get(&triggers->by_id, id);
}

struct trigger *triggers_find(const struct function *function, const char *name)
{
	return names_get(&function->triggers_by_name, name);
}

struct trigger *triggers_next(const struct function *function, uint64_t after_id)
{
	return ordered_after(&function->triggers, after_id);
}

struct trigger *triggers_next_of_all(const struct triggers *triggers, uint64_t after_id)
{
	return ordered_after(&triggers->ordered, after_id);
}

size_t triggers_count(const struct function *function)
{
	return function->triggers.count;
}

struct trigger *triggers_using(
        const struct function *function, const struct version *version, const struct alias *alias)
{
	struct trigger *trigger;
	uint64_t id = 0;

	for (; (trigger = triggers_next(function, id)); id = trigger->id)
		if ((version && trigger->version == version) || (alias && trigger->alias == alias))
			return trigger;
	return NULL;
}
