/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A thread that compresses closed segments of all logbooks, one after the other, when nobody else wants a
 * processor: it is of the kernel's idle class. It is given open descriptors and knows no names, so that nobody ever has
 * to wait for it: what is not wanted any more is cancelled and left to it.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"

struct archivist;

/* The archivist's from archivist_add() until `done`. Set `canceled` and it ends soon, with -ECANCELED. */
struct archivist_job {
	struct list link;
	int64_t size; /* bytes of text */
	int64_t modified_us;
	int from, to; /* plain text, and an empty file: opened by `begin` */
	atomic_bool canceled;
	int result; /* 0, -ECANCELED, or a failure, which was logged */
	/* On the loop, when it is this job's turn, unless it was cancelled. 0 or -errno. */
	int (*begin)(struct archivist_job *job);
	void (*done)(struct archivist_job *job); /* on the loop, in every case */
};

/* The thread begins with the first job. The loop runs on while there are jobs. 0 or -errno. */
int archivist_new(struct archivist **out, uv_loop_t *loop);

/* No job may be left that was not cancelled. The loop must run once more. */
struct archivist *archivist_free(struct archivist *archivist);

void archivist_add(struct archivist *archivist, struct archivist_job *job);
