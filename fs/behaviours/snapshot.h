/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What was published, read from the store without being unpacked: `code/` of a version, and a package's version. Nothing in it can
 * change (EROFS). Removing is accepted and has no effect, for what the platform put there goes with the
 * version; while an alias uses that it is EBUSY. Nodes inside have numbers that are given out here.
 */
#include "base/map.h"

struct fs;

struct snapshots {
	struct map nodes; /* number -> struct seen */
	uint64_t last_number;
	char *buffer; /* of reads: they are answered before the next one begins */
};

int snapshots_new(struct snapshots **out);
struct snapshots *snapshots_free(struct snapshots *snapshots);
