/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { READ_SIZE = 64 * 1024, READS_AT_ONCE = 16, SENT_MOST = 256 * 1024 };

void wire_link_init(struct wire_link *link, int fd, enum wire_direction receives)
{
	memset(link, 0, sizeof(*link));
	link->fd = fd;
	link->receives = receives;
}

void wire_link_deinit(struct wire_link *link)
{
	link->fd = close_fd(link->fd);
	buf_deinit(&link->unsent);
	buf_deinit(&link->unfinished);
	link->sent = 0;
}

void wire_link_send(struct wire_link *link, enum wire_type type, uint64_t call, const void *payload,
        size_t length)
{
	if (length <= WIRE_PAYLOAD_MAX)
		wire_encode(&link->unsent, type, call, payload, length);
	else
		wire_encode_pieces(&link->unsent, type, call, payload, length);
}

size_t wire_link_unsent(const struct wire_link *link)
{
	return link->unsent.length - link->sent;
}

/* What was sent is dropped now and then, not each time: the rest would be moved too often. */
static void forget_sent(struct wire_link *link)
{
	if (link->sent == link->unsent.length && link->unsent.capacity > SENT_MOST)
		buf_deinit(&link->unsent);
	else if (link->sent == link->unsent.length)
		buf_clear(&link->unsent);
	else if (link->sent > SENT_MOST && link->sent > link->unsent.length / 2)
		buf_consume(&link->unsent, link->sent);
	else
		return;
	link->sent = 0;
}

int wire_link_flush(struct wire_link *link)
{
	while (link->sent < link->unsent.length) {
		ssize_t n = send(link->fd, link->unsent.data + link->sent,
		        link->unsent.length - link->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -EAGAIN : -EPIPE;
		link->sent += (size_t)n;
		forget_sent(link);
	}
	return link->unsent.failed ? -ENOMEM : 0;
}

/* Hands over the whole frames at the front; the bytes taken, or -EPROTO. */
static ssize_t deliver(struct wire_link *link, wire_frame_fn handle, void *userdata, bool *goes_on)
{
	const struct buf *have = &link->unfinished;
	size_t taken = 0;

	while (*goes_on && taken < have->length) {
		struct wire_frame frame;
		long n = wire_decode(
		        link->receives, have->data + taken, have->length - taken, &frame);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		taken += (size_t)n;
		*goes_on = handle(userdata, &frame);
	}
	return (ssize_t)taken;
}

int wire_link_receive(struct wire_link *link, wire_frame_fn handle, void *userdata)
{
	bool goes_on = true;
	ssize_t n, taken;

	for (int turn = 0; turn < READS_AT_ONCE; turn++) {
		char *place = buf_reserve(&link->unfinished, READ_SIZE);

		if (!place)
			return -ENOMEM;
		n = recv(link->fd, place, READ_SIZE, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == EAGAIN ? 0 : -EPIPE;
		buf_added(&link->unfinished, (size_t)n);
		taken = deliver(link, handle, userdata, &goes_on);
		if (taken < 0)
			return (int)taken;
		if (!goes_on)
			return 0;
		buf_consume(&link->unfinished, (size_t)taken);
		if (n < READ_SIZE)
			return 0;
	}
	return 1;
}
