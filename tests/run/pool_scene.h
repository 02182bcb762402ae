/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A pool without any process: the launcher is this scene's own, and the test plays the runtime at the other end
 * of the pipes, frame by frame.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/deployment.h"
#include "run/host.h"
#include "run/instance.h"
#include "run/pool.h"
#include "run/runtime.h"
#include "test.h"

struct process {
	int in, out, output; /* the runtime's ends */
	process_end_fn ended;
	void *userdata;
	bool killed;
	bool gone;
	struct buf received;
};

extern struct process processes[2048];
extern unsigned process_count;
extern int start_error; /* what the launcher answers, unless 0 */

struct caller_of {
	struct invocation *invocation;
	struct buf response;
	struct buf error_body;
	int error;
	enum outcome outcome;
	int ends;
};

struct scene {
	bool congested; /* the log */
	uv_loop_t loop;
	struct host host;
	struct pool pool;
	struct deployment *deployment;
	struct runtime runtime;
	int began, ended, loaded, failed, emptied;
	struct buf output;
};

extern const struct pool_events pool_events;

void scene_open(struct scene *scene);
void scene_close(struct scene *scene);
struct deployment *make_deployment(struct scene *scene);
void deploy(struct scene *scene);

/* Turns of the loop until nothing is ready any more. */
void turn(struct scene *scene);

/* --- the runtime's side --- */

extern const struct process_end killed_end;
void fake_die(struct process *process, const struct process_end *end);
void fake_send(
        struct process *process, uint8_t type, uint8_t flags, uint64_t call, const char *payload);

/* The next frame the daemon sent, copied; type 0 when there is none. */
struct frame fake_receive(struct process *process, struct buf *payload);

/* Takes frames up to a CALL; returns its number, 0 when none came. */
uint64_t fake_call(struct process *process, const char *event);

/* --- the caller's side --- */

extern const struct invocation_events caller_events;
void call(struct scene *scene, struct caller_of *caller, const char *event);
void caller_done(struct caller_of *caller);
