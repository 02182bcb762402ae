/* SPDX-License-Identifier: Apache-2.0 */
#include "events/queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/log.h"
#include "events/queue_private.h"

/* --- what the last daemon left ---------------------------------------------------------------- */

static int load_entry(struct queue_line *line, const struct entry_row *row)
{
	struct queue_entry *entry;
	/* Two of one name: the second was taken after the first was let go, and the disk did not hear of that. */
	bool taken = names_get(&line->by_name, row->name);
	int r;

	line->queue->last_id = row->id - 1;
	r = queue_entry_new(
	        line, taken ? row->request_id : row->name, row->request_id, row->source, &entry);
	if (r < 0)
		return r;
	entry->hidden = false;
	entry->accepted_us = row->accepted_us;
	entry->due_us = row->due_us;
	entry->ended_us = row->ended_us;
	entry->begun = (uint16_t)row->begun;
	entry->tries = (uint16_t)row->tries;
	entry->max_retries = (int16_t)row->max_retries;
	entry->max_age_ms = row->max_age_ms;
	entry->uid = row->uid;
	entry->gid = row->gid;
	entry->mode = row->mode;
	entry->hops = (uint16_t)row->hops;
	entry->request_bytes = row->request_bytes;
	entry->answer_bytes = row->answer_bytes;
	queue_entry_move(
	        entry, row->place == ENTRY_RUNNING ? QUEUE_WAITING : (enum queue_place)row->place);
	return 0;
}

static int load_row(void *userdata, const struct entry_row *row)
{
	struct queue *queue = userdata;
	const struct queue_target target = {row->function, row->version, row->alias};
	struct queue_line *line;

	if (row->place > ENTRY_GONE)
		return fail(-EIO, "the queues hold an entry in no place");
	line = queue_line_of(queue, &target);
	return line ? load_entry(line, row) : -ENOMEM;
}

static int by_end(const void *a, const void *b)
{
	const struct queue_entry *const *left = a, *const *right = b;

	return (*left)->ended_us < (*right)->ended_us ? -1 : (*left)->ended_us > (*right)->ended_us;
}

/* What ended is let go in the order in which it ended. */
static int line_up(struct queue *queue)
{
	CLEANUP(free_p) struct queue_entry **ended = calloc(queue->by_id.count + 1, sizeof(*ended));
	struct queue_entry *entry;
	size_t count = 0;

	if (!ended)
		return fail(-ENOMEM, "reading the queues");
	map_each(entry, &queue->by_id, cursor) {
		if (entry->place == QUEUE_WAITING)
			queue_arm(entry);
		else if (entry->place == QUEUE_RESULT || entry->place == QUEUE_GONE)
			ended[count++] = entry;
	}
	qsort(ended, count, sizeof(*ended), by_end);
	for (size_t i = 0; i < count; i++)
		queue_ended(ended[i]);
	return 0;
}

/* What was removed in the moment the last daemon died. What cannot be read now was not. */
static void sweep(struct queue *queue)
{
	struct queue_line *line, *following;
	struct queue_limits limits;

	list_each_safe(line, following, &queue->lines, link) {
		const struct queue_target target = line->target;
		const struct queue_target of_function = {.function = target.function};
		int r;

		if (queue->host->limits(queue->userdata, &target, &limits) != -ENOENT)
			continue;
		r = queue->host->limits(queue->userdata, &of_function, &limits);
		if (r == 0)
			queue_remove_target(queue, &target);
		else if (r == -ENOENT)
			queue_remove_line(line);
	}
}

/* --- life ------------------------------------------------------------------------------------- */

static void queue_free_p(struct queue **queue)
{
	queue_free(*queue);
}

int queue_new(struct queue **out, const struct queue_options *options)
{
	CLEANUP(queue_free_p) struct queue *queue = calloc(1, sizeof(*queue));
	uint64_t last = 0;
	int r;

	if (!queue)
		return fail(-ENOMEM, "opening the queues");
	queue->host = options->host;
	queue->userdata = options->userdata;
	queue->clock = options->clock;
	queue->alarms = options->alarms;
	queue->parallel = options->parallel;
	queue->random = options->seed | 1;
	list_init(&queue->lines);
	list_init(&queue->turns);
	list_init(&queue->runs);
	list_init(&queue->shorts);
	list_init(&queue->results);
	list_init(&queue->gone);
	list_init(&queue->drafts);
	r = entries_open(&queue->entries, options->loop, options->state_dir);
	if (r == 0)
		r = entries_each(queue->entries, load_row, queue, &last);
	if (r == 0)
		r = line_up(queue);
	if (r < 0)
		return r;
	queue->last_id = last;
	sweep(queue);
	*out = take(queue);
	return 0;
}

static void free_watchers(struct queue *queue)
{
	struct list *watches;

	map_each(watches, &queue->watches, cursor) {
		assert(list_empty(watches));
		free(watches);
	}
	map_deinit(&queue->watches);
}

static void free_line(struct queue_line *line)
{
	for (size_t i = line->slot_count; i-- > 0;) {
		struct queue_entry *entry = i < line->slot_count ? line->slots[i].entry : NULL;

		if (entry && entry->draft)
			queue_draft_free(entry);
		if (entry)
			queue_entry_free(entry);
	}
	queue_line_free(line);
}

struct queue *queue_free(struct queue *queue)
{
	struct queue_line *line, *following;

