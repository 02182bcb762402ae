/* SPDX-License-Identifier: Apache-2.0 */
#include "run/protocol.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "heap.h"
#include "test.h"

static const struct call_head head = {
        .request_id = "3f2b1c9e-0000-4000-8000-000000000001",
        .deadline_ms = INT64_C(1893456000123),
        .source = "sync",
        .alias = "",
        .name = "",
};

/* A stream of every frame a direction may carry, with payloads of several sizes. */
static void append_all(struct buf *out, enum protocol_direction direction)
{
	char large[5000];

	memset(large, 'x', sizeof(large));
	if (direction == PROTOCOL_TO_RUNTIME) {
		protocol_encode(out, FRAME_INIT, 0, 0, "{}", 2);
		protocol_encode_call(out, 1, &head, 2);
		buf_puts(out, "{}");
		protocol_encode_call(out, UINT64_MAX, &head, sizeof(large));
		buf_append(out, large, sizeof(large));
		protocol_encode(out, FRAME_CANCEL, 0, 1, NULL, 0);
		protocol_encode(out, FRAME_STOP, 0, 0, NULL, 0);
		return;
	}
	protocol_encode(out, FRAME_READY, 0, 0, NULL, 0);
	protocol_encode(out, FRAME_FAILED, 0, 0, "{}", 2);
	protocol_encode(out, FRAME_LOG, 0, 0, "\1started", 8);
	protocol_encode(out, FRAME_LOG, 0, 7, "\3", 1);
	protocol_encode(out, FRAME_DATA, 0, 7, large, sizeof(large));
	protocol_encode(out, FRAME_DATA, 0, 7, NULL, 0);
	protocol_encode(out, FRAME_END, 0, 7, "rest", 4);
	protocol_encode(out, FRAME_ERROR, FRAME_ERROR_TOO_LARGE, 8, "{}", 2);
	protocol_encode(out, FRAME_ERROR, FRAME_ERROR_BAD_REQUEST, 9, NULL, 0);
}

/* What the frames of a stream say, in order, when it arrives in pieces of `step` bytes. */
static void describe(struct buf *out, enum protocol_direction direction, const struct buf *stream,
        size_t first, size_t step)
{
	size_t from = 0, have = first < stream->length ? first : stream->length, missing;
	struct frame frame;

	for (;;) {
		long taken = protocol_decode(
		        direction, stream->data + from, have - from, &frame, &missing);

		REQUIRE(taken >= 0);
		if (taken > 0) {
			buf_printf(out, "%d/%d/%" PRIu64 "/", frame.type, frame.flags, frame.call);
			buf_append(out, frame.payload, frame.length);
			from += (size_t)taken;
			continue;
		}
		REQUIRE(missing > 0);
		if (have == stream->length)
			break;
		CHECK(missing <= stream->length - have);
		have = stream->length - have < step ? stream->length : have + step;
	}
	CHECK_INT(from, stream->length);
}

static void round_trips_in_one_piece(void)
{
	CLEANUP(buf_deinit) struct buf stream = BUF_INIT;
	struct frame frame;
	size_t missing;
	long taken;

	protocol_encode(&stream, FRAME_ERROR, 2, UINT64_C(0x0102030405060708), "abc", 3);
	REQUIRE(stream.length == 19);
	CHECK(memcmp(stream.data, "\3\0\0\0\x14\2\0\0\10\7\6\5\4\3\2\1abc", 19) == 0);
	taken = protocol_decode(
	        PROTOCOL_FROM_RUNTIME, stream.data, stream.length, &frame, &missing);
	CHECK_INT(taken, 19);
	CHECK_INT(missing, 0);
	CHECK_INT(frame.type, FRAME_ERROR);
	CHECK_INT(frame.flags, 2);
	CHECK(frame.call == UINT64_C(0x0102030405060708));
	CHECK_INT(frame.length, 3);
	CHECK(frame.payload == stream.data + 16);
}

