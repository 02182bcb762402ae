/* SPDX-License-Identifier: Apache-2.0 */
#include "run/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/watch.h"

/* Larger reads cost more than they save: a 1 MiB buffer is mapped anew by allocators. */
#define READ_SIZE (64 * 1024)

/* What is taken in one turn, so that one talkative runtime does not keep the others waiting. */
#define READS_PER_TURN 16
#define TURN_NS        50000

static void end(struct channel *channel, int status)
{
	const struct channel_events *events = channel->events;
	void *userdata = channel->userdata;

	channel_close(channel);
	events->ended(userdata, status);
}

/* Hands over the whole frames at the front of `data`; returns the bytes taken or -errno. */
static ssize_t deliver(struct channel *channel, const char *data, size_t length)
{
	size_t taken = 0, missing;

	while (taken < length) {
		struct frame frame;
		long n = protocol_decode(
		        PROTOCOL_FROM_RUNTIME, data + taken, length - taken, &frame, &missing);

		if (n < 0)
			return n;
		if (!n)
			break;
		taken += (size_t)n;
		channel->events->frame(channel->userdata, &frame);
		if (channel->out < 0)
			return (ssize_t)length; /* closed by the receiver */
	}
	return (ssize_t)taken;
}

static int receive_more(struct channel *channel)
{
	struct buf *rest = &channel->unfinished;
	char *place = buf_reserve(rest, READ_SIZE);
	ssize_t n, taken;

	if (!place)
		return -ENOMEM;
	n = read(channel->out, place, READ_SIZE);
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	buf_added(rest, (size_t)n);
	taken = deliver(channel, rest->data, rest->length);
	if (taken < 0)
		return (int)taken;
	if (channel->out >= 0)
		buf_consume(rest, (size_t)taken);
	return 1;
}

static int receive_fresh(struct channel *channel)
{
	char data[READ_SIZE];
	ssize_t n = read(channel->out, data, sizeof(data)), taken;

	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	taken = deliver(channel, data, (size_t)n);
	if (taken < 0)
		return (int)taken;
	if (channel->out >= 0 && taken < n) {
		buf_append(&channel->unfinished, data + taken, (size_t)(n - taken));
		if (channel->unfinished.failed)
			return -ENOMEM;
	}
	/* A short read emptied the pipe: no second read only to hear EAGAIN. */
	return n == (ssize_t)sizeof(data) ? 1 : -EAGAIN;
}

static void readable(void *userdata, int events)
{
	struct channel *channel = userdata;
	uint64_t until_ns = uv_hrtime() + TURN_NS;
	int turn, r = 1;

	for (turn = 0; r > 0 && turn < READS_PER_TURN && channel->out >= 0; turn++) {
		r = channel->unfinished.length ? receive_more(channel) : receive_fresh(channel);
		if (r > 0 && (channel->paused || uv_hrtime() > until_ns))
			break;
	}
	if (channel->out < 0 || r > 0 || r == -EAGAIN || r == -EINTR)
		return;
	end(channel, r == -EPIPE ? 0 : r);
}

void channel_pause(struct channel *channel, bool pause)
{
	channel->paused = pause;
	if (channel->readable)
		watch_events(channel->readable, pause ? 0 : UV_READABLE);
}

void channel_drain(struct channel *channel)
{
	int r = 1;

	while (channel->out >= 0 && r > 0)
		r = receive_more(channel);
}

static void writable(void *userdata, int events)
{
	struct channel *channel = userdata;
	ssize_t n = write(channel->in, channel->unsent.data, channel->unsent.length);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		buf_clear(&channel->unsent); /* the reading side tells of the end */
		n = 0;
	}
	if (n > 0)
		buf_consume(&channel->unsent, (size_t)n);
	if (!channel->unsent.length) {
		watch_events(channel->writable, 0);
		buf_deinit(&channel->unsent);
	}
}

static int listen_to(struct channel *channel)
{
	channel->readable = watch_new(channel->loop, channel->out, readable, channel);
	if (!channel->readable) {
		channel_close(channel);
		return -ENOMEM;
	}
	channel->paused = false;
	watch_events(channel->readable, UV_READABLE);
	return 0;
}

int channel_open(struct channel *channel, uv_loop_t *loop, const struct channel_events *events,
        void *userdata, int *in, int *out)
{
	int down[2], up[2];

	memset(channel, 0, sizeof(*channel));
	channel->in = channel->out = -1;
	if (pipe2(down, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(up, O_CLOEXEC) < 0) {
		int r = -errno;

		close(down[0]);
		close(down[1]);
		return r;
	}
	channel->loop = loop;
	channel->events = events;
	channel->userdata = userdata;
	channel->in = down[1];
	channel->out = up[0];
	*in = down[0];
	*out = up[1];
	fcntl(channel->in, F_SETFL, O_NONBLOCK);
	fcntl(channel->out, F_SETFL, O_NONBLOCK);
	if (listen_to(channel) == 0)
		return 0;
	*in = close_fd(*in);
	*out = close_fd(*out);
	return -ENOMEM;
}

int channel_replace(struct channel *channel, int in, int out)
{
	channel_close(channel);
	channel->in = in;
	channel->out = out;
	return listen_to(channel);
}

void channel_close(struct channel *channel)
{
	channel->readable = watch_free(channel->readable);
	channel->writable = watch_free(channel->writable);
	channel->in = close_fd(channel->in);
	channel->out = close_fd(channel->out);
	buf_deinit(&channel->unsent);
	buf_deinit(&channel->unfinished);
}

static int keep_unsent(struct channel *channel, const struct iovec *parts, int count, size_t sent)
{
	int i;

	for (i = 0; i < count; i++) {
		size_t skip = sent < parts[i].iov_len ? sent : parts[i].iov_len;

		buf_append(&channel->unsent, (char *)parts[i].iov_base + skip,
		        parts[i].iov_len - skip);
		sent -= skip;
	}
	if (channel->unsent.failed)
		return -ENOMEM;
	if (!channel->unsent.length)
		return 0;
	if (!channel->writable)
		channel->writable = watch_new(channel->loop, channel->in, writable, channel);
	if (!channel->writable)
		return -ENOMEM;
	watch_events(channel->writable, UV_WRITABLE);
	return 0;
}

int channel_send(struct channel *channel, const struct iovec *parts, int count)
{
	ssize_t n = 0;

	if (channel->in < 0)
		return 0; /* ended already; the owner has been or will be told */
	if (!channel->unsent.length) {
		n = writev(channel->in, parts, count);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return 0; /* EPIPE: the reading side tells of the end */
		if (n < 0)
			n = 0;
	}
	return keep_unsent(channel, parts, count, (size_t)n);
}
