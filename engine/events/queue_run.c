/* SPDX-License-Identifier: Apache-2.0 */
/* One try of one entry: how it begins, and whether what came of it is an end (queue_settle.c) or not yet. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/log.h"
#include "events/queue_private.h"

#define FIRST_DELAY_US (1 * SECOND_US)
#define MOST_DELAY_US  (120 * SECOND_US)
#define MOST_BLOCK_US  (30 * SECOND_US)

/* --- counting --------------------------------------------------------------------------------- */

void queue_run_is_long(struct queue_run *run)
{
	list_unlink(&run->short_link);
	if (!run->is_short)
		return;
	run->is_short = false;
	run->queue->short_running--;
	run->line->short_running--;
}

static void count_begun(struct queue_run *run)
{
	run->is_short = run->counted = true;
	run->begun_us = clock_monotonic_us(run->queue->clock);
	run->line->running++;
	run->line->short_running++;
	run->queue->short_running++;
	list_append(&run->queue->shorts, &run->short_link);
}

/* It makes no call any more. */
void queue_run_over(struct queue_run *run)
{
	queue_run_is_long(run);
	if (run->counted)
		run->line->running--;
	run->counted = false;
	queue_wake(run->queue);
}

struct queue_run *queue_run_new(struct queue_entry *entry)
{
	struct queue_run *run = calloc(1, sizeof(*run));

	if (!run) {
		fail(-ENOMEM, "trying an entry");
		return NULL;
	}
	run->queue = entry->line->queue;
	run->entry = entry;
	run->line = entry->line;
	list_init(&run->short_link);
	list_append(&run->queue->runs, &run->link);
	entry->run = run;
	return run;
}

void queue_run_leave(struct queue_run *run)
{
	struct queue *queue = run->queue;

	assert(!run->invocation);
	queue_run_over(run);
	if (run->entry)
		run->entry->run = NULL;
	list_unlink(&run->link);
	buf_deinit(&run->answer);
	buf_deinit(&run->request);
	free(run);
	queue_settle_idle(queue);
}

/* --- the end of a call ------------------------------------------------------------------------ */

static uint64_t random_next(struct queue *queue) /* xorshift64 */
{
	queue->random ^= queue->random << 13;
	queue->random ^= queue->random >> 7;
	queue->random ^= queue->random << 17;
	return queue->random;
}

/* Doubling, and a fifth more or less, so that what failed together does not come back together. */
static int64_t delay_of(struct queue *queue, unsigned tries, int64_t most_us)
{
	int64_t delay = FIRST_DELAY_US << (tries > 7 ? 7 : tries - 1);

	delay = delay < most_us ? delay : most_us;
	delay += delay / 5 - (int64_t)(random_next(queue) % (uint64_t)(delay * 2 / 5));
	return delay < most_us ? delay : most_us;
}

static void wait_again(struct queue_run *run, int64_t due_us)
{
	struct queue_entry *entry = run->entry;

	run->entry = NULL;
	entry->run = NULL;
	entry->due_us = due_us;
	queue_entry_move(entry, QUEUE_WAITING);
	queue_store(entry);
	if (!run->queue->stopping)
		queue_arm(entry);
	queue_run_leave(run);
}

/* It was not even tried: all instances are busy, or the function is disabled. */
static void refused(struct queue_run *run)
{
	struct queue_line *line = run->entry->line;

	run->entry->begun--;
	line->refusals++;
	line->blocked_us =
	        queue_now(run->queue) + delay_of(run->queue, line->refusals, MOST_BLOCK_US);
	wait_again(run, run->entry->due_us);
}

static void failed(struct queue_run *run)
{
	struct queue_entry *entry = run->entry;
	struct queue_limits limits = {};
	int most;

	entry->tries++;
	run->queue->host->limits(run->queue->userdata, &entry->line->target, &limits);
	most = entry->max_retries >= 0 ? entry->max_retries : limits.max_retries;
	if (entry->tries > most)
		queue_settle(run, QUEUE_FAILED, "RetriesExhausted");
	else
		wait_again(run,
		        queue_now(run->queue) + delay_of(run->queue, entry->tries, MOST_DELAY_US));
}

static void stale(struct queue_run *run)
{
	buf_clear(&run->answer);
	run->error = -ESTALE;
	error_body(&run->answer, "Removed", "%s", QUEUE_REMOVED_TEXT);
	queue_settle(run, QUEUE_FAILED, "Removed");
}

static void judge(struct queue_run *run, enum outcome outcome)
{
	if (outcome == OUTCOME_SUCCESS) {
		run->entry->line->refusals = 0;
		queue_settle(run, QUEUE_RESULT, "Success");
	} else if (run->queue->stopping) {
		run->entry->begun--; /* the end of the daemon is not its fault */
		wait_again(run, run->entry->due_us);
	} else if (run->entry->stale || run->error == -ESTALE) {
		stale(run);
	} else if (outcome == OUTCOME_REJECTED) {
		refused(run);
	} else if (outcome == OUTCOME_CANCELED) {
		queue_settle(run, QUEUE_FAILED, "Canceled");
	} else {
		failed(run);
	}
}

