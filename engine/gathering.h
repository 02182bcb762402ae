/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What some code runs with: the dependencies bound to its settings at this moment, each as a checkout out of the
 * cache of snapshots; what is not there is brought to disk by a worker. Where sandboxes cannot lay them over
 * the code, they are merged with it as well. Internal to engine/.
 */
#include <stdbool.h>

struct checkout;
struct engine;
struct gathering;
struct layers;
struct settings;

/* Whether there is anything to gather. */
bool gathering_wanted(const struct engine *engine, const struct settings *settings);

/*
 * status 0: with the layers, NULL when there turn out to be none; a dependency without a version makes them
 * broken. Else -errno and `why`, a sentence.
 */
typedef void (*gathered_fn)(void *userdata, int status, struct layers *layers, const char *why);

/* The code is borrowed until it ends. NULL: `done` has run already. */
struct gathering *gathering_start(struct engine *engine, const struct settings *settings,
        struct checkout *code, gathered_fn done, void *userdata);
void gathering_cancel(struct gathering *gathering); /* done will not run */
