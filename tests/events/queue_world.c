/* SPDX-License-Identifier: Apache-2.0 */
#include "queue_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

struct world world;

/* --- the disk, as store/entries.h has it ------------------------------------------------------ */

struct entries {
	int none;
};

static struct entries disk;
static struct list reads = LIST_INIT(reads);
static bool dead; /* the daemon: what it hands in goes nowhere */

int entries_open(struct entries **out, uv_loop_t *loop, const char *state_dir)
{
	*out = &disk;
	return 0;
}

struct entries *entries_close(struct entries *entries)
{
	return NULL;
}

bool entries_idle(const struct entries *entries)
{
	return list_empty(&world.waiting) && list_empty(&world.applied) && list_empty(&reads);
}

static struct world_row *row_of(uint64_t id)
{
	for (size_t i = 0; i < world.count; i++)
		if (world.rows[i].row.id == id)
			return &world.rows[i];
	return NULL;
}

int entries_each(struct entries *entries, int (*each)(void *userdata, const struct entry_row *row),
        void *userdata, uint64_t *last)
{
	int r = 0;

	*last = world.last_id;
	for (size_t i = 0; r == 0 && i < world.count; i++) {
		struct world_row *row = &world.rows[i];

		row->row.name = row->name;
		row->row.request_id = row->request_id;
		row->row.source = row->source;
		r = each(userdata, &row->row);
	}
	return r;
}

void entries_commit(struct entries *entries, struct entry_commit *commit)
{
	/* What there was no memory for is refused without the disk. */
	list_append(commit->failed ? &world.applied : &world.waiting, &commit->link);
}

void entries_read(struct entries *entries, struct entry_read *read)
{
	list_append(&reads, &read->link);
}

static void answer_reads(void)
{
	struct entry_read *read;

	while ((read = list_first(&reads, struct entry_read, link))) {
		struct world_row *row = row_of(read->id);
		bool has = row && (read->answer ? row->has_answer : row->has_request);

		list_unlink(&read->link);
		read->status = dead ? -EIO : has ? 0 : -ENOENT;
		if (read->status == 0)
			buf_puts(&read->data, read->answer ? row->answer : row->request);
		read->done(read);
	}
}

static void set_body(enum entry_body verb, const struct buf *from, bool *has, char *to, size_t size)
{
	if (verb == ENTRY_KEEP)
		return;
	*has = verb == ENTRY_SET;
	snprintf(to, size, "%.*s", (int)from->length, from->length ? from->data : "");
}

static void drop_row(struct world_row *row)
{
	*row = world.rows[--world.count];
	for (size_t i = 1; i < world.count; i++)
		for (size_t j = i; j && world.rows[j].row.id < world.rows[j - 1].row.id; j--) {
			struct world_row other = world.rows[j];

			world.rows[j] = world.rows[j - 1];
			world.rows[j - 1] = other;
		}
}

static void apply_write(const struct entry_write *change)
{
	struct world_row *row = row_of(change->row.id);

	if (change->verb == ENTRY_DROP) {
		if (row)
			drop_row(row);
		return;
	}
	if (!row) {
		REQUIRE(world.count < WORLD_ROWS);
		row = &world.rows[world.count++];
		*row = (struct world_row){};
	}
	row->row = change->row;
	snprintf(row->name, sizeof(row->name), "%s", change->row.name);
	snprintf(row->request_id, sizeof(row->request_id), "%s", change->row.request_id);
	snprintf(row->source, sizeof(row->source), "%s", change->row.source);
	set_body(change->request_is, &change->request, &row->has_request, row->request,
	        sizeof(row->request));
	set_body(change->answer_is, &change->answer, &row->has_answer, row->answer,
	        sizeof(row->answer));
	if (change->row.id > world.last_id)
		world.last_id = change->row.id;
}

bool world_can_apply(void)
{
	return !list_empty(&world.waiting);
}

void world_apply(void)
{
	struct entry_commit *commit = list_first(&world.waiting, struct entry_commit, link);

	list_unlink(&commit->link);
	for (size_t i = 0; i < commit->count; i++)
		apply_write(&commit->writes[i]);
	list_append(&world.applied, &commit->link);
}

static void tell_first(struct list *commits, int status)
{
	struct entry_commit *commit = list_first(commits, struct entry_commit, link);

	list_unlink(&commit->link);
	commit->status = commit->failed ? -ENOMEM : status;
	commit->done(commit->userdata, commit->status);
	entry_commit_free(commit);
}

void world_refuse(int error)
{
	tell_first(&world.waiting, error);
}

bool world_can_tell(void)
{
	return !list_empty(&world.applied);
}

void world_tell(void)
{
	tell_first(&world.applied, 0);
}

void world_settle(void)
{
	world_turn();
	while (world_can_apply() || world_can_tell()) {
		while (world_can_apply())
			world_apply();
		while (world_can_tell())
			world_tell();
		world_turn();
	}
}

/* --- time, as run/alarm.h has it -------------------------------------------------------------- */

static struct alarm *set; /* the queue has one alarm */

int64_t alarm_now_us(void)
{
	return world.now_us;
}

int alarm_set(struct alarms *alarms, struct alarm *alarm, int64_t delay_us, alarm_fn ring)
{
	alarm->ring = ring;
	alarm->due_us = world.now_us + delay_us;
	alarm->place = 1;
	set = alarm;
	return 0;
}

void alarm_clear(struct alarms *alarms, struct alarm *alarm)
{
	alarm->place = 0;
	if (set == alarm)
		set = NULL;
}

int64_t world_alarm_us(void)
{
	return set ? set->due_us - world.now_us : -1;
}

void world_turn(void)
{
	answer_reads();
	while (set && set->due_us <= world.now_us) {
		struct alarm *alarm = set;

		alarm_clear(NULL, alarm);
		alarm->ring(alarm);
		answer_reads();
	}
}

