/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions come into memory when somebody asks for them, each with all that is its own, and go from it in the
 * order in which they were asked for last, once there are many that nobody uses. Used is one that the layers above
 * keep a state for, that has a trigger, or that is being published: pointers to all others last until functions_trim().
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/log.h"
#include "model/alias.h"
#include "model/functions_private.h"
#include "model/version.h"

#define KEPT_MOST 1000 /* in memory, unused; each has some 8 KiB */

/* --- what belongs to one ---------------------------------------------------------------------- */

static int load_version(void *userdata, const struct store_version_row *row)
{
	return row->snapshot ? version_load(userdata, row) : 0;
}

static int load_alias(void *userdata, const struct store_alias_row *row)
{
	return alias_load(userdata, row);
}

/* NULL: of a draft that a crash left. */
static struct settings *settings_of(struct function *function, uint64_t owner)
{
	struct version *version;

	if (owner == function->id)
		return &function->settings;
	version = map_get(&function->functions->versions, owner);
	return version ? &version->settings : NULL;
}

/* A value that is refused today (bounds may change) does not keep the daemon from starting. */
static int load_setting(void *userdata, uint64_t owner, const char *name, const char *value)
{
	struct function *function = userdata;
	struct alias *alias = map_get(&function->functions->aliases, owner);
	struct settings *settings = alias ? NULL : settings_of(function, owner);
	int key = config_key_find(name);

	if (alias)
		return alias_load_setting(alias, name, value);
	if (!settings)
		return 0;
	if (key < 0 || config_load(&settings->config, (enum config_key)key, value) < 0)
		log_line(LOG_WARNING,
		        "%s: the stored setting %s '%s' is not usable, the default is",
		        function->name, name, value);
	return 0;
}

static int load_variable(
        void *userdata, uint64_t owner, uint64_t id, const char *key, const char *value)
{
	struct settings *settings = settings_of(userdata, owner);

	return settings ? settings_variable_load(settings, id, key, value) : 0;
}

static int load_belongings(struct function *function)
{
	struct store *store = function->functions->store;
	int r = store_each_version_of(store, function->id, load_version, function);

	if (r == 0)
		r = store_each_alias_of(store, function->id, load_alias, function);
	if (r == 0)
		r = store_each_setting_of(store, function->id, load_setting, function);
	if (r == 0)
		r = store_each_variable_of(store, function->id, load_variable, function);
	return r;
}

/* --- coming ----------------------------------------------------------------------------------- */

/* Out of memory, and nothing else: the store keeps it, and whoever is bound to packages stays so. */
static void unload(struct function *function)
{
	struct functions *functions = function->functions;

	functions->unloading = true;
	function_drop(function);
	function_free(function);
	functions->unloading = false;
}

static int load_row(void *userdata, const struct store_function_row *row)
{
	struct functions *functions = userdata;
	struct function *function =
	        function_new(functions, row->name, row->uid, row->gid, row->created_us);

	if (!function || function_reserve(function) < 0) {
		function_free(function);
		return fail(-ENOMEM, "loading a function");
	}
	function_add(function, row->id);
	return 0;
}

static void crowded(struct functions *functions)
{
	if (functions->by_id.count <= functions->kept_most || !functions->events.crowded)
		return;
	functions->events.crowded(functions->userdata);
}

/* The row was read: what it says is in memory already, alone. */
static int complete(struct functions *functions, uint64_t id, struct function **out)
{
	struct function *function = map_get(&functions->by_id, id);
	int r = load_belongings(function);

	if (r < 0) {
		unload(function);
		return r;
	}
	crowded(functions);
	*out = function;
	return 0;
}

static struct function *touch(struct functions *functions, struct function *function)
{
	list_unlink(&function->link);
	list_append(&functions->loaded, &function->link);
	return function;
}

int functions_load(struct functions *functions, uint64_t id, struct function **out)
{
	struct function *function = map_get(&functions->by_id, id);
	int r;

	if (function) {
		*out = touch(functions, function);
		return 0;
	}
	r = id ? store_get_function(functions->store, id, load_row, functions) : -ENOENT;
	return r < 0 ? r : complete(functions, id, out);
}

