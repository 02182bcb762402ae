/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/gathering.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "engine/engine_state.h"
#include "model/dependency.h"
#include "run/launcher.h"
#include "run/layers.h"
#include "store/blob.h"
#include "store/checkout_merge.h"
#include "store/snapshot_cache.h"

struct wanted {
	struct gathering *gathering;
	struct snapshot_cache_request *request; /* NULL: answered */
	struct checkout *checkout;
	char *name;
};

struct gathering {
	struct engine *engine;
	struct checkout *code;
	gathered_fn done;
	void *userdata;
	struct layers *layers; /* once all are there */
	struct merge_request *merge;
	int status;
	char *culprit; /* the name of the one that failed */
	bool starting; /* whoever asked has not got us yet */
	size_t pending;
	size_t count;
	struct wanted wanted[];
};

bool gathering_wanted(const struct engine *engine, const struct settings *settings)
{
	return dependency_first(engine->packages, settings->owner) != NULL;
}

void gathering_cancel(struct gathering *gathering)
{
	for (size_t i = 0; i < gathering->count; i++) {
		struct wanted *wanted = &gathering->wanted[i];

		if (wanted->request)
			snapshot_cache_request_cancel(wanted->request);
		checkout_unref(wanted->checkout);
		free(wanted->name);
	}
	if (gathering->merge)
		merge_request_cancel(gathering->merge);
	layers_unref(gathering->layers);
	free(gathering->culprit);
	free(gathering);
}

static void explain(const struct gathering *gathering, char *why, size_t size)
{
	if (gathering->culprit)
		snprintf(why, size, "The dependency %s could not be taken in: %s",
		        gathering->culprit, strerror(-gathering->status));
	else
		snprintf(why, size, "The dependencies could not be taken in: %s",
		        strerror(-gathering->status));
}

/* Frees it first, for whoever is told may begin anew. */
static void finish(struct gathering *gathering)
{
	struct layers *layers = take(gathering->layers);
	gathered_fn done = gathering->done;
	void *userdata = gathering->userdata;
	int status = gathering->status;
	char why[512] = "";

	if (status < 0) {
		layers = layers_unref(layers);
		explain(gathering, why, sizeof(why));
	}
	gathering_cancel(gathering);
	done(userdata, status, layers, why);
}

static void on_merged(void *userdata, int status, struct checkout *checkout)
{
	struct gathering *gathering = userdata;

	gathering->merge = NULL;
	gathering->status = status;
	gathering->layers->merged = checkout;
	if (!gathering->starting)
		finish(gathering);
}

/* True when it is over at once. */
static bool merge(struct gathering *gathering)
{
	struct layers *layers = gathering->layers;
	struct checkout *sources[DEPENDENCIES_MOST + 1];

	memcpy(sources, layers->checkouts, layers->count * sizeof(*sources));
	sources[layers->count] = gathering->code;
	gathering->starting = true;
	gathering->merge = merges_checkout(
	        gathering->engine->merges, sources, layers->count + 1, on_merged, gathering);
	gathering->starting = false;
	return !gathering->merge;
}

/* What is the code itself, or there already, changes nothing. */
static struct layers *make_layers(struct gathering *gathering)
{
	struct layers *layers = layers_new(gathering->count);

	for (size_t i = 0; layers && i < gathering->count; i++) {
		struct checkout *checkout = take(gathering->wanted[i].checkout);

		if (checkout == gathering->code)
			checkout_unref(checkout);
		else
			layers_add(layers, checkout);
	}
	return layers;
}

/* All are there, or one is not to be had. True when it is over. */
static bool complete(struct gathering *gathering)
{
	if (gathering->status == 0) {
		gathering->layers = make_layers(gathering);
		if (!gathering->layers)
			gathering->status = fail(-ENOMEM, "gathering dependencies");
		else if (!gathering->layers->count)
			gathering->layers = layers_unref(gathering->layers);
		else if (!launcher_has_layers(gathering->engine->launcher) && !merge(gathering))
			return false;
	}
	finish(gathering);
	return true;
}

static void on_disk(void *userdata, int status, struct checkout *checkout)
{
	struct wanted *wanted = userdata;
	struct gathering *gathering = wanted->gathering;

	wanted->request = NULL;
	wanted->checkout = checkout;
	gathering->pending--;
	if (status < 0 && gathering->status == 0) {
		gathering->status = status;
		gathering->culprit = take(wanted->name);
	}
	if (!gathering->starting && (!gathering->pending || gathering->status < 0))
		complete(gathering);
}

static void want(struct gathering *gathering, const struct dependency *dependency)
{
	struct wanted *wanted = &gathering->wanted[gathering->count++];
	struct blob_id root;

	wanted->gathering = gathering;
	wanted->name = strdup(dependency->name);
	memcpy(root.bytes, dependency_version(dependency)->snapshot.root, sizeof(root.bytes));
	gathering->pending++;
	wanted->request =
	        snapshot_cache_checkout(gathering->engine->snapshot_cache, &root, on_disk, wanted);
}

static struct layers *explain_missing(const struct dependency *dependency)
{
	char *why;

	if (asprintf(&why, "the dependency %s is the package %s, which has no version yet",
	            dependency->name, dependency->package->name) < 0)
		return NULL;
	return layers_new_broken(why);
}

static const struct dependency *find_missing(
        const struct engine *engine, const struct settings *settings, size_t *count)
{
	const struct dependency *dependency = dependency_first(engine->packages, settings->owner);

	for (*count = 0; dependency; dependency = dependency_following(dependency), ++*count)
		if (!dependency_version(dependency))
			return dependency;
	return NULL;
}

struct gathering *gathering_start(struct engine *engine, const struct settings *settings,
        struct checkout *code, gathered_fn done, void *userdata)
{
	const struct dependency *dependency;
	struct gathering *gathering;
	size_t count;

	dependency = find_missing(engine, settings, &count);
	gathering = calloc(1, sizeof(*gathering) + count * sizeof(gathering->wanted[0]));
	if (!gathering) {
		done(userdata, fail(-ENOMEM, "gathering dependencies"), NULL,
		        "The dependencies could not be taken in: out of memory");
		return NULL;
	}
	gathering->engine = engine;
	gathering->code = code;
	gathering->done = done;
	gathering->userdata = userdata;
	if (dependency) {
		gathering->layers = explain_missing(dependency);
		gathering->status = gathering->layers ? 0 : -ENOMEM;
		finish(gathering);
		return NULL;
	}
	gathering->starting = true;
	dependency = dependency_first(engine->packages, settings->owner);
	for (; dependency && gathering->status == 0; dependency = dependency_following(dependency))
		want(gathering, dependency);
	gathering->starting = false;
	if ((!gathering->pending || gathering->status < 0) && complete(gathering))
		return NULL;
	return gathering;
}
