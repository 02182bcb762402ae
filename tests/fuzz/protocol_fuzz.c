/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds the decoder what a runtime might send, in pieces of any size, and checks what its users rely on:
 * a frame lies within the input, progress is made, `missing` asks for nothing beyond one frame, what it
 * refuses it refuses however the bytes came, and what it takes can be encoded to the same bytes again.
 */
#include "run/protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"

#define HOLDS(condition) \
	do { \
		if (!(condition)) \
			abort(); \
	} while (0)

static void check_frame(const struct frame *frame, const char *start, size_t taken)
{
	CLEANUP(buf_deinit) struct buf again = BUF_INIT;

	HOLDS(frame->payload == start + PROTOCOL_HEADER_SIZE);
	HOLDS(taken == PROTOCOL_HEADER_SIZE + frame->length);
	protocol_encode(
	        &again, frame->type, frame->flags, frame->call, frame->payload, frame->length);
	HOLDS(again.length == taken && memcmp(again.data, start, taken) == 0);
}

/* Takes the input in pieces of `step` bytes; how far it came, or -EPROTO. */
static long decode_all(
        enum protocol_direction direction, const char *data, size_t size, size_t step)
{
	size_t from = 0, have = 0, missing;

	for (;;) {
		/* a copy of exactly what there is, so that a read beyond it is caught */
		size_t length = have - from;
		CLEANUP(free_p) char *piece = malloc(length ? length : 1);
		struct frame frame;
		long taken;

		HOLDS(piece);
		if (length)
			memcpy(piece, data + from, length);
		taken = protocol_decode(direction, piece, length, &frame, &missing);
		HOLDS(taken >= 0 || taken == -EPROTO);
		if (taken < 0)
			return taken;
		if (taken > 0) {
			HOLDS((size_t)taken <= length && !missing);
			check_frame(&frame, piece, (size_t)taken);
			from += (size_t)taken;
			continue;
		}
		HOLDS(missing > 0 && missing <= PROTOCOL_HEADER_SIZE + PROTOCOL_PAYLOAD_MAX);
		if (have == size)
			return (long)from;
		have = size - have < step ? size : have + step;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum protocol_direction direction = size && data[0] & 1;
	size_t step = size > 1 ? data[1] % 64 + 1 : 1;
	const char *rest = (const char *)data + (size < 2 ? size : 2);
	size_t length = size < 2 ? 0 : size - 2;
	long whole = decode_all(direction, rest, length, length ? length : 1);

	HOLDS(decode_all(direction, rest, length, step) == whole);
	return 0;
}

/* The direction, the size of the pieces, then frames of a runtime. */
void fuzz_sample(struct buf *out)
{
	buf_append(out, "\1\20", 2);
	protocol_encode(out, FRAME_READY, 0, 0, NULL, 0);
	protocol_encode(out, FRAME_LOG, 0, 1, "\1a line", 7);
	protocol_encode(out, FRAME_DATA, 0, 1, "a piece", 7);
	protocol_encode(out, FRAME_END, 0, 1, "the rest", 8);
	protocol_encode(out, FRAME_ERROR, FRAME_ERROR_TOO_LARGE, 2, "{}", 2);
	protocol_encode(out, FRAME_FAILED, 0, 0, "{\"errorType\":\"x\"}", 17);
}
