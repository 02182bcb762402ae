/* SPDX-License-Identifier: Apache-2.0 */
/* Versions and aliases, as the layer above sees them, and what follows when they change. */
#include "engine/versions.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quantity.h"
#include "engine/alias_state.h"
#include "engine/engine_state.h"
#include "engine/publish.h"
#include "engine/version_state.h"
#include "model/alias.h"
#include "model/routes.h"
#include "model/version.h"
#include "store/snapshot_cache.h"
#include "store/snapshot_tree.h"

/* --- what is looked at ------------------------------------------------------------------------- */

static struct version_state *state_of(struct engine *engine, struct version *version)
{
	struct function_state *owner = engine_state(engine, version->function);

	return owner ? version_state_of(owner, version) : NULL;
}

static struct alias_state *alias_of(struct engine *engine, struct alias *alias)
{
	struct function_state *owner = engine_state(engine, alias->function);

	return owner ? alias_state_of(owner, alias) : NULL;
}

struct snapshot_tree *engine_version_tree(struct engine *engine, struct version *version)
{
	struct version_state *state = state_of(engine, version);
	struct blob_id root;

	if (!state)
		return NULL;
	memcpy(root.bytes, version->snapshot.root, sizeof(root.bytes));
	if (!state->tree)
		snapshot_tree_open(&state->tree, engine->snapshot_recent, &root, version->id);
	return state->tree;
}

struct metrics *engine_version_metrics(struct engine *engine, struct version *version)
{
	struct version_state *state = state_of(engine, version);

	return state ? state->target.metrics : NULL;
}

struct metrics *engine_alias_metrics(struct engine *engine, struct alias *alias)
{
	struct alias_state *state = alias_of(engine, alias);

	return state ? state->metrics : NULL;
}

/* All that the routes name have numbers, if only noughts. */
static void know_routed(struct alias_state *state)
{
	const struct routes *routes = state->alias->routes;

	for (size_t i = 0; routes && i < routes_targets_count(routes); i++)
		alias_state_way(state, routes_target(routes, i)->name);
}

bool engine_alias_way_next(struct engine *engine, struct alias *alias, uint64_t after,
        uint64_t *number, const char **version)
{
	struct alias_state *state = alias_of(engine, alias);
	struct alias_way *way;

	if (!state)
		return false;
	know_routed(state);
	list_each(way, &state->ways, link) {
		if (way->number <= after)
			continue;
		*number = way->number;
		*version = way->name;
		return true;
	}
	return false;
}

struct metrics *engine_alias_way_metrics(
        struct engine *engine, struct alias *alias, uint64_t number, const char **version)
{
	struct alias_state *state = alias_of(engine, alias);
	struct alias_way *way;

	if (!state)
		return NULL;
	list_each(way, &state->ways, link) {
		if (way->number != number)
			continue;
		*version = way->name;
		return way->metrics;
	}
	return NULL;
}

void engine_show_version_status(struct engine *engine, struct version *version, struct buf *out)
{
	struct version_state *state = state_of(engine, version);
	char text[CLOCK_TEXT_SIZE];

	if (!state) {
		buf_puts(out, "state unknown\n");
		return;
	}
	clock_format(text, version->created_us);
	version_state_show_head(state, out);
	buf_printf(out, "published %s\n", text);
	buf_puts(out, "snapshot ");
	for (size_t i = 0; i < sizeof(version->snapshot.root); i++)
		buf_printf(out, "%02x", version->snapshot.root[i]);
	buf_printf(out,
	        "\nfiles %" PRIu64 "\ndirectories %" PRIu64 "\nbytes %" PRIu64
	        "\nadded_bytes %" PRIu64 "\n",
	        version->snapshot.files, version->snapshot.directories, version->snapshot.bytes,
	        version->snapshot.added_bytes);
	version_state_show_error(state, out);
}

void engine_show_alias_status(struct engine *engine, struct alias *alias, struct buf *out)
{
	struct alias_state *state = alias_of(engine, alias);

	buf_printf(out, "state %s\n", alias->routes ? "ready" : "broken");
	buf_printf(out, "routes_generation %" PRIu64 "\n", alias->generation);
	buf_printf(out, "running %d\n", state ? state->running : 0);
}

/* --- what happens ------------------------------------------------------------------------------ */

/* What is to be built is built now, not when somebody calls it. */
void version_was_created(struct engine *engine, struct version *version)
{
	struct version_state *state =
	        version->settings.config.build[0] ? state_of(engine, version) : NULL;

	collection_merge(&engine->collection);
	if (state)
		version_state_wake(state);
}

void version_was_configured(struct engine *engine, struct version *version)
{
	struct version_state *state = state_of(engine, version);

	if (state)
		version_state_configured(state);
}

static void leave_ways(struct engine *engine, const struct version *version)
{
	struct alias *alias = NULL;

	while ((alias = aliases_next(version->function, alias ? alias->id : 0))) {
		struct alias_state *state = alias_of(engine, alias);

		if (state)
			alias_state_leave_way(state, version->name);
	}
}

/* Whether another version of the function is the very same, and runs from the same directory. */
static bool has_twin(const struct version *version)
{
	const struct version *other = NULL;

	while ((other = versions_next(version->function, other ? other->id : 0)))
		if (memcmp(other->snapshot.root, version->snapshot.root,
		            sizeof(other->snapshot.root)) == 0)
			return true;
	return false;
}

void version_was_removed(struct engine *engine, struct version *version)
{
	struct function_state *owner = version->function->runtime_state;
	struct version_state *state = version->runtime_state;
	struct blob_id root;

	version->runtime_state = NULL;
	if (!version->published) {
		if (owner)
			publish_forget(owner, version);
		return;
	}
	builds_forget(&engine->builds, version->id);
	memcpy(root.bytes, version->snapshot.root, sizeof(root.bytes));
	if (!has_twin(version))
		snapshot_cache_drop(engine->snapshot_cache, &root);
	leave_ways(engine, version);
	if (state)
		version_state_remove(state);
	collection_wanted(&engine->collection);
}

/* Versions that no alias names any more stop, once their calls have ended. */
void versions_were_routed(struct engine *engine, struct function *function)
{
	struct function_state *owner = function->runtime_state;
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct target *target, *following;

	if (!owner)
		return;
	list_each_safe(target, following, &owner->targets, link) {
		struct version_state *state = container_of(target, struct version_state, target);

		if (target != &owner->latest && state->version && state->routed &&
		        version_check_unused(state->version, &why) == 0)
			version_state_rest(state);
	}
}

void alias_was_removed(struct engine *engine, struct alias *alias)
{
	struct alias_state *state = alias->runtime_state;

	alias->runtime_state = NULL;
	if (state) {
		state->alias = NULL;
		alias_state_free(state);
	}
	versions_were_routed(engine, alias->function);
}

void version_wake(struct engine *engine, struct version *version)
{
	struct version_state *state = NULL;

	if (version->settings.config.min_instances || version->settings.config.build[0])
		state = state_of(engine, version);
	if (state)
		version_state_wake(state);
}
