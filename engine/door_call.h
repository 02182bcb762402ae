/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One call that came through the door. Internal to the door's files. */
#include "engine/door_private.h"
#include "engine/function_state.h"
#include "events/queue.h"
#include "run/invocation.h"

struct code_upload;
struct cJSON;

struct door_call {
	struct door *door;
	uint64_t number;
	struct wire_said said; /* what was asked */
	struct buf event;
	size_t held; /* counted in door.held_bytes */
	struct function *function;
	struct version *version;
	struct alias *alias; /* these three only while it is begun */
	struct invocation *invocation;
	bool begun, answered;
	bool pinned; /* something that cannot be called off will end it: counted in door.pinned */
	bool left;   /* meanwhile the client did: it is in no map, and nobody is told */
	struct alarm late;               /* the end, when what follows it is wanted too */
	struct buf end;                  /* its fields */
	char request_id[UUID_TEXT_SIZE]; /* "": the call gets one */
	uint64_t function_id;
	uint64_t trigger; /* whose route it took, and who is told of its end; 0: none */
	struct queue_target queue_target;
	/* Of what is managed (door_manage.h). */
	struct cJSON *parameters;   /* NULL: none */
	int spool;                  /* the archive, as it comes; -1 */
	int64_t spooled;            /* bytes, counted in door.spooled_bytes */
	struct code_upload *upload; /* while it is unpacked */
	struct code_archive archive;
	bool creates;    /* the function */
	bool calls_back; /* callbacks.h */
};

/* Finds what is named. 0, or -ENOENT, -EINVAL with a sentence. */
int door_find(struct door_call *call, struct buf *why);

/* Whether whoever asks may; 0, -EACCES: that one may not, -EPERM: nobody was named; with a sentence. */
int door_allow(const struct door_call *call, struct buf *why);

/* An APIG event came open, for the gateway does not know what id its call will have. */
void door_close_event(struct buf *event, const char *request_id);

/* The token that was given; NULL for whoever is trusted as the owner. 0, -EPERM with a sentence. */
int door_recognise(const struct door_call *call, struct buf *why);
/* Whether that one may look at the function. */
bool door_may_see(const struct door_call *call, const char *function);

/* Calls what was found. */
void door_invoke(struct door_call *call, const char *source);

/* Hands the event to the queue; the response is its request id. */
void door_enqueue(struct door_call *call);

/* Finds what the routes of triggers say, and calls it. */
void door_route(struct door_call *call);

/* The end of a call that was not begun, or could not be: `error` 0 or -errno. Frees the call. */
void door_call_end(struct door_call *call, int error, const char *sentence);

/* A piece of the response. */
void door_call_data(struct door_call *call, const char *data, size_t length);

static inline const char *door_said(const struct door_call *call, enum wire_field field)
{
	return call->said.fields[field];
}
