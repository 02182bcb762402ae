/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/version_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/engine_state.h"
#include "engine/error_text.h"
#include "engine/keep_alive_file.h"
#include "engine/metrics.h"
#include "engine/metrics_file.h"
#include "engine/preparing.h"
#include "model/version.h"
#include "run/deployment.h"
#include "run/host.h"
#include "run/layers.h"
#include "run/runtime.h"
#include "store/blob.h"
#include "store/snapshot_cache.h"
#include "store/snapshot_tree.h"

static const struct sm_row stages[] = {
        [VERSION_PUBLISHED] = {"published",
                SM_TO(VERSION_LOADING) | SM_TO(VERSION_READY) | SM_TO(VERSION_BROKEN)},
        [VERSION_LOADING] = {"loading", SM_TO(VERSION_LOADING) | SM_TO(VERSION_READY) |
                                                SM_TO(VERSION_BROKEN) | SM_TO(VERSION_PUBLISHED)},
        [VERSION_READY] = {"ready",
                SM_TO(VERSION_LOADING) | SM_TO(VERSION_BROKEN) | SM_TO(VERSION_READY)},
        [VERSION_BROKEN] = {"broken",
                SM_TO(VERSION_LOADING) | SM_TO(VERSION_READY) | SM_TO(VERSION_BROKEN)},
};

static struct engine *engine_of(const struct version_state *state)
{
	return state->target.state->engine;
}

static struct version_state *state_of(struct target *target)
{
	return container_of(target, struct version_state, target);
}

/* Metrics of versions lie beside those of the function. */
static void metrics_file(const struct version_state *state, char name[METRICS_FILE_NAME_SIZE])
{
	snprintf(name, METRICS_FILE_NAME_SIZE, "metrics-%" PRIu64, state->id);
}

static void settle(
        struct version_state *state, enum version_stage stage, const char *error, size_t length)
{
	buf_clear(&state->error);
	buf_append(&state->error, error, length);
	state->settled_us = clock_wall_us(engine_of(state)->clock);
	sm_move(&state->stage, stage);
}

/* --- the way of a call ------------------------------------------------------------------------ */

static void refuse_waiting(struct version_state *state, enum outcome outcome, int error,
        const char *type, const char *why)
{
	struct invocation *invocation;
	struct list waiting;

	list_move_all(&state->waiting, &waiting);
	while ((invocation = list_first(&waiting, struct invocation, link))) {
		struct buf body = BUF_INIT;

		error_body(&body, type, "%s", why);
		pool_end_later(invocation, outcome, error, &body);
	}
}

static void install(struct version_state *state, struct deployment *deployment)
{
	struct pool *pool = &state->target.pool;
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;
	struct invocation *invocation, *following;
	bool trial = state->trial;

	state->trial = false;
	pool_set_deployment(pool, deployment);
	if (!deployment->runtime) {
		deployment_refusal(deployment, &body);
		settle(state, VERSION_BROKEN, body.data, body.length);
	} else if (trial) {
		pool_warm(pool);
	}
	if (list_empty(&state->waiting) && state->stage.state == VERSION_LOADING && !trial &&
	        !deployment->config.min_instances)
		sm_move(&state->stage, VERSION_PUBLISHED); /* who called has gone; nothing starts */
	list_each_safe(invocation, following, &state->waiting, link) {
		list_unlink(&invocation->link);
		pool_submit(pool, invocation);
	}
}

static void give_up(struct version_state *state, const char *why)
{
	state->requesting = false;
	state->trial = false;
	if (state->stage.state == VERSION_LOADING)
		sm_move(&state->stage, VERSION_PUBLISHED);
	refuse_waiting(state, OUTCOME_SYSTEM_ERROR, -EIO, "Unavailable", why);
}

/* It cannot run now; the next call finds out whether that has changed. */
static void give_up_broken(struct version_state *state, const char *why)
{
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;

	state->requesting = false;
	state->trial = false;
	error_body(&body, "Unavailable", "%s", why);
	settle(state, VERSION_BROKEN, body.data ? body.data : "", body.length);
	refuse_waiting(state, OUTCOME_NOT_LOADED, -ENOEXEC, "Unavailable", why);
}

static void code_failed(struct version_state *state, int status)
{
	char why[160];

	snprintf(why, sizeof(why), "The code of version %s could not be read: %s",
	        state->version->name, strerror(-status));
	give_up(state, why);
}

/* It was made ready, and nobody is there to run it. */
static bool is_unasked(const struct version_state *state)
{
	return list_empty(&state->waiting) && !state->trial &&
	       !state->version->settings.config.min_instances && !state->target.pool.deployment;
}

