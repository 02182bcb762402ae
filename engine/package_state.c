/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/package_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "engine/engine_state.h"
#include "engine/package_fetch.h"
#include "engine/package_publish.h"
#include "engine/uploads.h"
#include "model/package.h"
#include "store/snapshot_cache.h"
#include "store/snapshot_tree.h"
#include "store/worktree.h"

#define PLACE "dependencies"

/* --- life ------------------------------------------------------------------------------------- */

static void state_free(struct package_state *state)
{
	worktree_close(state->files);
	close_fd(state->directory);
	list_unlink(&state->link);
	free(state);
}

/* `made`: it was not there before. */
static int open_directory(struct engine *engine, uint64_t id, bool *made)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), PLACE "/%" PRIu64, id);
	mkdirat(engine->state_fd, PLACE, 0700);
	*made = mkdirat(engine->state_fd, path, 0700) == 0;
	if (!*made && errno != EEXIST)
		return fail(-errno, "making %s/%s", engine->state_dir, path);
	fd = openat(engine->state_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail(-errno, "opening %s/%s", engine->state_dir, path) : fd;
}

/* Nothing runs from a working tree of a package. */
static void files_changed(void *userdata)
{
}

static int open_parts(struct package_state *state)
{
	struct engine *engine = state->engine;
	const struct package *package = state->package;
	bool made;
	int r;

	state->directory = open_directory(engine, state->id, &made);
	if (state->directory < 0)
		return state->directory;
	r = worktree_open(&state->files, engine->host.loop, state->directory, "files", "cache",
	        files_changed, state);
	/* Where the daemon may, the files belong to whoever made the package. */
	if (r == 0 && made &&
	        fchownat(state->directory, "files", package->uid, package->gid, 0) < 0 &&
	        errno != EPERM)
		r = fail(-errno, "giving the files of %s to their owner", package->name);
	return r;
}

static struct package_state *state_new(struct engine *engine, struct package *package)
{
	struct package_state *state = calloc(1, sizeof(*state));

	if (!state)
		return NULL;
	state->engine = engine;
	state->package = package;
	state->id = package->id;
	state->directory = -1;
	list_init(&state->link);
	list_init(&state->publishes);
	if (open_parts(state) < 0) {
		state_free(state);
		return NULL;
	}
	package->runtime_state = state;
	list_append(&engine->package_states, &state->link);
	return state;
}

struct package_state *engine_package_state(struct engine *engine, struct package *package)
{
	struct package_state *state = package->runtime_state;

	return state || engine->draining ? state : state_new(engine, package);
}

static bool is_idle(const struct package_state *state)
{
	return !state->fetch && list_empty(&state->publishes);
}

void package_state_settle(struct package_state *state)
{
	struct engine *engine = state->engine;
	uint64_t id = state->id;

	if (!state->package && is_idle(state)) {
		state_free(state);
		removal_begin(&engine->removal, PLACE, id);
	}
	engine_settle(engine);
}

/* --- all of them ------------------------------------------------------------------------------ */

static int package_exists(void *userdata, uint64_t id)
{
	const struct engine *engine = userdata;

	return packages_get(engine->packages, id) != NULL;
}

static int nothing_exists(void *userdata, uint64_t id)
{
	return false;
}

void package_states_sweep(struct engine *engine)
{
	removal_sweep(&engine->removal, PLACE, package_exists, engine);
	removal_sweep(&engine->removal, "fetches", nothing_exists, NULL);
}

void package_states_stop(struct engine *engine)
{
	struct package_state *state, *following;

	list_each_safe(state, following, &engine->package_states, link) {
		package_fetch_cancel(state);
		package_publishes_cancel(state, -EAGAIN, "the daemon ends");
	}
}

bool package_states_idle(const struct engine *engine)
{
	const struct package_state *state;

	list_each(state, &engine->package_states, link)
		if (!is_idle(state))
			return false;
	return true;
}

static void close_tree(struct package_version *version)
{
	struct snapshot_tree *tree = take(version->runtime_state);

	if (tree)
		snapshot_tree_close(tree);
}

void package_states_free(struct engine *engine)
{
	struct package_state *state, *following;
	struct package *package = NULL;
	struct package_version *version;

	list_each_safe(state, following, &engine->package_states, link)
		state_free(state);
	while (engine->packages &&
	        (package = packages_next(engine->packages, package ? package->id : 0)))
		list_each(version, &package->versions, link)
			close_tree(version);
}

/* --- what happens to packages ----------------------------------------------------------------- */

static void forget_version(struct engine *engine, struct package_version *version)
{
	struct blob_id root;

	close_tree(version);
	memcpy(root.bytes, version->snapshot.root, sizeof(root.bytes));
	snapshot_cache_drop(engine->snapshot_cache, &root);
	collection_wanted(&engine->collection);
}

/* Functions that are bound to the latest of a package hear of it as of any change of their settings. */
static void package_published(void *userdata, struct package_version *version)
{
	struct engine *engine = userdata;

	collection_merge(&engine->collection);
}

static void package_withdrawn(void *userdata, struct package_version *version)
{
	forget_version(userdata, version);
}

static void package_removed(void *userdata, struct package *package)
{
	struct engine *engine = userdata;
	struct package_state *state = package->runtime_state;
	struct package_version *version;

	list_each(version, &package->versions, link)
		forget_version(engine, version);
	package->runtime_state = NULL;
	uploads_forget(engine, package->id, -1);
	if (!state) {
		removal_begin(&engine->removal, PLACE, package->id);
		return;
	}
	state->package = NULL;
	package_fetch_cancel(state);
	package_publishes_cancel(state, -ESTALE, "the package was removed");
	package_state_settle(state);
}

const struct packages_events package_events = {
        .published = package_published,
        .withdrawn = package_withdrawn,
        .removed = package_removed,
};
