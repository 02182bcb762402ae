/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ordered.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void ordered_deinit(struct ordered *ordered)
{
	free(ordered->slots);
	*ordered = (struct ordered){0};
}

int ordered_reserve(struct ordered *ordered)
{
	size_t capacity = ordered->capacity ? ordered->capacity * 2 : 4;
	struct ordered_slot *slots;

	if (ordered->count < ordered->capacity)
		return 0;
	slots = realloc(ordered->slots, capacity * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	ordered->slots = slots;
	ordered->capacity = capacity;
	return 0;
}

/* How many have an id up to and with this one. */
static size_t count_upto(const struct ordered *ordered, uint64_t id)
{
	size_t low = 0, high = ordered->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ordered->slots[middle].id <= id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void ordered_put(struct ordered *ordered, uint64_t id, void *object)
{
	size_t place = count_upto(ordered, id);

	assert(ordered->count < ordered->capacity);
	assert(!place || ordered->slots[place - 1].id < id);
	memmove(&ordered->slots[place + 1], &ordered->slots[place],
	        (ordered->count - place) * sizeof(*ordered->slots));
	ordered->slots[place] = (struct ordered_slot){id, object};
	ordered->count++;
}

void ordered_remove(struct ordered *ordered, uint64_t id)
{
	size_t after = count_upto(ordered, id);

	assert(after && ordered->slots[after - 1].id == id);
	memmove(&ordered->slots[after - 1], &ordered->slots[after],
	        (ordered->count - after) * sizeof(*ordered->slots));
	ordered->count--;
}

void *ordered_after(const struct ordered *ordered, uint64_t id)
{
	size_t next = count_upto(ordered, id);

	return next < ordered->count ? ordered->slots[next].object : NULL;
}

void *ordered_last(const struct ordered *ordered)
{
	return ordered->count ? ordered->slots[ordered->count - 1].object : NULL;
}
