/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/deploy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/engine.h"
#include "engine/error_text.h"
#include "engine/function_state.h"
#include "engine/gathering.h"
#include "engine/images.h"
#include "engine/preparing.h"
#include "engine/verdict.h"
#include "run/deployment.h"
#include "run/host.h"
#include "run/layers.h"
#include "run/runtime.h"
#include "store/worktree.h"

#define QUIET_US     (200 * 1000)
#define UNSETTLED_US (2000 * 1000)
#define CHANGE_US    (10 * 1000) /* until it is asked again whether the code is all there */

/* Whatever the state, code can be saved, taken away, or taken in by a call. */
#define SAVED \
	(SM_TO(DEPLOY_CHANGED) | SM_TO(DEPLOY_EMPTY) | SM_TO(DEPLOY_LOADING) | SM_TO(DEPLOY_BROKEN))

static const struct sm_row states[] = {
        [DEPLOY_EMPTY] = {"empty", SAVED},
        [DEPLOY_CHANGED] = {"changed", SAVED | SM_TO(DEPLOY_READY)},
        [DEPLOY_LOADING] = {"loading", SAVED | SM_TO(DEPLOY_READY)},
        [DEPLOY_READY] = {"ready", SAVED},
        [DEPLOY_BROKEN] = {"broken", SAVED | SM_TO(DEPLOY_READY)},
};

static struct alarms *alarms(struct deploy *deploy)
{
	return &deploy->owner->latest.pool.host->alarms;
}

static struct function *function(const struct deploy *deploy)
{
	return deploy->owner->function;
}

static void settle(struct deploy *deploy, enum deploy_state state, const char *error, size_t length)
{
	buf_clear(&deploy->error);
	buf_append(&deploy->error, error, length);
	deploy->settled_us = clock_wall_us(engine_clock(deploy->owner->engine));
	sm_move(&deploy->state, state);
	verdict_keep(deploy->owner->directory, &deploy->error);
}

/* --- is it the moment? ------------------------------------------------------------------------ */

static bool entry_gone(const struct deploy *deploy)
{
	const struct deployment *deployment = deploy->owner->latest.pool.deployment;

	return deployment && deployment->entry &&
	       !worktree_has(deploy->owner->worktree, deployment->entry);
}

/* Keeps `since` as the time the condition began. */
static void note_since(bool now, int64_t *since)
{
	if (!now)
		*since = 0;
	else if (!*since)
		*since = alarm_now_us();
}

int64_t deploy_unsettled_us(struct deploy *deploy)
{
	uint64_t lock = worktree_git_lock(deploy->owner->worktree);
	int64_t since, left;

	if (deploy->owner->change)
		return CHANGE_US;
	deploy->looked_us = alarm_now_us();
	note_since(entry_gone(deploy), &deploy->entry_gone_us);
	if (lock != deploy->git_lock)
		deploy->git_locked_us = 0; /* another one: git was quick */
	deploy->git_lock = lock;
	note_since(lock != 0, &deploy->git_locked_us);
	since = deploy->entry_gone_us > deploy->git_locked_us ? deploy->entry_gone_us
	                                                      : deploy->git_locked_us;
	left = since ? since + UNSETTLED_US - alarm_now_us() : 0;
	return left > 0 ? left : 0;
}

static bool current(const struct deploy *deploy)
{
	const struct deployment *deployment = deploy->owner->latest.pool.deployment;

	return deployment &&
	       deployment->code_generation == worktree_generation(deploy->owner->worktree) &&
	       deployment->config_generation == function(deploy)->settings.config_generation;
}

/* --- taking in -------------------------------------------------------------------------------- */

static void advance(struct deploy *deploy);

static void settled_or_late(struct alarm *alarm)
{
	advance(container_of(alarm, struct deploy, settling));
}

static void refuse_waiting(struct deploy *deploy, enum outcome outcome, int error, const char *why)
{
	struct invocation *invocation;
	struct list waiting;

	list_move_all(&deploy->waiting, &waiting);
	while ((invocation = list_first(&waiting, struct invocation, link))) {
		struct buf body = BUF_INIT;

		error_body(&body, "Unavailable", "%s", why);
		pool_end_later(invocation, outcome, error, &body);
	}
}

