/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/log.h"
#include "engine/account.h"
#include "engine/archivist.h"
#include "engine/build.h"
#include "engine/engine_state.h"
#include "engine/metrics.h"
#include "engine/package_state.h"
#include "engine/publish.h"
#include "engine/queue_calls.h"
#include "engine/triggers.h"
#include "engine/uploads.h"
#include "engine/versions.h"
#include "events/queue_host.h"
#include "events/sources.h"
#include "model/alias.h"
#include "model/package.h"
#include "model/token.h"
#include "model/version.h"
#include "run/launcher.h"
#include "run/runtime.h"
#include "store/blob.h"
#include "store/checkout_merge.h"
#include "store/snapshot_cache.h"
#include "store/snapshot_tree.h"
#include "store/store.h"
#include "store/worktree.h"

#define SAVE_METRICS_US (INT64_C(60) * 1000 * 1000)
#define RECENT_BYTES    (32 << 20)          /* of manifests and chunks read lately */
#define CACHE_BYTES     (UINT64_C(4) << 30) /* of versions on disk that nobody runs */

/* --- functions come and go -------------------------------------------------------------------- */

static void function_configured(void *userdata, struct function *function, int key)
{
	struct function_state *state = engine_state(userdata, function);

	queue_target_changed(engine_queue(userdata), &(struct queue_target){function->id, 0, 0});
	if (state)
		function_state_configured(state);
}

static void function_removed(void *userdata, struct function *function)
{
	struct function_state *state = function->runtime_state;
	struct engine *engine = userdata;

	queue_remove_function(engine->queue, function->id);
	function->runtime_state = NULL;
	glance_forget(&engine->glance, function->id);
	builds_forget(&engine->builds, function->id);
	if (state)
		function_state_remove(state);
	else
		removal_begin(&engine->removal, "functions", function->id);
}

static void version_configured(void *userdata, struct version *version, int key)
{
	queue_target_changed(engine_queue(userdata),
	        &(struct queue_target){version->function->id, version->id, 0});
	version_was_configured(userdata, version);
}

static void version_removed(void *userdata, struct version *version)
{
	if (version->published)
		queue_remove_target(engine_queue(userdata),
		        &(struct queue_target){version->function->id, version->id, 0});
	version_was_removed(userdata, version);
}

static void version_created(void *userdata, struct version *version)
{
	version_was_created(userdata, version);
}

static void alias_routed(void *userdata, struct alias *alias)
{
	queue_target_changed(
	        engine_queue(userdata), &(struct queue_target){alias->function->id, 0, alias->id});
	versions_were_routed(userdata, alias->function);
}

static void alias_removed(void *userdata, struct alias *alias)
{
	queue_remove_target(
	        engine_queue(userdata), &(struct queue_target){alias->function->id, 0, alias->id});
	alias_was_removed(userdata, alias);
}

static void trim_functions(struct alarm *alarm)
{
	functions_trim(container_of(alarm, struct engine, trimming)->functions);
}

/* Whoever asks may hold some of them until the loop turns. At birth there are no alarms yet. */
static void functions_crowded(void *userdata)
{
	struct engine *engine = userdata;

	if (engine->host.loop && !alarm_is_set(&engine->trimming))
		alarm_set(&engine->host.alarms, &engine->trimming, 0, trim_functions);
}

static const struct functions_events functions_events = {
        .configured = function_configured,
        .removed = function_removed,
        .version_created = version_created,
        .version_configured = version_configured,
        .version_removed = version_removed,
        .alias_routed = alias_routed,
        .alias_removed = alias_removed,
        .crowded = functions_crowded,
};

int engine_create_function(struct engine *engine, const char *name, const struct caller *caller,
        struct function **out, struct buf *why)
{
	int r = functions_create(engine->functions, name, caller, out, why);

	if (r < 0)
		return r;
	if (engine_state(engine, *out))
		return 0;
	buf_puts(why, "the function's directory could not be made in the state directory");
	function_remove(*out, why);
	*out = NULL;
	return -EIO;
}

int engine_remove_function(struct engine *engine, struct function *function, struct buf *why)
{
	struct worktree *worktree = engine_worktree(engine, function);
	int r;

	if (worktree && !worktree_empty(worktree)) {
		buf_printf(why, "%s still has code: rm -r removes it too", function->name);
		return -ENOTEMPTY;
	}
	publishes_drop_unclaimed(function, why);
	r = function_check_empty(function, why);
	if (r == 0)
		r = queue_calls_check_empty(engine, function, why);
	return r < 0 ? r : function_remove(function, why);
}

static int collect_owner(void *userdata, uint64_t owner, const char *name, const char *value)
{
	buf_append(userdata, &owner, sizeof(owner));
	return 0;
}

static void wake(struct engine *engine, uint64_t owner)
{
	struct version *version = versions_get(engine->functions, owner);
	struct function *function = version ? NULL : functions_get(engine->functions, owner);
	struct function_state *state;

	if (version)
		version_wake(engine, version);
	if (!function || !function->settings.config.min_instances)
		return;
	state = engine_state(engine, function);
	if (state)
		deploy_wake(&state->deploy);
}

