/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each type of frame may look like is one row of a table, and everything else is -EPROTO: a new
 * type is a new row. A header is judged as soon as it is whole, so that a peer which announces 4 GiB
 * is refused before anybody waits for them.
 *
 * Numbers are little-endian on the wire and taken apart byte by byte, which is the same on every
 * machine and needs no alignment.
 */
#include "run/protocol.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"

enum call_rule { CALL_NONE, CALL_ONE, CALL_EITHER };

static const struct shape {
	bool defined;
	enum protocol_direction direction;
	enum call_rule call;
	uint8_t flags_max;
	size_t least, most; /* bytes of payload */
} shapes[] = {
        [FRAME_INIT] = {true, PROTOCOL_TO_RUNTIME, CALL_NONE, 0, 2, PROTOCOL_PAYLOAD_MAX},
        [FRAME_CALL] = {true, PROTOCOL_TO_RUNTIME, CALL_ONE, 0, 2, PROTOCOL_PAYLOAD_MAX},
        [FRAME_CANCEL] = {true, PROTOCOL_TO_RUNTIME, CALL_ONE, 0, 0, 0},
        [FRAME_STOP] = {true, PROTOCOL_TO_RUNTIME, CALL_NONE, 0, 0, 0},
        [FRAME_READY] = {true, PROTOCOL_FROM_RUNTIME, CALL_NONE, 0, 0, 0},
        [FRAME_FAILED] = {true, PROTOCOL_FROM_RUNTIME, CALL_NONE, 0, 0, PROTOCOL_PAYLOAD_MAX},
        [FRAME_DATA] = {true, PROTOCOL_FROM_RUNTIME, CALL_ONE, 0, 0, PROTOCOL_PAYLOAD_MAX},
        [FRAME_END] = {true, PROTOCOL_FROM_RUNTIME, CALL_ONE, 0, 0, PROTOCOL_PAYLOAD_MAX},
        [FRAME_ERROR] = {true, PROTOCOL_FROM_RUNTIME, CALL_ONE, FRAME_ERROR_LAST, 0,
                PROTOCOL_PAYLOAD_MAX},
        [FRAME_LOG] = {true, PROTOCOL_FROM_RUNTIME, CALL_EITHER, 0, 1, PROTOCOL_PAYLOAD_MAX},
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
        enum protocol_direction direction, const struct frame *frame, uint64_t reserved)
{
	const struct shape *shape;

	if (frame->type >= ARRAY_SIZE(shapes))
		return false;
	shape = &shapes[frame->type];
	if (!shape->defined || shape->direction != direction)
		return false;
	if (reserved || frame->flags > shape->flags_max)
		return false;
	if (frame->length < shape->least || frame->length > shape->most)
		return false;
	return shape->call == CALL_EITHER || (shape->call == CALL_ONE) == (frame->call != 0);
}

/* What only the payload can tell. */
static bool payload_allowed(const struct frame *frame)
{
	if (frame->type == FRAME_CALL)
		return get(frame->payload, 2) <= frame->length - 2;
	if (frame->type == FRAME_LOG)
		return (uint8_t)frame->payload[0] <= LOG_ERROR;
	return true;
}

long protocol_decode(enum protocol_direction direction, const char *data, size_t length,
        struct frame *frame, size_t *missing)
{
	size_t whole;

	*missing = 0;
	if (length < PROTOCOL_HEADER_SIZE) {
		*missing = PROTOCOL_HEADER_SIZE - length;
		return 0;
	}
	frame->length = (size_t)get(data, 4);
	frame->type = (uint8_t)data[4];
	frame->flags = (uint8_t)data[5];
	frame->call = get(data + 8, 8);
	if (!header_allowed(direction, frame, get(data + 6, 2)))
		return -EPROTO;
	whole = PROTOCOL_HEADER_SIZE + frame->length;
	if (length < whole) {
		*missing = whole - length;
		return 0;
	}
	frame->payload = data + PROTOCOL_HEADER_SIZE;
	return payload_allowed(frame) ? (long)whole : -EPROTO;
}

void protocol_encode_header(char header[PROTOCOL_HEADER_SIZE], uint8_t type, uint8_t flags,
        uint64_t call, size_t length)
{
	assert(length <= PROTOCOL_PAYLOAD_MAX);
	put(header, length, 4);
	put(header + 4, type, 1);
	put(header + 5, flags, 1);
	put(header + 6, 0, 2);
	put(header + 8, call, 8);
}

void protocol_encode(struct buf *out, uint8_t type, uint8_t flags, uint64_t call,
        const void *payload, size_t length)
{
	char *place = buf_reserve(out, PROTOCOL_HEADER_SIZE + length);

	if (!place)
		return;
	protocol_encode_header(place, type, flags, call, length);
	if (length)
		memcpy(place + PROTOCOL_HEADER_SIZE, payload, length);
	buf_added(out, PROTOCOL_HEADER_SIZE + length);
}

static void line(struct buf *out, const char *text)
{
	buf_puts(out, text);
	buf_append(out, "\n", 1);
}

void protocol_encode_call(
        struct buf *out, uint64_t call, const struct call_head *head, size_t event_length)
{
	const size_t before = PROTOCOL_HEADER_SIZE + 2, start = out->length;
	size_t size;
	char *place;

	if (!buf_reserve(out, before))
		return;
	buf_added(out, before); /* filled in below, when the size is known */
	line(out, head->request_id);
	buf_number(out, head->deadline_ms, 1);
	line(out, "");
	line(out, head->source);
	line(out, head->alias);
	line(out, head->name);
	if (out->failed)
		return;
	place = out->data + start;
	size = out->length - start - before;
	assert(size <= UINT16_MAX);
	protocol_encode_header(place, FRAME_CALL, 0, call, 2 + size + event_length);
	put(place + PROTOCOL_HEADER_SIZE, size, 2);
}
