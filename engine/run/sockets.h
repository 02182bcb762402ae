/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The sockets of one instance's network that the daemon holds. A socket belongs for ever to the network
 * it was made in, whoever holds it: fnfs-init makes them inside and hands them out over a Unix socket,
 * and the daemon then listens and connects in there, with nothing in between. A connection that is over
 * gives its socket back: connect(AF_UNSPEC) makes it as it was, so that a fixed number of them
 * serves any number of connections.
 */
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct watch;

struct sockets {
	int channel; /* our end of the Unix socket; -1: all were received, or none will be */
	struct watch *watch;
	int listener; /* -1 until received */
	int *idle;    /* unconnected ones */
	size_t idle_count, received, expected;
	void (*ready)(void *userdata); /* all have come */
	void *userdata;
};

/* *theirs is the instance's end: handed to the launcher and closed. 0 or -errno. */
int sockets_open(struct sockets *sockets, uv_loop_t *loop, size_t expected,
        void (*ready)(void *userdata), void *userdata, int *theirs);
void sockets_close(
        struct sockets *sockets); /* those that were taken are the taker's; harmless twice */

int sockets_take_listener(struct sockets *sockets); /* the caller's from here; -1: there is none */

int sockets_take(struct sockets *sockets); /* an unconnected one, or -1: all are in use */
void sockets_give_back(struct sockets *sockets, int fd);
