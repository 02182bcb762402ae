/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries while they are written. Each flush by somebody who lives hands all that was written to the disk; the
 * last close hands over the rest and puts the entry in line. A first flush of nothing is a shell that
 * arranges its descriptors, the second is an empty file on purpose, and both end in the event {} if nothing
 * more comes. Dot-names are nobody's call yet: they are in memory until they are renamed.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "events/queue_private.h"

struct flush {
	struct queue *queue;
	uint64_t id;
	uint32_t bytes;
	char *old_name; /* of a rename, for when it fails */
	queue_done_fn done;
	void *userdata;
};

static void finish(struct queue_entry *entry);

static struct queue_entry *draft_of(const struct queue *queue, uint64_t id)
{
	struct queue_entry *entry = queue_entry_of(queue, id);

	return entry && entry->draft ? entry : NULL;
}

static void say(struct buf *why, const char *sentence)
{
	if (why)
		buf_puts(why, sentence);
}

/* --- life ------------------------------------------------------------------------------------- */

static void set_dot(struct queue_entry *entry, bool dot)
{
	entry->line->dots += (size_t)dot - (size_t)entry->draft->dot;
	entry->draft->dot = dot;
}

void queue_draft_free(struct queue_entry *entry)
{
	struct queue_draft *draft = entry->draft;

	set_dot(entry, false);
	entry->line->queue->draft_bytes -= draft->data.length;
	buf_deinit(&draft->data);
	list_unlink(&draft->link);
	free(draft);
	entry->draft = NULL;
}

static void wait_for_opener(struct queue_draft *draft, int64_t wait_us)
{
	struct queue *queue = draft->entry->line->queue;

	draft->until_us = queue_now(queue) + wait_us;
	list_append(&queue->drafts, &draft->link);
	queue_wake(queue);
}

void queue_draft_drop(struct queue_entry *entry)
{
	bool stored = entry->draft->stored || entry->draft->commits;

	queue_tell(entry, QUEUE_GONE);
	queue_draft_free(entry);
	if (stored)
		queue_forget(entry);
	else
		queue_entry_free(entry);
}

/* Nobody opened it after it was made, or nobody renamed the dot-name. */
void queue_draft_expire(struct queue_entry *entry)
{
	struct queue_draft *draft = entry->draft;

	list_unlink(&draft->link);
	draft->until_us = 0;
	if (draft->dot)
		queue_draft_drop(entry);
	else
		finish(entry);
}

static int check_limit(
        struct queue *queue, const struct queue_target *target, size_t more, struct buf *why)
{
	const struct queue_line *line = queue_line_find(queue, target);
	struct queue_limits limits;
	int r = queue->host->limits(queue->userdata, target, &limits);

	if (r < 0)
		return r;
	if ((line ? line->counts[QUEUE_WAITING] : 0) + more <= limits.queue_limit)
		return 0;
	if (why)
		buf_printf(why, "%zu calls wait already, as many as config/queue_limit allows",
		        line ? line->counts[QUEUE_WAITING] : 0);
	return -ENOSPC;
}

int queue_check_room(
        struct queue *queue, const struct queue_target *target, size_t more, struct buf *why)
{
	if (queue->stopping) {
		say(why, "the daemon is about to end and takes no more calls");
		return -ESHUTDOWN;
	}
	return check_limit(queue, target, more, why);
}

static int check_name(const char *name, struct buf *why)
{
	if (*name == '.' && strlen(name) > QUEUE_NAME_LONGEST) {
		say(why, "the name of a call has at most 200 bytes");
		return -ENAMETOOLONG;
	}
	return *name == '.' ? 0 : queue_name_check(name, why);
}

int queue_draft_new(struct queue *queue, const struct queue_target *target, const char *name,
        uid_t uid, gid_t gid, mode_t mode, uint64_t *id, struct buf *why)
{
	CLEANUP(free_p) struct queue_draft *draft = calloc(1, sizeof(*draft));
	struct queue_line *line = queue_line_of(queue, target);
	struct queue_entry *entry;
	int r = check_name(name, why);

	if (r == 0)
		r = queue_check_room(queue, target, 1, why);
	if (r == 0 && (!draft || !line))
		r = -ENOMEM;
	if (r == 0)
		r = queue_entry_new(line, name, NULL, "queue", &entry);
	if (r == -EEXIST)
		say(why, "a call of this name waits, runs or has ended within the last hour");
	if (r < 0)
		return r;
	entry->hidden = false;
	entry->uid = uid;
	entry->gid = gid;
	entry->mode = mode & 07777;
	draft->entry = entry;
	list_init(&draft->link);
	entry->draft = take(draft);
	set_dot(entry, *name == '.');
	wait_for_opener(entry->draft, SECOND_US);
	*id = entry->id;
	return 0;
}

