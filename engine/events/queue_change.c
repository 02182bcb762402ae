/* SPDX-License-Identifier: Apache-2.0 */
/* Entries as others see and change them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "events/queue_private.h"

/* --- names ------------------------------------------------------------------------------------ */

static bool printable(const char *name)
{
	for (size_t i = 0, width, length = strlen(name); i < length; i += width) {
		unsigned char first = (unsigned char)name[i], second = (unsigned char)name[i + 1];

		width = utf8_width(name + i, length - i);
		if (!width || first < 0x20 || first == 0x7f || first == '/' ||
		        (first == 0xc2 && second < 0xa0))
			return false;
	}
	return true;
}

static bool ends_in(const char *name, const char *end)
{
	size_t length = strlen(name), tail = strlen(end);

	return length >= tail && strcmp(name + length - tail, end) == 0;
}

static int refuse_name(struct buf *why, int error, const char *sentence)
{
	if (why)
		buf_puts(why, sentence);
	return error;
}

int queue_name_check(const char *name, struct buf *why)
{
	if (!*name)
		return refuse_name(why, -EINVAL, "the name of a call has at least one character");
	if (strlen(name) > QUEUE_NAME_LONGEST)
		return refuse_name(why, -ENAMETOOLONG, "the name of a call has at most 200 bytes");
	if (*name == '.')
		return refuse_name(why, -EINVAL, "the name of a call does not begin with a dot");
	if (ends_in(name, ".error"))
		return refuse_name(
		        why, -EINVAL, "names that end in .error are kept for errors in failed/");
	if (!printable(name))
		return refuse_name(why, -EINVAL, "the name of a call is printable UTF-8");
	return 0;
}

/* --- looking ---------------------------------------------------------------------------------- */

static void fill(const struct queue_entry *entry, struct queue_info *out)
{
	*out = (struct queue_info){.entry = entry->id,
	        .target = entry->line->target,
	        .name = entry->name,
	        .request_id = entry->request_id,
	        .place = entry->place,
	        .accepted_us = entry->accepted_us,
	        .due_us = entry->due_us,
	        .ended_us = entry->ended_us,
	        .tries = entry->begun,
	        .uid = entry->uid,
	        .gid = entry->gid,
	        .mode = entry->mode,
	        .request_bytes = entry->draft ? entry->draft->data.length : entry->request_bytes,
	        .answer_bytes = entry->answer_bytes};
}

int queue_get(struct queue *queue, uint64_t id, struct queue_info *out)
{
	struct queue_entry *entry = queue_entry_of(queue, id);

	if (!entry || entry->hidden)
		return -ENOENT;
	fill(entry, out);
	return 0;
}

int queue_find(struct queue *queue, const struct queue_target *target, const char *name,
        struct queue_info *out)
{
	struct queue_line *line = queue_line_find(queue, target);
	struct queue_entry *entry = line ? names_get(&line->by_name, name) : NULL;

	if (!entry || entry->hidden)
		return -ENOENT;
	fill(entry, out);
	return 0;
}

int queue_find_request(struct queue *queue, const char *request_id, struct queue_info *out)
{
	struct queue_entry *entry = names_get(&queue->by_request, request_id);

	if (!entry || entry->hidden)
		return -ENOENT;
	fill(entry, out);
	return 0;
}

/* Entries stand by id, which is by age but for those that were redriven: near enough for a number to look at. */
static int64_t oldest_of(const struct queue_line *line)
{
	for (size_t i = 0; line->counts[QUEUE_WAITING] > line->dots && i < line->slot_count; i++) {
		const struct queue_entry *entry = line->slots[i].entry;

		if (entry && entry->place == QUEUE_WAITING && !entry->hidden &&
		        !(entry->draft && entry->draft->dot))
			return entry->accepted_us;
	}
	return 0;
}

void queue_count(struct queue *queue, const struct queue_target *target, struct queue_counts *out)
{
	const struct queue_line *line = queue_line_find(queue, target);

	*out = (struct queue_counts){};
	if (!line)
		return;
	out->waiting = line->counts[QUEUE_WAITING] - line->dots;
	out->dots = line->dots;
	out->running = line->counts[QUEUE_RUNNING];
	out->results = line->counts[QUEUE_RESULT];
	out->failed = line->counts[QUEUE_FAILED];
	out->oldest_us = oldest_of(line);
}

void queue_count_all(const struct queue *queue, struct queue_counts *out)
{
	const struct queue_line *line;

	*out = (struct queue_counts){};
	list_each(line, &queue->lines, link) {
		out->waiting += line->counts[QUEUE_WAITING] - line->dots;
		out->dots += line->dots;
		out->running += line->counts[QUEUE_RUNNING];
		out->results += line->counts[QUEUE_RESULT];
		out->failed += line->counts[QUEUE_FAILED];
	}
}

const char *queue_peek(struct queue *queue, uint64_t id, size_t *length)
{
	struct queue_entry *entry = queue_entry_of(queue, id);

	if (!entry)
		return NULL;
	if (entry->draft) {
		*length = entry->draft->data.length;
		return *length ? entry->draft->data.data : "";
	}
	*length = entry->request_bytes;
	return entry->body;
}

int queue_read(
        struct queue *queue, uint64_t id, enum queue_part part, queue_read_fn done, void *userdata)
{
	if (!queue_entry_of(queue, id))
		return -ENOENT;
	return queue_read_bytes(queue, id, part == QUEUE_ANSWER, done, userdata);
}

