/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/function_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/log.h"
#include "engine/alias_state.h"
#include "engine/code_change.h"
#include "engine/engine_state.h"
#include "engine/keep_alive_file.h"
#include "engine/logbook.h"
#include "engine/metrics.h"
#include "engine/metrics_file.h"
#include "engine/recorder.h"
#include "engine/publish.h"
#include "engine/removal.h"
#include "engine/version_state.h"
#include "model/function.h"
#include "store/worktree.h"

#define SEGMENT_BYTES (INT64_C(16) << 20)

static void code_changed(void *userdata)
{
	struct function_state *state = userdata;

	deploy_changed(&state->deploy);
}

static void log_drained(void *userdata)
{
	struct function_state *state = userdata;

	struct target *target;

	list_each(target, &state->targets, link)
		pool_resume(&target->pool);
}

/* `made`: it was not there before. */
static int open_directory(struct engine *engine, uint64_t id, bool *made)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "%" PRIu64, id);
	*made = mkdirat(engine->functions_fd, name, 0700) == 0;
	if (!*made && errno != EEXIST)
		return fail(-errno, "making the directory of function %s", name);
	fd = openat(engine->functions_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail(-errno, "opening the directory of function %s", name) : fd;
}

static struct logbook_limits log_limits(const struct function *function)
{
	return (struct logbook_limits){
	        .segment_bytes = SEGMENT_BYTES,
	        .retention_ms = function->settings.config.log_retention_ms,
	        .retention_bytes = function->settings.config.log_retention_bytes,
	        .format = function->settings.config.log_format,
	};
}

void function_state_save_metrics(struct function_state *state)
{
	struct alias_state *alias;
	struct target *target;

	metrics_file_save(
	        state->metrics, state->directory, FUNCTION_METRICS_FILE, &state->metrics_saved);
	keep_alive_file_save(&state->latest, 0);
	list_each(alias, &state->aliases, link)
		alias_state_save_metrics(alias);
	list_each(target, &state->targets, link)
		if (target != &state->latest)
			version_state_save_metrics(
			        container_of(target, struct version_state, target));
}

/* --- life ------------------------------------------------------------------------------------- */

static void function_state_free(struct function_state *state)
{
	struct alias_state *alias, *following;

	list_each_safe(alias, following, &state->aliases, link)
		alias_state_free(alias);
	if (state->latest.state)
		target_deinit(&state->latest);
	worktree_close(state->worktree);
	logbook_close(state->logbook);
	metrics_free(state->metrics);
	recorder_free(state->recorder);
	last_error_deinit(&state->last_error);
	buf_deinit(&state->lines);
	close_fd(state->directory);
	list_unlink(&state->link);
	free(state);
}

static int open_parts(struct function_state *state)
{
	struct engine *engine = state->engine;
	const struct logbook_limits limits = log_limits(state->function);
	bool made;
	int r;

	state->directory = open_directory(engine, state->id, &made);
	if (state->directory < 0)
		return state->directory;
	state->metrics = metrics_new(engine->clock);
	state->recorder = recorder_new();
	if (!state->metrics || !state->recorder)
		return -ENOMEM;
	metrics_file_load(state->metrics, state->directory, FUNCTION_METRICS_FILE);
	r = logbook_open(&state->logbook, engine->host.loop, engine->archivist, engine->clock,
	        state->directory, "logs", &limits);
	if (r < 0)
		return r;
	logbook_on_drained(state->logbook, log_drained, state);
	r = worktree_open(&state->worktree, engine->host.loop, state->directory, "code", "cache",
	        code_changed, state);
	/* Where the daemon may, the code belongs to whoever made the function. */
	if (r == 0 && made &&
	        fchownat(state->directory, "code", state->function->uid, state->function->gid, 0) <
	                0 &&
	        errno != EPERM)
		r = fail(-errno, "giving the code of %s to its owner", state->function->name);
	return r;
}

static void latest_loaded(
        struct target *target, struct deployment *deployment, const char *error, size_t length)
{
	if (target->state->function)
		deploy_loaded(&target->state->deploy, deployment, error, length);
}

static void latest_emptied(struct target *target)
{
	function_state_settle(target->state);
}

static const struct target_events latest_events = {
        .loaded = latest_loaded,
        .emptied = latest_emptied,
};

int function_state_new(
        struct function_state **out, struct engine *engine, struct function *function)
{
	struct function_state *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return -ENOMEM;
	state->engine = engine;
	state->function = function;
	state->id = function->id;
	state->directory = -1;
	state->log_format.kind = function->settings.config.log_format;
	list_init(&state->link);
	list_init(&state->targets);
	list_init(&state->aliases);
	list_init(&state->publishes);
	last_error_init(&state->last_error);
	r = open_parts(state);
	if (r < 0) {
		function_state_free(state);
		return r;
	}
	target_init(&state->latest, state, "latest", &latest_events);
	keep_alive_file_load(&state->latest, 0);
	deploy_init(&state->deploy, state);
	function->runtime_state = state;
	glance_forget(&engine->glance, function->id);
	list_append(&engine->states, &state->link);
	code_change_resume(state);
	*out = state;
	return 0;
}

void function_state_configured(struct function_state *state)
{
	const struct logbook_limits limits = log_limits(state->function);

	logbook_set_limits(state->logbook, &limits);
	state->log_format.kind = state->function->settings.config.log_format;
	deploy_changed(&state->deploy);
}

void function_state_remove(struct function_state *state)
{
	state->function = NULL;
	function_state_close(state, false);
}

/* Versions first: `latest` stands for the whole. */
static void close_versions(struct function_state *state, bool gently)
{
	struct target *target, *following;

	list_each_safe(target, following, &state->targets, link)
		if (target != &state->latest)
			version_state_close(
			        container_of(target, struct version_state, target), gently);
}

void function_state_close(struct function_state *state, bool gently)
{
	state->closing = true; /* what ends in here must not end the whole */
	if (!state->deploy.closed)
		deploy_close(&state->deploy);
	pool_close(&state->latest.pool, gently);
	close_versions(state, gently);
	publishes_cancel(state);
	code_change_cancel(state);
	state->closing = false;
	function_state_settle(state);
}

/* Nothing runs, starts or is published any more. `latest` stands first, and is the last to be left. */
static bool is_empty(const struct function_state *state)
{
	return !state->closing && state->latest.pool.closed && pool_empty(&state->latest.pool) &&
	       list_first(&state->targets, struct target, link) ==
	               list_last(&state->targets, struct target, link) &&
	       list_empty(&state->publishes);
}

void function_state_settle(struct function_state *state)
{
	struct engine *engine = state->engine;
	uint64_t id = state->id;
	bool removed = !state->function;

	if (!is_empty(state))
		return;
	if (!removed) {
		function_state_save_metrics(state);
		state->function->runtime_state = NULL;
	}
	function_state_free(state);
	if (removed)
		removal_begin(&engine->removal, "functions", id);
	engine_settle(engine);
}
