/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * `files` of a package becomes its next version; as with functions (engine/publish.h) whoever asked may leave, and
 * who asks again gets what came of it. Internal to engine/; its face is in engine/packages.h.
 */
#include "base/buf.h"

struct package_state;

/* The package goes or the daemon ends: all that wait hear of it, and the work is stopped. */
void package_publishes_cancel(struct package_state *owner, int error, const char *why);
void package_publishes_show(const struct package_state *owner, struct buf *out);
