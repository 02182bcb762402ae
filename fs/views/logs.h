/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* functions/NAME/logs/: the segments of its log, the newest one, and what comes. */
#include "fs/behaviours/follow.h"
#include "fs/view.h"

extern const struct each segments_each;
extern const struct tail segment_tail;
extern const struct follow log_follow;
extern const struct tail build_tail;

bool log_was_built(const struct subject *subject);
int log_show_current(const struct subject *subject, struct buf *out);
