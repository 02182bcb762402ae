/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The runtime protocol's codec: bytes to frames and back, no I/O. The contract for those who write
 * runtimes is runtimes/README.md. A frame is a header of 16 bytes, little-endian, and a payload:
 *
 *	u32 length of the payload   u8 type   u8 flags   u16 zero   u64 call (0: the instance itself)
 *
 * Everything a runtime sends is untrusted: a decoder never reads past what it was given, never
 * allocates on a peer's word, and says -EPROTO for whatever the contract does not allow.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define PROTOCOL_HEADER_SIZE 16
#define PROTOCOL_PAYLOAD_MAX (8u << 20)

enum frame_type {
	/* daemon to runtime */
	FRAME_INIT = 1, /* JSON: handler, initializer, environment ...; once, first */
	FRAME_CALL = 2, /* u16 length of the head, head, event */
	FRAME_CANCEL = 3,
	FRAME_STOP = 4, /* finish what runs, then exit */
	/* runtime to daemon */
	FRAME_READY = 16,  /* loaded and initialised; once */
	FRAME_FAILED = 17, /* error JSON: it does not load or initialise; then exits */
	FRAME_DATA = 18,   /* a piece of the response, in order */
	FRAME_END = 19,    /* the last piece, possibly empty: the call succeeded */
	FRAME_ERROR = 20,  /* error JSON: the call failed; one FRAME_ERROR_* in flags */
	FRAME_LOG = 21,    /* u8 enum log_level, text: one log record of this call */
};

enum {
	FRAME_ERROR_BAD_REQUEST = 1, /* the event is not what the runtime takes; code was not run */
	FRAME_ERROR_TOO_LARGE = 2,   /* the response exceeds the limit */
	FRAME_ERROR_LAST = 3,        /* the process ends with it, and takes no more calls */
};

struct frame {
	uint8_t type;
	uint8_t flags;
	uint64_t call;
	const char *payload; /* borrowed from the input */
	size_t length;
};

/*
 * Decodes one frame from the front of `data`. Returns the bytes it took, 0 when more are needed (then
 * *missing says how many at least), or -EPROTO. Only frames of the given direction are allowed.
 */
enum protocol_direction { PROTOCOL_TO_RUNTIME, PROTOCOL_FROM_RUNTIME };
long protocol_decode(enum protocol_direction direction, const char *data, size_t length,
        struct frame *frame, size_t *missing);

/* Appends header and payload. */
void protocol_encode(struct buf *out, uint8_t type, uint8_t flags, uint64_t call,
        const void *payload, size_t length);

/* Writes only the header, for writev. */
void protocol_encode_header(char header[PROTOCOL_HEADER_SIZE], uint8_t type, uint8_t flags,
        uint64_t call, size_t length);

/* The head of FRAME_CALL: lines, positional, each ended by a newline; more may follow one day. */
struct call_head {
	const char *request_id;
	int64_t deadline_ms; /* Unix time */
	const char *source;  /* "sync", "async", a trigger's name */
	const char *alias;   /* "" = none */
	const char *name;    /* of a queue entry, the idempotency key; "" = none */
};

/* Header of FRAME_CALL, length of head, head: everything before an event of `event_length` bytes. */
void protocol_encode_call(
        struct buf *out, uint64_t call, const struct call_head *head, size_t event_length);
