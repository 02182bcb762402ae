/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The engine as host of the queues (events/queue_host.h): what a target allows, and how its calls are made. */
#include <uv.h>

#include "base/buf.h"
#include "events/queue.h"

struct engine;
struct function;
struct metrics;

int queue_calls_open(struct engine *engine, uv_loop_t *loop);

/* -ENOTEMPTY and a sentence while calls wait in the function's own queue. */
int queue_calls_check_empty(
        struct engine *engine, const struct function *function, struct buf *why);

/* Depth and age of the queues as metrics: of one target, or of all functions. */
void queue_calls_measure_target(
        struct engine *engine, const struct queue_target *target, struct metrics *metrics);
void queue_calls_measure(struct engine *engine);
void queue_calls_show(struct engine *engine, struct buf *out); /* lines of the root's status */
