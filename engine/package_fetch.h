/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An archive becomes a version: fnfs-fetch gets and unpacks it, with the rights of whoever asked, into an
 * empty directory, which then is published and thrown away. A few at a time in all, one at a time for each
 * package: a newer one cancels the one before it. Internal to engine/.
 */
#include <stdint.h>

#include "base/buf.h"
#include "base/caller.h"
#include "base/list.h"

struct engine;
struct package_fetch;
struct package_state;

struct package_fetches {
	struct list waiting; /* struct package_fetch */
	unsigned running;
	uint64_t last; /* number of the last directory, STATE/fetches/NUMBER */
};

/* What is to be fetched: `source` as it was written, or the archive, which is taken over. */
struct package_fetch_order {
	const char *source;
	int archive; /* -1: fetch the source */
	struct caller caller;
	gid_t *groups; /* taken over */
	size_t group_count;
	bool again; /* perhaps an earlier daemon did it already: then it is not done twice */
};

/* The order's belongings are taken over in any case. */
int package_fetch_begin(
        struct package_state *owner, struct package_fetch_order *order, struct buf *why);

/* All of the package's, soon. */
void package_fetch_cancel(struct package_state *owner);

/* Lines of status while one is under way; `state` is the first. */
void package_fetch_show(const struct package_fetch *fetch, struct buf *out);
