/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One end of the socket between daemon and gateway: what could not be sent yet, what came of an unfinished
 * frame. It belongs to no loop: its owner watches the descriptor and calls when it is ready. Never
 * blocks. What is lost shows when it is read from.
 */
#include <stdbool.h>

#include "wire/frame.h"

struct wire_link {
	int fd;
	enum wire_direction receives;
	struct buf unsent;
	size_t sent; /* of it, already */
	struct buf unfinished;
};

void wire_link_init(struct wire_link *link, int fd, enum wire_direction receives);
void wire_link_deinit(struct wire_link *link); /* closes the descriptor */

/* Keeps frames to be sent: cut into pieces where they are longer than one. Then wire_link_flush(). */
void wire_link_send(struct wire_link *link, enum wire_type type, uint64_t call, const void *payload,
        size_t length);
size_t wire_link_unsent(const struct wire_link *link); /* bytes */

/* Sends what the socket takes: 0: nothing is left, -EAGAIN, -EPIPE, -ENOMEM. */
int wire_link_flush(struct wire_link *link);

/*
 * Takes what has come, a bounded amount at once. 0: all; 1: there may be more; -EPIPE: the other end is
 * gone; -EPROTO: it spoke garbage; -ENOMEM. `frame` returns false to end it: 0 then.
 */
typedef bool (*wire_frame_fn)(void *userdata, const struct wire_frame *frame);
int wire_link_receive(struct wire_link *link, wire_frame_fn frame, void *userdata);
