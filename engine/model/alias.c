/* SPDX-License-Identifier: Apache-2.0 */
#include "model/alias.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "model/functions_private.h"
#include "model/routes.h"
#include "model/trigger.h"
#include "model/version.h"
#include "model/why.h"
#include "store/store.h"

enum { NAME_LONGEST = 63 };

/* --- life ----------------------------------------------------------------------------------- */

static struct alias *alias_free(struct alias *alias)
{
	if (!alias)
		return NULL;
	routes_free(alias->routes);
	free(alias->name);
	free(alias->text);
	free(alias->previous);
	free(alias->description);
	free(alias);
	return NULL;
}

static void alias_free_p(struct alias **alias)
{
	alias_free(*alias);
}

static void routes_free_p(struct routes **routes)
{
	routes_free(*routes);
}

static struct alias *alias_new(struct function *function, const char *name, const char *text,
        const char *previous, int64_t created_us)
{
	CLEANUP(alias_free_p) struct alias *alias = calloc(1, sizeof(*alias));

	if (!alias)
		return NULL;
	alias->function = function;
	alias->generation = 1;
	alias->created_us = created_us;
	alias->name = strdup(name);
	alias->text = strdup(text);
	alias->previous = strdup(previous);
	alias->description = strdup("");
	return alias->name && alias->text && alias->previous && alias->description ? take(alias)
	                                                                           : NULL;
}

/* After this it can be added without fail. */
static int reserve(struct alias *alias)
{
	struct function *function = alias->function;

	if (ordered_reserve(&function->aliases) < 0 ||
	        map_reserve(&function->functions->aliases) < 0)
		return -ENOMEM;
	return names_put(&function->aliases_by_name, alias->name, alias);
}

static void add(struct alias *alias, uint64_t id)
{
	struct function *function = alias->function;

	alias->id = id;
	ordered_put(&function->aliases, id, alias);
	if (map_put(&function->functions->aliases, id, alias) < 0)
		assert(!"there is room");
}

static void drop(struct alias *alias)
{
	struct function *function = alias->function;

	ordered_remove(&function->aliases, alias->id);
	map_remove(&function->functions->aliases, alias->id);
	names_remove(&function->aliases_by_name, alias->name);
}

static void tell(struct alias *alias, void (*event)(void *userdata, struct alias *alias))
{
	if (event)
		event(alias->function->functions->userdata, alias);
}

static const struct functions_events *events(const struct alias *alias)
{
	return &alias->function->functions->events;
}

static int resolve(void *userdata, const char *name, struct version **out)
{
	*out = NULL;
	if (strcmp(name, "latest") == 0)
		return 0;
	*out = versions_find(userdata, name);
	return *out ? 0 : -ENOENT;
}

int alias_load(struct function *function, const struct store_alias_row *row)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	CLEANUP(alias_free_p)
	struct alias *alias =
	        alias_new(function, row->name, row->routes, row->previous, row->created_us);
	int r;

	if (!alias || reserve(alias) < 0)
		return fail(-ENOMEM, "loading aliases");
	alias->generation = row->generation;
	r = routes_parse(&alias->routes, row->routes, resolve, function, &why);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		log_line(LOG_WARNING, "%s: the stored routes of alias %s are not usable: %s",
		        function->name, row->name, why.data ? why.data : "");
	add(alias, row->id);
	take(alias);
	return 0;
}

int alias_load_setting(struct alias *alias, const char *name, const char *value)
{
	char *copy;

	if (strcmp(name, config_key_name(CONFIG_DESCRIPTION)) != 0)
		return 0;
	copy = strdup(value);
	if (!copy)
		return fail(-ENOMEM, "loading aliases");
	free(alias->description);
	alias->description = copy;
	return 0;
}

void aliases_removed(struct function *function)
{
	struct alias *alias;

	while ((alias = ordered_last(&function->aliases))) {
		drop(alias);
		tell(alias, events(alias)->alias_removed);
		alias_free(alias);
	}
}

void aliases_free(struct function *function)
{
	struct alias *alias;

	while ((alias = ordered_last(&function->aliases))) {
		drop(alias);
		alias_free(alias);
	}
	ordered_deinit(&function->aliases);
	names_deinit(&function->aliases_by_name);
}

/* --- names ---------------------------------------------------------------------------------- */

static int check_free(const struct function *function, const char *name, struct buf *why)
{
	int r = name_check(name, NAME_LONGEST, why);

	if (r == 0 && aliases_find(function, name)) {
		why_say(why, "there is an alias %s already", name);
		r = -EEXIST;
	}
	return r;
}

static int make(struct function *function, const char *name, const struct version *version,
        int64_t time_us, struct alias **out)
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;
	CLEANUP(alias_free_p) struct alias *alias = NULL;

	buf_printf(&text, "%s 100\n", version->name);
	if (!text.failed)
		alias = alias_new(function, name, text.data, "", time_us);
	if (!alias)
		return fail(-ENOMEM, "creating alias %s", name);
	if (routes_parse(&alias->routes, alias->text, resolve, function, NULL) < 0 ||
	        reserve(alias) < 0)
		return fail(-ENOMEM, "creating alias %s", name);
	*out = take(alias);
	return 0;
}

