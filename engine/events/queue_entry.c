/* SPDX-License-Identifier: Apache-2.0 */
/* Entries and the lines they stand in: by name, by id, by request id. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "events/queue_private.h"

#define HOLES_MOST 64

/* --- lines ------------------------------------------------------------------------------------ */

/* Ids are unique over functions, versions and aliases. */
static uint64_t target_key(const struct queue_target *target)
{
	return target->alias ? target->alias : target->version ? target->version : target->function;
}

struct queue_line *queue_line_find(const struct queue *queue, const struct queue_target *target)
{
	return map_get(&queue->lines_by_target, target_key(target));
}

struct queue_line *queue_line_of(struct queue *queue, const struct queue_target *target)
{
	struct queue_line *line = queue_line_find(queue, target);

	if (line)
		return line;
	line = calloc(1, sizeof(*line));
	if (!line || map_put(&queue->lines_by_target, target_key(target), line) < 0) {
		free(line);
		fail(-ENOMEM, "making a queue");
		return NULL;
	}
	line->queue = queue;
	line->target = *target;
	names_init(&line->by_name);
	list_init(&line->turn_link);
	list_append(&queue->lines, &line->link);
	return line;
}

static size_t slot_of(const struct queue_line *line, uint64_t id) /* the first not below */
{
	size_t low = 0, high = line->slot_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (line->slots[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int slot_put(struct queue_line *line, struct queue_entry *entry)
{
	size_t capacity = line->slot_capacity ? line->slot_capacity * 2 : 16;
	size_t place = slot_of(line, entry->id);
	struct queue_slot *more;

	if (line->slot_count == line->slot_capacity) {
		more = realloc(line->slots, capacity * sizeof(*more));
		if (!more)
			return fail(-ENOMEM, "making an entry");
		line->slots = more;
		line->slot_capacity = capacity;
	}
	memmove(line->slots + place + 1, line->slots + place,
	        (line->slot_count - place) * sizeof(*line->slots));
	line->slots[place] = (struct queue_slot){entry->id, entry};
	line->slot_count++;
	return 0;
}

static void close_holes(struct queue_line *line)
{
	size_t count = 0;

	for (size_t i = 0; i < line->slot_count; i++)
		if (line->slots[i].entry)
			line->slots[count++] = line->slots[i];
	line->slot_count = count;
	line->holes = 0;
}

static void slot_remove(struct queue_line *line, const struct queue_entry *entry)
{
	size_t place = slot_of(line, entry->id);

	assert(place < line->slot_count && line->slots[place].entry == entry);
	line->slots[place].entry = NULL;
	if (++line->holes > HOLES_MOST && line->holes > line->slot_count / 2)
		close_holes(line);
}

bool queue_entry_visible(const struct queue_entry *entry)
{
	return !entry->hidden && entry->place != QUEUE_GONE;
}

bool queue_next(struct queue *queue, const struct queue_target *target, enum queue_place place,
        uint64_t after, struct queue_info *out)
{
	struct queue_line *line = queue_line_find(queue, target);

	if (!line || !line->counts[place])
		return false;
	for (size_t i = slot_of(line, after + 1); i < line->slot_count; i++) {
		struct queue_entry *entry = line->slots[i].entry;

		if (entry && entry->place == place && queue_entry_visible(entry))
			return queue_get(queue, entry->id, out) == 0;
	}
	return false;
}

/* --- entries ---------------------------------------------------------------------------------- */

struct queue_entry *queue_entry_of(const struct queue *queue, uint64_t id)
{
	return map_get(&queue->by_id, id);
}

static int index_entry(struct queue_entry *entry)
{
	struct queue_line *line = entry->line;
	struct queue *queue = line->queue;
	int r = names_put(&line->by_name, entry->name, entry);

	if (r == 0)
		r = names_put(&queue->by_request, entry->request_id, entry);
	if (r == 0)
		r = map_put(&queue->by_id, entry->id, entry);
	return r == 0 ? slot_put(line, entry) : r;
}

static void unindex_entry(struct queue_entry *entry)
{
	struct queue_line *line = entry->line;
	struct queue *queue = line->queue;

	if (names_get(&line->by_name, entry->name) == entry)
		names_remove(&line->by_name, entry->name);
	if (names_get(&queue->by_request, entry->request_id) == entry)
		names_remove(&queue->by_request, entry->request_id);
	map_remove(&queue->by_id, entry->id);
}

static void free_parts(struct queue_entry *entry)
{
	queue_entry_drop_body(entry);
	if (strcmp(entry->source, "queue") != 0)
		free(entry->source);
	free(entry->name);
	free(entry);
}

static char *source_of(const char *source)
{
	static char queue[] = "queue"; /* what nearly all have */

	return strcmp(source, queue) == 0 ? queue : strdup(source);
}

static struct queue_entry *allocate(const char *name, const char *source)
{
	struct queue_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->name = strdup(name);
	entry->source = source_of(source);
	if (entry->name && entry->source) {
		list_init(&entry->ended_link);
		return entry;
	}
	if (entry->source && strcmp(entry->source, "queue") != 0)
		free(entry->source);
	free(entry->name);
	free(entry);
	return NULL;
}

int queue_entry_new(struct queue_line *line, const char *name, const char *request_id,
        const char *source, struct queue_entry **out)
{
	struct queue *queue = line->queue;
	struct queue_entry *entry;

	if (queue_name_taken(line, name))
		return -EEXIST;
	entry = allocate(name, source);
	if (!entry)
		return fail(-ENOMEM, "making an entry");
	entry->line = line;
	entry->id = ++queue->last_id;
	entry->hidden = true;
	entry->max_retries = -1;
	entry->max_age_ms = -1;
	entry->accepted_us = entry->due_us = queue_now(queue);
	if (request_id)
		strcpy(entry->request_id, request_id);
	else
		uuid_make(&queue->ids, entry->request_id);
	if (index_entry(entry) < 0) {
		unindex_entry(entry);
		free_parts(entry);
		return fail(-ENOMEM, "making an entry");
	}
	line->counts[QUEUE_WAITING]++;
	*out = entry;
	return 0;
}

void queue_entry_free(struct queue_entry *entry)
{
	struct queue_line *line = entry->line;

	assert(!entry->run);
	queue_heap_remove(entry);
	if (!list_empty(&entry->ended_link))
		line->queue->ended_count--;
	list_unlink(&entry->ended_link);
	line->counts[entry->place]--;
	unindex_entry(entry);
	slot_remove(line, entry);
	free_parts(entry);
}

void queue_entry_move(struct queue_entry *entry, enum queue_place place)
{
	queue_heap_remove(entry);
	if (!list_empty(&entry->ended_link))
		entry->line->queue->ended_count--;
	list_unlink(&entry->ended_link);
	entry->line->counts[entry->place]--;
	entry->line->counts[place]++;
	entry->place = place;
}

/* Under another name, perhaps in another line. 0 or -ENOMEM, with nothing changed. */
int queue_entry_rename(struct queue_entry *entry, struct queue_line *line, const char *name)
{
	struct queue_line *old = entry->line;
	char *copy = strdup(name);

	if (!copy || names_put(&line->by_name, copy, entry) < 0 ||
	        (line != old && slot_put(line, entry) < 0)) {
		if (copy && names_get(&line->by_name, copy) == entry)
			names_remove(&line->by_name, copy);
		free(copy);
		return fail(-ENOMEM, "renaming an entry");
	}
	names_remove(&old->by_name, entry->name);
	free(entry->name);
	entry->name = copy;
	if (line == old)
		return 0;
	slot_remove(old, entry);
	old->counts[entry->place]--;
	line->counts[entry->place]++;
	entry->line = line;
	return 0;
}

struct queue_entry *queue_name_taken(struct queue_line *line, const char *name)
{
	struct queue_entry *entry = names_get(&line->by_name, name);

	if (!entry || entry->place != QUEUE_GONE || entry->settling || entry->draft)
		return entry;
	if (entry->ended_us + NAME_KEPT_US > queue_now(line->queue))
		return entry;
	queue_forget(entry);
	return NULL;
}

/* --- bodies in memory ------------------------------------------------------------------------- */

void queue_entry_drop_body(struct queue_entry *entry)
{
	if (!entry->body)
		return;
	entry->line->queue->body_bytes -= entry->request_bytes;
	free(entry->body);
	entry->body = NULL;
}

void queue_entry_keep_body(struct queue_entry *entry, const struct buf *body)
{
	struct queue *queue = entry->line->queue;

	queue_entry_drop_body(entry);
	entry->request_bytes = (uint32_t)body->length;
	if (body->length > BODY_MOST || queue->body_bytes + body->length > BODIES_MOST)
		return;
	entry->body = malloc(body->length + 1);
	if (!entry->body)
		return; /* then it is read */
	if (body->length)
		memcpy(entry->body, body->data, body->length);
	queue->body_bytes += body->length;
}

/* --- to the disk ------------------------------------------------------------------------------ */

_Static_assert((int)QUEUE_WAITING == ENTRY_WAITING && (int)QUEUE_RUNNING == ENTRY_RUNNING &&
                       (int)QUEUE_RESULT == ENTRY_RESULT && (int)QUEUE_FAILED == ENTRY_FAILED &&
                       (int)QUEUE_GONE == ENTRY_GONE,
        "places are stored by their numbers");

struct entry_row queue_entry_row(const struct queue_entry *entry)
{
	return (struct entry_row){.id = entry->id,
	        .function = entry->line->target.function,
	        .version = entry->line->target.version,
	        .alias = entry->line->target.alias,
	        .name = entry->name,
	        .request_id = entry->request_id,
	        .source = entry->source,
	        .place = (enum entry_place)entry->place,
	        .accepted_us = entry->accepted_us,
	        .due_us = entry->due_us,
	        .ended_us = entry->ended_us,
	        .begun = entry->begun,
	        .tries = entry->tries,
	        .max_retries = entry->max_retries,
	        .max_age_ms = entry->max_age_ms,
	        .uid = entry->uid,
	        .gid = entry->gid,
	        .mode = entry->mode,
	        .hops = entry->hops,
	        .request_bytes = entry->request_bytes,
	        .answer_bytes = entry->answer_bytes};
}

struct pending {
	struct queue *queue;
	void (*done)(void *userdata, int status);
	void *userdata;
};

static void commit_done(void *userdata, int status)
{
	struct pending *pending = userdata;
	struct queue *queue = pending->queue;

	queue->open--;
	if (pending->done)
		pending->done(pending->userdata, status);
	free(pending);
	queue_settle_idle(queue);
}

struct entry_commit *queue_commit_new(
        struct queue *queue, void (*done)(void *userdata, int status), void *userdata)
{
	struct pending *pending = malloc(sizeof(*pending));
	struct entry_commit *commit = pending ? entry_commit_new(commit_done, pending) : NULL;

	if (!commit) {
		free(pending);
		fail(-ENOMEM, "writing to a queue");
		return NULL;
	}
	*pending = (struct pending){queue, done, userdata};
	return commit;
}

void queue_commit(struct queue *queue, struct entry_commit *commit)
{
	queue->open++;
	entries_commit(queue->entries, commit);
}

void queue_commit_drop(struct entry_commit *commit)
{
	free(commit->userdata);
	entry_commit_free(commit);
}

void queue_store(struct queue_entry *entry)
{
	struct entry_commit *commit = queue_commit_new(entry->line->queue, NULL, NULL);
	struct entry_row row = queue_entry_row(entry);

	if (!commit)
		return;
	entry_commit_put(commit, &row, NULL, NULL);
	queue_commit(entry->line->queue, commit);
}

struct reading {
	struct queue *queue;
	queue_read_fn done;
	void *userdata;
};

static void read_done(struct entry_read *read)
{
	struct reading *reading = read->userdata;
	struct queue *queue = reading->queue;

	queue->open--;
	reading->done(reading->userdata, read->status, read->data.data ? read->data.data : "",
	        read->data.length);
	buf_deinit(&read->data);
	free(read);
	free(reading);
	queue_settle_idle(queue);
}

int queue_read_bytes(
        struct queue *queue, uint64_t id, bool answer, queue_read_fn done, void *userdata)
{
	struct entry_read *read = calloc(1, sizeof(*read));
	struct reading *reading = malloc(sizeof(*reading));

	if (!read || !reading) {
		free(read);
		free(reading);
		return fail(-ENOMEM, "reading a queue");
	}
	*reading = (struct reading){queue, done, userdata};
	list_init(&read->link);
	read->id = id;
	read->answer = answer;
	read->done = read_done;
	read->userdata = reading;
	queue->open++;
	entries_read(queue->entries, read);
	return 0;
}
