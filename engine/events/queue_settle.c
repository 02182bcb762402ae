/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What follows of an end that leads to a result or into failed/: the entry stays where it is until that, and the
 * event of its destination with it, is on the disk in one commit. While that cannot be written it is tried
 * again; the call is not made again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "events/queue_private.h"

static void settled(void *userdata, int status);

static void settle_later(struct queue_run *run)
{
	run->retry_us = queue_now(run->queue) + SECOND_US;
	queue_wake(run->queue);
	if (run->queue->stopping)
		queue_run_leave(run); /* the next daemon tries it again */
}

/* -ENOENT: none; other errors: which it is cannot be read now, nor can it be said that there is none. */
static int destination_of(
        const struct queue_run *run, struct queue_target *out, struct queue_limits *of_target)
{
	struct queue *queue = run->queue;
	struct queue_limits limits;
	int r = queue->host->limits(queue->userdata, &run->entry->line->target, &limits);

	if (r < 0)
		return r;
	*out = run->place == QUEUE_RESULT ? limits.on_success : limits.on_failure;
	return out->function ? queue->host->limits(queue->userdata, out, of_target) : -ENOENT;
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
	made->hops = entry->hops;
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
	struct queue_limits limits;
	struct queue_target target;
	struct queue_entry *made;
	struct entry_row row;
	int r = destination_of(run, &target, &limits);

	if (r == -ENOENT)
		return;
	made = r < 0 ? NULL : destination_entry(run, &target);
	if (!made) {
		commit->failed = true;
		return;
	}
	run->destination = made->id;
	made->hops += !limits.hands_on; /* that is one when it arrives */
	queue_record(run, run->entry->body ? &kept : &run->request,
	        limits.hands_on ? limits.event_most : QUEUE_EVENT_MOST, &event);
	made->request_bytes = (uint32_t)event.length;
	row = queue_entry_row(made);
	if (made->hops > QUEUE_HOPS_MOST)
		queue_end_loop(made, &row, &answer);
	entry_commit_put(commit, &row, &event, answer.length ? &answer : NULL);
}

static void put_end(struct queue_run *run, struct entry_commit *commit)
{
	struct queue_entry *entry = run->entry;
	struct entry_row row;

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
}

static void write_end(struct queue_run *run)
{
	struct entry_commit *commit = queue_commit_new(run->queue, settled, run);

	if (!commit) {
		settle_later(run);
		return;
	}
	if (run->hands_on)
		entry_commit_drop(commit, run->entry->id);
	else
		put_end(run, commit);
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
	struct queue_limits limits;
	struct queue_target target;

	run->retry_us = 0;
	if (!run->entry->body && !run->request.length &&
	        destination_of(run, &target, &limits) != -ENOENT) {
		run->reading = true;
		if (queue_read_bytes(run->queue, run->entry->id, false, got_request, run) == 0)
			return;
		run->reading = false;
		settle_later(run);
		return;
	}
	write_end(run);
}

void queue_settle(struct queue_run *run, enum queue_place place, const char *condition)
{
	run->entry->settling = true;
	run->place = place;
	run->condition = condition;
	queue_run_over(run);
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

	if (run->hands_on) {
		run->entry = NULL;
		entry->run = NULL;
		queue_entry_free(entry);
		return;
	}
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
	if (commit->writes && !run->hands_on) {
		run->answer = commit->writes[0].answer;
		buf_init(&commit->writes[0].answer);
	}
	settle_later(run);
}

void queue_fail(struct queue_entry *entry, const char *condition, const char *type, int error,
        const char *sentence)
{
	struct queue_run *run = queue_run_new(entry);

	queue_heap_remove(entry);
	if (!run)
		return; /* it is found again by the next daemon */
	run->error = error;
	error_body(&run->answer, type, "%s", sentence);
	queue_settle(run, QUEUE_FAILED, condition);
}