int alias_create(struct function *function, const char *name, struct alias **out, struct buf *why)
{
	const struct version *version = versions_newest(function);
	struct command command = {COMMAND_ALIAS_CREATE, .object = function->id, .name = name,
	        .time_us = clock_wall_us(&clock_system)};
	struct command_result made;
	struct alias *alias = NULL;
	int r = check_free(function, name, why);

	if (r < 0)
		return r;
	if (!version) {
		why_say(why, "an alias needs a version to route to: publish one first, with mkdir "
		             "versions/1.0.0");
		return -ENOENT;
	}
	r = make(function, name, version, command.time_us, &alias);
	if (r < 0)
		return why_store(why, r);
	command.value = alias->text;
	r = store_apply(function->functions->store, &command, &made);
	if (r < 0) {
		names_remove(&function->aliases_by_name, name);
		alias_free(alias);
		return why_store(why, r);
	}
	add(alias, made.object);
	if (out)
		*out = alias;
	tell(alias, events(alias)->alias_created);
	return 0;
}

int alias_rename(struct alias *alias, const char *name, struct buf *why)
{
	struct function *function = alias->function;
	CLEANUP(free_p) char *copy = NULL;
	int r;

	if (strcmp(alias->name, name) == 0)
		return 0;
	r = check_free(function, name, why);
	if (r < 0)
		return r;
	copy = strdup(name);
	if (!copy || names_put(&function->aliases_by_name, copy, alias) < 0)
		return why_store(why, fail(-ENOMEM, "renaming alias %s", alias->name));
	r = store_apply(function->functions->store,
	        &(struct command){COMMAND_ALIAS_RENAME, .object = alias->id, .name = name}, NULL);
	if (r < 0) {
		names_remove(&function->aliases_by_name, copy);
		return why_store(why, r);
	}
	names_remove(&function->aliases_by_name, alias->name);
	free(alias->name);
	alias->name = take(copy);
	tell(alias, events(alias)->alias_renamed);
	return 0;
}

int alias_check_unused(const struct alias *alias, struct buf *why)
{
	const struct trigger *trigger = triggers_using(alias->function, NULL, alias);

	if (!trigger)
		return 0;
	why_say(why, "trigger %s of %s calls alias %s", trigger->name, alias->function->name,
	        alias->name);
	return -EBUSY;
}

int alias_remove(struct alias *alias, struct buf *why)
{
	int r = alias_check_unused(alias, why);

	if (r < 0)
		return r;
	r = store_apply(alias->function->functions->store,
	        &(struct command){COMMAND_ALIAS_REMOVE, .object = alias->id}, NULL);

	if (r < 0)
		return why_store(why, r);
	drop(alias);
	tell(alias, events(alias)->alias_removed);
	alias_free(alias);
	return 0;
}

/* --- routes --------------------------------------------------------------------------------- */

/* What it is to be: parsed, and as a text that can be parsed again. */
static int read_routes(struct alias *alias, const char *text, struct routes **routes, char **shown,
        struct buf *why)
{
	CLEANUP(buf_deinit) struct buf canonical = BUF_INIT;
	int r = routes_parse(routes, text, resolve, alias->function, why);

	if (r == -ENOMEM)
		return why_store(why, r);
	if (r < 0)
		return r;
	routes_show(*routes, &canonical);
	if (!canonical.failed && canonical.length > ROUTES_TEXT_MOST) {
		why_say(why, "routes have at most %dK, in the form they are shown in",
		        ROUTES_TEXT_MOST / 1024);
		return -EINVAL;
	}
	*shown = buf_take(&canonical);
	return *shown ? 0 : why_store(why, fail(-ENOMEM, "routing alias %s", alias->name));
}

int alias_set_routes(struct alias *alias, const char *text, struct buf *why)
{
	CLEANUP(routes_free_p) struct routes *routes = NULL;
	CLEANUP(free_p) char *shown = NULL;
	int r = read_routes(alias, text, &routes, &shown, why);

	if (r < 0 || (alias->routes && strcmp(shown, alias->text) == 0))
		return r;
	r = store_apply(alias->function->functions->store,
	        &(struct command){COMMAND_ALIAS_ROUTE, .object = alias->id, .value = shown}, NULL);
	if (r < 0)
		return why_store(why, r);
	free(alias->previous);
	alias->previous = alias->text;
	alias->text = take(shown);
	routes_free(alias->routes);
	alias->routes = take(routes);
	alias->generation++;
	tell(alias, events(alias)->alias_routed);
	return 0;
}

const struct routes_target *alias_choose(struct alias *alias, const char *event, size_t length)
{
	if (!alias->routes)
		return NULL;
	return routes_target(alias->routes, routes_choose(alias->routes, event, length));
}

int alias_set_description(struct alias *alias, const char *text, struct buf *why)
{
	CLEANUP(free_p) char *copy = NULL;
	struct config config;
	int r;

	config_defaults(&config);
	r = config_parse(&config, CONFIG_DESCRIPTION, text, why);
	if (r < 0 || strcmp(config.description, alias->description) == 0)
		return r;
	copy = strdup(config.description);
	if (!copy)
		return why_store(why, fail(-ENOMEM, "describing alias %s", alias->name));
	r = store_apply(alias->function->functions->store,
	        &(struct command){COMMAND_SETTING_SET, .object = alias->id,
	                .name = config_key_name(CONFIG_DESCRIPTION), .value = copy},
	        NULL);
	if (r < 0)
		return why_store(why, r);
	free(alias->description);
	alias->description = take(copy);
	return 0;
}

/* --- finding -------------------------------------------------------------------------------- */

struct alias *aliases_get(struct functions *functions, uint64_t id)
{
	return functions_part(functions, &functions->aliases, id);
}

struct alias *aliases_find(const struct function *function, const char *name)
{
	return names_get(&function->aliases_by_name, name);
}

struct alias *aliases_next(const struct function *function, uint64_t after_id)
{
	return ordered_after(&function->aliases, after_id);
}

size_t aliases_count(const struct function *function)
{
	return function->aliases.count;
}
