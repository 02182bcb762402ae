/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One try of one entry, from the line to what follows of it. An end that leads to a result or into failed/
 * is settled: the entry stays where it is until that, and the event of its destination with it, is on the
 * disk in one commit. While that cannot be written it is tried again; the call is not made again.
 */
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
static void count_ended(struct queue_run *run)
{
	queue_run_is_long(run);
	if (run->counted)
		run->line->running--;
	run->counted = false;
	queue_wake(run->queue);
}

static struct queue_run *run_new(struct queue_entry *entry)
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
	count_ended(run);
	if (run->entry)
		run->entry->run = NULL;
	list_unlink(&run->link);
	buf_deinit(&run->answer);
	buf_deinit(&run->request);
	free(run);
	queue_settle_idle(queue);
}

/* --- what follows of an end ------------------------------------------------------------------- */

static void settled(void *userdata, int status);

static void settle_later(struct queue_run *run)
{
	run->retry_us = queue_now(run->queue) + SECOND_US;
	queue_wake(run->queue);
	if (run->queue->stopping)
		queue_run_leave(run); /* the next daemon tries it again */
}

static bool destination_of(const struct queue_run *run, struct queue_target *out)
{
	struct queue *queue = run->queue;
	struct queue_limits limits, of_target;

	if (queue->host->limits(queue->userdata, &run->entry->line->target, &limits) < 0)
		return false;
	*out = run->place == QUEUE_RESULT ? limits.on_success : limits.on_failure;
	return out->function && queue->host->limits(queue->userdata, out, &of_target) == 0;
}

/* A loop of destinations ends here, where somebody can see it. */
void queue_end_loop(struct queue_entry *entry, struct entry_row *row, struct buf *answer)
{
	row->place = ENTRY_FAILED;
	row->ended_us = entry->ended_us = row->accepted_us;
	error_body(answer, "TooManyHops",
	        "The event went from queue to queue by destinations more than %d times",
	        QUEUE_HOPS_MOST);
	row->answer_bytes = entry->answer_bytes = (uint32_t)answer->length;
}

static struct queue_entry *destination_entry(
        const struct queue_run *run, const struct queue_target *target)
{
	const struct queue_entry *entry = run->entry;
	struct queue_line *line = queue_line_of(run->queue, target);
	struct queue_entry *made = NULL;
	struct buf name = BUF_INIT;

	buf_printf(&name, "%s-%u", entry->request_id, entry->begun);
	if (line && !name.failed)
		queue_entry_new(line, name.data, NULL,
		        run->place == QUEUE_RESULT ? "on_success" : "on_failure", &made);
	buf_deinit(&name);
	if (!made)
		return NULL;
	made->hops = (uint16_t)(entry->hops + 1);
	made->uid = entry->uid;
	made->gid = entry->gid;
	made->mode = entry->mode;
	return made;
}

static void add_destination(struct queue_run *run, struct entry_commit *commit)
{
	const struct buf kept = {.data = run->entry->body, .length = run->entry->request_bytes};
	CLEANUP(buf_deinit) struct buf event = BUF_INIT;
	CLEANUP(buf_deinit) struct buf answer = BUF_INIT;
	struct queue_target target;
	struct queue_entry *made;
	struct entry_row row;

	if (!destination_of(run, &target))
		return;
	made = destination_entry(run, &target);
	if (!made) {
		commit->failed = true;
		return;
	}
	run->destination = made->id;
	queue_record(run->queue, run->entry, run, run->entry->body ? &kept : &run->request, &event);
	made->request_bytes = (uint32_t)event.length;
	row = queue_entry_row(made);
	if (made->hops > QUEUE_HOPS_MOST)
		queue_end_loop(made, &row, &answer);
	entry_commit_put(commit, &row, &event, answer.length ? &answer : NULL);
}

static void write_end(struct queue_run *run)
{
	struct queue_entry *entry = run->entry;
	struct entry_commit *commit = queue_commit_new(run->queue, settled, run);
	struct entry_row row;

	if (!commit) {
		settle_later(run);
		return;
	}
	entry->answer_bytes = (uint32_t)run->answer.length;
	entry->ended_us = queue_now(run->queue);
	row = queue_entry_row(entry);
	row.place = (enum entry_place)run->place;
	/* The record of the destination is made of the answer, which then goes to the disk. */
	entry_commit_put(commit, &row, NULL, NULL);
	if (run->place == QUEUE_RESULT)
		entry_commit_remove_request(commit);
	add_destination(run, commit);
	if (commit->writes) {
		commit->writes[0].answer = run->answer;
		commit->writes[0].answer_is = ENTRY_SET;
		commit->bytes += run->answer.length;
		buf_init(&run->answer);
	}
	run->commit = commit;
	queue_commit(run->queue, commit);
}