static void submit_waiting(struct deploy *deploy)
{
	const struct deployment *deployment = deploy->owner->latest.pool.deployment;
	struct invocation *invocation, *following;

	list_each_safe(invocation, following, &deploy->waiting, link) {
		if (invocation->code_generation > deployment->code_generation ||
		        invocation->config_generation > deployment->config_generation)
			continue;
		list_unlink(&invocation->link);
		pool_submit(&deploy->owner->latest.pool, invocation);
	}
}

static bool is_empty(const struct deploy *deploy)
{
	return worktree_empty(deploy->owner->worktree) &&
	       !gathering_wanted(deploy->owner->engine, &function(deploy)->settings) &&
	       !image_is_named(&function(deploy)->settings);
}

static void install(struct deploy *deploy, struct deployment *deployment)
{
	struct pool *pool = &deploy->owner->latest.pool;
	bool trial = deploy->trial;
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;

	deploy->trial = false;
	pool_set_deployment(pool, deployment);
	if (!current(deploy) && deploy->state.state == DEPLOY_CHANGED) {
		submit_waiting(deploy); /* it was saved again while this was made */
		return;
	}
	if (is_empty(deploy)) {
		if (deploy->state.state != DEPLOY_EMPTY)
			sm_move(&deploy->state, DEPLOY_EMPTY);
	} else if (!deployment->runtime) {
		deployment_refusal(deployment, &body);
		settle(deploy, DEPLOY_BROKEN, body.data, body.length);
	} else if (deployment->config.max_instances > 0) {
		sm_move(&deploy->state, DEPLOY_LOADING);
		if (trial)
			pool_warm(pool);
	}
	submit_waiting(deploy);
}

static void give_up(struct deploy *deploy, const char *why)
{
	deploy->requesting = false;
	deploy->trial = false;
	refuse_waiting(deploy, OUTCOME_SYSTEM_ERROR, -EIO, why);
}

/* It cannot run now; the next call finds out whether that has changed. */
static void give_up_broken(struct deploy *deploy, const char *why)
{
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;

	deploy->requesting = false;
	deploy->trial = false;
	error_body(&body, "Unavailable", "%s", why);
	settle(deploy, DEPLOY_BROKEN, body.data ? body.data : "", body.length);
	refuse_waiting(deploy, OUTCOME_NOT_LOADED, -ENOEXEC, why);
}

static void code_failed(struct deploy *deploy, int status)
{
	char why[128];

	snprintf(why, sizeof(why), "The code could not be taken in: %s", strerror(-status));
	give_up(deploy, why);
}

/* The entry file of what was built may be one that nobody ever saved: its absence is no dance then. */
static void forget_made_entry(struct deploy *deploy, struct deployment *deployment)
{
	if (!deployment->config.build[0] || !deployment->entry ||
	        worktree_has(deploy->owner->worktree, deployment->entry))
		return;
	free(deployment->entry);
	deployment->entry = NULL;
}

/* Takes over what is in it. */
static void take_in(struct deploy *deploy, const struct prepared *prepared)
{
	const struct settings *settings = &function(deploy)->settings;
	struct deployment *deployment =
	        prepared->failure
	                ? deployment_new_failed(settings, "latest", prepared->failure)
	                : deployment_new(settings, "latest", prepared->code, prepared->layers,
	                          engine_runtimes(deploy->owner->engine));

	if (!deployment) {
		code_failed(deploy, -ENOMEM);
		return;
	}
	deployment->code_generation = deploy->code_generation;
	forget_made_entry(deploy, deployment);
	deploy->requesting = false;
	install(deploy, deployment);
	deployment_unref(deployment);
	advance(deploy);
}

static void prepared_drop(const struct prepared *prepared)
{
	checkout_unref(prepared->code);
	layers_unref(prepared->layers);
	free(prepared->failure);
}

