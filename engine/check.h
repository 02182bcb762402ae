/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Checking what was published while the daemon works, on a worker thread: `.fsck`. No garbage is
 * collected meanwhile, so one check at a time; others wait for their turn. Internal to engine/;
 * its face is in engine/engine.h.
 */
#include <stdbool.h>

#include "base/list.h"

struct engine;

/*
 * The daemon ends: those who listen hear that it is over. Then the loop turns until all are gone.
 */
void checks_stop(struct engine *engine);
bool checks_idle(const struct engine *engine);
