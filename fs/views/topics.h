/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* topics/: where applications publish events, for triggers that subscribe. */
#include "fs/view.h"

struct follow;

extern const struct each topics_each;
extern const struct follow topic_events_follow;

int topic_show_subscribers_text(const struct subject *subject, struct buf *out);
int topic_show_count(const struct subject *subject, struct buf *out);
int topic_show_status_text(const struct subject *subject, struct buf *out);
