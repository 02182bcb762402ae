/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Sets of bytes of a file, as sorted ranges [start, end) that neither touch nor overlap. */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct range {
	off_t start;
	off_t end;
};

struct ranges {
	struct range *items;
	size_t count;
	size_t capacity;
};

#define RANGE_END ((off_t)0x7fffffffffffffff) /* whatever the size of the file is */

void ranges_deinit(struct ranges *ranges);
int ranges_add(struct ranges *ranges, off_t start, off_t end); /* 0 or -ENOMEM */
int ranges_add_all(struct ranges *ranges, const struct ranges *more);
bool ranges_contain(const struct ranges *ranges, off_t start, off_t end);
off_t ranges_total(const struct ranges *ranges);

/* With more than `most` ranges: joins them all to one that also holds what lies between. */
void ranges_coarsen(struct ranges *ranges, size_t most);

/*
 * The longest piece that begins at `start`, ends at or before `end`, and is wholly inside or wholly
 * outside of the set; returns its end and says which.
 */
off_t ranges_piece(const struct ranges *ranges, off_t start, off_t end, bool *inside);
