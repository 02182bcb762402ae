/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Collecting garbage: what no version refers to any more leaves the store of blobs, and small packs are
 * merged. On a worker thread, some time after versions went, and when merging is due. Publishing goes on
 * meanwhile. Internal to engine/.
 */
#include <stdbool.h>
#include <uv.h>

#include "base/buf.h"
#include "run/alarm.h"

struct engine;

struct collection {
	struct alarm due;
	uv_work_t work;
	struct engine *engine;
	struct buf roots; /* struct blob_id, of all versions, while it works */
	bool works;
	bool again; /* wanted anew meanwhile */
	bool closed;
};

void collection_init(struct collection *collection, struct engine *engine);
/* Soon, not at once: removals come in crowds. */
void collection_wanted(struct collection *collection);
/* A publish is done: perhaps merging is due. */
void collection_merge(struct collection *collection);
/* Another had the sweeping to itself, and is done: what was put off meanwhile is due. */
void collection_retry(struct collection *collection);
/* No more; what works ends early. Then the loop turns until it is idle. */
void collection_stop(struct collection *collection);
bool collection_idle(const struct collection *collection);
