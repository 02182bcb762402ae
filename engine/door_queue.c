/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asynchronous calls that come through the door: the client is told when the entry is on the disk, and what
 * its request id is. Where it leaves before, the entry stands all the same.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/callbacks.h"
#include "engine/door_call.h"
#include "engine/engine_state.h"
#include "events/queue.h"
#include "model/alias.h"
#include "model/function.h"
#include "model/version.h"

static void say_accepted(struct door_call *call, const char *request_id)
{
	snprintf(call->request_id, sizeof(call->request_id), "%s", request_id);
	call->door->accepted++;
	door_call_data(call, "", 0);
	door_call_end(call, 0, "");
}

/* The key was used before: it is the same call, and what has it is on the disk. */
static void say_known(struct door_call *call)
{
	struct queue_info info;

	if (queue_find(call->door->engine->queue, &call->queue_target,
	            door_said(call, FIELD_KEY) ? door_said(call, FIELD_KEY) : "", &info) == 0)
		say_accepted(call, info.request_id);
	else
		say_accepted(call, ""); /* it has been removed since */
}

static void accepted(void *userdata, int status, const struct queue_accepted *entries, size_t count)
{
	struct door_call *call = userdata;

	if (call->calls_back && status == 0)
		callback_begin(call->door->engine, door_said(call, FIELD_KEY));
	else if (call->calls_back)
		callback_forget(call->door->engine, door_said(call, FIELD_KEY));
	if (status == 0)
		say_accepted(call, entries[0].request_id);
	else if (status == -EEXIST)
		say_known(call);
	else
		door_call_end(call, status, NULL);
}

static bool is_uuid(const char *text)
{
	return strlen(text) == UUID_TEXT_SIZE - 1 && !text[strspn(text, "0123456789abcdef-")];
}

static int note_callback(struct door_call *call, struct buf *why)
{
	const char *url = door_said(call, FIELD_CALLBACK), *key = door_said(call, FIELD_KEY);
	int r;

	if (!url)
		return 0;
	if (!key || !is_uuid(key))
		return -EINVAL;
	r = callback_note(call->door->engine, key, &call->queue_target, url, why);
	call->calls_back = r == 0;
	return r;
}

void door_enqueue(struct door_call *call)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	const char *source = door_said(call, FIELD_SOURCE);
	struct queue_event event = {
	        .target = {.function = call->function->id,
	                .version = call->version ? call->version->id : 0,
	                .alias = call->alias ? call->alias->id : 0},
	        .name = door_said(call, FIELD_KEY),
	        .source = source ? source : "gateway",
	        .body = call->event,
	        .max_retries = -1,
	        .max_event_age_ms = -1,
	        .uid = call->function->uid,
	        .gid = call->function->gid,
	};
	int r;

	call->queue_target = event.target;
	r = note_callback(call, &why);
	if (r < 0) {
		door_call_end(call, r, why.data);
		return;
	}
	buf_init(&call->event);
	r = queue_enqueue(call->door->engine->queue, &event, 1, accepted, call, &why);
	buf_deinit(&event.body);
	if (r < 0 && call->calls_back)
		callback_forget(call->door->engine, door_said(call, FIELD_KEY));
	if (r == -EEXIST) {
		say_known(call);
		return;
	}
	if (r < 0) {
		door_call_end(call, r, why.data);
		return;
	}
	call->pinned = true;
	call->door->pinned++;
}
