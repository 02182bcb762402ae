/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Triggers and their sources (events/sources.h) as parts of the engine. Internal to engine/. */
#include <uv.h>

struct engine;

int triggers_open(struct engine *engine);                 /* after the functions */
int sources_open(struct engine *engine, uv_loop_t *loop); /* after the queue */
