/* SPDX-License-Identifier: Apache-2.0 */
#include "store/worktree_ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void ranges_deinit(struct ranges *ranges)
{
	free(ranges->items);
	*ranges = (struct ranges){0};
}

/* The first range that ends at or behind `offset`: the only one that could touch it from before. */
static size_t first_reaching(const struct ranges *ranges, off_t offset)
{
	size_t low = 0, high = ranges->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (ranges->items[middle].end < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int make_room(struct ranges *ranges)
{
	size_t capacity = ranges->capacity ? ranges->capacity * 2 : 4;
	struct range *items;

	if (ranges->count < ranges->capacity)
		return 0;
	items = realloc(ranges->items, capacity * sizeof(*items));
	if (!items)
		return -ENOMEM;
	ranges->items = items;
	ranges->capacity = capacity;
	return 0;
}

int ranges_add(struct ranges *ranges, off_t start, off_t end)
{
	size_t first = first_reaching(ranges, start), last = first;
	int r;

	if (start >= end)
		return 0;
	for (; last < ranges->count && ranges->items[last].start <= end; last++) {
		if (ranges->items[last].start < start)
			start = ranges->items[last].start;
		if (ranges->items[last].end > end)
			end = ranges->items[last].end;
	}
	if (first == last) {
		r = make_room(ranges);
		if (r < 0)
			return r;
		last = first;
		memmove(ranges->items + first + 1, ranges->items + first,
		        (ranges->count - first) * sizeof(*ranges->items));
		ranges->count++;
	} else {
		memmove(ranges->items + first + 1, ranges->items + last,
		        (ranges->count - last) * sizeof(*ranges->items));
		ranges->count -= last - first - 1;
	}
	ranges->items[first] = (struct range){start, end};
	return 0;
}

int ranges_add_all(struct ranges *ranges, const struct ranges *more)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < more->count; i++)
		r = ranges_add(ranges, more->items[i].start, more->items[i].end);
	return r;
}

bool ranges_contain(const struct ranges *ranges, off_t start, off_t end)
{
	bool inside;

	return start >= end || (ranges_piece(ranges, start, end, &inside) == end && inside);
}

off_t ranges_total(const struct ranges *ranges)
{
	off_t total = 0;
	size_t i;

	for (i = 0; i < ranges->count; i++)
		total += ranges->items[i].end - ranges->items[i].start;
	return total;
}

void ranges_coarsen(struct ranges *ranges, size_t most)
{
	if (ranges->count <= most)
		return;
	ranges->items[0].end = ranges->items[ranges->count - 1].end;
	ranges->count = 1;
}

off_t ranges_piece(const struct ranges *ranges, off_t start, off_t end, bool *inside)
{
	size_t i = first_reaching(ranges, start + 1);
	off_t border = end;

	*inside = i < ranges->count && ranges->items[i].start <= start;
	if (*inside)
		border = ranges->items[i].end;
	else if (i < ranges->count)
		border = ranges->items[i].start;
	return border < end ? border : end;
}