static void got_request(void *userdata, int status, const char *data, size_t length)
{
	struct queue_run *run = userdata;

	run->reading = false;
	if (!run->entry) {
		queue_run_leave(run);
		return;
	}
	buf_append(&run->request, data, length);
	if (status < 0 && status != -ENOENT)
		settle_later(run);
	else
		write_end(run);
}

void queue_run_retry(struct queue_run *run)
{
	struct queue_target target;

	run->retry_us = 0;
	if (!run->entry->body && !run->request.length && destination_of(run, &target)) {
		run->reading = true;
		if (queue_read_bytes(run->queue, run->entry->id, false, got_request, run) == 0)
			return;
		run->reading = false;
		settle_later(run);
		return;
	}
	write_end(run);
}

static void settle(struct queue_run *run, enum queue_place place, const char *condition)
{
	run->entry->settling = true;
	run->place = place;
	run->condition = condition;
	count_ended(run);
	queue_run_retry(run);
}

/* The event of the destination is there. */
static void destination_settled(struct queue_entry *made)
{
	queue_show(made);
}

static void entry_settled(struct queue_run *run)
{
	struct queue_entry *entry = run->entry;

	bool rewrite = entry->rewrite;

	entry->settling = entry->rewrite = false;
	queue_entry_move(entry, run->place);
	if (run->place == QUEUE_RESULT) {
		queue_entry_drop_body(entry);
		queue_ended(entry);
	}
	entry->run = NULL;
	run->entry = NULL;
	if (rewrite)
		queue_store(entry); /* under the name and target it has got meanwhile */
	queue_tell(entry, entry->place);
	if (entry->unwanted)
		queue_remove(entry->line->queue, entry->id);
}

static void settled(void *userdata, int status)
{
	struct queue_run *run = userdata;
	struct entry_commit *commit = run->commit;
	struct queue_entry *made =
	        run->destination ? queue_entry_of(run->queue, run->destination) : NULL;

	run->commit = NULL;
	run->destination = 0;
	if (made && status == 0)
		destination_settled(made);
	else if (made)
		queue_entry_free(made);
	if (status == 0 || !run->entry) {
		if (run->entry)
			entry_settled(run);
		queue_run_leave(run);
		return;
	}
	if (commit->writes) {
		run->answer = commit->writes[0].answer;
		buf_init(&commit->writes[0].answer);
	}
	settle_later(run);
}

void queue_fail(struct queue_entry *entry, const char *condition, const char *type, int error,
        const char *sentence)
{
	struct queue_run *run = run_new(entry);

	queue_heap_remove(entry);
	if (!run)
		return; /* it is found again by the next daemon */
	run->error = error;
	error_body(&run->answer, type, "%s", sentence);
	settle(run, QUEUE_FAILED, condition);
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
		settle(run, QUEUE_FAILED, "RetriesExhausted");
	else
		wait_again(run,
		        queue_now(run->queue) + delay_of(run->queue, entry->tries, MOST_DELAY_US));
}

static void stale(struct queue_run *run)
{
	buf_clear(&run->answer);
	run->error = -ESTALE;
	error_body(&run->answer, "Removed", "%s", QUEUE_REMOVED_TEXT);
	settle(run, QUEUE_FAILED, "Removed");
}

static void judge(struct queue_run *run, enum outcome outcome)
{
	if (outcome == OUTCOME_SUCCESS) {
		run->entry->line->refusals = 0;
		settle(run, QUEUE_RESULT, "Success");
	} else if (run->queue->stopping) {
		run->entry->begun--; /* the end of the daemon is not its fault */
		wait_again(run, run->entry->due_us);
	} else if (run->entry->stale || run->error == -ESTALE) {
		stale(run);
	} else if (outcome == OUTCOME_REJECTED) {
		refused(run);
	} else if (outcome == OUTCOME_CANCELED) {
		settle(run, QUEUE_FAILED, "Canceled");
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

static void start(struct queue_run *run, const char *body, size_t length)
{
	const struct queue_entry *entry = run->entry;
	CLEANUP(buf_deinit) struct buf event = BUF_INIT;
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	int r = -ENOMEM;

	if (is_blank(body, length))
		buf_puts(&event, "{}");
	else
		buf_append(&event, body, length);
	if (!event.failed)
		r = run->queue->host->start(run->queue->userdata,
		        &(struct queue_call){.target = &entry->line->target,
		                .request_id = entry->request_id,
		                .source = entry->source,
		                .name = entry->name,
		                .attempt = entry->begun},
		        &event, &events, run, &run->invocation, &why);
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

	if (entry->begun - entry->tries >= INTERRUPTED_MOST) {
		queue_fail(entry, "Interrupted", "Interrupted", -EIO,
		        "The daemon ended again and again while this call ran");
		return 0;
	}
	run = run_new(entry);
	if (!run)
		return -ENOMEM;
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
