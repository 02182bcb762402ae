/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is kept of calls: the log lines that frame them, what the code prints, the metrics and the flight
 * recorder. It listens to the pools of a function's targets and works behind the reply, in memory.
 */
#include "base/buf.h"

struct alias;
struct invocation;
struct invocation_options;
struct pool_events;
struct target;

extern const struct pool_events account_events; /* userdata: struct target */

/* The invocation was accepted, by an alias or (NULL) directly; its request is still whole. */
void account_accepted(struct target *target, struct invocation *invocation,
        const struct invocation_options *options);

/* It was refused before it became an invocation. */
void account_rejected(struct target *target, struct alias *alias);
