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
#include "model/alias.h"
#include "model/functions_private.h"
#include "model/trigger.h"
#include "model/version.h"
#include "model/why.h"
#include "store/store.h"

struct function *function_free(struct function *function)
{
	if (!function)
		return NULL;
	aliases_free(function);
	versions_free(function);
	list_unlink(&function->link);
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

struct function *function_new(
        struct functions *functions, const char *name, uid_t uid, gid_t gid, int64_t created_us)
{
	CLEANUP(function_free_p) struct function *function = calloc(1, sizeof(*function));

	if (!function)
		return NULL;
	settings_init(&function->settings, function, NULL);
	list_init(&function->drafts);
	list_init(&function->link);
	function->functions = functions;
	function->uid = uid;
	function->gid = gid;
	function->created_us = created_us;
	function->name = strdup(name);
	return function->name ? take(function) : NULL;
}

int function_reserve(struct function *function)
{
	struct functions *functions = function->functions;
	int r = map_reserve(&functions->by_id);

	return r < 0 ? r : names_put(&functions->by_name, function->name, function);
}

void function_add(struct function *function, uint64_t id)
{
	struct functions *functions = function->functions;

	function->id = function->settings.owner = id;
	list_append(&functions->loaded, &function->link);
	if (map_put(&functions->by_id, id, function) < 0)
		assert(!"there is room");
}

void function_drop(struct function *function)
{
	list_unlink(&function->link);
	map_remove(&function->functions->by_id, function->id);
	names_remove(&function->functions->by_name, function->name);
}

size_t functions_count(const struct functions *functions)
{
	return functions->count;
}

/* A failure to look is told by the store, which knows of every name, when the change is made. */
static int check_free(struct functions *functions, const char *name, struct buf *why)
{
	int r = name_check(name, FUNCTION_NAME_LONGEST, why);
	uint64_t id;

	if (r == 0 && functions_find_id(functions, name, &id) == 0) {
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
	if (!function || function_reserve(function) < 0)
		return why_store(why, fail(-ENOMEM, "creating function %s", name));
	r = store_apply(functions->store, &command, &made);
	if (r < 0) {
		names_remove(&functions->by_name, name);
		return why_store(why, r);
	}
	function_add(function, made.object);
	functions->count++;
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
	function_drop(function);
	functions->count--;
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
