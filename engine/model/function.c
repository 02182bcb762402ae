/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory never runs ahead of the disk and never falls behind it: a change first takes all the
 * memory it will need, then is stored, and what is left to do after that cannot fail.
 */
#include "model/function.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "model/alias.h"
#include "model/functions_private.h"
#include "model/trigger.h"
#include "model/version.h"
#include "model/why.h"
#include "store/store.h"

static struct function *function_free(struct function *function)
{
	if (!function)
		return NULL;
	aliases_free(function);
	versions_free(function);
	ordered_deinit(&function->triggers);
	names_deinit(&function->triggers_by_name);
	settings_deinit(&function->settings);
	free(function->name);
	free(function);
	return NULL;
}

static void function_free_p(struct function **function)
{
	function_free(*function);
}

static struct function *function_new(
        struct functions *functions, const char *name, uid_t uid, gid_t gid, int64_t created_us)
{
	CLEANUP(function_free_p) struct function *function = calloc(1, sizeof(*function));

	if (!function)
		return NULL;
	settings_init(&function->settings, function, NULL);
	list_init(&function->drafts);
	function->functions = functions;
	function->uid = uid;
	function->gid = gid;
	function->created_us = created_us;
	function->name = strdup(name);
	return function->name ? take(function) : NULL;
}

/* After this one more function can be added without fail. */
static int reserve(struct functions *functions)
{
	int r = ordered_reserve(&functions->ordered);

	return r < 0 ? r : map_reserve(&functions->by_id);
}

/* The name is in `by_name` already. */
static void add(struct functions *functions, struct function *function, uint64_t id)
{
	function->id = function->settings.owner = id;
	ordered_put(&functions->ordered, id, function);
	if (map_put(&functions->by_id, id, function) < 0)
		assert(!"there is room");
}

static void drop(struct functions *functions, struct function *function)
{
	ordered_remove(&functions->ordered, function->id);
	map_remove(&functions->by_id, function->id);
	names_remove(&functions->by_name, function->name);
}

static int load_function(void *userdata, const struct store_function_row *row)
{
	struct functions *functions = userdata;
	CLEANUP(function_free_p)
	struct function *function =
	        function_new(functions, row->name, row->uid, row->gid, row->created_us);

	if (!function || reserve(functions) < 0 ||
	        names_put(&functions->by_name, function->name, function) < 0)
		return fail(-ENOMEM, "loading functions");
	add(functions, take(function), row->id);
	return 0;
}

static int load_version(void *userdata, const struct store_version_row *row)
{
	struct functions *functions = userdata;

	if (row->snapshot)
		return version_load(functions, row);
	functions->drafts_left = true;
	return 0;
}

static int load_alias(void *userdata, const struct store_alias_row *row)
{
	return alias_load(userdata, row);
}

/* NULL: of a draft that a crash left. */
static struct settings *settings_of(struct functions *functions, uint64_t owner)
{
	struct function *function = functions_get(functions, owner);
	struct version *version = function ? NULL : versions_get(functions, owner);

	if (function)
		return &function->settings;
	assert(version || functions->drafts_left);
	return version ? &version->settings : NULL;
}

/* A value that is refused today (bounds may change) does not keep the daemon from starting. */
static int load_setting(void *userdata, uint64_t owner, const char *name, const char *value)
{
	struct alias *alias = aliases_get(userdata, owner);
	struct settings *settings = alias ? NULL : settings_of(userdata, owner);
	int key = config_key_find(name);

	if (alias)
		return alias_load_setting(alias, name, value);
	if (!settings)
		return 0;
	if (key < 0 || config_load(&settings->config, (enum config_key)key, value) < 0)
		log_line(LOG_WARNING,
		        "%s: the stored setting %s '%s' is not usable, the default is",
		        settings->function->name, name, value);
	return 0;
}

static int load_variable(
        void *userdata, uint64_t owner, uint64_t id, const char *key, const char *value)
{
	struct settings *settings = settings_of(userdata, owner);

	return settings ? settings_variable_load(settings, id, key, value) : 0;
}

/* Without room on the disk they stay, unseen, until a later start. */
static void sweep_drafts(struct functions *functions)
{
	if (functions->drafts_left)
		store_apply(functions->store, &(struct command){COMMAND_VERSIONS_SWEEP}, NULL);
}

static int load(struct functions *functions)
{
	struct store *store = functions->store;
	int r = store_each_function(store, load_function, functions);

	if (r == 0)
		r = store_each_version(store, load_version, functions);
	if (r == 0)
		r = store_each_alias(store, load_alias, functions);
	if (r == 0)
		r = store_each_setting(store, load_setting, functions);
	if (r == 0)
		r = store_each_variable(store, load_variable, functions);
	if (r == 0)
		sweep_drafts(functions);
	return r;
}

static void functions_free_p(struct functions **functions)
{
	functions_free(*functions);
}

