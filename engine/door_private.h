/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The inside of the door: its life (door.c), its sockets (door_listen.c), its calls (door_call.c). */
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "base/list.h"
#include "base/map.h"
#include "engine/door.h"
#include "run/alarm.h"
#include "wire/fields.h"
#include "wire/link.h"

struct process;
struct watch;

enum { DOOR_LISTENERS_MOST = 16 };

struct door_listener {
	int fd;
	const char *kind; /* `unix`, `open`, `token` */
	char *address;    /* a URL, or unix:PATH */
};

struct door {
	struct engine *engine;
	char *gateway_path, *socket_path;
	char *certificate, *private_key; /* paths */
	struct door_listener listeners[DOOR_LISTENERS_MOST];
	size_t listener_count;
	struct process *process; /* NULL: none runs */
	struct wire_link link;
	struct watch *watch;
	uv_prepare_t *prepare; /* active while something is kept for the end of the turn */
	struct map calls;      /* struct door_call by number */
	size_t pinned;     /* calls that are not there any more, but for those who will end them */
	size_t held_bytes; /* of events that are not complete */
	int64_t spooled_bytes; /* of archives that are not */
	struct alarm again;    /* the next start */
	int64_t pause_us, started_us;
	uint64_t starts, accepted, refused;
	bool ready, stopping;
	char trouble[256]; /* why it does not run; "" */
};

/* Opens all; `why` names what cannot be had. */
int door_listen(struct door *door, const struct door_options *options, struct buf *why);
void door_close_listeners(struct door *door);

/* What the gateway said. False: it is not to be believed. */
bool door_call_frame(struct door *door, const struct wire_frame *frame);
void door_calls_cancel(struct door *door); /* all of them; nobody is told */

/* What was kept for it is sent at the end of this turn of the loop. */
void door_flush(struct door *door);
