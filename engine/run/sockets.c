/* SPDX-License-Identifier: Apache-2.0 */
#include "run/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "run/watch.h"

#define SOCKETS_AT_ONCE 64

/* What comes from a sandbox is looked at before it is believed. */
static int check_socket(int fd)
{
	int domain = 0, protocol = 0;
	socklen_t size = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
	        getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
	        domain == AF_INET && protocol == IPPROTO_TCP && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
		return fd;
	return close_fd(fd);
}

static void take_descriptor(struct sockets *sockets, char kind, int fd)
{
	fd = check_socket(fd);
	if (fd < 0)
		return;
	if (kind == 'L' && sockets->listener < 0)
		sockets->listener = fd;
	else if (kind == 'C' && sockets->received < sockets->expected)
		sockets->idle[sockets->idle_count++] = fd, sockets->received++;
	else
		close(fd);
}

/* One packet; false when there is none now, or will be none. */
static bool receive(struct sockets *sockets)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(SOCKETS_AT_ONCE * sizeof(int))];
	} control;
	char kind = 0;
	struct iovec io = {.iov_base = &kind, .iov_len = 1};
	struct msghdr header = {.msg_iov = &io,
	        .msg_iovlen = 1,
	        .msg_control = &control,
	        .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(sockets->channel, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *first = n > 0 ? CMSG_FIRSTHDR(&header) : NULL;
	int fds[SOCKETS_AT_ONCE];
	size_t count;

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			watch_events(sockets->watch, 0);
		return false;
	}
	if (header.msg_flags & MSG_CTRUNC)
		fail(-EMFILE, "receiving the sockets of an instance");
	if (!first || first->cmsg_level != SOL_SOCKET || first->cmsg_type != SCM_RIGHTS)
		return true;
	count = (first->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(first), count * sizeof(int));
	for (size_t i = 0; i < count; i++)
		take_descriptor(sockets, kind, fds[i]);
	return true;
}

static void readable(void *userdata, int events)
{
	struct sockets *sockets = userdata;

	while (receive(sockets))
		continue;
	if (sockets->listener < 0 || sockets->received < sockets->expected)
		return;
	sockets->watch = watch_free(sockets->watch);
	sockets->channel = close_fd(sockets->channel);
	sockets->ready(sockets->userdata);
}

int sockets_open(struct sockets *sockets, uv_loop_t *loop, size_t expected,
        void (*ready)(void *userdata), void *userdata, int *theirs)
{
	int pair[2];

	*sockets = (struct sockets){.channel = -1,
	        .listener = -1,
	        .expected = expected,
	        .ready = ready,
	        .userdata = userdata};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	*theirs = pair[1];
	sockets->channel = pair[0];
	sockets->idle = calloc(expected, sizeof(*sockets->idle));
	sockets->watch = watch_new(loop, sockets->channel, readable, sockets);
	if (!sockets->idle || !sockets->watch) {
		*theirs = close_fd(*theirs);
		sockets_close(sockets);
		return -ENOMEM;
	}
	watch_events(sockets->watch, UV_READABLE);
	return 0;
}

void sockets_close(struct sockets *sockets)
{
	sockets->watch = watch_free(sockets->watch);
	sockets->channel = close_fd(sockets->channel);
	sockets->listener = close_fd(sockets->listener);
	while (sockets->idle_count)
		close(sockets->idle[--sockets->idle_count]);
	free(take(sockets->idle));
}

int sockets_take_listener(struct sockets *sockets)
{
	return take_fd(sockets->listener);
}

int sockets_take(struct sockets *sockets)
{
	return sockets->idle_count ? sockets->idle[--sockets->idle_count] : -1;
}

void sockets_give_back(struct sockets *sockets, int fd)
{
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

	if (sockets->idle && sockets->idle_count < sockets->expected &&
	        connect(fd, &nowhere, sizeof(nowhere)) == 0)
		sockets->idle[sockets->idle_count++] = fd;
	else
		close(fd);
}
