/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The dependencies that instances see merged over their code: the dependency wins, between dependencies the
 * first; or the image they run instead. Filled by whoever makes it, then immutable; counted, and it holds
 * what it names.
 */
#include <stddef.h>

struct checkout;
struct image;

struct layers {
	unsigned references;
	size_t count, room;
	struct checkout **checkouts; /* the first wins; no two are the same */
	const char **paths;          /* theirs, NULL-ended */
	struct checkout
	        *merged; /* the code with all of them over it, where sandboxes cannot; or NULL */
	char *why;       /* they cannot be had; then there are none */
	struct image *image; /* what runs instead of the code, as a whole; or NULL */
};

struct layers *layers_new(size_t room);      /* for so many; NULL: no memory */
struct layers *layers_new_broken(char *why); /* takes the sentence over; NULL: no memory */
struct layers *layers_ref(struct layers *layers);
struct layers *layers_unref(struct layers *layers); /* NULL */

/* Below those that are there; takes the reference over. One that is there already changes nothing. */
void layers_add(struct layers *layers, struct checkout *checkout);

/* What a sandbox is told to show, `layers` being NULL when there are none. Borrowed. */
const char *layers_code_path(const struct layers *layers, const struct checkout *code);
const char *const *layers_paths(const struct layers *layers); /* NULL: nothing over the code path */
