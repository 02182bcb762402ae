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
#define REST     4 /* times what the last marking took, until the next */

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

static int collect_version(void *userdata, const struct store_version_row *row)
{
	if (row->snapshot)
		buf_append(userdata, row->snapshot->root, sizeof(row->snapshot->root));
	return 0;
}

static void collect_roots(struct engine *engine, struct buf *roots)
{
	if (store_each_version(engine->store, collect_version, roots) < 0)
		roots->failed = true; /* nothing is dropped then */
	collect_packages(engine, roots);
	collect_bases(engine, roots);
}

static void collect_built(struct engine *engine, struct buf *roots)
{
	const struct built *built;

	list_each(built, &engine->builds.all, link)
		if (!built->error)
			buf_append(roots, &built->root, sizeof(built->root));
}

static void log_result(const struct blob_sweep_result *result)
{
	log_line(LOG_INFO,
	        "collected garbage: %" PRIu64 " blobs dropped, %" PRIu64 " packs of %" PRIu64
	        " bytes are %" PRIu64 " of %" PRIu64,
	        result->blobs_dropped, result->packs_before, result->bytes_before,
	        result->packs_after, result->bytes_after);
}

static int mark_all(struct collection *collection, const struct buf *roots, bool replaceable,
        struct blob_set *live)
{
	struct blob_id root;
	int r = 0;
	size_t i;

	for (i = 0; r >= 0 && i < roots->length; i += sizeof(root)) {
		memcpy(&root, roots->data + i, sizeof(root));
		r = snapshot_mark(collection->engine->blobs, &root, live);
		if (replaceable && (r == -ENOENT || r == -EIO))
			r = 0; /* whoever wants it builds it again */
	}
	return r;
}

static int mark(struct collection *collection, struct blob_set *live)
{
	int r = live ? mark_all(collection, &collection->roots, false, live) : -ENOMEM;

	return r < 0 ? r : mark_all(collection, &collection->built, true, live);
}

/* Without marking everything counts as alive, and packs are merged only. */
static void sweep(uv_work_t *work)
{
	struct collection *collection = container_of(work, struct collection, work);
	struct blobs *blobs = collection->engine->blobs;
	struct blob_set *live = collection->marks ? blob_set_new() : NULL;
	struct blob_sweep_result result = {};
	int64_t begun_us = alarm_now_us();
	int r = collection->marks ? mark(collection, live) : 0;

	if (r < 0)
		blobs_sweep_abandon(blobs);
	else
		r = blobs_sweep(blobs, live, &result);
	if (r == 0 && result.blobs_dropped)
		log_result(&result);
	blob_set_free(live);
	collection->futile = r < 0 || (collection->merges && !result.blobs_dropped &&
	                                      result.packs_before == result.packs_after);
	if (collection->marks)
		collection->took_us = alarm_now_us() - begun_us;
}

static void schedule(struct collection *collection);

static void done(uv_work_t *work, int status)
{
	struct collection *collection = container_of(work, struct collection, work);

	collection->works = false;
	buf_deinit(&collection->roots);
	buf_deinit(&collection->built);
	if (collection->futile && collection->marks && !collection->garbage_us)
		collection->garbage_us = alarm_now_us() + AGAIN_US;
	collection->not_before_us = collection->futile ? alarm_now_us() + AGAIN_US : 0;
	if (collection->closed)
		engine_settle(collection->engine);
	else
		schedule(collection);
}

/* Another may have the sweeping to itself: then collection_retry() comes. */
static void start(struct alarm *alarm)
{
	struct collection *collection = container_of(alarm, struct collection, due);
	struct engine *engine = collection->engine;

	if (collection->works || blobs_sweep_begin(engine->blobs) < 0)
		return;
	collection->merges = blobs_want_sweep(engine->blobs);
	collection->marks = collection->garbage_us && collection->garbage_us <= alarm_now_us();
	if (collection->marks) {
		collect_roots(engine, &collection->roots);
		collect_built(engine, &collection->built);
	}
	if (!collection->roots.failed && !collection->built.failed &&
	        uv_queue_work(engine->host.loop, &collection->work, sweep, done) == 0) {
		collection->works = true;
		if (collection->marks)
			collection->garbage_us = 0;
		return;
	}
	blobs_sweep_abandon(engine->blobs);
	buf_deinit(&collection->roots);
	buf_deinit(&collection->built);
	alarm_set(&engine->host.alarms, &collection->due, AGAIN_US, start);
}

/* Merging is due at once, for every publish costs a descriptor until then. */
static void schedule(struct collection *collection)
{
	int64_t now = alarm_now_us(), due;

	if (collection->works || collection->closed)
		return;
	if (blobs_want_sweep(collection->engine->blobs))
		due = now;
	else if (collection->garbage_us)
		due = collection->garbage_us;
	else
		return;
	if (due < collection->not_before_us)
		due = collection->not_before_us;
	alarm_set(&collection->engine->host.alarms, &collection->due, due > now ? due - now : 0,
	        start);
}

void collection_init(struct collection *collection, struct engine *engine)
{
	*collection = (struct collection){.engine = engine};
}

void collection_wanted(struct collection *collection)
{
	int64_t soon = alarm_now_us() + SOON_US + REST * collection->took_us;

	if (collection->garbage_us && collection->garbage_us <= soon)
		return;
	collection->garbage_us = soon;
	schedule(collection);
}

void collection_retry(struct collection *collection)
{
	schedule(collection);
}

void collection_resume(struct collection *collection)
{
	collection->garbage_us = alarm_now_us() + AGAIN_US;
	schedule(collection);
}

void collection_merge(struct collection *collection)
{
	schedule(collection);
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
