/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

int loop_init(struct loop *loop)
{
	*loop = (struct loop){.epoll = epoll_create1(EPOLL_CLOEXEC)};
	return loop->epoll < 0 ? -errno : 0;
}

void loop_deinit(struct loop *loop)
{
	close(loop->epoll);
}

int loop_watch(struct loop *loop, struct source *source, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};
	int what = source->fd < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	if (epoll_ctl(loop->epoll, what, fd, &event) < 0)
		return -errno;
	source->fd = fd;
	return 0;
}

void loop_drop(struct loop *loop, struct source *source)
{
	if (source->fd < 0)
		return;
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	source->fd = -1;
	for (int i = 0; i < loop->batch_count; i++)
		if (loop->batch[i] == source)
			loop->batch[i] = NULL;
}

void loop_turn(struct loop *loop, int timeout_ms)
{
	struct epoll_event events[LOOP_BATCH];
	int count = epoll_wait(loop->epoll, events, LOOP_BATCH, timeout_ms);

	for (int i = 0; i < count; i++)
		loop->batch[i] = events[i].data.ptr;
	loop->batch_count = count > 0 ? count : 0;
	for (int i = 0; i < loop->batch_count; i++)
		if (loop->batch[i])
			loop->batch[i]->ready(loop->batch[i], events[i].events);
	loop->batch_count = 0;
}

int64_t loop_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
