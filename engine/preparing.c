/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/preparing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "engine/build.h"
#include "engine/gathering.h"
#include "model/settings.h"
#include "run/layers.h"
#include "store/worktree.h"

struct preparing {
	struct engine *engine;
	const struct settings *settings; /* of whoever waits, who goes first or cancels */
	struct prepared prepared;
	int directory; /* borrowed */
	struct gathering *gathering;
	struct build_request *build;
	prepared_fn done;
	void *userdata;
	bool starting; /* whoever asked has not got us yet */
	bool over;     /* meanwhile */
};

bool preparing_wanted(const struct engine *engine, const struct settings *settings)
{
	return settings->config.build[0] || gathering_wanted(engine, settings);
}

void preparing_cancel(struct preparing *preparing)
{
	if (preparing->gathering)
		gathering_cancel(preparing->gathering);
	if (preparing->build)
		build_cancel(preparing->build);
	checkout_unref(preparing->prepared.code);
	layers_unref(preparing->prepared.layers);
	free(preparing->prepared.failure);
	free(preparing);
}

static void finish(struct preparing *preparing, int status, const char *why)
{
	struct prepared prepared = preparing->prepared;
	prepared_fn done = preparing->done;
	void *userdata = preparing->userdata;

	if (status == 0)
		preparing->prepared = (struct prepared){};
	if (preparing->starting)
		preparing->over = true;
	else
		preparing_cancel(preparing);
	done(userdata, status, status == 0 ? &prepared : NULL, why);
}

static void built(void *userdata, int status, struct checkout *checkout, const char *why)
{
	struct preparing *preparing = userdata;
	struct prepared *prepared = &preparing->prepared;

	preparing->build = NULL;
	prepared->code = checkout_unref(prepared->code);
	prepared->layers = layers_unref(prepared->layers); /* they are in it */
	prepared->code = checkout;
	if (status == -ENOEXEC)
		prepared->failure = strdup(why);
	if (status == -ENOEXEC && prepared->failure)
		status = 0;
	finish(preparing, status, why);
}

static void build(struct preparing *preparing)
{
	struct prepared *prepared = &preparing->prepared;
	bool broken = prepared->layers && prepared->layers->why;

	if (!preparing->settings->config.build[0] || broken) {
		finish(preparing, 0, "");
		return;
	}
	preparing->build = build_start(preparing->engine, preparing->settings, prepared->code,
	        prepared->layers, preparing->directory, built, preparing);
	if (!preparing->build)
		finish(preparing, fail(-ENOMEM, "starting a build"),
		        "The build could not be started: no memory");
}

static void gathered(void *userdata, int status, struct layers *layers, const char *why)
{
	struct preparing *preparing = userdata;

	preparing->gathering = NULL;
	preparing->prepared.layers = layers;
	if (status < 0)
		finish(preparing, status, why);
	else
		build(preparing);
}

static void gather(struct preparing *preparing)
{
	struct gathering *gathering;

	if (!gathering_wanted(preparing->engine, preparing->settings)) {
		build(preparing);
		return;
	}
	gathering = gathering_start(preparing->engine, preparing->settings,
	        preparing->prepared.code, gathered, preparing);
	/* NULL: it is over. */
	if (gathering)
		preparing->gathering = gathering;
}

struct preparing *preparing_start(struct engine *engine, const struct settings *settings,
        struct checkout *code, int directory, prepared_fn done, void *userdata)
{
	struct preparing *preparing = calloc(1, sizeof(*preparing));

	if (!preparing) {
		checkout_unref(code);
		done(userdata, fail(-ENOMEM, "preparing code"), NULL,
		        "The code could not be prepared: no memory");
		return NULL;
	}
	preparing->engine = engine;
	preparing->settings = settings;
	preparing->prepared.code = code;
	preparing->directory = directory;
	preparing->done = done;
	preparing->userdata = userdata;
	preparing->starting = true;
	gather(preparing);
	preparing->starting = false;
	if (!preparing->over)
		return preparing;
	preparing_cancel(preparing);
	return NULL;
}

bool preparing_builds(const struct preparing *preparing)
{
	return preparing && preparing->build && build_works(preparing->build);
}

void preparing_show(const struct preparing *preparing, struct buf *out)
{
	if (preparing_builds(preparing))
		build_show(preparing->build, out);
}
