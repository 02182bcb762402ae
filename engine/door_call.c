/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call that came through the door: asked for by one frame, its event in pieces, then begun; the response goes
 * back as the function produces it. When whoever waits for it is gone it is cancelled, as if an open
 * `invoke` had been closed. What can be asked for is a row of a table.
 */
#include "engine/door_manage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/engine_state.h"
#include "engine/error_text.h"
#include "engine/recorder.h"
#include "events/sources.h"
#include "model/alias.h"
#include "model/version.h"
#include "run/pool.h"

enum { CALLS_MOST = 20000, LOG_BYTES = 4096 };
#define HELD_MOST    ((size_t)256 << 20)   /* of events still on their way, of all calls */
#define SPOOLED_MOST (INT64_C(1024) << 20) /* of archives, likewise */

/* --- what goes back --------------------------------------------------------------------------- */

static struct door_call *call_free(struct door_call *call)
{
	if (!call)
		return NULL;
	if (!call->left)
		map_remove(&call->door->calls, call->number);
	call->door->held_bytes -= call->held;
	alarm_clear(&call->door->engine->host.alarms, &call->late);
	if (call->trigger)
		sources_http_end(call->door->engine->sources, call->trigger);
	wire_said_deinit(&call->said);
	buf_deinit(&call->event);
	buf_deinit(&call->end);
	cJSON_Delete(call->parameters);
	call->door->spooled_bytes -= call->spooled;
	close_fd(call->spool);
	free(call);
	return NULL;
}

static void send_end(struct door_call *call)
{
	struct door *door = call->door;

	door->pinned -= call->pinned;
	if (call->left) {
		call_free(call);
		engine_settle(door->engine);
		return;
	}
	wire_link_send(&door->link, WIRE_END, call->number, call->end.data, call->end.length);
	call_free(call);
	door_flush(door);
}

void door_call_end(struct door_call *call, int error, const char *sentence)
{
	call->door->refused += error != 0;
	wire_put_number(&call->end, FIELD_ERROR, -error);
	wire_put(&call->end, FIELD_SENTENCE, sentence ? sentence : strerror(-error));
	send_end(call);
}

/* Who answers is known when the first byte comes, or the end. */
static void say_begin(struct door_call *call)
{
	CLEANUP(buf_deinit) struct buf fields = BUF_INIT;

	if (call->answered)
		return;
	call->answered = true;
	wire_put(&fields, FIELD_REQUEST_ID, call->request_id);
	if (call->invocation) {
		wire_put(&fields, FIELD_VERSION, invocation_version(call->invocation));
		if (call->invocation->speaks_http)
			wire_put(&fields, FIELD_SPEAKS_HTTP, "1");
	}
	wire_link_send(&call->door->link, WIRE_BEGIN, call->number, fields.data, fields.length);
}

void door_call_data(struct door_call *call, const char *data, size_t length)
{
	if (call->left)
		return;
	say_begin(call);
	if (length)
		wire_link_send(&call->door->link, WIRE_DATA, call->number, data, length);
}

/* --- a function's response -------------------------------------------------------------------- */

static void response_came(void *userdata, const char *data, size_t length)
{
	struct door_call *call = userdata;

	door_call_data(call, data, length);
	door_flush(call->door);
}

/* What was printed and what was used is known behind the end. */
static void add_record(struct door_call *call)
{
	struct function *function = functions_get(call->door->engine->functions, call->function_id);
	struct recorder *recorder = function ? engine_recorder(call->door->engine, function) : NULL;
	const struct call_record *record =
	        recorder ? recorder_find(recorder, call->request_id) : NULL;
	size_t skip;

	if (!record)
		return;
	skip = record->log.length > LOG_BYTES ? record->log.length - LOG_BYTES : 0;
	if (record->log.length && !memchr(record->log.data, 0, record->log.length))
		wire_put_bytes(
		        &call->end, FIELD_LOG, record->log.data + skip, record->log.length - skip);
	wire_put_number(&call->end, FIELD_MEMORY_BYTES, record->memory_peak_bytes);
	wire_put_number(
	        &call->end, FIELD_MEMORY_LIMIT_BYTES, function->settings.config.memory_bytes);
}

static void end_late(struct alarm *alarm)
{
	struct door_call *call = container_of(alarm, struct door_call, late);

	add_record(call);
	send_end(call);
}

static bool is_of_function(enum outcome outcome)
{
	return outcome == OUTCOME_FUNCTION_ERROR || outcome == OUTCOME_TIMEOUT ||
	       outcome == OUTCOME_NOT_LOADED || outcome == OUTCOME_BAD_REQUEST;
}