static void is_prepared(
        void *userdata, int status, const struct prepared *prepared, const char *why)
{
	struct deploy *deploy = userdata;

	deploy->preparing = NULL;
	if (status == -ENOEXEC) {
		give_up_broken(deploy, why);
	} else if (status < 0) {
		give_up(deploy, why);
	} else if (deploy->config_generation == function(deploy)->settings.config_generation) {
		take_in(deploy, prepared);
	} else {
		/* What it depends on, or is built by, was changed meanwhile. */
		prepared_drop(prepared);
		deploy->requesting = false;
		advance(deploy);
	}
}

static void prepare(struct deploy *deploy, struct checkout *code)
{
	struct settings *settings = &function(deploy)->settings;
	struct preparing *preparing = preparing_start(deploy->owner->engine, settings, code, false,
	        deploy->owner->directory, is_prepared, deploy);

	/* NULL: it is over, and another one may have begun. */
	if (preparing)
		deploy->preparing = preparing;
}

static void checked_out(void *userdata, int status, struct checkout *checkout)
{
	struct deploy *deploy = userdata;

	deploy->request = NULL;
	if (status < 0) {
		code_failed(deploy, status);
	} else if (deploy_unsettled_us(deploy)) {
		/* It was made behind our back, and a dance has begun meanwhile: it shows the middle. */
		checkout_unref(checkout);
		deploy->requesting = false;
		advance(deploy);
	} else {
		deploy->code_generation = checkout_generation(checkout);
		deploy->config_generation = function(deploy)->settings.config_generation;
		if (!is_empty(deploy) && preparing_wanted(deploy->owner->engine,
		                                 &function(deploy)->settings, checkout, false))
			prepare(deploy, checkout);
		else
			take_in(deploy, &(struct prepared){.code = checkout});
	}
}

static void advance(struct deploy *deploy)
{
	struct checkout_request *request;
	int64_t wait;

	if (deploy->closed || deploy->requesting ||
	        (!deploy->trial && list_empty(&deploy->waiting)))
		return;
	wait = deploy_unsettled_us(deploy);
	if (wait) {
		alarm_set(alarms(deploy), &deploy->settling, wait, settled_or_late);
		return;
	}
	alarm_clear(alarms(deploy), &deploy->settling);
	deploy->requesting = true;
	request = worktree_checkout(deploy->owner->worktree, checked_out, deploy);
	/* NULL: it is over, and another one may have begun. */
	if (request)
		deploy->request = request;
}

static bool is_behind(const struct deploy *deploy)
{
	return deploy->code_generation != worktree_generation(deploy->owner->worktree) ||
	       deploy->config_generation != function(deploy)->settings.config_generation;
}

/* Somebody waits for whom what is being prepared will do. */
static bool is_awaited(const struct deploy *deploy)
{
	const struct invocation *invocation;

	list_each(invocation, &deploy->waiting, link)
		if (invocation->code_generation <= deploy->code_generation &&
		        invocation->config_generation <= deploy->config_generation)
			return true;
	return false;
}

/* A build whose result nobody can use ends when there is something newer to build. */
static void overtake(struct deploy *deploy)
{
	if (!preparing_builds(deploy->preparing) || !is_behind(deploy) || is_awaited(deploy))
		return;
	preparing_cancel(deploy->preparing);
	deploy->preparing = NULL;
	deploy->requesting = false;
	deploy->trial = false;
}

void deploy_submit(struct deploy *deploy, struct invocation *invocation)
{
	if (current(deploy) && list_empty(&deploy->waiting)) {
		pool_submit(&deploy->owner->latest.pool, invocation);
		return;
	}
	if (deploy->state.state != DEPLOY_CHANGED && deploy->owner->latest.pool.deployment)
		deploy_changed(deploy); /* the working tree tells only at the end of the turn */
	invocation->code_generation = worktree_generation(deploy->owner->worktree);
	invocation->config_generation = function(deploy)->settings.config_generation;
	list_append(&deploy->waiting, &invocation->link);
	overtake(deploy);
	advance(deploy);
}

static void try_ahead(struct alarm *alarm)
{
	struct deploy *deploy = container_of(alarm, struct deploy, quiet);

	if (current(deploy))
		return; /* a call was quicker */
	deploy->trial = true;
	advance(deploy);
}

void deploy_wake(struct deploy *deploy)
{
	if (deploy->state.state == DEPLOY_EMPTY || deploy->closed)
		return;
	deploy->trial = true;
	advance(deploy);
}