static void data(void *userdata, const char *bytes, size_t length)
{
	struct queue_run *run = userdata;

	buf_append(&run->answer, bytes, length);
}

static void ended(void *userdata, const struct invocation_end *end)
{
	struct queue_run *run = userdata;
	enum outcome outcome = end->outcome;

	run->queue->host->release(take(run->invocation));
	if (!run->entry) {
		queue_run_leave(run);
		return;
	}
	run->error = end->error;
	if (outcome == OUTCOME_SUCCESS && run->answer.failed) {
		outcome = OUTCOME_SYSTEM_ERROR;
		run->error = -ENOMEM;
	}
	if (outcome != OUTCOME_SUCCESS) {
		buf_deinit(&run->answer);
		buf_append(&run->answer, end->error_body, end->error_length);
	}
	judge(run, outcome);
}

static const struct invocation_events events = {.data = data, .ended = ended};

/* --- the beginning ---------------------------------------------------------------------------- */

static bool is_blank(const char *data, size_t length)
{
	while (length && strchr(" \t\r\n", *data) && *data)
		data++, length--;
	return !length;
}

static void refuse_start(struct queue_run *run, int error, const struct buf *why)
{
	if (error == -EAGAIN) {
		refused(run);
		return;
	}
	run->error = error;
	error_body(&run->answer, "SystemError", "%s", why->data ? why->data : strerror(-error));
	failed(run);
}

static void handed_on(void *userdata, int status)
{
	struct queue_run *run = userdata;

	run->reading = false;
	run->error = status;
	if (!run->entry)
		queue_run_leave(run);
	else
		judge(run, status == 0 ? OUTCOME_SUCCESS : OUTCOME_SYSTEM_ERROR);
}

static int hand_on(
        struct queue_run *run, const struct queue_call *call, struct buf *event, struct buf *why)
{
	int r = run->queue->host->hand_on(run->queue->userdata, call, event, handed_on, run, why);

	run->reading = r == 0;
	return r;
}

static void start(struct queue_run *run, const char *body, size_t length)
{
	const struct queue_entry *entry = run->entry;
	const struct queue_call call = {.target = &entry->line->target,
	        .request_id = entry->request_id,
	        .source = entry->source,
	        .name = entry->name,
	        .attempt = entry->begun,
	        .hops = entry->hops};
	CLEANUP(buf_deinit) struct buf event = BUF_INIT;
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	int r = -ENOMEM;

	if (is_blank(body, length))
		buf_puts(&event, "{}");
	else
		buf_append(&event, body, length);
	if (!event.failed && run->hands_on)
		r = hand_on(run, &call, &event, &why);
	else if (!event.failed)
		r = run->queue->host->start(
		        run->queue->userdata, &call, &event, &events, run, &run->invocation, &why);
	if (r < 0)
		refuse_start(run, r, &why);
}

static void loaded(void *userdata, int status, const char *data, size_t length)
{
	struct queue_run *run = userdata;
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;

	run->reading = false;
	if (!run->entry) {
		queue_run_leave(run);
	} else if (run->queue->stopping) {
		judge(run, OUTCOME_REJECTED);
	} else if (status < 0) {
		buf_puts(&why, "the request cannot be read from the disk");
		refuse_start(run, status, &why);
	} else {
		start(run, data, length);
	}
}

int queue_begin(struct queue_entry *entry, const struct queue_limits *limits)
{
	struct queue_run *run;
	int r;

	if (entry->begun - entry->tries >= INTERRUPTED_MOST && !limits->hands_on) {
		queue_fail(entry, "Interrupted", "Interrupted", -EIO,
		        "The daemon ended again and again while this call ran");
		return 0;
	}
	run = queue_run_new(entry);
	if (!run)
		return -ENOMEM;
	run->hands_on = limits->hands_on;
	queue_entry_move(entry, QUEUE_RUNNING);
	entry->begun++;
	count_begun(run);
	queue_store(entry);
	if (entry->body) {
		start(run, entry->body, entry->request_bytes);
		return 0;
	}
	run->reading = true;
	r = queue_read_bytes(run->queue, entry->id, false, loaded, run);
	if (r < 0) {
		run->reading = false;
		refused(run);
	}
	return 0;
}

void queue_run_abandon(struct queue_run *run)
{
	struct queue_entry *entry = run->entry;

	run->entry = NULL;
	entry->run = NULL;
	if (run->invocation)
		run->queue->host->cancel(run->invocation);
	else if (!run->commit && !run->reading)
		queue_run_leave(run);
}
