/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A binary heap of entries by a number, the least first. An entry is in at most one heap and knows its place. */
#include <stddef.h>
#include <stdint.h>

struct queue_entry;

struct queue_heap_slot {
	int64_t key;
	struct queue_entry *entry;
};

struct queue_heap {
	struct queue_heap_slot *slots;
	size_t count, capacity;
};

void queue_heap_deinit(struct queue_heap *heap);
int queue_heap_put(struct queue_heap *heap, int64_t key, struct queue_entry *entry); /* -ENOMEM */
void queue_heap_remove(struct queue_entry *entry); /* harmless when it is in none */
struct queue_entry *queue_heap_first(const struct queue_heap *heap); /* or NULL */

static inline int64_t queue_heap_least(const struct queue_heap *heap) /* not of an empty one */
{
	return heap->slots[0].key;
}
