/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The directory: whether it may be watched, and what in it counts. */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct place {
	char *path;
	char *glob; /* NULL: all names */
	uint64_t state_device,
	        state_inode; /* the daemon's directory: neither it nor what is in it */
	int fd;
};

/* The words of the job, from descriptor 0. 0, or -errno. */
int place_read(struct place *place, int input);

/* Opens it and looks. 0; 1: it cannot be now, with a sentence; -errno: it never may, with one. */
int place_open(struct place *place, struct buf *why);
void place_close(struct place *place);

/* Whether the path still leads to the directory that is open. */
bool place_stands(const struct place *place);

/* By the glob; what begins with a dot only when the glob does. */
bool place_wants(const struct place *place, const char *name);