static void call_ended(void *userdata, const struct invocation_end *end)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct door_call *call = userdata;
	struct invocation *invocation = call->invocation;

	say_begin(call);
	if (end->error) {
		if (is_of_function(end->outcome)) {
			if (end->error_length)
				wire_link_send(&call->door->link, WIRE_TROUBLE, call->number,
				        end->error_body, end->error_length);
			wire_put(&call->end, FIELD_OF_FUNCTION, "1");
		}
		error_text_sentence(&why, end->error_body, end->error_length);
		wire_put(&call->end, FIELD_SENTENCE, why.data);
	}
	wire_put_number(&call->end, FIELD_ERROR, -end->error);
	wire_put_number(&call->end, FIELD_DURATION_US,
	        invocation->sent_us ? alarm_now_us() - invocation->sent_us : 0);
	call->invocation = NULL;
	invocation_release(invocation);
	if (door_said(call, FIELD_WANTS_LOG))
		alarm_set(&call->door->engine->host.alarms, &call->late, 0, end_late);
	else
		send_end(call);
}

static const struct invocation_events events = {response_came, call_ended};

void door_close_event(struct buf *event, const char *request_id)
{
	buf_printf(event,
	        ",\"requestContext\":{\"apiId\":\"fnfs\",\"requestId\":\"%s\",\"stage\":"
	        "\"RELEASE\"}}",
	        request_id);
}

static void make_head(struct door_call *call, struct buf *head)
{
	const char *open = door_said(call, FIELD_HEAD);

	if (!open)
		return;
	buf_puts(head, open);
	door_close_event(head, call->request_id);
}

void door_invoke(struct door_call *call, const char *source)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	CLEANUP(buf_deinit) struct buf head = BUF_INIT;
	struct invocation_options options = {
	        .source = source,
	        .version = call->version,
	        .alias = call->alias,
	        .name = "",
	        .request_id = call->request_id,
	};
	int r;

	if (!call->request_id[0])
		uuid_make(&call->door->engine->host.ids, call->request_id);
	make_head(call, &head);
	options.http_head = head.data;
	r = head.failed ? -ENOMEM
	                : invocation_start(call->door->engine, call->function, &call->event,
	                          &options, &events, call, &call->invocation, &why);
	if (r < 0) {
		door_call_end(call, r, why.data);
		return;
	}
	call->door->accepted++;
	call->function_id = call->function->id;
}

/* --- what can be asked for -------------------------------------------------------------------- */

static void invoke(struct door_call *call)
{
	const char *source = door_said(call, FIELD_SOURCE);

	door_invoke(call, source ? source : "gateway");
}

static void check(struct door_call *call)
{
	door_call_end(call, 0, "");
}

static void metrics(struct door_call *call)
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;

	engine_show_openmetrics(call->door->engine, &text);
	door_call_data(call, text.data, text.length);
	door_call_end(call, 0, "");
}

/*
 * `named`: it is about a function, which must be there. `judges`: it sees itself to who may. `spools`: what comes is an
 * archive, and not kept in memory.
 */
static const struct verb {
	bool named, judges;
	void (*run)(struct door_call *call);
	bool spools;
} verbs[VERBS] = {
        [VERB_INVOKE] = {true, false, invoke},
        [VERB_ENQUEUE] = {true, false, door_enqueue},
        [VERB_CHECK] = {true, false, check},
        [VERB_ROUTE] = {false, true, door_route},
        [VERB_METRICS] = {false, false, metrics},
        [VERB_LIST] = {false, true, door_list},
        [VERB_SHOW] = {true, false, door_show},
        [VERB_CREATE] = {false, false, door_create, .spools = true},
        [VERB_CODE] = {true, false, door_code, .spools = true},
        [VERB_CONFIGURE] = {true, false, door_configure},
        [VERB_REMOVE] = {true, false, door_remove},
        [VERB_PUBLISH] = {true, false, door_publish},
        [VERB_VERSIONS] = {true, false, door_versions},
        [VERB_ALIASES] = {true, false, door_aliases},
        [VERB_ALIAS_SHOW] = {true, false, door_alias_show},
        [VERB_ALIAS_CREATE] = {true, false, door_alias_create},
        [VERB_ALIAS_CHANGE] = {true, false, door_alias_change},
        [VERB_ALIAS_REMOVE] = {true, false, door_alias_remove},
};

