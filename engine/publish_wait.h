/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What publishing functions and publishing packages have in common: those who wait for it, and what is
 * stored of a snapshot. Internal to engine/.
 */
#include "base/list.h"
#include "engine/engine.h"
#include "store/store.h"

struct snapshot_summary;

/* One more in the list. 0 or -ENOMEM. */
int publish_wait_join(
        struct list *waits, publish_done_fn done, void *userdata, struct publish_wait **out);

/* All of them, once. */
void publish_waits_tell(struct list *waits, int status, uint64_t version, const char *why);

struct store_snapshot publish_snapshot(const struct snapshot_summary *summary);