static int keep_id(void *userdata, const struct store_function_row *row)
{
	*(uint64_t *)userdata = row->id;
	return 0;
}

int functions_find_id(struct functions *functions, const char *name, uint64_t *id)
{
	const struct function *function = names_get(&functions->by_name, name);

	if (!function)
		return store_find_function(functions->store, name, keep_id, id);
	*id = function->id;
	return 0;
}

int functions_look(struct functions *functions, uint64_t id,
        int (*each)(void *userdata, const struct store_function_row *row), void *userdata)
{
	const struct function *function = map_get(&functions->by_id, id);

	if (!function)
		return store_get_function(functions->store, id, each, userdata);
	return (*each)(userdata, &(struct store_function_row){.id = id,
	                                 .name = function->name,
	                                 .uid = function->uid,
	                                 .gid = function->gid,
	                                 .created_us = function->created_us});
}

int functions_each_after(struct functions *functions, uint64_t after,
        int (*each)(void *userdata, const struct store_function_row *row), void *userdata)
{
	return store_each_function_after(functions->store, after, each, userdata);
}

struct function *functions_get(struct functions *functions, uint64_t id)
{
	struct function *function;

	return functions_load(functions, id, &function) < 0 ? NULL : function;
}

struct function *functions_find(struct functions *functions, const char *name)
{
	uint64_t id;

	return functions_find_id(functions, name, &id) < 0 ? NULL : functions_get(functions, id);
}

static int first_id(void *userdata, const struct store_function_row *row)
{
	*(uint64_t *)userdata = row->id;
	return 1;
}

struct function *functions_next(struct functions *functions, uint64_t after_id)
{
	uint64_t id = 0;

	return functions_each_after(functions, after_id, first_id, &id) == 1
	               ? functions_get(functions, id)
	               : NULL;
}

void *functions_part(struct functions *functions, const struct map *parts, uint64_t id)
{
	void *part = id ? map_get(parts, id) : NULL;
	struct function *function;
	uint64_t owner;

	if (part || !id || store_function_of(functions->store, id, &owner) < 0 ||
	        map_get(&functions->by_id, owner) ||
	        functions_load(functions, owner, &function) < 0)
		return part;
	return map_get(parts, id);
}

bool functions_have_version(struct functions *functions, uint64_t id)
{
	return map_get(&functions->versions, id) ||
	       store_has_version(functions->store, id) != -ENOENT;
}

/* --- going ------------------------------------------------------------------------------------ */

static bool is_used(const struct function *function)
{
	return function->runtime_state || function->triggers.count ||
	       !list_empty(&function->drafts);
}

void functions_trim(struct functions *functions)
{
	struct function *function, *following;

	list_each_safe(function, following, &functions->loaded, link) {
		if (functions->by_id.count <= functions->kept_most)
			return;
		if (is_used(function))
			list_unlink(&function->link); /* until somebody asks for it again */
		else
			unload(function);
	}
}

void functions_keep(struct functions *functions, size_t most)
{
	functions->kept_most = most;
}

size_t functions_loaded(const struct functions *functions)
{
	return functions->by_id.count;
}

/* --- all of them ------------------------------------------------------------------------------ */

/* Without room on the disk they stay, unseen, until a later start. */
static void sweep_drafts(struct functions *functions)
{
	if (store_has_draft(functions->store) == 0)
		store_apply(functions->store, &(struct command){COMMAND_VERSIONS_SWEEP}, NULL);
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
	list_init(&functions->loaded);
	functions->store = store;
	functions->userdata = userdata;
	functions->kept_most = KEPT_MOST;
	if (events)
		functions->events = *events;
	r = store_count_functions(store, &functions->count);
	if (r < 0)
		return r;
	sweep_drafts(functions);
	*out = take(functions);
	return 0;
}

struct functions *functions_free(struct functions *functions)
{
	struct function *function;

	if (!functions)
		return NULL;
	functions->unloading = true;
	map_each(function, &functions->by_id, cursor) {
		function_free(function);
	}
	map_deinit(&functions->by_id);
	map_deinit(&functions->variables);
	map_deinit(&functions->versions);
	map_deinit(&functions->aliases);
	names_deinit(&functions->by_name);
	free(functions);
	return NULL;
}
