/* SPDX-License-Identifier: Apache-2.0 */
/* Aliases, looked at, made, routed and removed through the door. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/door_manage.h"
#include "engine/engine_state.h"
#include "model/alias.h"
#include "model/routes.h"
#include "model/why.h"

static void answer(struct door_call *call, const struct alias *alias)
{
	CLEANUP(buf_deinit) struct buf json = BUF_INIT;

	door_describe_alias(alias, &json);
	door_answer(call, &json);
}

bool door_alias_names(const struct alias *alias, const char *version)
{
	size_t count = alias->routes ? routes_targets_count(alias->routes) : 0;

	for (size_t i = 0; i < count; i++)
		if (strcmp(routes_target(alias->routes, i)->name, version) == 0)
			return true;
	return false;
}

/* The first one that has a share: as they were written. */
static const struct routes_target *primary(const struct alias *alias)
{
	size_t count = alias->routes ? routes_targets_count(alias->routes) : 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t weight, all;

		routes_share(alias->routes, i, &weight, &all);
		if (weight)
			return routes_target(alias->routes, i);
	}
	return count ? routes_target(alias->routes, 0) : NULL;
}

struct version *door_alias_version(const struct alias *alias)
{
	const struct routes_target *target = primary(alias);

	return target ? target->version : NULL;
}

/* NULL: it was refused. */
static struct alias *find(struct door_call *call)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	const char *name = door_parameter(call, "alias");
	struct alias *alias = aliases_find(call->function, name ? name : "");

	if (alias)
		return alias;
	why_say(&why, "function %s has no alias ", call->function->name);
	why_quote(&why, name ? name : "");
	door_refuse(call, -ENOENT, &why);
	return NULL;
}

void door_alias_show(struct door_call *call)
{
	const struct alias *alias = find(call);

	if (alias)
		answer(call, alias);
}

/* --- routes ----------------------------------------------------------------------------------- */

/* Lines of all but the first; what they leave is its own. */
static int put_given(const cJSON *weights, struct buf *text, double *left, struct buf *why)
{
	const cJSON *one;

	cJSON_ArrayForEach(one, weights) {
		double part = cJSON_IsNumber(one) ? one->valuedouble : -1;

		if (!(part >= 0 && part <= *left + 1e-9)) {
			why_say(why, "a weight is a part of 1, and all together are not more");
			return -EINVAL;
		}
		*left -= part;
		if (part > 0)
			buf_printf(text, "%s %.9g\n", one->string, part);
	}
	return 0;
}

static void put_present(
        const struct alias *alias, const char *first, struct buf *text, double *left)
{
	size_t count = alias->routes ? routes_targets_count(alias->routes) : 0;

	for (size_t i = 0; i < count; i++) {
		const struct routes_target *target = routes_target(alias->routes, i);
		uint64_t weight, all;

		routes_share(alias->routes, i, &weight, &all);
		if (target == primary(alias) || !weight || strcmp(target->name, first) == 0)
			continue;
		buf_printf(text, "%s %.9g\n", target->name, (double)weight / (double)all);
		*left -= (double)weight / (double)all;
	}
}

static int set_routes(struct door_call *call, struct alias *alias, struct buf *why)
{
	const cJSON *weights = cJSON_GetObjectItemCaseSensitive(call->parameters, "weights");
	const char *version = door_parameter(call, "version");
	CLEANUP(buf_deinit) struct buf others = BUF_INIT;
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;
	double left = 1;
	int r = 0;

	if (!version && !weights)
		return 0;
	if (!version && primary(alias))
		version = primary(alias)->name;
	if (weights)
		r = put_given(weights, &others, &left, why);
	else if (version)
		put_present(alias, version, &others, &left);
	if (r < 0)
		return r;
	if (left > 1e-9)
		buf_printf(&text, "%s %.9g\n", version ? version : "", left);
	buf_puts(&text, others.data ? others.data : "");
	return text.failed || others.failed ? -ENOMEM : alias_set_routes(alias, text.data, why);
}

static int change(struct door_call *call, struct alias *alias, struct buf *why)
{
	const char *description = door_parameter(call, "description");
	int r = set_routes(call, alias, why);

	return r == 0 && description ? alias_set_description(alias, description, why) : r;
}

/* --- changes ---------------------------------------------------------------------------------- */

static void made(void *userdata)
{
	struct door_call *call = userdata;
	struct function *function = functions_get(call->door->engine->functions, call->function_id);
	struct alias *alias =
	        function ? aliases_find(function, door_parameter(call, "alias")) : NULL;

	if (alias)
		answer(call, alias);
	else
		door_call_end(call, -ENOENT, "it was removed meanwhile");
}

/* The kernel is told, and the answer waits for that: whoever has it sees what was done. */
static void tell(struct door_call *call, const char *name, void (*done)(void *userdata))
{
	CLEANUP(buf_deinit) struct buf names = BUF_INIT;

	buf_append(&names, name, strlen(name) + 1);
	door_pin(call);
	call->function_id = call->function->id;
	engine_tell(call->door->engine, ENTRIES_OF_ALIASES, call->function->id, &names, done, call);
}

void door_alias_create(struct door_call *call)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	CLEANUP(buf_deinit) struct buf unused = BUF_INIT;
	const char *name = door_parameter(call, "alias");
	struct alias *alias = NULL;
	int r = alias_create(call->function, name ? name : "", &alias, &why);

	if (r == 0)
		r = change(call, alias, &why);
	if (r < 0 && alias)
		alias_remove(alias, &unused);
	if (r < 0)
		door_refuse(call, r, &why);
	else
		tell(call, alias->name, made);
}

static int check_revision(struct door_call *call, const struct alias *alias, struct buf *why)
{
	CLEANUP(buf_deinit) struct buf now = BUF_INIT;
	const char *wanted = door_parameter(call, "revision");

	door_put_alias_revision(alias, &now);
	if (!wanted || (!now.failed && strcmp(now.data, wanted) == 0))
		return 0;
	why_say(why, "the revision is another one: it was changed meanwhile");
	return -EREMCHG;
}

void door_alias_change(struct door_call *call)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct alias *alias = find(call);
	int r;

	if (!alias)
		return;
	r = check_revision(call, alias, &why);
	if (r == 0)
		r = change(call, alias, &why);
	if (r < 0)
		door_refuse(call, r, &why);
	else
		answer(call, alias);
}

static void gone(void *userdata)
{
	door_call_end(userdata, 0, "");
}

void door_alias_remove(struct door_call *call)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct alias *alias = find(call);
	int r;

	if (!alias)
		return;
	r = alias_remove(alias, &why);
	if (r < 0)
		door_refuse(call, r, &why);
	else
		tell(call, door_parameter(call, "alias"), gone);
}
