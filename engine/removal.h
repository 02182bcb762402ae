/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Directories of removed functions are emptied by a worker thread: renamed to STATE/trash at once, so
 * that a crash half-way leaves nothing that looks alive. What an earlier daemon left there goes too.
 */
#include <stdint.h>
#include <uv.h>

struct removal {
	uv_loop_t *loop;
	int state_fd; /* borrowed */
	uint64_t last;
};

void removal_init(struct removal *removal, uv_loop_t *loop, int state_fd);
void removal_begin(struct removal *removal, uint64_t function_id);

/* Removes directories in functions/ for which `exists` says no: of functions removed in a crash. */
void removal_sweep(
        struct removal *removal, int (*exists)(void *userdata, uint64_t id), void *userdata);
