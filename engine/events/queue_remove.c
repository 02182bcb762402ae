/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions go with all that is in their queues. When a version or an alias goes, its calls cannot be made
 * any more, but they were acknowledged: what waits or runs fails with ESTALE, and that, and what had
 * failed or ended before, is found in failed/ and results/ of the function, under its name, or under its
 * request id where that is taken. From there `mv` into the function's queue makes the call of `latest`.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "events/queue_private.h"

void queue_line_free(struct queue_line *line)
{
	struct queue *queue = line->queue;

	if (queue_line_find(queue, &line->target) == line)
		map_remove(&queue->lines_by_target, line->target.alias     ? line->target.alias
		                                    : line->target.version ? line->target.version
		                                                           : line->target.function);
	list_unlink(&line->turn_link);
	list_unlink(&line->link);
	names_deinit(&line->by_name);
	queue_heap_deinit(&line->ready);
	free(line->slots);
	free(line);
}

static void drop(struct queue_entry *entry, struct entry_commit *commit)
{
	queue_tell(entry, QUEUE_GONE);
	if (entry->run)
		queue_run_abandon(entry->run);
	if (entry->draft)
		queue_draft_free(entry);
	if (commit)
		entry_commit_drop(commit, entry->id);
	queue_entry_free(entry);
}

/* Calls that still run count in the line: it stays until the daemon ends. */
void queue_remove_line(struct queue_line *line)
{
	struct queue *queue = line->queue;
	struct entry_commit *commit = queue_commit_new(queue, NULL, NULL);

	for (size_t i = line->slot_count; i-- > 0;) {
		/* Freeing may close holes, but never below a place that is still to come. */
		struct queue_entry *entry = i < line->slot_count ? line->slots[i].entry : NULL;

		if (entry)
			drop(entry, commit);
	}
	if (commit)
		queue_commit(queue, commit);
	if (!line->running && line->holes == line->slot_count)
		queue_line_free(line);
}

void queue_remove_function(struct queue *queue, uint64_t function)
{
	struct queue_line *line, *following;

	list_each_safe(line, following, &queue->lines, link)
		if (line->target.function == function && line->slot_count)
			queue_remove_line(line);
}

/* --- versions and aliases --------------------------------------------------------------------- */

static bool move_home(struct queue_entry *entry, struct queue_line *home)
{
	const char *name = queue_name_taken(home, entry->name) ? entry->request_id : entry->name;

	return queue_entry_rename(entry, home, name) == 0;
}

static void lose_target(struct queue_entry *entry, struct queue_line *home)
{
	if (entry->draft && entry->draft->dot) {
		queue_draft_drop(entry);
		return;
	}
	if (entry->place == QUEUE_GONE) {
		drop(entry, NULL);
		return;
	}
	queue_heap_remove(entry);
	if (!move_home(entry, home))
		return; /* no memory: the next daemon does it */
	entry->stale = entry->rewrite = true;
	if (entry->settling || entry->hidden || entry->draft)
		return; /* it fails when that is over */
	queue_store(entry);
	if (entry->place == QUEUE_WAITING)
		queue_fail(entry, "Removed", "Removed", -ESTALE, QUEUE_REMOVED_TEXT);
	else if (entry->place != QUEUE_RUNNING)
		entry->stale = entry->rewrite = false;
}

void queue_remove_target(struct queue *queue, const struct queue_target *target)
{
	struct queue_line *line = queue_line_find(queue, target);
	struct queue_line *home =
	        queue_line_of(queue, &(struct queue_target){.function = target->function});
	struct entry_commit *commit;

	if (!line || !home || line == home)
		return;
	commit = queue_commit_new(queue, NULL, NULL);
	for (size_t i = 0; commit && i < line->slot_count; i++) {
		const struct queue_entry *entry = line->slots[i].entry;

		if (entry && entry->place == QUEUE_GONE)
			entry_commit_drop(commit, entry->id);
	}
	for (size_t i = line->slot_count; i-- > 0;) {
		struct queue_entry *entry = i < line->slot_count ? line->slots[i].entry : NULL;

		if (entry)
			lose_target(entry, home);
	}
	if (commit)
		queue_commit(queue, commit);
	if (!line->running && line->holes == line->slot_count)
		queue_line_free(line);
}
