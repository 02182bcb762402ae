/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What source_watch.c and watch_seen.c share: a watched directory, and what is known of it. */
#include "base/map.h"
#include "events/sources_private.h"
#include "events/watch_value.h"

struct watch_child;

enum { WATCH_SEEN_MOST = 100000, WATCH_STAMP_SIZE = 72 };

struct seen_file {
	char *name; /* escaped */
	char stamp[WATCH_STAMP_SIZE];
	char next[WATCH_STAMP_SIZE]; /* on its way to the queue; "" = it is gone */
	bool sending;
	unsigned round; /* of the scan it was last found by */
};

struct source_watch {
	struct source_state *state;
	uint64_t source; /* its id */
	struct watch_value value;
	struct watch_child *child;
	struct names files; /* struct seen_file by name */
	size_t sending;
	unsigned round;
	bool scanning, watching, refused, closed;
	struct buf set, forget; /* members of JSON arrays: not stored yet */
	struct alarm storing, again;
	int64_t pause_us;
	char why[256];
	uint64_t overflows;
};

/* A file that is known, or is to be; NULL: it is not, or there is no memory. */
struct seen_file *seen_get(struct source_watch *watch, const char *name, bool make);
void seen_drop(struct source_watch *watch, struct seen_file *file);

/* It is in this state from now on, here and soon in the store; "" = gone, and dropped. */
void seen_settle(struct source_watch *watch, struct seen_file *file, const char *stamp);
void seen_store(struct source_watch *watch); /* now */
int seen_load(struct source_watch *watch);   /* 0, -ENOMEM, -EIO */
void seen_deinit(struct source_watch *watch);