static void every_split_gives_the_same(void)
{
	for (int direction = 0; direction <= PROTOCOL_FROM_RUNTIME; direction++) {
		CLEANUP(buf_deinit) struct buf stream = BUF_INIT, whole = BUF_INIT;

		append_all(&stream, direction);
		describe(&whole, direction, &stream, stream.length, 1);
		CHECK(whole.length > 10000 / 2);
		for (size_t first = 0; first <= stream.length; first++) {
			CLEANUP(buf_deinit) struct buf split = BUF_INIT;

			describe(&split, direction, &stream, first, stream.length);
			CHECK(split.length == whole.length &&
			        memcmp(split.data, whole.data, whole.length) == 0);
		}
		for (size_t step = 1; step < 40; step++) {
			CLEANUP(buf_deinit) struct buf split = BUF_INIT;

			describe(&split, direction, &stream, step, step);
			CHECK(split.length == whole.length &&
			        memcmp(split.data, whole.data, whole.length) == 0);
		}
	}
}

static void missing_is_never_too_much(void)
{
	CLEANUP(buf_deinit) struct buf stream = BUF_INIT;
	struct frame frame;
	size_t missing;

	protocol_encode(&stream, FRAME_END, 0, 1, "0123456789", 10);
	for (size_t have = 0; have < stream.length; have++) {
		CHECK_INT(
		        protocol_decode(PROTOCOL_FROM_RUNTIME, stream.data, have, &frame, &missing),
		        0);
		CHECK_INT(missing, have < 16 ? 16 - have : 26 - have);
	}
}

static long decode_header(enum protocol_direction direction, uint8_t type, uint8_t flags,
        uint16_t reserved, uint64_t call, uint32_t length)
{
	char header[PROTOCOL_HEADER_SIZE] = {(char)length, (char)(length >> 8),
	        (char)(length >> 16), (char)(length >> 24), (char)type, (char)flags, (char)reserved,
	        (char)(reserved >> 8), (char)call};
	struct frame frame;
	size_t missing;

	return protocol_decode(direction, header, sizeof(header), &frame, &missing);
}

static void headers_are_judged_at_once(void)
{
	enum protocol_direction to = PROTOCOL_TO_RUNTIME, from = PROTOCOL_FROM_RUNTIME;

	CHECK_INT(decode_header(from, FRAME_DATA, 0, 0, 1, PROTOCOL_PAYLOAD_MAX), 0);
	CHECK_INT(decode_header(from, FRAME_DATA, 0, 0, 1, PROTOCOL_PAYLOAD_MAX + 1), -EPROTO);
	CHECK_INT(decode_header(from, FRAME_DATA, 0, 0, 1, UINT32_MAX), -EPROTO);
	CHECK_INT(decode_header(from, FRAME_DATA, 0, 1, 1, 0), -EPROTO);
	CHECK_INT(decode_header(from, FRAME_DATA, 0, 0x8000, 1, 0), -EPROTO);
	CHECK_INT(decode_header(from, FRAME_DATA, 1, 0, 1, 0), -EPROTO);
	CHECK_INT(decode_header(from, FRAME_ERROR, 4, 0, 1, 0), -EPROTO);
	CHECK_INT(decode_header(from, FRAME_DATA, 0, 0, 0, 0), -EPROTO);
	CHECK_INT(decode_header(from, FRAME_READY, 0, 0, 1, 0), -EPROTO);
	CHECK_INT(decode_header(from, FRAME_READY, 0, 0, 0, 1), -EPROTO);
	CHECK_INT(decode_header(from, FRAME_LOG, 0, 0, 1, 0), -EPROTO);
	CHECK_INT(decode_header(to, FRAME_CALL, 0, 0, 1, 1), -EPROTO);
	CHECK_INT(decode_header(to, FRAME_CALL, 0, 0, 0, 2), -EPROTO);
	CHECK_INT(decode_header(to, FRAME_INIT, 0, 0, 0, 1), -EPROTO);
	CHECK_INT(decode_header(to, FRAME_STOP, 0, 0, 0, 1), -EPROTO);
	CHECK_INT(decode_header(to, FRAME_CANCEL, 0, 0, 0, 0), -EPROTO);
}

