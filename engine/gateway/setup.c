/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

/* Of a frame of its own: nothing else is sent before we are ready. */
static int receive_some(struct setup *setup, int fd, struct buf *have)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(SERVERS_MOST * sizeof(int))];
	} control;
	char *place = buf_reserve(have, WIRE_HEADER_SIZE + WIRE_PAYLOAD_MAX);
	struct iovec io = {.iov_base = place, .iov_len = WIRE_HEADER_SIZE + WIRE_PAYLOAD_MAX};
	struct msghdr header = {.msg_iov = &io,
	        .msg_iovlen = 1,
	        .msg_control = &control,
	        .msg_controllen = sizeof(control)};
	struct cmsghdr *first;
	ssize_t n;

	if (!place)
		return -ENOMEM;
	n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	buf_added(have, (size_t)n);
	first = CMSG_FIRSTHDR(&header);
	if (!first || first->cmsg_level != SOL_SOCKET || first->cmsg_type != SCM_RIGHTS)
		return 0;
	if (setup->count || header.msg_flags & MSG_CTRUNC)
		return -EPROTO;
	setup->count = (first->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(setup->listeners, CMSG_DATA(first), setup->count * sizeof(int));
	return 0;
}

static int take_kinds(struct setup *setup, const struct wire_frame *frame)
{
	const char *place = frame->payload, *end = place + frame->length, *text;
	enum wire_field tag;
	size_t length, count = 0;

	while (wire_next(&place, end, &tag, &text, &length) > 0) {
		if (tag != FIELD_LISTENER)
			continue;
		if (count == setup->count || length >= sizeof(setup->kinds[0]))
			return -EPROTO;
		memcpy(setup->kinds[count++], text, length);
	}
	return count == setup->count ? 0 : -EPROTO;
}

int setup_receive(struct setup *setup, int fd)
{
	CLEANUP(buf_deinit) struct buf have = BUF_INIT;
	struct wire_frame frame;
	long n = 0;
	int r = 0;

	memset(setup, 0, sizeof(*setup));
	while (r == 0 && n == 0) {
		r = receive_some(setup, fd, &have);
		if (r == 0)
			n = wire_decode(WIRE_TO_GATEWAY, have.data, have.length, &frame);
	}
	if (r == 0 && (n < 0 || frame.type != WIRE_SETUP || (size_t)n != have.length))
		r = -EPROTO;
	if (r == 0)
		r = wire_take(&setup->said, frame.payload, frame.length);
	if (r == 0)
		r = take_kinds(setup, &frame);
	if (have.data)
		explicit_bzero(have.data, have.length);
	return r;
}

void setup_deinit(struct setup *setup)
{
	if (setup->said.space.data)
		explicit_bzero(setup->said.space.data, setup->said.space.length);
	wire_said_deinit(&setup->said);
}