	if (!queue)
		return NULL;
	assert(list_empty(&queue->runs));
	if (queue->alarms)
		alarm_clear(queue->alarms, &queue->alarm);
	queue->started = false;
	list_each_safe(line, following, &queue->lines, link)
		free_line(line);
	entries_close(queue->entries);
	free_watchers(queue);
	queue_heap_deinit(&queue->later);
	map_deinit(&queue->by_id);
	names_deinit(&queue->by_request);
	map_deinit(&queue->lines_by_target);
	free(queue);
	return NULL;
}

/* --- taking calls ----------------------------------------------------------------------------- */

struct taking {
	struct queue *queue;
	queue_accepted_fn done;
	void *userdata;
	int status; /* of what was refused */
	size_t count;
	struct queue_accepted accepted[];
};

void queue_show(struct queue_entry *entry)
{
	entry->hidden = false;
	if (entry->hops > QUEUE_HOPS_MOST)
		queue_entry_move(entry, QUEUE_FAILED);
	else if (entry->stale)
		queue_fail(entry, "Removed", "Removed", -ESTALE, QUEUE_REMOVED_TEXT);
	else
		queue_arm(entry);
}

static void show(struct queue *queue, struct taking *taking, int status)
{
	for (size_t i = 0; i < taking->count; i++) {
		struct queue_entry *entry = queue_entry_of(queue, taking->accepted[i].entry);

		if (!entry)
			continue; /* its function was removed meanwhile */
		if (status < 0) {
			queue_entry_free(entry);
			continue;
		}
		queue_show(entry);
	}
}

static void taken(void *userdata, int status)
{
	struct taking *taking = userdata;

	show(taking->queue, taking, status);
	if (taking->status < 0)
		status = taking->status;
	if (taking->done)
		taking->done(
		        taking->userdata, status, taking->accepted, status < 0 ? 0 : taking->count);
	free(taking);
}

static struct queue_entry *take_one(struct queue_line *line, struct queue_event *event, int *error)
{
	char request_id[UUID_TEXT_SIZE];
	struct queue_entry *entry;

	uuid_make(&line->queue->ids, request_id);
	*error = queue_entry_new(line, event->name ? event->name : request_id, request_id,
	        event->source ? event->source : "queue", &entry);
	if (*error < 0)
		return NULL;
	entry->due_us = event->due_us > entry->due_us ? event->due_us : entry->due_us;
	entry->max_retries = (int16_t)event->max_retries;
	entry->max_age_ms = event->max_event_age_ms;
	entry->uid = event->uid;
	entry->gid = event->gid;
	entry->mode = event->mode ? event->mode & 07777 : 0644;
	entry->hops = (uint16_t)(event->hops < UINT16_MAX ? event->hops : UINT16_MAX);
	return entry;
}

static void put_one(
        struct entry_commit *commit, struct queue_entry *entry, struct queue_event *event)
{
	CLEANUP(buf_deinit) struct buf answer = BUF_INIT;
	struct entry_row row;

	queue_entry_keep_body(entry, &event->body);
	row = queue_entry_row(entry);
	if (entry->hops > QUEUE_HOPS_MOST)
		queue_end_loop(entry, &row, &answer);
	entry_commit_put(commit, &row, &event->body, answer.length ? &answer : NULL);
}

static int check_events(
        struct queue *queue, const struct queue_event *events, size_t count, struct buf *why)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (events[i].name)
			r = queue_name_check(events[i].name, why);
		if (r == 0 && events[i].body.length > QUEUE_EVENT_MOST) {
			if (why)
				buf_puts(why, "an event has at most 6M");
			r = -EFBIG;
		}
	}
	return r < 0 ? r : queue_check_room(queue, &events->target, count, why);
}

static int take_all(
        struct taking *taking, struct queue_line *line, struct queue_event *events, size_t count)
{
	struct queue_entry *entry;
	int r = 0;

	while (taking->count < count && (entry = take_one(line, &events[taking->count], &r))) {
		struct queue_accepted *accepted = &taking->accepted[taking->count++];

		accepted->entry = entry->id;
		strcpy(accepted->name, entry->name);
		strcpy(accepted->request_id, entry->request_id);
	}
	if (r == 0)
		return 0;
	show(taking->queue, taking, r);
	taking->count = 0;
	taking->status = r;
	return r;
}

int queue_enqueue(struct queue *queue, struct queue_event *events, size_t count,
        queue_accepted_fn done, void *userdata, struct buf *why)
{
	struct taking *taking;
	struct entry_commit *commit;
	struct queue_line *line;
	int r = count ? check_events(queue, events, count, why) : -EINVAL;

	if (r < 0)
		return r;
	line = queue_line_of(queue, &events->target);
	taking = calloc(1, sizeof(*taking) + count * sizeof(taking->accepted[0]));
	commit = taking ? queue_commit_new(queue, taken, taking) : NULL;
	if (!commit || !line) {
		free(taking);
		return -ENOMEM;
	}
	taking->queue = queue;
	taking->done = done;
	taking->userdata = userdata;
	r = take_all(taking, line, events, count);
	if (r < 0 && r != -EEXIST) {
		queue_commit_drop(commit);
		free(taking);
		return r;
	}
	for (size_t i = 0; i < taking->count; i++)
		put_one(commit, queue_entry_of(queue, taking->accepted[i].entry), &events[i]);
	queue_commit(queue, commit);
	return 0;
}
