/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the daemon and fnfs-gateway say to each other: frames over a stream socket, in both directions. A
 * frame is a header of 16 bytes, little-endian, and a payload:
 *
 *	u32 length of the payload   u8 type   u8 flags   u16 zero   u64 call (0: the gateway itself)
 *
 * Any number of calls are under way at once; the gateway gives each a number, counting up, and never
 * uses one again. What is long comes in pieces, so that calls take turns. No I/O here: bytes to frames
 * and back. Neither side believes the other: what is not allowed is -EPROTO.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define WIRE_HEADER_SIZE 16
#define WIRE_PAYLOAD_MAX (64u << 10)

enum wire_type {
	/* gateway to daemon */
	WIRE_ASK = 1, /* fields (fields.h): a call begins */
	WIRE_BODY,    /* a piece of its event */
	WIRE_DONE,    /* the event is complete */
	WIRE_LEAVE,   /* nobody waits for the answer any more */
	WIRE_READY,   /* it listens */
	WIRE_NOTE,    /* a sentence for the daemon's log */
	/* daemon to gateway */
	WIRE_SETUP = 16, /* fields, and the descriptors it listens on; once, first */
	WIRE_BEGIN,      /* fields: who answers; before the first piece, if there is any */
	WIRE_DATA,       /* a piece of the response */
	WIRE_TROUBLE,    /* a piece of the error's body; what came as data until then is void */
	WIRE_END,        /* fields: how it ended; the call's number is over */
	WIRE_STOP,       /* take nothing new, finish what runs, exit */
};

struct wire_frame {
	uint8_t type;
	uint64_t call;
	const char *payload; /* borrowed from the input */
	size_t length;
};

enum wire_direction { WIRE_TO_DAEMON, WIRE_TO_GATEWAY };

/* One frame from the front of `data`: the bytes it took, 0: more are needed, or -EPROTO. */
long wire_decode(
        enum wire_direction direction, const char *data, size_t length, struct wire_frame *frame);

/* Appends header and payload. */
void wire_encode(struct buf *out, uint8_t type, uint64_t call, const void *payload, size_t length);

/* The same in as many frames as it takes; none for nothing. */
void wire_encode_pieces(
        struct buf *out, uint8_t type, uint64_t call, const char *data, size_t length);