bool queue_draft_is(struct queue *queue, uint64_t id)
{
	return draft_of(queue, id);
}

int queue_draft_open(struct queue *queue, uint64_t id)
{
	struct queue_entry *entry = draft_of(queue, id);
	struct queue_draft *draft = entry ? entry->draft : NULL;

	if (!draft || (!draft->dot && !draft->until_us))
		return -EEXIST;
	list_unlink(&draft->link);
	draft->until_us = 0;
	draft->opens++;
	return 0;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static int grow(struct queue_draft *draft, size_t length, struct buf *why)
{
	struct queue *queue = draft->entry->line->queue;
	size_t more = length - draft->data.length;
	char *place;

	if (queue->draft_bytes + more > DRAFTS_MOST) {
		say(why, "too much is being written to queues at once");
		return -ENOSPC;
	}
	place = buf_reserve(&draft->data, more);
	if (!place) {
		draft->data.failed = false;
		return -ENOMEM;
	}
	memset(place, 0, more);
	buf_added(&draft->data, more);
	queue->draft_bytes += more;
	return 0;
}

int queue_draft_resize(struct queue *queue, uint64_t id, off_t size, struct buf *why)
{
	struct queue_entry *entry = draft_of(queue, id);
	struct queue_draft *draft = entry ? entry->draft : NULL;
	int r = 0;

	if (!draft || size == (off_t)draft->data.length)
		return 0;
	if (size > (off_t)QUEUE_EVENT_MOST) {
		say(why, "an event has at most 6M");
		return -EFBIG;
	}
	if (size > (off_t)draft->data.length) {
		r = grow(draft, (size_t)size, why);
	} else {
		queue->draft_bytes -= draft->data.length - (size_t)size;
		draft->data.length = (size_t)size;
		draft->data.data[size] = 0;
	}
	if (r == 0)
		draft->dirty = true;
	return r;
}

/* All or nothing: half of an event would be another event. */
static int refuse_all(struct queue_draft *draft, int error)
{
	draft->dirty = false;
	draft->dropped = true;
	draft->refused = error;
	return error;
}

int queue_draft_write(struct queue *queue, uint64_t id, const void *data, size_t length,
        off_t offset, struct buf *why)
{
	struct queue_entry *entry = draft_of(queue, id);
	size_t end = (size_t)offset + length;
	int r = 0;

	if (!entry)
		return 0;
	if (entry->draft->refused)
		return entry->draft->refused;
	if (offset > (off_t)QUEUE_EVENT_MOST || end > QUEUE_EVENT_MOST) {
		say(why, "an event has at most 6M");
		return refuse_all(entry->draft, -EFBIG);
	}
	if (end > entry->draft->data.length)
		r = grow(entry->draft, end, why);
	if (r < 0)
		return refuse_all(entry->draft, r);
	memcpy(entry->draft->data.data + offset, data, length);
	entry->draft->dirty = true;
	entry->draft->dropped = false;
	return 0;
}

/* --- to the disk ------------------------------------------------------------------------------ */

static void flushed(void *userdata, int status)
{
	struct flush *flush = userdata;
	struct queue *queue = flush->queue;
	struct queue_entry *entry = draft_of(queue, flush->id);

	if (entry) {
		entry->draft->commits--;
		if (status == 0) {
			entry->draft->stored = true;
			entry->request_bytes = flush->bytes;
		} else {
			entry->draft->dropped = true; /* its writer hears of it */
		}
		if (status < 0 && flush->old_name &&
		        queue_entry_rename(entry, entry->line, flush->old_name) == 0)
			set_dot(entry, true);
	}
	if (flush->done)
		flush->done(flush->userdata, status);
	entry = draft_of(queue, flush->id);
	if (entry && !entry->draft->opens && !entry->draft->until_us) {
		if (!entry->draft->dot)
			finish(entry);
		else if (list_empty(&entry->draft->link))
			wait_for_opener(entry->draft, DOT_KEPT_US);
	}
	free(flush->old_name);
	free(flush);
}

static int store_draft(struct queue_entry *entry, struct flush *about)
{
	struct queue *queue = entry->line->queue;
	struct queue_draft *draft = entry->draft;
	struct flush *flush = malloc(sizeof(*flush));
	struct entry_commit *commit = flush ? queue_commit_new(queue, flushed, flush) : NULL;
	struct entry_row row = queue_entry_row(entry);
	struct buf copy = BUF_INIT;

	if (!commit) {
		free(flush);
		return -ENOMEM;
	}
	*flush = *about;
	flush->queue = queue;
	flush->id = entry->id;
	flush->bytes = row.request_bytes = (uint32_t)draft->data.length;
	buf_append(&copy, draft->data.data, draft->data.length);
	entry_commit_put(commit, &row, &copy, NULL);
	buf_deinit(&copy);
	draft->dirty = draft->moved = false;
	draft->commits++;
	queue_commit(queue, commit);
	return 1;
}

/* What was handed in before is on the disk when this is told. */
static int wait_for_others(struct queue *queue, queue_done_fn done, void *userdata)
{
	struct entry_commit *commit = queue_commit_new(queue, done, userdata);

	if (!commit)
		return -ENOMEM;
	queue_commit(queue, commit);
	return 1;
}

int queue_draft_flush(
        struct queue *queue, uint64_t id, bool killed, queue_done_fn done, void *userdata)
{
	struct queue_entry *entry = draft_of(queue, id);
	struct queue_draft *draft = entry ? entry->draft : NULL;

	if (!draft)
		return 0;
	if (draft->refused)
		return draft->refused;
	if (draft->dot && !killed)
		return 0;
	if (killed) {
		if (!draft->dirty && draft->stored)
			return 0;
		draft->dirty = false;
		draft->dropped = true;
		return 0;
	}
	if (draft->dirty || (!draft->stored && !draft->dropped && ++draft->empty_flushes == 2))
		return store_draft(entry, &(struct flush){.done = done, .userdata = userdata});
	return draft->commits ? wait_for_others(queue, done, userdata) : 0;
}

/* --- into the line ---------------------------------------------------------------------------- */

static void get_in_line(struct queue_entry *entry)
{
	if (!entry->draft->dropped && entry->draft->data.length == entry->request_bytes)
		queue_entry_keep_body(entry, &entry->draft->data);
	queue_draft_free(entry);
	queue_show(entry);
}

/* Nobody has it open, and it has its name. */
static void finish(struct queue_entry *entry)
{
	struct queue_draft *draft = entry->draft;

	if (draft->commits)
		return; /* the last of them comes here again */
	if (draft->dropped && !draft->stored) {
		queue_draft_drop(entry);
		return;
	}
	if (!draft->dirty && !draft->moved && draft->stored) {
		get_in_line(entry);
		return;
	}
	/* What only its time is new of is stored whole, too; not what its killed writer left. */
	if (draft->dropped)
		queue_store(entry);
	else if (store_draft(entry, &(struct flush){}) > 0)
		return;
	if (draft->stored)
		get_in_line(entry);
	else
		queue_draft_drop(entry);
}

void queue_draft_close(struct queue *queue, uint64_t id)
{
	struct queue_entry *entry = draft_of(queue, id);

	if (!entry)
		return;
	assert(entry->draft->opens);
	if (--entry->draft->opens)
		return;
	if (entry->draft->dot)
		wait_for_opener(entry->draft, DOT_KEPT_US);
	else
		finish(entry);
}

static int rename_check(
        struct queue *queue, const struct queue_entry *entry, const char *name, struct buf *why)
{
	int r = check_name(name, why);

	if (r < 0)
		return r;
	if (!queue_name_taken(entry->line, name))
		return queue->stopping ? -ESHUTDOWN : 0;
	say(why, "a call of this name waits, runs or has ended within the last hour");
	return -EEXIST;
}

int queue_draft_rename(struct queue *queue, uint64_t id, const char *name, queue_done_fn done,
        void *userdata, struct buf *why)
{
	struct queue_entry *entry = draft_of(queue, id);
	struct flush about = {.done = done, .userdata = userdata};
	int r;

	if (!entry || !entry->draft->dot) {
		say(why, "a call that was queued keeps its name");
		return -EPERM;
	}
	if (entry->draft->refused) {
		say(why, "not all of it was written");
		return entry->draft->refused;
	}
	r = rename_check(queue, entry, name, why);
	if (r == 0)
		about.old_name = strdup(entry->name);
	if (r == 0 && (!about.old_name || queue_entry_rename(entry, entry->line, name) < 0))
		r = -ENOMEM;
	if (r < 0 || *name == '.') {
		free(about.old_name);
		return r;
	}
	list_unlink(&entry->draft->link);
	entry->draft->until_us = 0;
	set_dot(entry, false);
	entry->draft->dropped = false;
	entry->accepted_us = queue_now(queue);
	r = store_draft(entry, &about);
	if (r > 0)
		return r;
	if (queue_entry_rename(entry, entry->line, about.old_name) == 0)
		set_dot(entry, true);
	free(about.old_name);
	return r;
}
