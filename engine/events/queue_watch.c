/* SPDX-License-Identifier: Apache-2.0 */
/* Who wants to know how an entry ends. */
#include <errno.h>
#include <stdlib.h>

#include "events/queue_private.h"

int queue_watch(struct queue *queue, uint64_t id, struct queue_watch *watch)
{
	struct queue_entry *entry = queue_entry_of(queue, id);
	struct list *watches = map_get(&queue->watches, id);

	list_init(&watch->link);
	if (!entry)
		return -ENOENT;
	if (entry->place > QUEUE_RUNNING)
		return 1;
	if (!watches) {
		watches = malloc(sizeof(*watches));
		if (!watches || map_put(&queue->watches, id, watches) < 0) {
			free(watches);
			return -ENOMEM;
		}
		list_init(watches);
	}
	list_append(watches, &watch->link);
	return 0;
}

/* A list that is left empty stays until its entry ends. */
void queue_unwatch(struct queue_watch *watch)
{
	list_unlink(&watch->link);
}

void queue_tell(struct queue_entry *entry, enum queue_place place)
{
	struct list *watches = map_remove(&entry->line->queue->watches, entry->id);
	struct queue_watch *watch;

	while (watches && (watch = list_first(watches, struct queue_watch, link))) {
		list_unlink(&watch->link);
		watch->ended(watch, place);
	}
	free(watches);
}
