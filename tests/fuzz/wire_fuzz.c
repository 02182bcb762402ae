/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds the frames between daemon and gateway, and the fields in them, in pieces of any size: what is taken
 * can be made again to the same bytes, lies within the input, and is refused the same way however it came.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "wire/fields.h"
#include "wire/frame.h"

#define HOLDS(condition) \
	do { \
		if (!(condition)) \
			abort(); \
	} while (0)

static void check_fields(const struct wire_frame *frame)
{
	CLEANUP(wire_said_deinit) struct wire_said said;
	CLEANUP(buf_deinit) struct buf again = BUF_INIT;
	const char *place = frame->payload, *end = place + frame->length, *text;
	enum wire_field tag;
	size_t length;
	int r, taken = wire_take(&said, frame->payload, frame->length);

	while ((r = wire_next(&place, end, &tag, &text, &length)) > 0) {
		HOLDS(text >= frame->payload && text + length <= end);
		wire_put_bytes(&again, tag, text, length);
		HOLDS(taken < 0 || said.fields[tag]);
	}
	HOLDS(r == taken);
	if (r == 0)
		HOLDS(again.length == frame->length &&
		        memcmp(again.data, frame->payload, again.length) == 0);
	for (int i = 0; r == 0 && i < 128; i++)
		if (said.fields[i])
			wire_number(&said, i, 0);
}

static void check_frame(const struct wire_frame *frame, const char *start, size_t taken)
{
	CLEANUP(buf_deinit) struct buf again = BUF_INIT;

	HOLDS(frame->payload == start + WIRE_HEADER_SIZE);
	HOLDS(taken == WIRE_HEADER_SIZE + frame->length);
	wire_encode(&again, frame->type, frame->call, frame->payload, frame->length);
	HOLDS(again.length == taken && memcmp(again.data, start, taken) == 0);
	if (frame->type == WIRE_ASK || frame->type == WIRE_END || frame->type == WIRE_SETUP)
		check_fields(frame);
}

static long decode_all(enum wire_direction direction, const char *data, size_t size, size_t step)
{
	size_t from = 0, have = 0;

	for (;;) {
		size_t length = have - from;
		CLEANUP(free_p) char *piece = malloc(length ? length : 1);
		struct wire_frame frame;
		long taken;

		HOLDS(piece);
		if (length)
			memcpy(piece, data + from, length);
		taken = wire_decode(direction, piece, length, &frame);
		HOLDS(taken >= 0 || taken == -EPROTO);
		if (taken < 0)
			return taken;
		if (taken > 0) {
			HOLDS((size_t)taken <= length);
			check_frame(&frame, piece, (size_t)taken);
			from += (size_t)taken;
			continue;
		}
		if (have == size)
			return (long)from;
		have = size - have < step ? size : have + step;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum wire_direction direction = size && data[0] & 1;
	size_t step = size > 1 ? data[1] % 64 + 1 : 1;
	const char *rest = (const char *)data + (size < 2 ? size : 2);
	size_t length = size < 2 ? 0 : size - 2;
	long whole = decode_all(direction, rest, length, length ? length : 1);

	HOLDS(decode_all(direction, rest, length, step) == whole);
	return 0;
}

/* The direction, the size of the pieces, then what a gateway says. */
void fuzz_sample(struct buf *out)
{
	CLEANUP(buf_deinit) struct buf fields = BUF_INIT;

	buf_append(out, "\0\20", 2);
	wire_encode(out, WIRE_READY, 0, NULL, 0);
	wire_put_number(&fields, FIELD_VERB, VERB_INVOKE);
	wire_put(&fields, FIELD_DOOR, "token");
	wire_put(&fields, FIELD_TOKEN, "0123456789abcdef");
	wire_put(&fields, FIELD_FUNCTION, "hello");
	wire_encode(out, WIRE_ASK, 1, fields.data, fields.length);
	wire_encode_pieces(out, WIRE_BODY, 1, "{\"n\":1}", 7);
	wire_encode(out, WIRE_DONE, 1, NULL, 0);
	wire_encode(out, WIRE_LEAVE, 1, NULL, 0);
	wire_encode(out, WIRE_NOTE, 0, "a sentence", 10);
}
