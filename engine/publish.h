/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Publishing: `latest` as it is now becomes a version. It takes what the tree takes to reach the disk, on
 * worker threads; whoever asked waits for that, and may leave: the publishing goes on, and who asks for
 * the same name again gets what came of it. Internal to engine/; its face is in engine/engine.h.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "run/alarm.h"

struct function;
struct function_state;
struct image_request;
struct snapshot_taking;
struct version;

struct publish {
	struct list link; /* owner->publishes */
	struct function_state *owner;
	struct version *draft; /* NULL: it was removed with its function */
	struct snapshot_taking *taking;
	struct image_request *pinning; /* what the name of its image stands for is found out */
	bool starting;                 /* it is being asked for */
	bool pinned;                   /* it was, or need not be */
	struct alarm settling;         /* an editor or git is in the middle of something */
	struct list waits;             /* struct publish_wait */
};

/* The function goes or the daemon ends: all that wait hear of it, and the work is stopped. */
void publishes_cancel(struct function_state *owner);

/* The function is about to be removed: what nobody was told of does not keep it. */
void publishes_drop_unclaimed(struct function *function, struct buf *why);

/* A draft is gone. */
void publish_forget(struct function_state *owner, const struct version *draft);

/* Lines of status: `publishing NAME: 120 of 400 files, 1234 of 5678 bytes`. */
void publishes_show(const struct function_state *owner, struct buf *out);
