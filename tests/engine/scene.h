/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What tests of the whole engine need, without a file system: a state directory of its own with one function,
 * `hello`, real instances in their sandboxes, calls through the engine's interface. FNFS_GUARDIAN and
 * FNFS_RUNTIMES say where the build has them.
 */
#include "base/buf.h"
#include "engine/engine.h"
#include "test.h"

struct scene {
	uv_loop_t loop;
	uv_timer_t pulse; /* ends a turn of the loop that its first timer had all to say in */
	struct engine *engine;
	char directory[64];
	struct function *function;
	bool drained;
};

struct call {
	struct invocation *invocation;
	struct buf response;
	struct buf error_body;
	int error;
	bool done;
};

void scene_open(struct scene *scene);
void scene_close(struct scene *scene);
void open_engine(struct scene *scene); /* after close_engine(): as a new daemon would */
void close_engine(struct scene *scene);

/* A file under `code/`. */
void save(struct scene *scene, const char *name, const char *text);
void save_of(struct scene *scene, struct function *function, const char *name, const char *text);

/* Of `latest`, or of a version. */
void begin(struct scene *scene, struct call *call, const char *event);
void begin_version(
        struct scene *scene, struct version *version, struct call *call, const char *event);
void await(struct scene *scene, struct call *call);
void call_free(struct call *call);
void expect(struct scene *scene, const char *event, const char *response);
void expect_error(struct scene *scene, const char *event, int error, const char *part);
void expect_version(struct scene *scene, struct version *version, const char *response);

bool state_is(struct scene *scene, const char *state);
void await_state(struct scene *scene, const char *state);