/* --- changing --------------------------------------------------------------------------------- */

/* Its name is kept for an hour after it ended: whoever repeats a call by mistake is told so. */
static void keep_name(struct queue_entry *entry)
{
	struct entry_commit *commit = queue_commit_new(entry->line->queue, NULL, NULL);
	struct entry_row row;

	queue_entry_move(entry, QUEUE_GONE);
	queue_entry_drop_body(entry);
	entry->request_bytes = entry->answer_bytes = 0;
	queue_ended(entry);
	row = queue_entry_row(entry);
	if (!commit)
		return;
	entry_commit_put(commit, &row, NULL, NULL);
	entry_commit_remove_request(commit);
	entry_commit_remove_answer(commit);
	queue_commit(entry->line->queue, commit);
}

int queue_remove(struct queue *queue, uint64_t id)
{
	struct queue_entry *entry = queue_entry_of(queue, id);

	if (!entry || entry->hidden || entry->place == QUEUE_GONE)
		return -ENOENT;
	if (entry->settling) {
		entry->unwanted = true;
		return 0;
	}
	queue_tell(entry, QUEUE_GONE);
	if (entry->draft) {
		queue_draft_drop(entry);
		return 0;
	}
	if (entry->run)
		queue_run_abandon(entry->run);
	if (!entry->ended_us && entry->begun)
		entry->ended_us = queue_now(queue);
	if (entry->begun && entry->ended_us + NAME_KEPT_US > queue_now(queue))
		keep_name(entry);
	else
		queue_forget(entry);
	queue_wake(queue);
	return 0;
}

int queue_remove_error(struct queue *queue, uint64_t id)
{
	struct queue_entry *entry = queue_entry_of(queue, id);
	struct entry_commit *commit;
	struct entry_row row;

	if (!entry || entry->place != QUEUE_FAILED || !entry->answer_bytes)
		return -ENOENT;
	commit = queue_commit_new(queue, NULL, NULL);
	if (!commit)
		return -ENOMEM;
	entry->answer_bytes = 0;
	row = queue_entry_row(entry);
	entry_commit_put(commit, &row, NULL, NULL);
	entry_commit_remove_answer(commit);
	queue_commit(queue, commit);
	return 0;
}

int queue_postpone(struct queue *queue, uint64_t id, int64_t due_us)
{
	struct queue_entry *entry = queue_entry_of(queue, id);

	if (!entry || entry->hidden || entry->place != QUEUE_WAITING || entry->settling)
		return -ENOENT;
	if (due_us <= queue_now(queue))
		return 0;
	entry->due_us = due_us;
	if (entry->draft) {
		entry->draft->moved = true;
		return 0;
	}
	queue_store(entry);
	queue_arm(entry);
	return 0;
}

int queue_set_access(struct queue *queue, uint64_t id, uid_t uid, gid_t gid, mode_t mode)
{
	struct queue_entry *entry = queue_entry_of(queue, id);

	if (!entry)
		return -ENOENT;
	entry->uid = uid;
	entry->gid = gid;
	entry->mode = mode;
	if (entry->draft)
		entry->draft->moved = true;
	else if (entry->settling)
		entry->rewrite = true;
	else
		queue_store(entry);
	return 0;
}

/* --- again ------------------------------------------------------------------------------------ */

struct redrive {
	struct queue *queue;
	uint64_t id;
	int64_t now_us;
	queue_done_fn done;
	void *userdata;
};

static void begin_anew(struct queue_entry *entry, int64_t now_us)
{
	entry->begun = entry->tries = 0;
	entry->accepted_us = entry->due_us = now_us;
	entry->ended_us = 0;
	entry->answer_bytes = 0;
	entry->stale = false;
	queue_entry_move(entry, QUEUE_WAITING);
	queue_arm(entry);
}

static void redriven(void *userdata, int status)
{
	struct redrive *redrive = userdata;
	struct queue_entry *entry = queue_entry_of(redrive->queue, redrive->id);

	if (entry) {
		entry->settling = entry->rewrite = false;
		if (status == 0)
			begin_anew(entry, redrive->now_us);
		if (entry->unwanted)
			queue_remove(redrive->queue, redrive->id);
	}
	redrive->done(redrive->userdata, status);
	free(redrive);
}

int queue_redrive(struct queue *queue, uint64_t id, queue_done_fn done, void *userdata)
{
	struct queue_entry *entry = queue_entry_of(queue, id);
	struct redrive *redrive;
	struct entry_commit *commit;
	struct entry_row row;

	if (!entry || entry->place != QUEUE_FAILED || entry->settling)
		return -ENOENT;
	redrive = malloc(sizeof(*redrive));
	commit = redrive ? queue_commit_new(queue, redriven, redrive) : NULL;
	if (!commit) {
		free(redrive);
		return -ENOMEM;
	}
	*redrive = (struct redrive){queue, id, queue_now(queue), done, userdata};
	row = queue_entry_row(entry);
	row.place = ENTRY_WAITING;
	row.begun = row.tries = 0;
	row.accepted_us = row.due_us = redrive->now_us;
	row.ended_us = 0;
	row.answer_bytes = 0;
	entry->settling = true;
	entry_commit_put(commit, &row, NULL, NULL);
	entry_commit_remove_answer(commit);
	queue_commit(queue, commit);
	return 0;
}