/* Who has reserved instances, or a version to be built, is live from the start; all others wait to be touched. */
static void wake_reserved(struct engine *engine)
{
	CLEANUP(buf_deinit) struct buf owners = BUF_INIT;
	uint64_t owner;

	store_each_setting_named(engine->store, "min_instances", collect_owner, &owners);
	store_each_setting_named(engine->store, "build", collect_owner, &owners);
	for (size_t at = 0; at + sizeof(owner) <= owners.length; at += sizeof(owner)) {
		memcpy(&owner, owners.data + at, sizeof(owner));
		wake(engine, owner);
	}
}

static bool is_version(void *userdata, uint64_t id)
{
	struct engine *engine = userdata;

	return functions_have_version(engine->functions, id);
}

/* The blobs go with the next collection. */
static void build_dropped(void *userdata, const struct blob_id *root)
{
	struct engine *engine = userdata;

	snapshot_cache_drop(engine->snapshot_cache, root);
	collection_wanted(&engine->collection);
}

/* --- birth ------------------------------------------------------------------------------------ */

static void save_metrics(struct alarm *alarm)
{
	struct engine *engine = container_of(alarm, struct engine, saving);
	struct function_state *state;

	queue_calls_measure(engine);
	list_each(state, &engine->states, link)
		function_state_save_metrics(state);
	alarm_set(&engine->host.alarms, &engine->saving, SAVE_METRICS_US, save_metrics);
}

static int open_state_directory(struct engine *engine, const char *path)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail(-errno, "making the state directory %s", path);
	engine->state_dir = strdup(path);
	if (!engine->state_dir || asprintf(&engine->log_path, "%s/log", path) < 0)
		return -ENOMEM;
	engine->state_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (engine->state_fd < 0)
		return fail(-errno, "opening the state directory %s", path);
	if (mkdirat(engine->state_fd, "functions", 0700) < 0 && errno != EEXIST)
		return fail(-errno, "making %s/functions", path);
	engine->functions_fd =
	        openat(engine->state_fd, "functions", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return engine->functions_fd < 0 ? fail(-errno, "opening %s/functions", path) : 0;
}

static int open_model(struct engine *engine)
{
	int r = store_open(&engine->store, engine->state_dir);

	if (r == 0)
		r = blobs_open(&engine->blobs, engine->state_dir);
	if (r == 0)
		engine->snapshot_recent = snapshot_recent_new(engine->blobs, RECENT_BYTES);
	if (r == 0 && !engine->snapshot_recent)
		r = -ENOMEM;
	if (r == 0)
		r = functions_new(&engine->functions, engine->store, &functions_events, engine);
	if (r == 0)
		r = packages_new(&engine->packages, engine->store, engine->functions,
		        &package_events, engine);
	if (r == 0)
		r = triggers_open(engine);
	if (r == 0)
		r = attributes_new(&engine->attributes, engine->store);
	if (r == 0)
		r = tokens_new(&engine->tokens, engine->store);
	return r;
}

static int open_run(struct engine *engine, const struct engine_options *options)
{
	int r = runtimes_load(&engine->runtimes, options->runtimes_path);

	if (r == 0)
		r = launcher_new(&engine->launcher, options->loop, options->guardian_path,
		        options->state_dir);
	if (r == 0)
		r = archivist_new(&engine->archivist, options->loop);
	if (r == 0)
		r = host_init(&engine->host, options->loop, options->clock, engine->launcher);
	if (r == 0)
		r = snapshot_cache_open(&engine->snapshot_cache, options->loop, engine->blobs,
		        engine->state_fd, "published", CACHE_BYTES);
	if (r == 0)
		r = builds_init(&engine->builds, engine->store, is_version, build_dropped, engine);
	if (r == 0)
		r = merges_open(&engine->merges, options->loop, engine->state_fd, "merged");
	if (r == 0)
		r = queue_calls_open(engine, options->loop);
	if (r == 0)
		r = sources_open(engine, options);
	return r;
}

int engine_new(struct engine **out, const struct engine_options *options)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	int r;

	if (!engine)
		return -ENOMEM;
	signal(SIGPIPE, SIG_IGN); /* a runtime may close its end at any time */
	engine->clock = options->clock;
	engine->owner = getuid();
	engine->fetch_path = options->fetch_path ? strdup(options->fetch_path) : NULL;
	engine->mount_path = options->mount_path ? strdup(options->mount_path) : NULL;
	engine->started_us = clock_wall_us(options->clock);
	engine->state_fd = engine->functions_fd = -1;
	list_init(&engine->states);
	list_init(&engine->package_states);
	list_init(&engine->fetches.waiting);
	list_init(&engine->uploads.list);
	list_init(&engine->code_uploads.waiting);
	callbacks_init(engine);
	list_init(&engine->checks);
	list_init(&engine->builds.all);
	list_init(&engine->buildings);
	list_init(&engine->build_requests);
	collection_init(&engine->collection, engine);
	last_error_init(&engine->last_error);
	r = open_state_directory(engine, options->state_dir);
	if (r == 0)
		r = open_model(engine);
	if (r == 0)
		r = open_run(engine, options);
	if (r < 0) {
		engine_free(engine);
		return r;
	}
	removal_init(&engine->removal, options->loop, engine->state_fd);
	removal_resume(&engine->removal);
	r = images_open(&engine->images, engine);
	if (r < 0) {
		engine_free(engine);
		return r;
	}
	sweep_start(&engine->sweep, engine);
	package_states_sweep(engine);
	build_jobs_init(engine);
	uploads_resume(engine);
	collection_resume(&engine->collection);
	alarm_set(&engine->host.alarms, &engine->saving, SAVE_METRICS_US, save_metrics);
	wake_reserved(engine);
	queue_start(engine->queue);
	callbacks_resume(engine);
	sources_start(engine->sources);
	*out = engine;
	return 0;
}

