/* SPDX-License-Identifier: Apache-2.0 */
/* A user would lose: a call whose frames are taken for something else, or a daemon that believes garbage. */
#include <errno.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "test.h"
#include "wire/fields.h"
#include "wire/link.h"

static void frames_come_back(void)
{
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;
	struct wire_frame frame;
	size_t taken = 0;

	wire_encode(&out, WIRE_ASK, 7, "head", 4);
	wire_encode(&out, WIRE_DONE, 7, NULL, 0);
	for (size_t length = 0; length < WIRE_HEADER_SIZE + 4; length++)
		CHECK_INT(wire_decode(WIRE_TO_DAEMON, out.data, length, &frame), 0);
	taken = (size_t)wire_decode(WIRE_TO_DAEMON, out.data, out.length, &frame);
	CHECK_INT(taken, WIRE_HEADER_SIZE + 4);
	CHECK(frame.type == WIRE_ASK && frame.call == 7 && frame.length == 4);
	CHECK(memcmp(frame.payload, "head", 4) == 0);
	CHECK_INT(wire_decode(WIRE_TO_DAEMON, out.data + taken, out.length - taken, &frame),
	        WIRE_HEADER_SIZE);
	CHECK(frame.type == WIRE_DONE && frame.length == 0);
}

static void what_is_not_allowed_is_refused(void)
{
	static const struct {
		enum wire_direction direction;
		uint8_t type;
		uint64_t call;
		size_t length;
	} bad[] = {
	        {WIRE_TO_DAEMON, WIRE_DATA, 1, 1}, /* of the other side */
	        {WIRE_TO_GATEWAY, WIRE_ASK, 1, 1},
	        {WIRE_TO_DAEMON, WIRE_ASK, 0, 1},   /* of no call */
	        {WIRE_TO_DAEMON, WIRE_READY, 1, 0}, /* of a call */
	        {WIRE_TO_DAEMON, WIRE_ASK, 1, 0},   /* empty */
	        {WIRE_TO_DAEMON, WIRE_DONE, 1, 1},  /* not empty */
	        {WIRE_TO_DAEMON, WIRE_NOTE, 0, 1025},
	        {WIRE_TO_DAEMON, 0, 1, 1},
	        {WIRE_TO_DAEMON, 200, 1, 1},
	};
	static const char payload[2048];
	struct wire_frame frame;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(buf_deinit) struct buf out = BUF_INIT;

		wire_encode(&out, bad[i].type, bad[i].call, payload, bad[i].length);
		CHECK_INT(wire_decode(bad[i].direction, out.data, out.length, &frame), -EPROTO);
	}
}

static void a_length_beyond_all_is_refused_by_its_header(void)
{
	const char header[WIRE_HEADER_SIZE] = {0, 0, 0, 1, WIRE_BODY, 0, 0, 0, 1};
	struct wire_frame frame;

	CHECK_INT(wire_decode(WIRE_TO_DAEMON, header, sizeof(header), &frame), -EPROTO);
}

static void fields_come_back(void)
{
	CLEANUP(buf_deinit) struct buf out = BUF_INIT;
	CLEANUP(wire_said_deinit) struct wire_said said;

	wire_put(&out, FIELD_FUNCTION, "hello");
	wire_put(&out, FIELD_QUALIFIER, "");
	wire_put_number(&out, FIELD_VERB, -3);
	wire_put(&out, FIELD_TOKEN, NULL);
	wire_put(&out, FIELD_FUNCTION, "again");
	REQUIRE(wire_take(&said, out.data, out.length) == 0);
	CHECK_STR(said.fields[FIELD_FUNCTION], "again");
	CHECK_STR(said.fields[FIELD_QUALIFIER], "");
	CHECK(!said.fields[FIELD_TOKEN]);
	CHECK_INT(wire_number(&said, FIELD_VERB, 5), -3);
	CHECK_INT(wire_number(&said, FIELD_FUNCTION, 5), 5);
	CHECK_INT(wire_number(&said, FIELD_ERROR, 5), 5);
}

static void fields_that_are_none(void)
{
	static const char unknown[] = {127, 0, 0, 0, 0}, cut[] = {FIELD_VERB, 0, 0},
	                  longer[] = {FIELD_VERB, 9, 0, 0, 0, 'x'},
	                  zero[] = {FIELD_VERB, 1, 0, 0, 0, 0}, beyond[] = {(char)200, 0, 0, 0, 0};
	struct {
		const char *data;
		size_t length;
	} bad[] = {{unknown, 5}, {cut, 3}, {longer, 6}, {zero, 6}, {beyond, 5}};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(wire_said_deinit) struct wire_said said;

		CHECK_INT(wire_take(&said, bad[i].data, bad[i].length), -EPROTO);
	}
}

struct received {
	struct buf data;
	unsigned frames;
};

static bool take_frame(void *userdata, const struct wire_frame *frame)
{
	struct received *received = userdata;

	buf_append(&received->data, frame->payload, frame->length);
	received->frames++;
	return true;
}

/* More than the socket takes at once goes over in turns, in order. */
static void a_link_carries_what_is_long(void)
{
	enum { LENGTH = 5 << 20 };
	CLEANUP(free_p) char *data = malloc(LENGTH);
	struct received received = {BUF_INIT, 0};
	struct wire_link near, far;
	int pair[2], turns = 0, r;

	REQUIRE(data && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	for (size_t i = 0; i < LENGTH; i++)
		data[i] = (char)(i * 31 >> 7);
	wire_link_init(&near, pair[0], WIRE_TO_GATEWAY);
	wire_link_init(&far, pair[1], WIRE_TO_DAEMON);
	wire_link_send(&near, WIRE_BODY, 1, data, LENGTH);
	do {
		r = wire_link_flush(&near);
		CHECK(r == 0 || r == -EAGAIN);
		CHECK(wire_link_receive(&far, take_frame, &received) >= 0);
		turns++;
	} while (r == -EAGAIN);
	CHECK(turns > 1);
	CHECK_INT(wire_link_unsent(&near), 0);
	CHECK_INT(received.data.length, LENGTH);
	CHECK(memcmp(received.data.data, data, LENGTH) == 0);
	CHECK_INT(received.frames, LENGTH / WIRE_PAYLOAD_MAX);
	wire_link_deinit(&near);
	CHECK_INT(wire_link_receive(&far, take_frame, &received), -EPIPE);
	wire_link_deinit(&far);
	buf_deinit(&received.data);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(frames_come_back),
	        TEST(what_is_not_allowed_is_refused),
	        TEST(a_length_beyond_all_is_refused_by_its_header), TEST(fields_come_back),
	        TEST(fields_that_are_none), TEST(a_link_carries_what_is_long), {}};

	return test_main(tests, argc, argv);
}
