/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is kept of calls: the log lines that frame them, what the code prints, the metrics and the flight
 * recorder. It listens to a function's pool and works behind the reply, in memory.
 */
#include "base/buf.h"

struct function_state;
struct invocation;
struct pool_events;

extern const struct pool_events account_events; /* userdata: struct function_state */

/* The invocation was accepted; its request is still whole. */
void account_accepted(struct function_state *state, struct invocation *invocation);

/* It was refused before it became an invocation. */
void account_rejected(struct function_state *state);
