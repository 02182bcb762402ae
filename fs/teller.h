/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the kernel is told while it may wait for answers of ours (fuse_lowlevel_notify_...): never from the loop,
 * which answers, and never from a thread of libuv's pool, which reads and writes what is asked for: as many
 * notifications as it has threads would wait for requests that wait for a thread. So it has one of its own, and one
 * is told after the other.
 */
#include <stdbool.h>
#include <uv.h>

#include "base/list.h"

struct teller;

struct telling {
	struct list link;
	void (*tell)(struct telling *telling); /* on the thread */
	void (*told)(struct telling *telling); /* on the loop, afterwards */
};

int teller_new(struct teller **out, uv_loop_t *loop);
int teller_add(
        struct teller *teller, struct telling *telling); /* 0, or -errno and nothing happens */
bool teller_idle(const struct teller *teller);           /* all is told */
struct teller *teller_free(struct teller *teller);       /* while idle */
