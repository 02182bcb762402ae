/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of a draft are a copy in memory and a copy in the store, made at one moment. The ids of the copied
 * variables are known without asking: they follow the version's own, in the order of the originals.
 */
#include "model/version.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fail.h"
#include "model/alias.h"
#include "model/functions_private.h"
#include "model/routes.h"
#include "model/trigger.h"
#include "model/why.h"

enum { NAME_LONGEST = 42 };

static const char letters_and_digits[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

static bool is_end(char c)
{
	return c && strchr(letters_and_digits, c);
}

static bool in_rule(const char *name, size_t length)
{
	size_t i;

	if (!length || length > NAME_LONGEST)
		return false;
	for (i = 0; i < length; i++)
		if (!is_end(name[i]) && !strchr("-_.", name[i]))
			return false;
	return is_end(name[0]) && is_end(name[length - 1]);
}

int version_name_check(const char *name, struct buf *why)
{
	size_t length = strlen(name);

	if (in_rule(name, length))
		return 0;
	why_say(why,
	        "the name of a version is 1 to %d letters, digits, -, _ and ., and begins and ends "
	        "with a letter or digit; not ",
	        NAME_LONGEST);
	why_quote(why, name);
	return length > NAME_MAX ? -ENAMETOOLONG : -EINVAL;
}

/* --- life ----------------------------------------------------------------------------------- */

static struct version *version_free(struct version *version)
{
	if (!version)
		return NULL;
	list_unlink(&version->link);
	settings_deinit(&version->settings);
	free(version->name);
	free(version);
	return NULL;
}

static void version_free_p(struct version **version)
{
	version_free(*version);
}

static struct version *version_new(struct function *function, const char *name, int64_t created_us)
{
	CLEANUP(version_free_p) struct version *version = calloc(1, sizeof(*version));

	if (!version)
		return NULL;
	list_init(&version->link);
	settings_init(&version->settings, function, version);
	version->function = function;
	version->created_us = created_us;
	version->name = strdup(name);
	return version->name ? take(version) : NULL;
}

/* After this it can be shown without fail. Only the name is there already, and found. */
static int reserve(struct version *version)
{
	struct function *function = version->function;

	if (ordered_reserve(&function->versions) < 0 ||
	        map_reserve(&function->functions->versions) < 0)
		return -ENOMEM;
	return names_put(&function->versions_by_name, version->name, version);
}

static void show(struct version *version)
{
	struct function *function = version->function;

	version->published = true;
	ordered_put(&function->versions, version->id, version);
	if (map_put(&function->functions->versions, version->id, version) < 0)
		assert(!"there is room");
}

static void drop(struct version *version)
{
	struct function *function = version->function;
	struct functions *functions = function->functions;

	ordered_remove(&function->versions, version->id);
	map_remove(&functions->versions, version->id);
	names_remove(&function->versions_by_name, version->name);
}

int version_load(struct function *function, const struct store_version_row *row)
{
	CLEANUP(version_free_p)
	struct version *version = version_new(function, row->name, row->created_us);

	if (!version || reserve(version) < 0)
		return fail(-ENOMEM, "loading versions");
	version->id = version->settings.owner = row->id;
	version->snapshot = *row->snapshot;
	show(version);
	take(version);
	return 0;
}

static void tell_removed(struct version *version)
{
	struct functions *functions = version->function->functions;

	if (functions->events.version_removed)
		functions->events.version_removed(functions->userdata, version);
}

void versions_removed(struct function *function)
{
	struct version *version, *following;

	while ((version = ordered_last(&function->versions))) {
		drop(version);
		tell_removed(version);
		version_free(version);
	}
	list_each_safe(version, following, &function->drafts, link) {
		list_unlink(&version->link);
		if (!version->abandoned)
			tell_removed(version);
		version_free(version);
	}
}

void versions_free(struct function *function)
{
	struct version *version, *following;

	while ((version = ordered_last(&function->versions))) {
		drop(version);
		version_free(version);
	}
	list_each_safe(version, following, &function->drafts, link)
		version_free(version);
	ordered_deinit(&function->versions);
	names_deinit(&function->versions_by_name);
}

/* --- publishing ------------------------------------------------------------------------------ */

static int check_free(const struct function *function, const char *name, struct buf *why)
{
	int r = version_name_check(name, why);

	if (r < 0)
		return r;
	if (strcmp(name, "latest") == 0) {
		why_say(why, "latest is what is in code/ now; a version needs another name");
		return -EEXIST;
	}
	if (versions_find(function, name)) {
		why_say(why, "there is a version %s already, and versions never change", name);
		return -EEXIST;
	}
	if (version_draft_find(function, name)) {
		why_say(why, "version %s is being published", name);
		return -EALREADY;
	}
	return 0;
}

static int forget(struct version *draft)
{
	int r = store_apply(draft->function->functions->store,
	        &(struct command){COMMAND_VERSION_REMOVE, .object = draft->id}, NULL);

	if (r == 0)
		version_free(draft);
	return r;
}

/* A full disk may be why it is given up, and then the store cannot forget it either: whoever wants the name
 * tries again. */
void version_abandon(struct version *draft)
{
	assert(!draft->published);
	draft->abandoned = true;
	forget(draft);
}

static struct version *find_draft(const struct function *function, const char *name, bool abandoned)
{
	struct version *version;

	list_each(version, &function->drafts, link) {
		if (version->abandoned == abandoned && strcmp(version->name, name) == 0)
			return version;
	}
	return NULL;
}

int version_begin(
        struct function *function, const char *name, struct version **out, struct buf *why)
{
	CLEANUP(version_free_p) struct version *version = NULL;
	struct command command = {COMMAND_VERSION_BEGIN, .object = function->id, .name = name,
	        .time_us = clock_wall_us(&clock_system)};
	struct version *abandoned = find_draft(function, name, true);
	struct command_result made;
	int r = check_free(function, name, why);

	if (r < 0)
		return r;
	r = abandoned ? forget(abandoned) : 0;
	if (r < 0)
		return why_store(why, r);
	version = version_new(function, name, command.time_us);
	if (!version || settings_copy(&version->settings, &function->settings) < 0)
		return why_store(why, fail(-ENOMEM, "publishing version %s", name));
	r = settings_copy_dependencies(&version->settings, &function->settings, why);
	if (r < 0)
		return r;
	r = store_apply(function->functions->store, &command, &made);
	if (r < 0)
		return why_store(why, r);
	version->id = made.object;
	settings_own(&version->settings, made.object);
	list_append(&function->drafts, &version->link);
	*out = take(version);
	return 0;
}

int version_finish(struct version *version, const struct store_snapshot *snapshot, struct buf *why)
{
	struct function *function = version->function;
	struct functions *functions = function->functions;
	struct command command = {
	        COMMAND_VERSION_FINISH, .object = version->id, .snapshot = *snapshot, .durable = 1};
	int r;

	assert(!version->published);
	if (reserve(version) < 0)
		return why_store(why, fail(-ENOMEM, "publishing version %s", version->name));
	r = store_apply(functions->store, &command, NULL);
	if (r < 0) {
		names_remove(&function->versions_by_name, version->name);
		return why_store(why, r);
	}
	list_unlink(&version->link);
	version->snapshot = *snapshot;
	show(version);
	if (functions->events.version_created)
		functions->events.version_created(functions->userdata, version);
	return 0;
}

int version_create(struct function *function, const char *name,
        const struct store_snapshot *snapshot, struct version **out, struct buf *why)
{
	struct version *version = NULL;
	int r = version_begin(function, name, &version, why);

	if (r == 0)
		r = version_finish(version, snapshot, why);
	if (r < 0 && version)
		version_abandon(version);
	else if (r == 0 && out)
		*out = version;
	return r;
}

int version_check_unused(const struct version *version, struct buf *why)
{
	const struct function *function = version->function;
	const struct trigger *trigger;
	struct alias *alias;
	uint64_t id = 0;

	for (; (alias = aliases_next(function, id)); id = alias->id) {
		if (alias->routes && routes_use(alias->routes, version)) {
			why_say(why, "alias %s of %s routes to version %s", alias->name,
			        function->name, version->name);
			return -EBUSY;
		}
	}
	trigger = triggers_using(function, version, NULL);
	if (!trigger)
		return 0;
	why_say(why, "trigger %s of %s calls version %s", trigger->name, function->name,
	        version->name);
	return -EBUSY;
}

int version_remove(struct version *version, struct buf *why)
{
	int r = version_check_unused(version, why);

	if (r < 0)
		return r;
	r = store_apply(version->function->functions->store,
	        &(struct command){COMMAND_VERSION_REMOVE, .object = version->id}, NULL);
	if (r < 0)
		return why_store(why, r);
	drop(version);
	tell_removed(version);
	version_free(version);
	return 0;
}

/* --- finding -------------------------------------------------------------------------------- */

struct version *versions_get(struct functions *functions, uint64_t id)
{
	return functions_part(functions, &functions->versions, id);
}

/* A draft that is being finished is in the table of names, and not yet to be found. */
struct version *versions_find(const struct function *function, const char *name)
{
	struct version *version = names_get(&function->versions_by_name, name);

	return version && version->published ? version : NULL;
}

struct version *versions_next(const struct function *function, uint64_t after_id)
{
	return ordered_after(&function->versions, after_id);
}

struct version *versions_newest(const struct function *function)
{
	return ordered_last(&function->versions);
}

size_t versions_count(const struct function *function)
{
	return function->versions.count;
}

struct version *version_draft_find(const struct function *function, const char *name)
{
	return find_draft(function, name, false);
}
