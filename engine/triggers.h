/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Triggers and their sources (events/sources.h) as parts of the engine. Internal to engine/. */
struct engine;
struct engine_options;

int triggers_open(struct engine *engine); /* after the functions */
int sources_open(struct engine *engine, const struct engine_options *options); /* after the queue */
void triggers_close(struct engine *engine); /* after sources_free(), before the functions */
