/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A descriptor the loop watches. uv_poll handles close asynchronously; a watch hides that: after
 * watch_free() its function runs no more and the descriptor may be closed at once.
 */
#include <uv.h>

struct watch;
typedef void (*watch_fn)(void *userdata, int events); /* UV_READABLE, UV_WRITABLE, UV_DISCONNECT */

/* Starts with no events. NULL: no memory, or the descriptor cannot be watched. */
struct watch *watch_new(uv_loop_t *loop, int fd, watch_fn ready, void *userdata);
void watch_events(struct watch *watch, int events); /* 0 = rest; no system call when unchanged */
struct watch *watch_free(struct watch *watch);
