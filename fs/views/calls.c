/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/calls.h"

#include <errno.h>
#include <stdio.h>

#include "engine/engine.h"
#include "engine/recorder.h"
#include "fs/node.h"

static struct recorder *recorder_of(const struct subject *subject)
{
	return engine_recorder(subject->engine, subject->function);
}

static bool next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	struct recorder *recorder = recorder_of(directory);
	struct call_record *record;

	if (!recorder)
		return false;
	if (after)
		after = node_child_restore(after, recorder_newest_id(recorder));
	record = recorder_next(recorder, after);
	if (!record)
		return false;
	entry->object = node_child(directory->function->id, record->id);
	snprintf(entry->name, sizeof(entry->name), "%s", record->request_id);
	return true;
}

static int find(const struct subject *directory, const char *name, uint64_t *object)
{
	struct recorder *recorder = recorder_of(directory);
	struct call_record *record = recorder ? recorder_find(recorder, name) : NULL;

	if (!record)
		return -ENOENT;
	*object = node_child(directory->function->id, record->id);
	return 0;
}

static int get(struct subject *subject)
{
	uint64_t function = node_child_function(subject->object);
	struct recorder *recorder;
	struct call_record *record;

	subject->function = functions_get(engine_functions(subject->engine), function);
	recorder = subject->function ? recorder_of(subject) : NULL;
	record = recorder ? recorder_get(recorder, node_child_restore(subject->object,
	                                                   recorder_newest_id(recorder)))
	                  : NULL;
	if (!record)
		return -ENOENT;
	subject->item = record;
	subject->uid = subject->function->uid;
	subject->gid = subject->function->gid;
	subject->time_us = record->start_us;
	return 0;
}

static void name_of(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	const struct call_record *record = subject->item;

	snprintf(name, EACH_NAME_SIZE, "%s", record->request_id);
}

/* It is out of sight at once; a call that runs is cancelled, and ends when it ends. */
static int remove_call(const struct subject *subject, struct buf *why)
{
	struct call_record *record = subject->item;

	if (!record->ended)
		engine_cancel_call(subject->engine, subject->function, record->request_id);
	recorder_hide(recorder_of(subject), record);
	return 0;
}

const struct each calls_each = {
        .next = next,
        .find = find,
        .get = get,
        .name = name_of,
        .remove = remove_call,
};

bool call_was_any(const struct subject *subject)
{
	struct recorder *recorder = recorder_of(subject);

	return recorder && recorder_newest_id(recorder);
}

/*
 * Once all calls were removed the link leads nowhere but stays: who removes the directory with all
 * that it listed still has it to unlink.
 */
int call_show_last(const struct subject *subject, struct buf *out)
{
	struct recorder *recorder = recorder_of(subject);
	struct call_record *record = recorder ? recorder_last(recorder) : NULL;

	buf_puts(out, record ? record->request_id : "none");
	return 0;
}

static int show_payload(const struct buf *payload, struct buf *out)
{
	buf_append(out, payload->data, payload->length);
	return 0;
}

int call_show_request(const struct subject *subject, struct buf *out)
{
	return show_payload(&((const struct call_record *)subject->item)->request, out);
}

int call_show_response(const struct subject *subject, struct buf *out)
{
	return show_payload(&((const struct call_record *)subject->item)->response, out);
}

int call_show_error(const struct subject *subject, struct buf *out)
{
	return show_payload(&((const struct call_record *)subject->item)->error, out);
}

int call_show_log(const struct subject *subject, struct buf *out)
{
	return show_payload(&((const struct call_record *)subject->item)->log, out);
}

int call_show_status(const struct subject *subject, struct buf *out)
{
	call_record_show_status(subject->item, out);
	return 0;
}