void deploy_changed(struct deploy *deploy)
{
	deploy->generation = worktree_generation(deploy->owner->worktree);
	if (deploy->closed || current(deploy))
		return; /* a call was quicker and has taken it in */
	if (deploy->state.state != DEPLOY_CHANGED)
		verdict_forget(deploy->owner->directory);
	overtake(deploy);
	sm_move(&deploy->state, DEPLOY_CHANGED);
	deploy->changed_us = clock_wall_us(engine_clock(deploy->owner->engine));
	alarm_set(alarms(deploy), &deploy->quiet, QUIET_US, try_ahead);
	if (alarm_now_us() - deploy->looked_us >= CHANGE_US)
		deploy_unsettled_us(deploy); /* notes since when */
	if (!list_empty(&deploy->waiting))
		advance(deploy);
}

void deploy_catch_up(struct deploy *deploy)
{
	if (deploy->generation != worktree_generation(deploy->owner->worktree))
		deploy_changed(deploy);
}

void deploy_loaded(
        struct deploy *deploy, struct deployment *deployment, const char *error, size_t length)
{
	if (deploy->closed || !current(deploy) ||
	        deployment != deploy->owner->latest.pool.deployment)
		return;
	if (error)
		settle(deploy, DEPLOY_BROKEN, error, length);
	else if (deploy->state.state != DEPLOY_READY)
		settle(deploy, DEPLOY_READY, "", 0);
}

/* --- life ------------------------------------------------------------------------------------- */

void deploy_init(struct deploy *deploy, struct function_state *owner)
{
	memset(deploy, 0, sizeof(*deploy));
	deploy->owner = owner;
	list_init(&deploy->waiting);
	deploy->generation = worktree_generation(owner->worktree);
	sm_init(&deploy->state, "deploy", states, DEPLOY_CHANGED);
	if (is_empty(deploy))
		sm_move(&deploy->state, DEPLOY_EMPTY);
	else if (verdict_load(deploy->owner->directory, &deploy->error))
		sm_move(&deploy->state, deploy->error.length ? DEPLOY_BROKEN : DEPLOY_READY);
	else
		alarm_set(alarms(deploy), &deploy->quiet, QUIET_US, try_ahead);
}

void deploy_close(struct deploy *deploy)
{
	deploy->closed = true;
	alarm_clear(alarms(deploy), &deploy->quiet);
	alarm_clear(alarms(deploy), &deploy->settling);
	if (deploy->request)
		checkout_request_cancel(deploy->request);
	deploy->request = NULL;
	if (deploy->preparing)
		preparing_cancel(deploy->preparing);
	deploy->preparing = NULL;
	refuse_waiting(
	        deploy, OUTCOME_REJECTED, -EAGAIN, "The function was removed or the daemon ends");
	buf_deinit(&deploy->error);
}

/* --- status ----------------------------------------------------------------------------------- */

const char *deploy_state_name(const struct deploy *deploy)
{
	if (function(deploy) && !function(deploy)->settings.config.max_instances)
		return "disabled";
	if (preparing_builds(deploy->preparing))
		return "building";
	return sm_name(&deploy->state);
}

void deploy_show(const struct deploy *deploy, struct buf *out)
{
	const struct deployment *deployment = deploy->owner->latest.pool.deployment;
	char text[CLOCK_TEXT_SIZE];

	if (deploy->changed_us) {
		clock_format(text, deploy->changed_us);
		buf_printf(out, "changed %s\n", text);
	}
	if (deploy->settled_us) {
		clock_format(text, deploy->settled_us);
		buf_printf(out, "tried %s\n", text);
	}
	preparing_show(deploy->preparing, out);
	if (deployment && deployment->runtime) {
		buf_printf(out, "runtime %s\n", deployment->runtime->name);
		buf_printf(out, "handler %s\n", deployment_handler(deployment));
		if (deployment->speaks)
			buf_printf(out, "speaks %s\n", deployment->speaks);
	}
	if (deploy->state.state == DEPLOY_BROKEN)
		error_text_status(out, deploy->error.data, deploy->error.length);
}