void world_pass(int64_t us)
{
	world.now_us += us;
	world_turn();
}

static int64_t now(const struct clock *clock)
{
	return world.now_us;
}

/* --- instances -------------------------------------------------------------------------------- */

static int limits(void *userdata, const struct queue_target *target, struct queue_limits *out)
{
	*out = world.limits;
	if (target->function == world.unreadable)
		return -EIO;
	if (target->function == WORLD_TOPIC) {
		*out = (struct queue_limits){.max_retries = INT_MAX,
		        .max_event_age_ms = INT64_C(1) << 40,
		        .running_most = 4,
		        .hands_on = true,
		        .event_most = 6000};
		return 0;
	}
	if (target->function == 2) /* the end of chains */
		out->on_success = out->on_failure = (struct queue_target){};
	return target->function == 1 || target->function == 2
	               ? target->version && world.version_gone ? -ENOENT : 0
	               : -ENOENT;
}

static void urn(void *userdata, const struct queue_target *target, struct buf *out)
{
	buf_printf(out, "urn:%d", (int)target->function);
}

static struct world_call *begin_call(
        const struct queue_call *call, const struct buf *event, void *run)
{
	for (size_t i = 0; i < WORLD_CALLS; i++) {
		struct world_call *made = &world.calls[i];

		if (made->runs)
			continue;
		*made = (struct world_call){.runs = true,
		        .target = *call->target,
		        .attempt = call->attempt,
		        .hops = call->hops,
		        .run = run};
		snprintf(made->name, sizeof(made->name), "%s", call->name);
		snprintf(made->request_id, sizeof(made->request_id), "%s", call->request_id);
		snprintf(made->event, sizeof(made->event), "%.*s", (int)event->length, event->data);
		return made;
	}
	return NULL;
}

static int start(void *userdata, const struct queue_call *call, struct buf *event,
        const struct invocation_events *events, void *run, void **invocation, struct buf *why)
{
	struct world_call *made;

	if (world.busy) {
		world.busy--;
		return -EAGAIN;
	}
	made = begin_call(call, event, run);
	if (!made)
		return -EAGAIN;
	made->events = events;
	*invocation = made;
	if (world.began)
		world.began(&world, made);
	return 0;
}

static int hand_on(void *userdata, const struct queue_call *call, const struct buf *event,
        queue_done_fn done, void *run, struct buf *why)
{
	struct world_call *made = begin_call(call, event, run);

	if (!made)
		return -EAGAIN;
	made->handed = done;
	return 0;
}

static void arrive(const struct world_call *call)
{
	for (size_t i = 0; i < world.arrived_count; i++)
		if (strcmp(world.arrived[i], call->request_id) == 0)
			return;
	strcpy(world.arrived[world.arrived_count++], call->request_id);
}

void world_end(struct world_call *call, enum outcome outcome, const char *answer)
{
	const struct invocation_end end = {.outcome = outcome,
	        .error = outcome == OUTCOME_SUCCESS    ? 0
	                 : outcome == OUTCOME_REJECTED ? -EAGAIN
	                                               : -EREMOTEIO,
	        .error_body = answer,
	        .error_length = strlen(answer)};

	if (call->handed) {
		if (outcome == OUTCOME_SUCCESS)
			arrive(call);
		call->runs = false;
		call->handed(call->run, outcome == OUTCOME_SUCCESS ? 0 : -ENOSPC);
		world_turn();
		return;
	}
	if (outcome == OUTCOME_SUCCESS)
		call->events->data(call->run, answer, strlen(answer));
	call->events->ended(call->run, &end);
	world_turn();
}

static void cancel(void *invocation)
{
	/* The end comes on a later turn, as of a real one: whoever plays ends it. */
}

static void release(void *invocation)
{
	struct world_call *call = invocation;

	call->runs = false;
}

static const struct queue_host host = {
        .limits = limits,
        .urn = urn,
        .start = start,
        .cancel = cancel,
        .release = release,
        .hand_on = hand_on,
};

/* --- daemons ---------------------------------------------------------------------------------- */

void world_init(void)
{
	world = (struct world){
	        .limits = {.max_retries = 1,
	                .max_event_age_ms = 3600 * 1000,
	                .queue_limit = 100,
	                .running_most = 4},
	        .clock = {.monotonic_us = now, .wall_us = now},
	        .now_us = INT64_C(1700000000) * 1000000,
	};
	list_init(&world.waiting);
	list_init(&world.applied);
}

void world_boot(void)
{
	static struct alarms none;

	REQUIRE(queue_new(&world.queue, &(struct queue_options){.alarms = &none,
	                                        .clock = &world.clock,
	                                        .state_dir = "",
	                                        .host = &host,
	                                        .parallel = 2,
	                                        .seed = 1}) == 0);
	queue_start(world.queue);
	world_turn();
}

/* The daemon is not told, it only hears that nothing can be written any more, so that it frees all it has. */
void world_crash(void)
{
	dead = true;
	queue_stop(world.queue, NULL, NULL);
	for (size_t i = 0; i < WORLD_CALLS; i++)
		if (world.calls[i].runs)
			world_end(&world.calls[i], OUTCOME_CANCELED, "");
	while (world_can_apply() || world_can_tell() || !list_empty(&reads)) {
		answer_reads();
		while (world_can_apply())
			world_refuse(-EIO);
		while (world_can_tell())
			tell_first(&world.applied, -EIO);
	}
	world.queue = queue_free(world.queue);
	dead = false;
}

struct world_row *world_row(const char *name)
{
	for (size_t i = 0; i < world.count; i++)
		if (strcmp(world.rows[i].name, name) == 0)
			return &world.rows[i];
	return NULL;
}
