/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/frame.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"

static const struct shape {
	bool defined;
	enum wire_direction direction;
	bool of_call;
	size_t least, most; /* bytes of payload */
} shapes[] = {
        [WIRE_ASK] = {true, WIRE_TO_DAEMON, true, 1, WIRE_PAYLOAD_MAX},
        [WIRE_BODY] = {true, WIRE_TO_DAEMON, true, 1, WIRE_PAYLOAD_MAX},
        [WIRE_DONE] = {true, WIRE_TO_DAEMON, true, 0, 0},
        [WIRE_LEAVE] = {true, WIRE_TO_DAEMON, true, 0, 0},
        [WIRE_READY] = {true, WIRE_TO_DAEMON, false, 0, 0},
        [WIRE_NOTE] = {true, WIRE_TO_DAEMON, false, 1, 1024},
        [WIRE_SETUP] = {true, WIRE_TO_GATEWAY, false, 1, WIRE_PAYLOAD_MAX},
        [WIRE_BEGIN] = {true, WIRE_TO_GATEWAY, true, 1, WIRE_PAYLOAD_MAX},
        [WIRE_DATA] = {true, WIRE_TO_GATEWAY, true, 1, WIRE_PAYLOAD_MAX},
        [WIRE_TROUBLE] = {true, WIRE_TO_GATEWAY, true, 1, WIRE_PAYLOAD_MAX},
        [WIRE_END] = {true, WIRE_TO_GATEWAY, true, 1, WIRE_PAYLOAD_MAX},
        [WIRE_STOP] = {true, WIRE_TO_GATEWAY, false, 0, 0},
};

static uint64_t get(const char *bytes, int width)
{
	uint64_t value = 0;

	while (width--)
		value = value << 8 | (uint8_t)bytes[width];
	return value;
}

static void put(char *bytes, uint64_t value, int width)
{
	for (int i = 0; i < width; i++, value >>= 8)
		bytes[i] = (char)(value & 0xff);
}

static bool header_allowed(
        enum wire_direction direction, const struct wire_frame *frame, uint64_t reserved)
{
	const struct shape *shape;

	if (frame->type >= ARRAY_SIZE(shapes))
		return false;
	shape = &shapes[frame->type];
	return shape->defined && shape->direction == direction && !reserved &&
	       shape->of_call == (frame->call != 0) && frame->length >= shape->least &&
	       frame->length <= shape->most;
}

long wire_decode(
        enum wire_direction direction, const char *data, size_t length, struct wire_frame *frame)
{
	size_t whole;

	if (length < WIRE_HEADER_SIZE)
		return 0;
	frame->length = (size_t)get(data, 4);
	frame->type = (uint8_t)data[4];
	frame->call = get(data + 8, 8);
	if (!header_allowed(direction, frame, get(data + 5, 3)))
		return -EPROTO;
	whole = WIRE_HEADER_SIZE + frame->length;
	if (length < whole)
		return 0;
	frame->payload = data + WIRE_HEADER_SIZE;
	return (long)whole;
}

void wire_encode(struct buf *out, uint8_t type, uint64_t call, const void *payload, size_t length)
{
	char *place = buf_reserve(out, WIRE_HEADER_SIZE + length);

	assert(length <= WIRE_PAYLOAD_MAX);
	if (!place)
		return;
	put(place, length, 4);
	put(place + 4, type, 1);
	put(place + 5, 0, 3);
	put(place + 8, call, 8);
	if (length)
		memcpy(place + WIRE_HEADER_SIZE, payload, length);
	buf_added(out, WIRE_HEADER_SIZE + length);
}

void wire_encode_pieces(
        struct buf *out, uint8_t type, uint64_t call, const char *data, size_t length)
{
	while (length) {
		size_t piece = length < WIRE_PAYLOAD_MAX ? length : WIRE_PAYLOAD_MAX;

		wire_encode(out, type, call, data, piece);
		data += piece;
		length -= piece;
	}
}
