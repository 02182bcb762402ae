/* SPDX-License-Identifier: Apache-2.0 */
#include "run/layers.h"

#include <assert.h>
#include <stdlib.h>

#include "run/image.h"
#include "store/worktree.h"

struct layers *layers_new(size_t room)
{
	struct layers *layers = calloc(1, sizeof(*layers));

	if (!layers)
		return NULL;
	layers->references = 1;
	layers->room = room;
	layers->checkouts = calloc(room + 1, sizeof(*layers->checkouts));
	layers->paths = calloc(room + 1, sizeof(*layers->paths));
	return layers->checkouts && layers->paths ? layers : layers_unref(layers);
}

struct layers *layers_new_broken(char *why)
{
	struct layers *layers = why ? layers_new(0) : NULL;

	if (layers)
		layers->why = why;
	else
		free(why);
	return layers;
}

struct layers *layers_ref(struct layers *layers)
{
	if (layers)
		layers->references++;
	return layers;
}

struct layers *layers_unref(struct layers *layers)
{
	if (!layers || --layers->references > 0)
		return NULL;
	for (size_t i = 0; i < layers->count; i++)
		checkout_unref(layers->checkouts[i]);
	checkout_unref(layers->merged);
	image_unref(layers->image);
	free(layers->checkouts);
	free(layers->paths);
	free(layers->why);
	free(layers);
	return NULL;
}

void layers_add(struct layers *layers, struct checkout *checkout)
{
	for (size_t i = 0; i < layers->count; i++)
		if (layers->checkouts[i] == checkout) {
			checkout_unref(checkout);
			return;
		}
	assert(layers->count < layers->room);
	layers->checkouts[layers->count] = checkout;
	layers->paths[layers->count++] = checkout_path(checkout);
}

const char *layers_code_path(const struct layers *layers, const struct checkout *code)
{
	return checkout_path(layers && layers->merged ? layers->merged : code);
}

const char *const *layers_paths(const struct layers *layers)
{
	return layers && layers->count && !layers->merged ? layers->paths : NULL;
}
