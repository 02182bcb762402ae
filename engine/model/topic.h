/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A topic: a name in topics/ under which events are published to whatever triggers subscribe to it. While
 * one does it cannot be removed; renamed, it takes its subscribers along. Loop thread only.
 */
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/caller.h"
#include "base/list.h"

struct triggers;

struct topic {
	uint64_t id;
	char *name;
	uid_t uid;
	gid_t gid;
	int64_t created_us;  /* wall time */
	uint64_t published;  /* events so far */
	uint64_t stored;     /* as the store has it */
	struct list sources; /* struct trigger_source.topic_link, in the order they came */
	struct triggers *triggers;
	void *runtime_state; /* belongs to the layers above; NULL at first */
};

/* The name rule, at most 63; -EEXIST; the store's. */
int topic_create(struct triggers *triggers, const char *name, const struct caller *owner,
        struct topic **out, struct buf *why);
int topic_rename(struct topic *topic, const char *name, struct buf *why);
int topic_own(struct topic *topic, uid_t uid, gid_t gid);
int topic_check_unused(const struct topic *topic, struct buf *why); /* 0 or -EBUSY */
int topic_remove(struct topic *topic, struct buf *why);             /* checks that first */
int topic_store_count(struct topic *topic); /* when it differs from what is stored */

struct topic *topics_get(const struct triggers *triggers, uint64_t id);
struct topic *topics_find(const struct triggers *triggers, const char *name);
struct topic *topics_next(const struct triggers *triggers, uint64_t after_id); /* by id */
