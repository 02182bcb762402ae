/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The door: how calls come in by HTTP. The daemon opens the sockets and keeps them; fnfs-gateway
 * (engine/gateway/), a process without rights, listens on them, understands HTTP, and asks for calls over a
 * socket in frames (wire/). The guardian starts it. When it dies its calls are cancelled and another one
 * is started, on the same sockets: who connects meanwhile waits.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct door;
struct engine;

struct door_options {
	const char *gateway_path;  /* fnfs-gateway; NULL: there is no door */
	const char *const *listen; /* ADDRESS:PORT, as typed; NULL-ended */
	bool open_loopback;        /* whoever is on this machine needs no token */
	const char *certificate;   /* PEM files: TLS on all of `listen`; NULL: none */
	const char *private_key;
};

/* 0, or -errno with a sentence: an address that cannot be had ends the start. */
int door_new(struct door **out, struct engine *engine, const struct door_options *options,
        struct buf *why);

/* Takes nothing new: what runs is finished, then the gateway ends. */
void door_stop(struct door *door);
void door_end(struct door *door);          /* at once */
bool door_idle(const struct door *door);   /* stopped, and the gateway is gone */
struct door *door_free(struct door *door); /* idle, or never started */

void door_show_address(const struct door *door, struct buf *out); /* a line for each */
void door_show_status(const struct door *door, struct buf *out);  /* lines of `key value` */