int functions_new(struct functions **out, struct store *store,
        const struct functions_events *events, void *userdata)
{
	CLEANUP(functions_free_p) struct functions *functions = calloc(1, sizeof(*functions));
	int r;

	if (!functions)
		return fail(-ENOMEM, "loading functions");
	functions->store = store;
	functions->userdata = userdata;
	if (events)
		functions->events = *events;
	r = load(functions);
	if (r == 0)
		*out = take(functions);
	return r;
}

struct functions *functions_free(struct functions *functions)
{
	struct function *function;
	uint64_t id = 0;

	if (!functions)
		return NULL;
	for (; (function = functions_next(functions, id)); function_free(function))
		id = function->id;
	ordered_deinit(&functions->ordered);
	map_deinit(&functions->by_id);
	map_deinit(&functions->variables);
	map_deinit(&functions->versions);
	map_deinit(&functions->aliases);
	names_deinit(&functions->by_name);
	free(functions);
	return NULL;
}

struct function *functions_get(const struct functions *functions, uint64_t id)
{
	return map_get(&functions->by_id, id);
}

struct function *functions_find(const struct functions *functions, const char *name)
{
	return names_get(&functions->by_name, name);
}

struct function *functions_next(const struct functions *functions, uint64_t after_id)
{
	return ordered_after(&functions->ordered, after_id);
}

size_t functions_count(const struct functions *functions)
{
	return functions->ordered.count;
}

static int check_free(struct functions *functions, const char *name, struct buf *why)
{
	int r = name_check(name, FUNCTION_NAME_LONGEST, why);

	if (r == 0 && functions_find(functions, name)) {
		why_say(why, "there is a function %s already", name);
		r = -EEXIST;
	}
	return r;
}

int functions_create(struct functions *functions, const char *name, const struct caller *owner,
        struct function **out, struct buf *why)
{
	CLEANUP(function_free_p) struct function *function = NULL;
	struct command command = {COMMAND_FUNCTION_CREATE, .name = name, .uid = owner->uid,
	        .gid = owner->gid, .time_us = clock_wall_us(&clock_system)};
	struct command_result made;
	int r = check_free(functions, name, why);

	if (r < 0)
		return r;
	function = function_new(functions, name, owner->uid, owner->gid, command.time_us);
	if (!function || reserve(functions) < 0 ||
	        names_put(&functions->by_name, function->name, function) < 0)
		return why_store(why, fail(-ENOMEM, "creating function %s", name));
	r = store_apply(functions->store, &command, &made);
	if (r < 0) {
		names_remove(&functions->by_name, name);
		return why_store(why, r);
	}
	add(functions, function, made.object);
	if (out)
		*out = function;
	if (functions->events.created)
		functions->events.created(functions->userdata, function);
	take(function);
	return 0;
}

int function_rename(struct function *function, const char *name, struct buf *why)
{
	struct functions *functions = function->functions;
	CLEANUP(free_p) char *copy = NULL;
	int r;

	if (strcmp(function->name, name) == 0)
		return 0;
	r = check_free(functions, name, why);
	if (r < 0)
		return r;
	copy = strdup(name);
	if (!copy || names_put(&functions->by_name, copy, function) < 0)
		return why_store(why, fail(-ENOMEM, "renaming function %s", function->name));
	r = store_apply(functions->store,
	        &(struct command){COMMAND_FUNCTION_RENAME, .object = function->id, .name = name},
	        NULL);
	if (r < 0) {
		names_remove(&functions->by_name, copy);
		return why_store(why, r);
	}
	names_remove(&functions->by_name, function->name);
	free(function->name);
	function->name = take(copy);
	if (functions->events.renamed)
		functions->events.renamed(functions->userdata, function);
	return 0;
}

int function_check_empty(const struct function *function, struct buf *why)
{
	const char *kind = triggers_count(function)  ? "triggers"
	                   : aliases_count(function) ? "aliases"
	                                             : "versions";

	/* What is being published goes with it: nobody was told that it is there. */
	if (!triggers_count(function) && !aliases_count(function) && !versions_count(function))
		return 0;
	why_say(why, "%s has %s; remove them first, or all at once with rm -r", function->name,
	        kind);
	return -ENOTEMPTY;
}

int function_remove(struct function *function, struct buf *why)
{
	struct functions *functions = function->functions;
	int r = store_apply(functions->store,
	        &(struct command){COMMAND_FUNCTION_REMOVE, .object = function->id}, NULL);

	if (r < 0)
		return why_store(why, r);
	triggers_removed(function);
	aliases_removed(function);
	versions_removed(function);
	drop(functions, function);
	if (functions->events.removed)
		functions->events.removed(functions->userdata, function);
	function_free(function);
	return 0;
}

int function_set_owner(struct function *function, uid_t uid, gid_t gid)
{
	int r;

	if (function->uid == uid && function->gid == gid)
		return 0;
	r = store_apply(function->functions->store,
	        &(struct command){
	                COMMAND_FUNCTION_OWN, .object = function->id, .uid = uid, .gid = gid},
	        NULL);
	if (r < 0)
		return r;
	function->uid = uid;
	function->gid = gid;
	return 0;
}
