/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time: what becomes due, who may begin a call now, and what was kept for long enough. One alarm serves
 * it all. Lines take turns, one call each. A line has as many short calls at once as the machine has
 * processors; a call that takes longer than a second does not count any more, so that a slow function gets
 * more and more of its instances while a quick one does not get a hundred for nothing.
 */
#include <assert.h>
#include <errno.h>

#include "events/queue_private.h"

/* Somebody may set the clock: looks again at least this often while calls wait, or are kept. */
#define LONGEST_WAIT_US (60 * SECOND_US)
#define LONGEST_KEEP_US HOUR_US

static void turn(struct alarm *alarm);

int64_t queue_now(const struct queue *queue)
{
	return clock_wall_us(queue->clock);
}

void queue_wake(struct queue *queue)
{
	if (queue->started && !queue->stopping)
		alarm_set(queue->alarms, &queue->alarm, 0, turn);
}

static void take_turns(struct queue_line *line)
{
	if (list_empty(&line->turn_link))
		list_append(&line->queue->turns, &line->turn_link);
}

void queue_arm(struct queue_entry *entry)
{
	struct queue *queue = entry->line->queue;
	int64_t now = queue_now(queue);
	int r;

	assert(entry->place == QUEUE_WAITING && !entry->hidden && !entry->draft);
	queue_heap_remove(entry);
	if (entry->due_us <= now) {
		r = queue_heap_put(&entry->line->ready, (int64_t)entry->id, entry);
		take_turns(entry->line);
	} else {
		r = queue_heap_put(&queue->later, entry->due_us, entry);
	}
	/* Without memory it is found again by the next daemon; nothing is lost. */
	if (r == 0)
		queue_wake(queue);
}

static void become_due(struct queue *queue, int64_t now)
{
	while (queue->later.count && queue_heap_least(&queue->later) <= now)
		queue_arm(queue_heap_first(&queue->later));
}

/* --- who may begin ---------------------------------------------------------------------------- */

static void long_calls_make_room(struct queue *queue)
{
	int64_t now = clock_monotonic_us(queue->clock);
	struct queue_run *run;

	while ((run = list_first(&queue->shorts, struct queue_run, short_link)) &&
	        run->begun_us + SHORT_US <= now)
		queue_run_is_long(run);
}

static int64_t expiry_of(const struct queue_entry *entry, const struct queue_limits *limits)
{
	int64_t most_ms = entry->max_age_ms >= 0 ? entry->max_age_ms : limits->max_event_age_ms;

	return entry->accepted_us + most_ms * 1000;
}

/* Those that grew too old while nothing could be begun, and what never has a chance. */
static void expire(struct queue_line *line, const struct queue_limits *limits, int64_t now)
{
	struct queue_entry *entry;

	while ((entry = queue_heap_first(&line->ready)) &&
	        (line->expires_us = expiry_of(entry, limits)) < now)
		queue_fail(entry, "EventAgeExceeded", "EventAgeExceeded", -ETIMEDOUT,
		        "The call waited for longer than max_event_age");
}

static bool has_room(const struct queue_line *line, const struct queue_limits *limits)
{
	return line->running < limits->running_most &&
	       line->short_running < line->queue->parallel &&
	       line->queue->short_running < SHORT_CALLS_MOST;
}

/* True: it began one, and may have its turn again. */
static bool begin_one(struct queue_line *line, int64_t now)
{
	struct queue *queue = line->queue;
	struct queue_limits limits;

	if (queue->host->limits(queue->userdata, &line->target, &limits) < 0) {
		line->expires_us = now + SECOND_US; /* it is being removed, or is read then */
		return false;
	}
	expire(line, &limits, now);
	if (line->blocked_us > now || !line->ready.count || !has_room(line, &limits))
		return false;
	line->blocked_us = 0;
	return queue_begin(queue_heap_first(&line->ready), &limits) == 0;
}

static void begin_calls(struct queue *queue, int64_t now)
{
	struct list waiting;
	struct queue_line *line;

	list_init(&waiting);
	while ((line = list_first(&queue->turns, struct queue_line, turn_link))) {
		bool begun;

		list_unlink(&line->turn_link);
		begun = begin_one(line, now);
		list_unlink(&line->turn_link); /* what was refused stands in line already */
		if (line->ready.count)
			list_append(begun ? &queue->turns : &waiting, &line->turn_link);
	}
	while (!list_empty(&waiting)) {
		struct list *link = waiting.next;

		list_unlink(link);
		list_append(&queue->turns, link);
	}
}

/* --- what was kept ---------------------------------------------------------------------------- */

void queue_ended(struct queue_entry *entry)
{
	struct queue *queue = entry->line->queue;

	list_append(
	        entry->place == QUEUE_RESULT ? &queue->results : &queue->gone, &entry->ended_link);
	queue->ended_count++;
}

