/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A snapshot being taken: what the loop's part (snapshot_take.c) and the worker's
 * (snapshot_work.c) share.
 */
#include <uv.h>

#include "base/list.h"
#include "store/snapshot.h"
#include "store/snapshot_writer.h"
#include "store/worktree.h"

struct snapshot_pins {
	struct blob_batch **batches;
	size_t count;
};

struct snapshot_taking {
	struct list link;      /* tree->takings */
	struct worktree *tree; /* counted; NULL: of `directory` */
	int directory;
	uv_loop_t *loop;
	struct blobs *blobs;
	snapshot_done_fn done;
	void *userdata;
	uv_work_t work;
	unsigned round;
	int status;
	bool unchanged; /* nothing but the base is needed */
	atomic_bool canceled;
	struct snapshot_counts counts;

	/* Of this round. */
	struct checkout_request *request;
	struct checkout *checkout; /* held */
	struct marks marks;        /* a clone: what is to be looked at */
	uint64_t *drafts;
	struct snapshot_writer writer;

	struct snapshot_pins *pins;
	struct snapshot_summary summary;
};

/*
 * Writes and makes durable, or says again what has failed already. Status and summary are filled
 * in.
 */
void taking_work(uv_work_t *work);
