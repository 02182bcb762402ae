/* SPDX-License-Identifier: Apache-2.0 */
#include "events/queue_heap.h"

#include <stdlib.h>

#include "base/fail.h"
#include "events/queue_private.h"

void queue_heap_deinit(struct queue_heap *heap)
{
	free(heap->slots);
	*heap = (struct queue_heap){};
}

static void put(struct queue_heap *heap, size_t place, struct queue_heap_slot slot)
{
	heap->slots[place] = slot;
	slot.entry->heap = heap;
	slot.entry->heap_place = place;
}

static void sift_up(struct queue_heap *heap, size_t place, struct queue_heap_slot slot)
{
	while (place && slot.key < heap->slots[(place - 1) / 2].key) {
		put(heap, place, heap->slots[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	put(heap, place, slot);
}

static void sift_down(struct queue_heap *heap, size_t place, struct queue_heap_slot slot)
{
	for (;;) {
		size_t child = place * 2 + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count && heap->slots[child + 1].key < heap->slots[child].key)
			child++;
		if (slot.key <= heap->slots[child].key)
			break;
		put(heap, place, heap->slots[child]);
		place = child;
	}
	put(heap, place, slot);
}

int queue_heap_put(struct queue_heap *heap, int64_t key, struct queue_entry *entry)
{
	size_t capacity = heap->capacity ? heap->capacity * 2 : 16;
	struct queue_heap_slot *more;

	if (heap->count == heap->capacity) {
		more = realloc(heap->slots, capacity * sizeof(*more));
		if (!more)
			return fail(-ENOMEM, "putting an entry in line");
		heap->slots = more;
		heap->capacity = capacity;
	}
	heap->count++;
	sift_up(heap, heap->count - 1, (struct queue_heap_slot){key, entry});
	return 0;
}

void queue_heap_remove(struct queue_entry *entry)
{
	struct queue_heap *heap = entry->heap;
	size_t place = entry->heap_place;
	struct queue_heap_slot last;

	if (!heap)
		return;
	entry->heap = NULL;
	last = heap->slots[--heap->count];
	if (last.entry == entry)
		return;
	if (place && last.key < heap->slots[(place - 1) / 2].key)
		sift_up(heap, place, last);
	else
		sift_down(heap, place, last);
}

struct queue_entry *queue_heap_first(const struct queue_heap *heap)
{
	return heap->count ? heap->slots[0].entry : NULL;
}
