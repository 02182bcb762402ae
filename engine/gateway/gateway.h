/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The process: what it listens on, its socket to the daemon, and the calls under way. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/uuid.h"
#include "gateway/loop.h"
#include "wire/link.h"

struct server;

enum { SERVERS_MOST = 16 };

/* Events and responses in memory, of all together; beyond it new ones are refused. */
#define GATEWAY_HELD_MOST ((size_t)384 << 20)

struct gateway {
	struct loop loop;
	struct wire_link link; /* to the daemon */
	struct source link_source;
	struct server *servers[SERVERS_MOST];
	size_t server_count;
	struct map calls; /* struct exchange by number; those that were asked for */
	uint64_t last_call;
	size_t exchanges;  /* all of them */
	struct list fresh; /* exchanges that could begin to stream */
	size_t held;
	struct uuid_source ids;
	bool stopping, lost;
	bool link_full; /* the daemon does not read as fast as we write */
};
