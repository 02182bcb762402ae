/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/collection.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/engine_state.h"
#include "engine/package_state.h"
#include "model/package.h"
#include "model/version.h"
#include "store/blob.h"
#include "store/snapshot.h"

#define SOON_US  (2 * 1000 * 1000)
#define AGAIN_US (INT64_C(60) * 1000 * 1000)

static bool is_root(const struct buf *roots, const struct blob_id *id)
{
	size_t i;

	for (i = 0; i < roots->length; i += sizeof(*id))
		if (memcmp(roots->data + i, id, sizeof(*id)) == 0)
			return true;
	return false;
}

/* The base of a working tree's next snapshot is forgotten, unless it is kept by a version anyway. */
static void collect_base(struct worktree *tree, struct buf *roots)
{
	struct blob_id root;

	if (snapshot_base(tree, &root) && !is_root(roots, &root) && snapshot_base_forget(tree) < 0)
		buf_append(roots, &root, sizeof(root));
}

static void collect_bases(struct engine *engine, struct buf *roots)
{
	struct function_state *state;
	struct package_state *package;

	list_each(state, &engine->states, link)
		collect_base(state->worktree, roots);
	list_each(package, &engine->package_states, link)
		collect_base(package->files, roots);
}

static void collect_packages(struct engine *engine, struct buf *roots)
{
	struct package *package = NULL;
	struct package_version *version;

	while ((package = packages_next(engine->packages, package ? package->id : 0)))
		list_each(version, &package->versions, link)
			buf_append(roots, version->snapshot.root, sizeof(version->snapshot.root));
}

static void collect_roots(struct engine *engine, struct buf *roots)
{
	struct function *function = NULL;

	while ((function = functions_next(engine->functions, function ? function->id : 0))) {
		struct version *version = NULL;

		while ((version = versions_next(function, version ? version->id : 0)))
			buf_append(roots, version->snapshot.root, sizeof(version->snapshot.root));
	}
	collect_packages(engine, roots);
	collect_bases(engine, roots);
}

static void log_result(const struct blob_sweep_result *result)
{
	log_line(LOG_INFO,
	        "collected garbage: %" PRIu64 " blobs dropped, %" PRIu64 " packs of %" PRIu64
	        " bytes are %" PRIu64 " of %" PRIu64,
	        result->blobs_dropped, result->packs_before, result->bytes_before,
	        result->packs_after, result->bytes_after);
}

static void mark_and_sweep(uv_work_t *work)
{
	struct collection *collection = container_of(work, struct collection, work);
	struct blobs *blobs = collection->engine->blobs;
	struct blob_set *live = blob_set_new();
	struct blob_sweep_result result = {};
	struct blob_id root;
	int r = live ? 0 : -ENOMEM;
	size_t i;

	for (i = 0; r >= 0 && i < collection->roots.length; i += sizeof(root)) {
		memcpy(&root, collection->roots.data + i, sizeof(root));
		r = snapshot_mark(blobs, &root, live);
	}
	if (r < 0)
		blobs_sweep_abandon(blobs);
	else if (blobs_sweep(blobs, live, &result) == 0 && result.blobs_dropped)
		log_result(&result);
	blob_set_free(live);
}

static void start(struct alarm *alarm);

static void done(uv_work_t *work, int status)
{
	struct collection *collection = container_of(work, struct collection, work);

	collection->works = false;
	buf_deinit(&collection->roots);
	if (collection->closed)
		engine_settle(collection->engine);
	else if (collection->again)
		alarm_set(&collection->engine->host.alarms, &collection->due, AGAIN_US, start);
	collection->again = false;
}

static void start(struct alarm *alarm)
{
	struct collection *collection = container_of(alarm, struct collection, due);
	struct engine *engine = collection->engine;

	if (collection->works || blobs_sweep_begin(engine->blobs) < 0) {
		collection->again = true;
		return;
	}
	collect_roots(engine, &collection->roots);
	if (!collection->roots.failed &&
	        uv_queue_work(engine->host.loop, &collection->work, mark_and_sweep, done) == 0) {
		collection->works = true;
		return;
	}
	blobs_sweep_abandon(engine->blobs);
	buf_deinit(&collection->roots);
}

void collection_init(struct collection *collection, struct engine *engine)
{
	*collection = (struct collection){.engine = engine};
}

void collection_wanted(struct collection *collection)
{
	if (collection->closed)
		return;
	if (collection->works)
		collection->again = true;
	else if (!alarm_is_set(&collection->due))
		alarm_set(&collection->engine->host.alarms, &collection->due, SOON_US, start);
}

void collection_retry(struct collection *collection)
{
	if (!collection->again || collection->works)
		return;
	collection->again = false;
	collection_wanted(collection);
}

void collection_merge(struct collection *collection)
{
	if (blobs_want_sweep(collection->engine->blobs))
		collection_wanted(collection);
}

void collection_stop(struct collection *collection)
{
	collection->closed = true;
	alarm_clear(&collection->engine->host.alarms, &collection->due);
	if (collection->works)
		blobs_sweep_stop(collection->engine->blobs);
}

bool collection_idle(const struct collection *collection)
{
	return !collection->works;
}
