/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The bytes to and from one runtime: two descriptors, frames in both directions (run/protocol.h). Sends
 * at once what the descriptor takes and keeps the rest; receives through one buffer shared by all
 * channels of a loop and keeps only what is an unfinished frame.
 */
#include <stdbool.h>
#include <sys/uio.h>
#include <uv.h>

#include "base/buf.h"
#include "run/protocol.h"

struct watch;

struct channel_events {
	/* A frame of the runtime. The receiver may close the channel. */
	void (*frame)(void *userdata, const struct frame *frame);
	/* Nothing will come any more: 0 the runtime closed its end, -EPROTO it spoke garbage, -errno. */
	void (*ended)(void *userdata, int status);
};

struct channel {
	int in;  /* we write: the runtime's descriptor 3 */
	int out; /* we read: the runtime's descriptor 4 */
	struct watch *readable;
	struct watch *writable; /* made when the descriptor is full for the first time */
	bool paused;
	uv_loop_t *loop;
	struct buf unsent;
	struct buf unfinished;
	const struct channel_events *events;
	void *userdata;
};

/*
 * Makes the descriptors of both sides: `channel` keeps its own, *in and *out are the runtime's, to be
 * handed to the launcher and closed. 0 or -errno (EMFILE).
 */
int channel_open(struct channel *channel, uv_loop_t *loop, const struct channel_events *events,
        void *userdata, int *in, int *out);
/*
 * From now on over these, which it takes over, and which do not block. What was sent, and not yet, is forgotten. 0, or -ENOMEM:
 * then it is closed.
 */
int channel_replace(struct channel *channel, int in, int out);
void channel_close(struct channel *channel); /* harmless twice; no event comes after it */

/* 0 or -ENOMEM; a broken pipe shows as the end of the channel. The parts form one frame. */
int channel_send(struct channel *channel, const struct iovec *parts, int count);

/* Reads no more than it has, until it may go on: its runtime waits when the descriptor is full. */
void channel_pause(struct channel *channel, bool pause);

/* Takes what is there right now, for a runtime that was reported as ended; `ended` is not called. */
void channel_drain(struct channel *channel);