static const struct verb *verb_of(const struct door_call *call)
{
	int64_t number = wire_number(&call->said, FIELD_VERB, 0);

	return number > 0 && number < VERBS && verbs[number].run ? &verbs[number] : NULL;
}

/* --- what the gateway says -------------------------------------------------------------------- */

static int take_parameters(struct door_call *call)
{
	const char *text = door_said(call, FIELD_PARAMETERS);

	static const char *const objects[] = {"config", "env", "weights"};
	const cJSON *one;

	call->parameters = text ? cJSON_Parse(text) : NULL;
	if (text && !cJSON_IsObject(call->parameters))
		return -EPROTO;
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		one = cJSON_GetObjectItemCaseSensitive(call->parameters, objects[i]);
		if (one && !cJSON_IsObject(one))
			return -EPROTO;
	}
	return 0;
}

static bool ask(struct door *door, const struct wire_frame *frame)
{
	struct door_call *call;
	int r;

	if (map_get(&door->calls, frame->call) || door->calls.count >= CALLS_MOST)
		return false;
	call = calloc(1, sizeof(*call));
	if (!call)
		return false;
	call->door = door;
	call->number = frame->call;
	call->spool = -1;
	r = wire_take(&call->said, frame->payload, frame->length);
	if (r == 0)
		r = take_parameters(call);
	if (r == 0 && !verb_of(call))
		r = -EPROTO;
	if (r == 0)
		r = map_put(&door->calls, frame->call, call);
	if (r < 0)
		call_free(call);
	return r == 0;
}

/* To a file without a name: an archive may be large, and whoever unpacks it wants a file. */
static bool spool(struct door_call *call, const struct wire_frame *frame)
{
	struct door *door = call->door;

	if (call->spool < 0)
		call->spool =
		        openat(door->engine->state_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (call->spool < 0) /* not every file system has these */
		call->spool = memfd_create("archive", MFD_CLOEXEC);
	if (call->begun || call->spool < 0 ||
	        call->spooled + (int64_t)frame->length > CODE_ARCHIVE_MOST ||
	        door->spooled_bytes + (int64_t)frame->length > SPOOLED_MOST)
		return false;
	call->spooled += (int64_t)frame->length;
	door->spooled_bytes += (int64_t)frame->length;
	/* What is missing is seen when it is unpacked: an archive that is cut is none. */
	return write(call->spool, frame->payload, frame->length) >= 0 || errno == ENOSPC ||
	       errno == EDQUOT;
}

static bool add_to_event(struct door_call *call, const struct wire_frame *frame)
{
	struct door *door = call->door;

	if (verb_of(call)->spools)
		return spool(call, frame);
	if (call->begun || call->event.length + frame->length > INVOCATION_REQUEST_MAX ||
	        door->held_bytes + frame->length > HELD_MOST)
		return false;
	buf_append(&call->event, frame->payload, frame->length);
	call->held += frame->length;
	door->held_bytes += frame->length;
	return !call->event.failed;
}

static bool begin(struct door_call *call)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	const struct verb *verb = verb_of(call);
	int r;

	if (call->begun)
		return false;
	call->begun = true;
	call->door->held_bytes -= call->held;
	call->held = 0;
	r = verb->named ? door_find(call, &why) : 0;
	/* Who may not call it need not know whether it is there. */
	if (!verb->judges && (r == 0 || r == -ENOENT)) {
		int allowed = door_allow(call, &why);

		r = allowed < 0 ? allowed : r;
	}
	if (r < 0)
		door_call_end(call, r, why.data);
	else
		verb->run(call);
	return true;
}

static void leave(struct door_call *call)
{
	struct invocation *invocation = take(call->invocation);

	if (call->pinned) {
		map_remove(&call->door->calls, call->number);
		call->left = true;
		return;
	}
	if (invocation) {
		invocation_cancel(invocation);
		invocation_release(invocation);
	}
	call_free(call);
}

bool door_call_frame(struct door *door, const struct wire_frame *frame)
{
	struct door_call *call = map_get(&door->calls, frame->call);

	if (frame->type == WIRE_ASK)
		return ask(door, frame);
	if (!call)
		return true; /* it has ended; the gateway does not know yet */
	if (frame->type == WIRE_BODY)
		return add_to_event(call, frame);
	if (frame->type == WIRE_DONE)
		return begin(call);
	leave(call);
	return true;
}

void door_calls_cancel(struct door *door)
{
	struct door_call *call;
	size_t cursor;

	while (door->calls.count) {
		cursor = 0;
		call = map_next(&door->calls, &cursor);
		leave(call);
	}
}
