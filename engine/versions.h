/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What follows when versions and aliases change: told by the model, through engine.c. Internal to engine/. */

struct alias;
struct engine;
struct function;
struct version;

void versions_configured(struct engine *engine, struct version *version);
void versions_removed(struct engine *engine, struct version *version); /* or a draft */
void versions_routed(struct engine *engine, struct function *function);
void versions_alias_removed(struct engine *engine, struct alias *alias);
void versions_wake(struct engine *engine, struct function *function); /* starts what is reserved */