static void only_its_own_direction_passes(void)
{
	static const uint8_t up[] = {
	        FRAME_READY, FRAME_FAILED, FRAME_DATA, FRAME_END, FRAME_ERROR, FRAME_LOG};
	static const uint8_t down[] = {FRAME_INIT, FRAME_CALL, FRAME_CANCEL, FRAME_STOP};

	for (int type = 0; type < 256; type++) {
		bool is_up = memchr(up, type, sizeof(up)), is_down = memchr(down, type, 4);
		long best[2] = {-EPROTO, -EPROTO};

		/* with the best call and length there can be */
		for (int direction = 0; direction < 2; direction++)
			for (unsigned shape = 0; shape < 4; shape++) {
				long r = decode_header((enum protocol_direction)direction,
				        (uint8_t)type, 0, 0, shape & 1, shape & 2 ? 2 : 0);

				if (r > best[direction])
					best[direction] = r;
			}
		CHECK_INT(best[PROTOCOL_TO_RUNTIME] >= 0, is_down);
		CHECK_INT(best[PROTOCOL_FROM_RUNTIME] >= 0, is_up);
	}
}

static void payloads_are_judged(void)
{
	CLEANUP(buf_deinit) struct buf stream = BUF_INIT;
	struct frame frame;
	size_t missing;

	protocol_encode(&stream, FRAME_CALL, 0, 1, "\3\0ab", 4); /* a head beyond the frame */
	CHECK_INT(
	        protocol_decode(PROTOCOL_TO_RUNTIME, stream.data, stream.length, &frame, &missing),
	        -EPROTO);
	buf_clear(&stream);
	protocol_encode(&stream, FRAME_CALL, 0, 1, "\2\0ab", 4);
	CHECK_INT(
	        protocol_decode(PROTOCOL_TO_RUNTIME, stream.data, stream.length, &frame, &missing),
	        20);
	buf_clear(&stream);
	protocol_encode(&stream, FRAME_LOG, 0, 1, "\4x", 2); /* a level there is not */
	CHECK_INT(protocol_decode(
	                  PROTOCOL_FROM_RUNTIME, stream.data, stream.length, &frame, &missing),
	        -EPROTO);
}

static void a_call_has_its_head(void)
{
	static const char expected[] = "3f2b1c9e-0000-4000-8000-000000000001\n1893456000123\n"
	                               "nightly\nprod\norder 17\n";
	struct call_head other = head;
	CLEANUP(buf_deinit) struct buf stream = BUF_INIT;
	struct frame frame;
	size_t missing, size = strlen(expected);

	other.source = "nightly";
	other.alias = "prod";
	other.name = "order 17";
	protocol_encode_call(&stream, 5, &other, 7);
	buf_puts(&stream, "{\"n\":1}");
	CHECK_INT(
	        protocol_decode(PROTOCOL_TO_RUNTIME, stream.data, stream.length, &frame, &missing),
	        stream.length);
	CHECK_INT(frame.call, 5);
	REQUIRE(frame.length == 2 + size + 7);
	CHECK_INT((uint8_t)frame.payload[0] | (uint8_t)frame.payload[1] << 8, size);
	CHECK(memcmp(frame.payload + 2, expected, size) == 0);
	CHECK(memcmp(frame.payload + 2 + size, "{\"n\":1}", 7) == 0);
}

static void without_memory_nothing_half_is_written(void)
{
	for (unsigned long n = 0;; n++) {
		CLEANUP(buf_deinit) struct buf out = BUF_INIT;

		heap_fail(n, 1);
		append_all(&out, PROTOCOL_TO_RUNTIME);
		if (!heap_end())
			break;
		CHECK(out.failed);
		CHECK(n < 100);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
	        TEST(round_trips_in_one_piece),
	        TEST(every_split_gives_the_same),
	        TEST(missing_is_never_too_much),
	        TEST(headers_are_judged_at_once),
	        TEST(only_its_own_direction_passes),
	        TEST(payloads_are_judged),
	        TEST(a_call_has_its_head),
	        TEST(without_memory_nothing_half_is_written),
	        {},
	};
	return test_main(tests, argc, argv);
}
