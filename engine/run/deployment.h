/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What instances are started from, fixed at one moment: a checkout of the code and those of what is
 * merged over it, the settings, the environment and the runtime chosen for them. Immutable and counted:
 * instances hold the deployment they run, so that calls finish on the code they began with.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "model/config.h"

struct checkout;
struct image;
struct layers;
struct runtime;
struct runtimes;
struct settings;

struct deployment {
	unsigned references;
	uint64_t code_generation;
	uint64_t config_generation;
	struct checkout *checkout;
	struct layers *layers; /* NULL: no dependencies */
	struct config config;
	const struct runtime *runtime; /* NULL: nothing here can run; `why` says why */
	char *why;
	char *failure; /* the whole error, JSON: what should have run was not made */
	char *function_name;
	char *version; /* "latest" or the name of a published one */
	uint64_t function_id;
	uid_t uid;
	gid_t gid;
	char *entry; /* the file the handler is in, relative to the code; NULL when it is not there */
	const char *
	        speaks; /* what its program turned out to be; NULL until known, or of no interest */
	char **environment; /* KEY=VALUE, NULL-ended: of the process */
	struct buf init;    /* payload of FRAME_INIT */
};

/*
 * With the settings of a function, or of one of its versions, and the name calls know that by. Takes
 * over the references to the checkout and the layers (NULL: none), also on failure. NULL: no memory.
 */
struct deployment *deployment_new(const struct settings *settings, const char *version,
        struct checkout *checkout, struct layers *layers, const struct runtimes *runtimes);
/* Of what could not be made, and why, as JSON, which is taken over. There is no checkout. */
struct deployment *deployment_new_failed(
        const struct settings *settings, const char *version, char *failure);
struct deployment *deployment_ref(struct deployment *deployment);
struct deployment *deployment_unref(struct deployment *deployment); /* NULL */

/* Why nothing here can run, as the error of a call. */
void deployment_refusal(const struct deployment *deployment, struct buf *body);

/*
 * What the command of `build` sees: the user's variables, and the few every program needs. NULL-ended; NULL: no
 * memory. deployment_free_environment() frees it.
 */
char **deployment_build_environment(const struct settings *settings);
void deployment_free_environment(char **environment);

/* The handler as configured, or the runtime's default. */
const char *deployment_handler(const struct deployment *deployment);

/* The image it runs, or NULL. Borrowed. */
const struct image *deployment_image(const struct deployment *deployment);
