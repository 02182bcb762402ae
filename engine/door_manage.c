/* SPDX-License-Identifier: Apache-2.0 */
/* Functions and versions, looked at, configured, published and removed through the door. */
#include "engine/door_manage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/engine_state.h"
#include "engine/publish.h"
#include "engine/queue_calls.h"
#include "model/alias.h"
#include "model/trigger.h"
#include "model/version.h"
#include "model/why.h"
#include "store/worktree.h"

enum { ITEMS_MOST = 50 };

void door_pin(struct door_call *call)
{
	if (call->pinned)
		return;
	call->pinned = true;
	call->door->pinned++;
}

/* What a client of HTTP can tell apart: what it said is wrong, or something else stands against it. */
static int error_of(int error)
{
	switch (error) {
	case -EBUSY:
	case -ENOTEMPTY:
	case -EALREADY:
		return -EEXIST;
	case -ENAMETOOLONG:
	case -ERANGE:
	case -EROFS:
		return -EINVAL;
	default:
		return error;
	}
}

void door_refuse(struct door_call *call, int error, const struct buf *why)
{
	door_call_end(call, error_of(error), why->length ? why->data : NULL);
}

int door_check_revision(struct door_call *call, struct buf *why)
{
	CLEANUP(buf_deinit) struct buf now = BUF_INIT;
	const char *wanted = door_parameter(call, "revision");

	if (!wanted)
		return 0;
	door_put_revision(call, call->function, call->version, &now);
	if (!now.failed && strcmp(now.data, wanted) == 0)
		return 0;
	why_say(why, "the revision is another one: it was changed meanwhile");
	return -EREMCHG;
}

/* --- lists ------------------------------------------------------------------------------------ */

struct listing {
	struct buf json;
	uint64_t after, last;
	int left;
	bool more;
};

static void listing_begin(struct listing *listing, const struct door_call *call)
{
	double most = json_number(call->parameters, "most", ITEMS_MOST);
	const char *after = door_parameter(call, "after");

	*listing =
	        (struct listing){.left = most >= 1 && most < ITEMS_MOST ? (int)most : ITEMS_MOST};
	listing->after = after ? strtoull(after, NULL, 10) : 0;
	buf_puts(&listing->json, "{\"items\":[");
}

/* False: the list is full. */
static bool listing_next(struct listing *listing, uint64_t id)
{
	if (!listing->left--) {
		listing->more = true;
		return false;
	}
	if (listing->last)
		buf_puts(&listing->json, ",");
	listing->last = id;
	return true;
}

static void listing_end(struct listing *listing, struct door_call *call)
{
	buf_puts(&listing->json, "]");
	if (listing->more)
		buf_printf(&listing->json, ",\"after\":\"%" PRIu64 "\"", listing->last);
	buf_puts(&listing->json, "}");
	door_answer(call, &listing->json);
	buf_deinit(&listing->json);
}

struct listed {
	struct listing *listing;
	struct door_call *call;
};

/* Those that nobody may see, or that do not fit, are not loaded for it. */
static int list_function(void *userdata, const struct store_function_row *row)
{
	struct listed *listed = userdata;
	struct function *function;
	int r;

	if (!door_may_see(listed->call, row->name))
		return 0;
	r = functions_load(listed->call->door->engine->functions, row->id, &function);
	if (r < 0)
		return r;
	if (!listing_next(listed->listing, row->id))
		return 1;
	door_describe_function(listed->call, function, NULL, &listed->listing->json);
	return 0;
}

/* Whoever may look at some sees these. */
void door_list(struct door_call *call)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct listing listing;
	int r = door_recognise(call, &why);

	if (r < 0) {
		door_refuse(call, r, &why);
		return;
	}
	listing_begin(&listing, call);
	r = functions_each_after(call->door->engine->functions, listing.after, list_function,
	        &(struct listed){&listing, call});
	if (r < 0) {
		buf_deinit(&listing.json);
		door_refuse(call, r, &why);
		return;
	}
	listing_end(&listing, call);
}

/* `latest` first, as the oldest. */
void door_versions(struct door_call *call)
{
	struct version *version = NULL;
	struct listing listing;

	listing_begin(&listing, call);
	if (!listing.after && listing_next(&listing, call->function->id))
		door_describe_function(call, call->function, NULL, &listing.json);
	while ((version = versions_next(call->function, version ? version->id : listing.after))) {
		if (engine_version_unclaimed(version))
			continue;
		if (!listing_next(&listing, version->id))
			break;
		door_describe_function(call, call->function, version, &listing.json);
	}
	listing_end(&listing, call);
}

