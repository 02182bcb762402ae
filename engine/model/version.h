/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A version: what a function was at one moment, under a name. Its snapshot (store/snapshot.h) never changes, nor do
 * its settings and environment, but for min_instances, max_instances, idle_timeout and description.
 *
 * Publishing has two steps, for the tree takes its time to reach the disk: version_begin() reserves the name and takes
 * the settings as they are now; the version is not to be seen yet. version_finish(), when the snapshot is durable,
 * makes it durable and visible. A crash between them leaves nothing. Until then it is a *draft*.
 *
 * A version belongs to its function, and goes with it; the events of functions (model/function.h) tell.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "model/settings.h"
#include "store/store.h"

struct functions;
struct function;

struct version {
	uint64_t id;
	char *name; /* never changes */
	struct function *function;
	struct settings settings;
	struct store_snapshot snapshot;
	int64_t created_us;     /* wall time: when it was begun */
	bool abandoned;         /* a draft the store could not forget yet; nobody sees it */
	bool published;         /* else a draft */
	struct list link;       /* function.drafts */
	void *runtime_state;    /* belongs to the layers above; NULL at first */
	int64_t claim_until_us; /* theirs, too: nobody was told that it is there, and may still ask */
};

/* 1 to 42 letters, digits, `-`, `_`, `.`, with a letter or digit at both ends: else -EINVAL, -ENAMETOOLONG. */
int version_name_check(const char *name, struct buf *why);

/* A name out of rule; -EEXIST (`latest` too); -EALREADY: a draft has it; -ENOSPC, -EIO, -ENOMEM. */
int version_begin(
        struct function *function, const char *name, struct version **out, struct buf *why);
int version_finish(struct version *version, const struct store_snapshot *snapshot, struct buf *why);
void version_abandon(struct version *draft); /* frees it, without an event */

/* Both steps at once. */
int version_create(struct function *function, const char *name,
        const struct store_snapshot *snapshot, struct version **out, struct buf *why);

/* Published ones only. */
struct version *versions_get(struct functions *functions, uint64_t id);
struct version *versions_find(const struct function *function, const char *name);
struct version *versions_next(const struct function *function, uint64_t after_id); /* by id */
struct version *versions_newest(const struct function *function); /* NULL: none yet */
size_t versions_count(const struct function *function);

struct version *version_draft_find(const struct function *function, const char *name);

/* -EBUSY and the alias or trigger that uses it, in a sentence; else 0. */
int version_check_unused(const struct version *version, struct buf *why);
int version_remove(struct version *version, struct buf *why); /* checks that first */