/* Takes over what is in it. */
static void deploy(struct version_state *state, const struct prepared *prepared)
{
	const struct settings *settings = &state->version->settings;
	const char *name = state->version->name;
	struct deployment *deployment =
	        prepared->failure ? deployment_new_failed(settings, name, prepared->failure)
	                          : deployment_new(settings, name, prepared->code, prepared->layers,
	                                    engine_of(state)->runtimes);

	if (!deployment) {
		code_failed(state, -ENOMEM);
		return;
	}
	state->requesting = false;
	if (deployment->failure || !is_unasked(state))
		install(state, deployment);
	else if (state->stage.state == VERSION_LOADING)
		sm_move(&state->stage, VERSION_PUBLISHED); /* who called has gone */
	deployment_unref(deployment);
}

/* What a version depends on is bound for ever, so it cannot have changed meanwhile. */
static void is_prepared(
        void *userdata, int status, const struct prepared *prepared, const char *why)
{
	struct version_state *state = userdata;

	state->preparing = NULL;
	if (status == 0)
		deploy(state, prepared);
	else if (status == -ENOEXEC)
		give_up_broken(state, why);
	else
		give_up(state, why);
}

static void on_disk(void *userdata, int status, struct checkout *checkout)
{
	struct version_state *state = userdata;
	struct preparing *preparing;

	state->request = NULL;
	if (status < 0) {
		code_failed(state, status);
		return;
	}
	if (!preparing_wanted(engine_of(state), &state->version->settings, checkout, state->made)) {
		deploy(state, &(struct prepared){.code = checkout});
		return;
	}
	preparing = preparing_start(engine_of(state), &state->version->settings, checkout,
	        state->made, state->target.state->directory, is_prepared, state);
	/* NULL: it is over, and another one may have begun. */
	if (preparing)
		state->preparing = preparing;
}

static bool is_to_be_built(const struct version_state *state)
{
	return state->version->settings.config.build[0] &&
	       !builds_of_version(&engine_of(state)->builds, state->id);
}

/* What was built, or the code, when it is not built or was not yet. */
static struct blob_id find_root(struct version_state *state)
{
	const struct built *built = builds_of_version(&engine_of(state)->builds, state->id);
	struct blob_id root;

	state->made = built;
	if (built)
		return built->root;
	memcpy(root.bytes, state->version->snapshot.root, sizeof(root.bytes));
	return root;
}

static void take_in(struct version_state *state)
{
	const struct built *built = builds_of_version(&engine_of(state)->builds, state->id);
	struct snapshot_cache_request *request;
	struct blob_id root;

	if (state->requesting || state->target.pool.closed)
		return;
	state->requesting = true;
	if (built && built->error) {
		deploy(state, &(struct prepared){.failure = strdup(built->error)});
		return;
	}
	root = find_root(state);
	if (!list_empty(&state->waiting) || state->version->settings.config.min_instances)
		sm_move(&state->stage, VERSION_LOADING);
	request = snapshot_cache_checkout(engine_of(state)->snapshot_cache, &root, on_disk, state);
	if (request)
		state->request = request;
}

static bool current(const struct version_state *state)
{
	const struct deployment *deployment = state->target.pool.deployment;

	return deployment &&
	       deployment->config_generation == state->version->settings.config_generation;
}

void version_submit(struct version_state *state, struct invocation *invocation)
{
	state->rests = false;
	if (current(state) && list_empty(&state->waiting)) {
		pool_submit(&state->target.pool, invocation);
		return;
	}
	list_append(&state->waiting, &invocation->link);
	take_in(state);
}

void version_state_configured(struct version_state *state)
{
	/* Whoever has instances goes over now; all others when they are called. */
	if (state->target.pool.deployment || state->version->settings.config.min_instances)
		take_in(state);
}

void version_state_wake(struct version_state *state)
{
	if (state->version->settings.config.min_instances || is_to_be_built(state))
		take_in(state);
}

static void rest_now(struct alarm *alarm)
{
	struct version_state *state = container_of(alarm, struct version_state, resting);

	if (state->rests && state->version && list_empty(&state->waiting) &&
	        !state->version->settings.config.min_instances)
		pool_rest(&state->target.pool);
}

void version_state_rest(struct version_state *state)
{
	state->rests = true;
	state->routed = false;
	alarm_set(&engine_of(state)->host.alarms, &state->resting, 0, rest_now);
}

/* Perhaps the last call of a version that nothing routes to has ended. */
static void changed(struct target *target)
{
	struct version_state *state = state_of(target);

	if (state->rests && target->pool.live)
		alarm_set(&engine_of(state)->host.alarms, &state->resting, 0, rest_now);
}

static void loaded(
        struct target *target, struct deployment *deployment, const char *error, size_t length)
{
	struct version_state *state = state_of(target);

	changed(target); /* whoever it was started for may have gone */
	if (deployment != target->pool.deployment || !state->version)
		return;
	if (error)
		settle(state, VERSION_BROKEN, error, length);
	else if (state->stage.state != VERSION_READY)
		settle(state, VERSION_READY, "", 0);
}

