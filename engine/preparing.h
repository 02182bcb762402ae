/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What stands between code and a deployment of it: its dependencies are gathered, what its build makes of it
 * is made, and when that is an image, or one is named, the image is brought to disk. Internal to engine/.
 */
#include <stdbool.h>

#include "base/buf.h"

struct checkout;
struct engine;
struct layers;
struct preparing;
struct settings;

/* Whoever gets it takes over what is in it. */
struct prepared {
	struct checkout *code;
	struct layers *layers; /* over the code, or the image instead; NULL: none */
	char *failure;         /* JSON: the build failed, and there is no code. Else NULL. */
};

/*
 * status 0: prepared. -ENOEXEC: an image is not to be had now, and later may be. Else -errno; with `why`, a
 * sentence.
 */
typedef void (*prepared_fn)(
        void *userdata, int status, const struct prepared *prepared, const char *why);

/* `made`: the code is what a build has made, with its dependencies in it. */
bool preparing_wanted(const struct engine *engine, const struct settings *settings,
        const struct checkout *code, bool made);

/*
 * Takes over the reference to the code. The log of a build goes into `directory`, of the function. NULL:
 * `done` has run already.
 */
struct preparing *preparing_start(struct engine *engine, const struct settings *settings,
        struct checkout *code, bool made, int directory, prepared_fn done, void *userdata);
void preparing_cancel(struct preparing *preparing); /* done will not run */

/* Whether a build is under way, or an image on its way; NULL: no. And what it does, lines of `key value`. */
bool preparing_builds(const struct preparing *preparing);
void preparing_show(const struct preparing *preparing, struct buf *out);
