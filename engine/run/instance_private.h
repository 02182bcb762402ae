/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the files of an instance share: its life (instance.c), the calls it carries (instance_calls.c),
 * what its program says (instance_answers.c) in one of the protocols (instance_frames.c,
 * instance_http.c), and what its code prints (instance_output.c).
 */
#include "run/instance.h"
#include "run/invocation.h"

/* How long an instance may take to end by itself once it was told to, or its channel closed. */
#define GENTLE_END_US (200 * 1000)

/* What a protocol gives to the launcher; closed once that has duplicated them. */
struct instance_descriptors {
	int in, out; /* 3 and 4 in the sandbox */
	int sockets; /* see struct launch */
};

/* How an instance and its program speak with each other. */
struct instance_protocol {
	/* Makes what the launch needs. 0 or -errno. */
	int (*open)(struct instance *instance, struct instance_descriptors *runtimes);
	int (*begin)(struct instance *instance); /* its process is on the way; 0 or -errno */
	/* What was started waited already, and listens on these (launcher.h), which it takes over. 0 or -errno; NULL:
	 * programs of this protocol do not wait. */
	int (*adopt)(struct instance *instance, int in, int out);
	/* Gives the invocation to the program; may move its request out. 0 or -ENOMEM. */
	int (*call)(struct instance *instance, struct invocation *invocation);
	/* The invocation, already out of `running`, was given up while others go on. */
	void (*cancel)(struct instance *instance, struct invocation *invocation);
	/* Asks the program to end: how long it is given for that; 0: it cannot be asked. */
	int64_t (*stop)(struct instance *instance);
	/* The limit of the start has passed: the error's JSON. */
	void (*explain_late)(struct instance *instance, struct buf *body);
	void (*drain)(
	        struct instance *instance); /* its process is gone: what it said still counts */
	void (*close)(struct instance *instance); /* harmless twice */
};

extern const struct instance_protocol instance_frames, instance_http;

/* --- what programs say (instance_answers.c) --- */

void instance_loaded(struct instance *instance);

/* The start failed: whoever waits for it hears why, and the process ends. */
void instance_start_failed(struct instance *instance, enum outcome outcome, int error,
        const char *body, size_t length);
struct invocation *instance_find_running(struct instance *instance, uint64_t call);

/* A piece of the response; false when that was too much and the invocation is given up. */
bool instance_take_data(
        struct instance *instance, struct invocation *invocation, const char *data, size_t length);
void instance_finish(
        struct instance *instance, struct invocation *invocation, const struct invocation_end *end);
void instance_spoke_garbage(struct instance *instance);

/* --- its life --- */

bool instance_in(const struct instance *instance, enum instance_state state);
bool instance_is_ending(const struct instance *instance);

void instance_give_back_start_right(struct instance *instance);

/* From here on it counts no more and gets no work. */
void instance_stop_counting(struct instance *instance, enum instance_state state);
void instance_end_gently(struct instance *instance);
void instance_end_at_once(struct instance *instance);
void instance_kill_late(struct alarm *alarm);
void instance_start_too_slow(struct alarm *alarm);

/* --- when nothing runs in it (instance_idle.c) --- */

void instance_became_idle(struct instance *instance);
bool instance_is_reserved(const struct instance *instance); /* min_instances wants it */

/* One call fewer runs here: what follows for the instance. */
void instance_one_less(struct instance *instance);

void instance_close_output(struct instance *instance); /* harmless twice */

/* 0 and the runtime's end of the pipe, or -errno. */
int instance_open_output(struct instance *instance, int *runtimes);
int instance_take_output_from(
        struct instance *instance, int output); /* instead, taken over; 0 or -ENOMEM */

void instance_take_all_output(struct instance *instance); /* of a process that is gone */