/* --- death ------------------------------------------------------------------------------------ */

static void settle(void *userdata)
{
	engine_settle(userdata);
}

/* What works for calls ends after the last of them. */
static bool is_idle(struct engine *engine)
{
	return list_empty(&engine->states) && queue_idle(engine->queue) &&
	       package_states_idle(engine) && builds_idle(engine) && images_idle(engine->images) &&
	       door_idle(engine->door) && !engine->code_uploads.running && callbacks_idle(engine) &&
	       sources_idle(engine->sources) && collection_idle(&engine->collection) &&
	       checks_idle(engine) && snapshot_cache_stop(engine->snapshot_cache, settle, engine);
}

void engine_settle(struct engine *engine)
{
	if (!engine->draining || !engine->drained || !is_idle(engine))
		return;
	/* On a later turn: whoever calls here still stands in what would be freed. */
	alarm_set(&engine->host.alarms, &engine->drain_limit, 0, engine->drain_limit.ring);
}

static void drain_rings(struct alarm *alarm)
{
	struct engine *engine = container_of(alarm, struct engine, drain_limit);
	struct function_state *state, *following;
	void (*drained)(void *) = engine->drained;

	if (is_idle(engine)) {
		engine->drained = NULL;
		drained(engine->drained_userdata);
		return;
	}
	log_line(LOG_WARNING, "calls that still run are ended");
	door_end(engine->door);
	list_each_safe(state, following, &engine->states, link)
		function_state_close(state, false);
	/* Each was killed; should a process not be reported in time, the guardian finishes it. */
}

void engine_drain(
        struct engine *engine, int64_t timeout_ms, void (*done)(void *userdata), void *userdata)
{
	struct function_state *state, *following;

	engine->draining = true;
	door_stop(engine->door);
	engine->drained = done;
	engine->drained_userdata = userdata;
	alarm_clear(&engine->host.alarms, &engine->saving);
	alarm_clear(&engine->host.alarms, &engine->trimming);
	sweep_stop(&engine->sweep);
	sources_stop(engine->sources, settle, engine);
	queue_stop(engine->queue, settle, engine);
	collection_stop(&engine->collection);
	callbacks_stop(engine);
	package_states_stop(engine);
	checks_stop(engine);
	images_stop(engine->images);
	alarm_set(&engine->host.alarms, &engine->drain_limit, timeout_ms * 1000, drain_rings);
	list_each_safe(state, following, &engine->states, link)
		function_state_close(state, true);
	engine_settle(engine);
}

struct engine *engine_free(struct engine *engine)
{
	if (!engine)
		return NULL;
	assert(list_empty(&engine->states) && checks_idle(engine));
	door_free(engine->door);
	queue_free(engine->queue);
	sources_free(engine->sources);
	uploads_free(engine);
	package_states_free(engine);
	images_close(engine->images);
	if (engine->host.loop) {
		sweep_stop(&engine->sweep);
		alarm_clear(&engine->host.alarms, &engine->saving);
		alarm_clear(&engine->host.alarms, &engine->trimming);
		alarm_clear(&engine->host.alarms, &engine->drain_limit);
		alarm_clear(&engine->host.alarms, &engine->code_uploads.alarm);
		host_deinit(&engine->host);
	}
	archivist_free(engine->archivist);
	launcher_free(engine->launcher);
	runtimes_free(engine->runtimes);
	tokens_free(engine->tokens);
	attributes_free(engine->attributes);
	packages_free(engine->packages);
	triggers_close(engine);
	functions_free(engine->functions);
	builds_deinit(&engine->builds);
	merges_close(engine->merges);
	snapshot_cache_close(engine->snapshot_cache);
	snapshot_recent_free(engine->snapshot_recent);
	blobs_close(engine->blobs);
	store_close(engine->store);
	last_error_deinit(&engine->last_error);
	buf_deinit(&engine->openmetrics);
	glance_deinit(&engine->glance);
	close_fd(engine->functions_fd);
	close_fd(engine->state_fd);
	free(engine->fetch_path);
	free(engine->mount_path);
	free(engine->log_path);
	free(engine->state_dir);
	free(engine);
	return NULL;
}
