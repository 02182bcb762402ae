/* SPDX-License-Identifier: Apache-2.0 */
#include "run/watch.h"

#include <stdlib.h>

struct watch {
	uv_poll_t poll;
	int events;
	watch_fn ready;
	void *userdata;
};

static void polled(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;

	/* An error is for the reader to find: read() or write() tells which. */
	if (watch->ready)
		watch->ready(watch->userdata, status < 0 ? watch->events : events);
}

struct watch *watch_new(uv_loop_t *loop, int fd, watch_fn ready, void *userdata)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	if (uv_poll_init(loop, &watch->poll, fd) < 0) {
		free(watch);
		return NULL;
	}
	watch->poll.data = watch;
	watch->ready = ready;
	watch->userdata = userdata;
	return watch;
}

void watch_events(struct watch *watch, int events)
{
	if (events == watch->events)
		return;
	watch->events = events;
	if (events)
		uv_poll_start(&watch->poll, events, polled);
	else
		uv_poll_stop(&watch->poll);
}

static void closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct watch *watch_free(struct watch *watch)
{
	if (!watch)
		return NULL;
	watch->ready = NULL;
	uv_poll_stop(&watch->poll);
	uv_close((uv_handle_t *)&watch->poll, closed);
	return NULL;
}