void queue_forget(struct queue_entry *entry)
{
	struct queue *queue = entry->line->queue;
	struct entry_commit *commit = queue_commit_new(queue, NULL, NULL);

	if (commit) {
		entry_commit_drop(commit, entry->id);
		queue_commit(queue, commit);
	}
	queue_entry_free(entry);
}

static int64_t forget_ended(
        struct queue *queue, const struct list *ended, int64_t kept_us, int64_t now)
{
	struct queue_entry *entry;

	while ((entry = list_first(ended, struct queue_entry, ended_link))) {
		if (entry->ended_us + kept_us > now && queue->ended_count <= ENDED_MOST)
			return entry->ended_us + kept_us;
		queue_forget(entry);
	}
	return INT64_MAX;
}

static int64_t forget_drafts(struct queue *queue, int64_t now)
{
	struct queue_draft *draft, *following;
	int64_t next = INT64_MAX;

	list_each_safe(draft, following, &queue->drafts, link) {
		if (draft->until_us <= now)
			queue_draft_expire(draft->entry);
		else if (draft->until_us < next)
			next = draft->until_us;
	}
	return next;
}

/* --- the alarm -------------------------------------------------------------------------------- */

static int64_t settle_again(struct queue *queue, int64_t now)
{
	struct queue_run *run, *following;
	int64_t next = INT64_MAX;

	list_each_safe(run, following, &queue->runs, link) {
		if (!run->retry_us)
			continue;
		if (run->retry_us <= now)
			queue_run_retry(run);
		else if (run->retry_us < next)
			next = run->retry_us;
	}
	return next;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Lines with something ready: those that were refused wait for their time, others for room. */
static int64_t next_begin(const struct queue *queue, int64_t now)
{
	int64_t next = INT64_MAX, monotonic = clock_monotonic_us(queue->clock);
	const struct queue_line *line;
	const struct queue_run *run = list_first(&queue->shorts, struct queue_run, short_link);

	list_each(line, &queue->turns, turn_link) {
		next = earlier(next, line->expires_us + 1);
		if (line->blocked_us > now)
			next = earlier(next, line->blocked_us);
	}
	if (run && !list_empty(&queue->turns))
		next = earlier(next, now + run->begun_us + SHORT_US - monotonic);
	return next;
}

static void turn(struct alarm *alarm)
{
	struct queue *queue = container_of(alarm, struct queue, alarm);
	int64_t now = queue_now(queue), next, most;

	become_due(queue, now);
	long_calls_make_room(queue);
	next = settle_again(queue, now);
	begin_calls(queue, now);
	next = earlier(next, forget_ended(queue, &queue->results, RESULT_KEPT_US, now));
	next = earlier(next, forget_ended(queue, &queue->gone, NAME_KEPT_US, now));
	next = earlier(next, forget_drafts(queue, now));
	next = earlier(next, next_begin(queue, now));
	if (queue->later.count)
		next = earlier(next, queue_heap_least(&queue->later));
	if (alarm_is_set(&queue->alarm) || next == INT64_MAX)
		return; /* something new came up meanwhile, or nothing ever will */
	most = queue->later.count || !list_empty(&queue->turns) ? LONGEST_WAIT_US : LONGEST_KEEP_US;
	alarm_set(queue->alarms, &queue->alarm, next <= now ? 0 : earlier(next - now, most), turn);
}

void queue_start(struct queue *queue)
{
	queue->started = true;
	queue_wake(queue);
}

void queue_target_changed(struct queue *queue, const struct queue_target *target)
{
	struct queue_line *line = queue_line_find(queue, target);

	if (!line)
		return;
	line->blocked_us = 0;
	line->refusals = 0;
	if (line->ready.count)
		queue_wake(queue);
}

/* --- the end ---------------------------------------------------------------------------------- */

bool queue_idle(const struct queue *queue)
{
	return queue->stopping && list_empty(&queue->runs) && !queue->open &&
	       entries_idle(queue->entries);
}

void queue_settle_idle(struct queue *queue)
{
	void (*idle)(void *userdata) = queue->idle;

	if (!idle || !queue_idle(queue))
		return;
	queue->idle = NULL;
	idle(queue->idle_userdata);
}

void queue_stop(struct queue *queue, void (*idle)(void *userdata), void *userdata)
{
	struct queue_run *run, *following;

	queue->stopping = true;
	queue->idle = idle;
	queue->idle_userdata = userdata;
	alarm_clear(queue->alarms, &queue->alarm);
	list_each_safe(run, following, &queue->runs, link)
		if (run->retry_us)
			queue_run_leave(run);
	queue_settle_idle(queue);
}
