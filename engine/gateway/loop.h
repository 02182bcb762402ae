/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The gateway waits for descriptors and for nothing else; this is all it needs of a loop. A source is
 * embedded in whoever owns the descriptor and may be dropped at any time, also by another source.
 */
#include <stdbool.h>
#include <stdint.h>

enum { LOOP_BATCH = 256 };

struct source {
	int fd; /* -1: not watched */
	void (*ready)(struct source *source, uint32_t events);
};

struct loop {
	int epoll;
	struct source *batch[LOOP_BATCH]; /* ready, not told yet; NULL: dropped meanwhile */
	int batch_count;
};

int loop_init(struct loop *loop); /* 0 or -errno */
void loop_deinit(struct loop *loop);

/* 0 or -errno. Again for a source that is watched: other events. */
int loop_watch(struct loop *loop, struct source *source, int fd, uint32_t events);
void loop_drop(struct loop *loop, struct source *source); /* harmless twice */

/* Waits at most so long (-1: for ever) and tells all that is ready. */
void loop_turn(struct loop *loop, int timeout_ms);

int64_t loop_now_ms(void);
