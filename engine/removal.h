/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Directories of removed functions and packages, and of fetches that ended, are emptied by a worker thread:
 * renamed to STATE/trash at once, so that a crash half-way leaves nothing that looks alive. What an earlier
 * daemon left there goes too.
 */
#include <stdint.h>
#include <uv.h>

struct removal {
	uv_loop_t *loop;
	int state_fd; /* borrowed */
	uint64_t last;
};

void removal_init(struct removal *removal, uv_loop_t *loop, int state_fd);

/* STATE/place/id, as "functions" and the function's. */
void removal_begin(struct removal *removal, const char *place, uint64_t id);

/* Removes directories in `place` for which `exists` says no: of what was removed in a crash. */
void removal_sweep(struct removal *removal, const char *place,
        int (*exists)(void *userdata, uint64_t id), void *userdata);

/* What an earlier daemon left in the trash; before anything else is put there. */
void removal_resume(struct removal *removal);