/* --- life ------------------------------------------------------------------------------------- */

static void version_state_free(struct version_state *state)
{
	alarm_clear(&engine_of(state)->host.alarms, &state->resting);
	snapshot_tree_close(state->tree);
	target_deinit(&state->target);
	buf_deinit(&state->error);
	free(state);
}

static void emptied(struct target *target)
{
	struct version_state *state = state_of(target);
	struct function_state *owner = target->state;

	if (!target->pool.closed || !pool_empty(&target->pool))
		return;
	if (state->version) {
		version_state_save_metrics(state);
		state->version->runtime_state = NULL;
	}
	version_state_free(state);
	function_state_settle(owner);
}

static const struct target_events events = {
        .loaded = loaded,
        .changed = changed,
        .emptied = emptied,
};

/* Of a build that an earlier daemon did. */
static void note_failure(struct version_state *state)
{
	const struct built *built = builds_of_version(&engine_of(state)->builds, state->id);

	if (built && built->error)
		settle(state, VERSION_BROKEN, built->error, strlen(built->error));
}

struct version_state *version_state_of(struct function_state *owner, struct version *version)
{
	struct version_state *state = version->runtime_state;
	char name[METRICS_FILE_NAME_SIZE];

	if (state || owner->latest.pool.closed)
		return state;
	state = calloc(1, sizeof(*state));
	if (!state)
		return NULL;
	state->version = version;
	state->id = version->id;
	list_init(&state->waiting);
	sm_init(&state->stage, "version", stages, VERSION_PUBLISHED);
	target_init(&state->target, owner, version->name, &events);
	state->target.metrics = metrics_new(owner->engine->clock);
	if (!state->target.metrics) {
		version_state_free(state);
		return NULL;
	}
	metrics_file(state, name);
	metrics_file_load(state->target.metrics, owner->directory, name);
	keep_alive_file_load(&state->target, state->id);
	version->runtime_state = state;
	note_failure(state);
	return state;
}

void version_state_save_metrics(struct version_state *state)
{
	char name[METRICS_FILE_NAME_SIZE];

	if (!state->version)
		return; /* it was removed, and its files too */
	metrics_file(state, name);
	metrics_file_save(
	        state->target.metrics, state->target.state->directory, name, &state->metrics_saved);
	keep_alive_file_save(&state->target, state->id);
}

void version_state_close(struct version_state *state, bool gently)
{
	if (state->request)
		snapshot_cache_request_cancel(state->request);
	state->request = NULL;
	if (state->preparing)
		preparing_cancel(state->preparing);
	state->preparing = NULL;
	state->requesting = false;
	refuse_waiting(state, OUTCOME_REJECTED, -EAGAIN, "Unavailable",
	        "The function was removed or the daemon ends");
	pool_close(&state->target.pool, gently);
	emptied(&state->target);
}

void version_state_remove(struct version_state *state)
{
	char name[METRICS_FILE_NAME_SIZE];

	refuse_waiting(
	        state, OUTCOME_REJECTED, -ESTALE, "Removed", "The version was removed meanwhile");
	metrics_file(state, name);
	metrics_file_remove(state->target.state->directory, name);
	keep_alive_file_remove(&state->target, state->id);
	state->version = NULL;
	version_state_close(state, true);
}

/* --- status ----------------------------------------------------------------------------------- */

const char *version_state_name(const struct version_state *state)
{
	if (!state->version->settings.config.max_instances)
		return "disabled";
	if (preparing_builds(state->preparing))
		return "building";
	return sm_name(&state->stage);
}

void version_state_show_head(const struct version_state *state, struct buf *out)
{
	const struct pool *pool = &state->target.pool;

	buf_printf(out, "state %s\n", version_state_name(state));
	buf_printf(out, "instances %u\n", pool->live);
	buf_printf(out, "running %u\n", pool->running);
	buf_printf(out, "waiting %zu\n", pool->waiting_count + list_count(&state->waiting));
	target_show_idle_timeout(&state->target, &state->version->settings.config, out);
}

void version_state_show_error(const struct version_state *state, struct buf *out)
{
	const struct deployment *deployment = state->target.pool.deployment;
	char text[CLOCK_TEXT_SIZE];

	if (state->settled_us) {
		clock_format(text, state->settled_us);
		buf_printf(out, "tried %s\n", text);
	}
	preparing_show(state->preparing, out);
	if (deployment && deployment->runtime) {
		buf_printf(out, "runtime %s\n", deployment->runtime->name);
		buf_printf(out, "handler %s\n", deployment_handler(deployment));
	}
	if (state->stage.state == VERSION_BROKEN)
		error_text_status(out, state->error.data, state->error.length);
}
