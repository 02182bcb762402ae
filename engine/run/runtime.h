/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The runtimes that can be used here: directories of the search path that hold a `runtime.json`.
 * A runtime is data and a shim; see runtimes/README.md. Read once at start; immutable afterwards.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

struct runtimes;

#define RUNTIME_OF_IMAGES "image"

/* What the daemon and the program speak. */
enum runtime_protocol {
	RUNTIME_FRAMES,    /* runtimes/README.md */
	RUNTIME_BOOTSTRAP, /* HTTP, served or asked for: what the program does first decides */
	RUNTIME_HTTP,      /* HTTP, served on 127.0.0.1:8000 */
	RUNTIME_IMAGE,     /* as BOOTSTRAP, by the program of an image (run/image.h) */
};

struct runtime {
	char *name;
	char *path;  /* absolute directory, seen inside the sandbox at /opt/fnfs/runtime */
	char *about; /* one paragraph for runtimes/NAME/about */
	char *default_handler; /* "index.handler" */
	char **argv;           /* the shim's command line inside the sandbox, NULL-ended */
	enum runtime_protocol protocol;
	char *working_directory;
	char **detect; /* names whose presence in code/ chooses this runtime; `+x` behind a name: executable */
	char **extensions; /* of the handler's file: "py" */
	bool parks;        /* its program may be started before there is a function for it */
	char **zygote; /* command line of what forks such programs into sandboxes; empty: there is none */
	char **start_variables; /* unless one is set that begins like one of these */
	int order;              /* of detection, smallest first */
	bool available; /* the interpreter is on this machine; else `missing` says what to install */
	char *missing;
};

int runtimes_load(struct runtimes **out, const char *search_path);
struct runtimes *runtimes_free(struct runtimes *runtimes);
const struct runtime *runtimes_find(const struct runtimes *runtimes, const char *name);
const struct runtime *runtimes_at(
        const struct runtimes *runtimes, size_t index); /* NULL at the end */

/* Whether one of these (KEY=VALUE, NULL-ended) must be there when the program starts, and not only later. */
bool runtime_start_depends(const struct runtime *runtime, const char *const *environment);

/*
 * Which runtime runs this code: the configured name, or for "auto" first the handler's extension, then
 * what the directories hold; of these the first is the code, and the others are looked at when it does not say.
 * NULL with a sentence in `why` when there is none, or it is not available.
 */
const struct runtime *runtimes_choose(const struct runtimes *runtimes, const char *configured,
        const char *handler, const int *directories, size_t count, struct buf *why);
