/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The daemon's first frame: what to listen on, by which descriptors, and what TLS takes. */
#include <stddef.h>

#include "gateway/gateway.h"
#include "wire/fields.h"

struct setup {
	struct wire_said said; /* certificate and key */
	char kinds[SERVERS_MOST][8];
	int listeners[SERVERS_MOST];
	size_t count;
};

/* Waits for it. 0 or -errno; -EPROTO: it is none. Deinit wipes the key, and leaves the descriptors. */
int setup_receive(struct setup *setup, int fd);
void setup_deinit(struct setup *setup);
