/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/preparing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "engine/build.h"
#include "engine/engine_state.h"
#include "engine/gathering.h"
#include "engine/images.h"
#include "model/settings.h"
#include "run/image.h"
#include "run/layers.h"
#include "store/worktree.h"

struct preparing {
	struct engine *engine;
	const struct settings *settings; /* of whoever waits, who goes first or cancels */
	struct prepared prepared;
	int directory; /* borrowed */
	struct gathering *gathering;
	struct build_request *build;
	struct image_request *image;
	bool made;
	prepared_fn done;
	void *userdata;
	bool starting; /* whoever asked has not got us yet */
	bool over;     /* meanwhile */
};

bool preparing_wanted(const struct engine *engine, const struct settings *settings,
        const struct checkout *code, bool made)
{
	return (!made && (settings->config.build[0] || gathering_wanted(engine, settings))) ||
	       image_wanted(settings, engine->runtimes, checkout_fd(code));
}

void preparing_cancel(struct preparing *preparing)
{
	if (preparing->gathering)
		gathering_cancel(preparing->gathering);
	if (preparing->build)
		build_cancel(preparing->build);
	if (preparing->image)
		image_request_cancel(preparing->image);
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

/* It has everything in itself. */
static void image_came(void *userdata, int status, struct image *image, const char *why)
{
	struct preparing *preparing = userdata;
	struct prepared *prepared = &preparing->prepared;

	preparing->image = NULL;
	prepared->layers = layers_unref(prepared->layers);
	if (status == 0)
		prepared->layers = layers_new(0);
	else if (status == -EINVAL)
		prepared->layers = layers_new_broken(strdup(why));
	else
		status = -ENOEXEC;
	if (status == -EINVAL && prepared->layers)
		status = 0;
	if (prepared->layers)
		prepared->layers->image = image;
	else
		image_unref(image);
	if (status != -ENOEXEC && !prepared->layers)
		finish(preparing, fail(-ENOMEM, "taking in an image"),
		        "The image could not be taken in: no memory");
	else
		finish(preparing, status, why);
}

/* The last step, for a build may have made the image. */
static void unpack(struct preparing *preparing)
{
	struct prepared *prepared = &preparing->prepared;
	bool broken = prepared->failure || (prepared->layers && prepared->layers->why);
	struct image_request *request;

	if (broken || !image_wanted(preparing->settings, preparing->engine->runtimes,
	                      checkout_fd(prepared->code))) {
		finish(preparing, 0, "");
		return;
	}
	request = image_request_start(preparing->engine, preparing->settings,
	        checkout_fd(prepared->code), image_came, preparing);
	/* NULL: it is over. */
	if (request)
		preparing->image = request;
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
	/* Otherwise a failure of ours; one of an image alone may be another next time. */
	if (status < 0)
		finish(preparing, status == -ENOEXEC ? -ENOMEM : status, why);
	else
		unpack(preparing);
}

static void build(struct preparing *preparing)
{
	struct prepared *prepared = &preparing->prepared;
	bool broken = prepared->layers && prepared->layers->why;

	if (preparing->made || !preparing->settings->config.build[0] || broken) {
		unpack(preparing);
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

	if (preparing->made || !gathering_wanted(preparing->engine, preparing->settings)) {
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
        struct checkout *code, bool made, int directory, prepared_fn done, void *userdata)
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
	preparing->made = made;
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
	return preparing &&
	       (preparing->image || (preparing->build && build_works(preparing->build)));
}

void preparing_show(const struct preparing *preparing, struct buf *out)
{
	if (preparing && preparing->image)
		image_request_show(preparing->image, out);
	else if (preparing_builds(preparing))
		build_show(preparing->build, out);
}
