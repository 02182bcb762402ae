/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * From code to what its build makes of it: out of what was built before, when all that goes in is the same
 * (code, dependencies, command, variables, network); else by a job, which everybody shares who wants
 * the same at that time. Internal to engine/.
 *
 *	code, dependencies --merge--> --digest--> known? --yes----------------------> on disk
 *	                                              --no--> job --> kept, a snapshot --^
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "store/worktree.h"

struct build_request;
struct engine;
struct layers;
struct settings;
struct version;

/*
 * status 0: what was made, with one reference; dependencies are in it. -ENOEXEC: the build failed, and `why` is
 * its error, JSON. Else `why` is a sentence. Comes once, on the loop, never from inside build_start().
 */
typedef void (*built_fn)(void *userdata, int status, struct checkout *checkout, const char *why);

/* `code` and `layers` (NULL: none) are borrowed for the call. The log goes into `directory`. NULL: no memory. */
struct build_request *build_start(struct engine *engine, const struct settings *settings,
        struct checkout *code, const struct layers *layers, int directory, built_fn done,
        void *userdata);
void build_cancel(struct build_request *request); /* `done` will not run */

/* Whether its command is at work or waits for its turn, and what it does: lines of `key value`. */
bool build_works(const struct build_request *request);
void build_show(const struct build_request *request, struct buf *out);

/* Nothing is built or looked at any more. */
bool builds_idle(const struct engine *engine);
