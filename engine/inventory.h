/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What refers to what, as the store has it: every snapshot with what it is of ("hello, version
 * 1.0.0"), and every reference that leads nowhere. Read on the loop, where it takes a moment; then
 * checked against the blobs on any thread, where it takes as long as all of it takes to be read.
 * Internal to engine/.
 */
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"

struct blobs;
struct store;

struct inventory {
	struct list snapshots; /* struct inventory_snapshot, in inventory.c */
	uint64_t versions;     /* of functions and of packages */
	struct buf broken;     /* sentences, a line each */
};

/* Of one function alone, or of all (0). 0, -ENOMEM, -EIO. Deinit in any case. */
int inventory_read(struct inventory *inventory, struct store *store, uint64_t function);
void inventory_deinit(struct inventory *inventory);

/*
 * Says a line for each thing that is wrong, and `N blobs, M versions, K problems` at last.
 * `everything`: all blobs there are, whoever refers to them; else those of the snapshots. Of very
 * many sentences only the first are said. 0, or -ENOMEM, -ECANCELED (blobs_check_stop): it was not
 * finished.
 */
typedef void (*inventory_said_fn)(void *userdata, const char *line, size_t length);
int inventory_check(const struct inventory *inventory, struct blobs *blobs, bool everything,
        inventory_said_fn said, void *userdata, uint64_t *problems);
