/* SPDX-License-Identifier: Apache-2.0 */
#include "run/guardian_message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

struct kept_message {
	struct list link;
	int descriptors[MESSAGE_DESCRIPTORS];
	size_t length;
	char data[];
};

void message_begin(struct buf *buf, enum message_type type, uint64_t process)
{
	struct message message = {.type = type, .process = process};

	buf_clear(buf);
	buf_append(buf, &message, sizeof(message));
}

void message_string(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text) + 1);
}

const char *message_next_string(const char **place, const char *end)
{
	const char *text = *place;
	const char *zero = text < end ? memchr(text, 0, (size_t)(end - text)) : NULL;

	if (!zero)
		return NULL;
	*place = zero + 1;
	return text;
}

void message_prepare_socket(int socket)
{
	int size = 2 * MESSAGE_SIZE_MAX;

	/* The privileged form may exceed the system's bound; without it the bound holds. */
	if (setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static void take_descriptors(struct msghdr *header, int descriptors[MESSAGE_DESCRIPTORS])
{
	struct cmsghdr *control = CMSG_FIRSTHDR(header);
	size_t count;

	for (size_t i = 0; i < MESSAGE_DESCRIPTORS; i++)
		descriptors[i] = -1;
	if (!control || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
		return;
	count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(descriptors, CMSG_DATA(control), count * sizeof(int));
}

ssize_t message_receive(int socket, char *into, int descriptors[MESSAGE_DESCRIPTORS])
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(MESSAGE_DESCRIPTORS * sizeof(int))];
	} control;
	struct iovec io = {.iov_base = into, .iov_len = MESSAGE_SIZE_MAX};
	struct msghdr header = {.msg_iov = &io,
	        .msg_iovlen = 1,
	        .msg_control = &control,
	        .msg_controllen = sizeof(control)};
	ssize_t length;

	do {
		length = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (length < 0 && errno == EINTR);
	if (length < 0)
		return errno == EAGAIN ? -EAGAIN : 0;
	take_descriptors(&header, descriptors);
	return length;
}

/* 0, -EAGAIN, or -EPIPE. */
static int send_now(int socket, const void *data, size_t length, const int *descriptors)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(MESSAGE_DESCRIPTORS * sizeof(int))];
	} control = {0};
	struct iovec io = {.iov_base = (void *)data, .iov_len = length};
	struct msghdr header = {.msg_iov = &io, .msg_iovlen = 1};

	if (descriptors) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(MESSAGE_DESCRIPTORS * sizeof(int));
		memcpy(CMSG_DATA(&control.header), descriptors, MESSAGE_DESCRIPTORS * sizeof(int));
		header.msg_control = &control;
		header.msg_controllen = sizeof(control);
	}
	if (sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	switch (errno) {
	case EAGAIN:
	case EINTR:
	case ENOBUFS:
	case ENOMEM:
	case ETOOMANYREFS: /* too many descriptors on their way: the peer will take them */
		return -EAGAIN;
	case EMSGSIZE:
		return -E2BIG;
	default:
		return -EPIPE;
	}
}

static void kept_free(struct kept_message *kept)
{
	list_unlink(&kept->link);
	for (size_t i = 0; i < MESSAGE_DESCRIPTORS; i++)
		close_fd(kept->descriptors[i]);
	free(kept);
}

static int keep(struct outbox *outbox, const struct buf *message, const int *descriptors)
{
	struct kept_message *kept = malloc(sizeof(*kept) + message->length);

	if (!kept)
		return -ENOMEM;
	list_init(&kept->link);
	kept->length = message->length;
	memcpy(kept->data, message->data, message->length);
	for (size_t i = 0; i < MESSAGE_DESCRIPTORS; i++)
		kept->descriptors[i] = -1;
	for (size_t i = 0; descriptors && i < MESSAGE_DESCRIPTORS; i++) {
		kept->descriptors[i] = fcntl(descriptors[i], F_DUPFD_CLOEXEC, 3);
		if (kept->descriptors[i] < 0) {
			kept_free(kept);
			return -EMFILE;
		}
	}
	list_append(&outbox->waiting, &kept->link);
	return 0;
}

void outbox_init(struct outbox *outbox)
{
	list_init(&outbox->waiting);
}

void outbox_deinit(struct outbox *outbox)
{
	struct kept_message *kept, *following;

	list_each_safe(kept, following, &outbox->waiting, link)
		kept_free(kept);
}

int outbox_send(
        struct outbox *outbox, int socket, const struct buf *message, const int *descriptors)
{
	int error = -EAGAIN;

	if (message->failed)
		return -ENOMEM;
	if (message->length > MESSAGE_SIZE_MAX)
		return -E2BIG;
	if (list_empty(&outbox->waiting))
		error = send_now(socket, message->data, message->length, descriptors);
	return error == -EAGAIN ? keep(outbox, message, descriptors) : error;
}

int outbox_flush(struct outbox *outbox, int socket)
{
	struct kept_message *kept;
	int error;

	while ((kept = list_first(&outbox->waiting, struct kept_message, link))) {
		error = send_now(socket, kept->data, kept->length,
		        kept->descriptors[0] >= 0 ? kept->descriptors : NULL);
		if (error)
			return error;
		kept_free(kept);
	}
	return 0;
}
