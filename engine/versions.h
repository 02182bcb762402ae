/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What follows when versions and aliases change: told by the model, through engine.c. Internal to engine/. */

struct alias;
struct engine;
struct function;
struct version;

void version_was_created(struct engine *engine, struct version *version);
void version_was_configured(struct engine *engine, struct version *version);
void version_was_removed(struct engine *engine, struct version *version); /* or a draft */
void versions_were_routed(struct engine *engine, struct function *function);
void alias_was_removed(struct engine *engine, struct alias *alias);
void version_wake(
        struct engine *engine, struct version *version); /* builds, starts what is reserved */