void door_aliases(struct door_call *call)
{
	const char *of = door_parameter(call, "of");
	struct alias *alias = NULL;
	struct listing listing;

	listing_begin(&listing, call);
	while ((alias = aliases_next(call->function, alias ? alias->id : listing.after))) {
		if (of && !door_alias_names(alias, of))
			continue;
		if (!listing_next(&listing, alias->id))
			break;
		door_describe_alias(alias, &listing.json);
	}
	listing_end(&listing, call);
}

/* --- one -------------------------------------------------------------------------------------- */

void door_show(struct door_call *call)
{
	if (call->alias && call->alias->routes) /* the one most calls go to */
		call->version = door_alias_version(call->alias);
	door_answer_function(call, call->function, call->version);
}

void door_configure(struct door_call *call)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	int r = 0;

	if (call->version || call->alias) {
		why_say(&why, "a version is what it was published as: only latest can be changed");
		r = -EINVAL;
	}
	if (r == 0)
		r = door_check_revision(call, &why);
	if (r == 0)
		r = door_check_settings(call, &call->function->settings, &why);
	if (r == 0)
		r = door_apply_settings(call, &call->function->settings, &why);
	if (r < 0)
		door_refuse(call, r, &why);
	else
		door_answer_function(call, call->function, NULL);
}

/* --- removal ---------------------------------------------------------------------------------- */

static void gone(void *userdata)
{
	door_call_end(userdata, 0, "");
}

/* What is in it goes as well, but for what others brought: triggers, and calls that wait. */
static int check_removable(struct door_call *call, struct buf *why)
{
	if (triggers_count(call->function)) {
		why_say(why, "function %s has triggers: remove them first", call->function->name);
		return -ENOTEMPTY;
	}
	return queue_calls_check_empty(call->door->engine, call->function, why);
}

static void remove_function(struct door_call *call)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	CLEANUP(buf_deinit) struct buf name = BUF_INIT;
	int r = check_removable(call, &why);

	buf_append(&name, call->function->name, strlen(call->function->name) + 1);
	if (r == 0)
		r = function_remove(call->function, &why);
	if (r < 0) {
		door_refuse(call, r, &why);
		return;
	}
	call->function = NULL;
	door_pin(call);
	engine_tell(call->door->engine, ENTRIES_OF_FUNCTIONS, 0, &name, gone, call);
}

void door_remove(struct door_call *call)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	int r = -EINVAL;

	if (!call->version && !call->alias) {
		remove_function(call);
		return;
	}
	if (call->version)
		r = version_remove(call->version, &why);
	else
		why_say(&why, "%s is an alias: it is removed as one", call->alias->name);
	if (r < 0)
		door_refuse(call, r, &why);
	else
		door_call_end(call, 0, "");
}

/* --- publishing ------------------------------------------------------------------------------- */

/* Behind the largest number there is, for names that are numbers count up. */
static uint64_t next_number(const struct function *function)
{
	struct version *version = NULL;
	uint64_t most = 0;

	while ((version = versions_next(function, version ? version->id : 0))) {
		size_t digits = strspn(version->name, "0123456789");

		if (version->name[digits] || digits > 18)
			continue;
		if (strtoull(version->name, NULL, 10) > most)
			most = strtoull(version->name, NULL, 10);
	}
	return most + 1;
}

static void published(void *userdata, int status, uint64_t id, const char *why)
{
	struct door_call *call = userdata;
	struct version *version = versions_get(call->door->engine->functions, id);
	const char *description = door_parameter(call, "description");

	if (status == 0 && !version)
		status = -ESTALE;
	if (status == 0 && description)
		status = settings_set(&version->settings, CONFIG_DESCRIPTION, description, NULL);
	if (status < 0)
		door_call_end(call, status, why && *why ? why : NULL);
	else
		door_answer_function(call, version->function, version);
}

void door_publish_next(struct door_call *call, struct function *function)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	uint64_t number = next_number(function);
	struct publish_wait *wait;
	char name[24];
	int r;

	do
		snprintf(name, sizeof(name), "%" PRIu64, number++);
	while (version_draft_find(function, name));
	door_pin(call);
	r = engine_publish(call->door->engine, function, name, published, call, &wait, &why);
	if (r < 0)
		door_refuse(call, r, &why);
}

static int check_digest(struct door_call *call, struct buf *why)
{
	const char *wanted = door_parameter(call, "sha256");
	const struct function_state *state = engine_state(call->door->engine, call->function);

	if (!wanted || (state && strcmp(state->archive.sha256, wanted) == 0 &&
	                       state->archive.generation == worktree_generation(state->worktree)))
		return 0;
	why_say(why, "the code is not what CodeSha256 says, or was not uploaded as an archive");
	return -EINVAL;
}

void door_publish(struct door_call *call)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	int r = door_check_revision(call, &why);

	if (r == 0)
		r = check_digest(call, &why);
	if (r < 0)
		door_refuse(call, r, &why);
	else
		door_publish_next(call, call->function);
}
