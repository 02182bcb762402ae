/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the four files of an instance share: its life (instance.c), the calls it carries
 * (instance_calls.c), what its runtime says (instance_frames.c) and what its code prints
 * (instance_output.c).
 */
#include "run/instance.h"

/* How long an instance may take to end by itself once it was told to, or its channel closed. */
#define GENTLE_END_US (200 * 1000)

extern const struct channel_events instance_channel_events;

bool instance_in(const struct instance *instance, enum instance_state state);
bool instance_is_ending(const struct instance *instance);

void instance_give_back_start_right(struct instance *instance);

/* From here on it counts no more and gets no work. */
void instance_stop_counting(struct instance *instance, enum instance_state state);
void instance_end_gently(struct instance *instance);
void instance_end_at_once(struct instance *instance);
void instance_kill_late(struct alarm *alarm);
void instance_start_too_slow(struct alarm *alarm);

void instance_became_idle(struct instance *instance);

/* One call fewer runs here: what follows for the instance. */
void instance_one_less(struct instance *instance);

/* 0 and the runtime's end of the pipe, or -errno. */
int instance_open_output(struct instance *instance, int *runtimes);

/* Reads what is there; false at its end. With `all` it goes on although the log is congested. */
bool instance_take_output(struct instance *instance, bool all);
void instance_take_all_output(struct instance *instance); /* of a process that is gone */
