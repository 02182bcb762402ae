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
	struct buf built; /* of what was built, too, and can be built again */
	bool works;
	bool marks;  /* this time; else it only merges */
	bool merges; /* for merging is due */
	bool futile; /* the last time failed, or changed nothing although merging was due */
	bool closed;
	int64_t garbage_us;    /* there is some, to be collected then; 0: none */
	int64_t took_us;       /* the last marking and sweeping */
	int64_t not_before_us; /* it was futile */
};

void collection_init(struct collection *collection, struct engine *engine);
/* Soon, not at once: removals come in crowds. */
void collection_wanted(struct collection *collection);
/* The daemon begins: what was removed or half published before it is collected in a quiet minute. */
void collection_resume(struct collection *collection);
/* A publish is done: perhaps merging is due. */
void collection_merge(struct collection *collection);
/* Another had the sweeping to itself, and is done: what was put off meanwhile is due. */
void collection_retry(struct collection *collection);
/* No more; what works ends early. Then the loop turns until it is idle. */
void collection_stop(struct collection *collection);
bool collection_idle(const struct collection *collection);
