/* SPDX-License-Identifier: Apache-2.0 */
/* Counting, on the way of every call: nothing here takes longer the more there is. */
#include "run/keep_alive_private.h"

#define UNIT_US      INT64_C(500000) /* the width of the first bins: a sixteenth of 8 s */
#define PER_DOUBLING 16

_Static_assert(KEEP_ALIVE_BINS <= UINT8_MAX + 1, "numbers of bins are bytes");
_Static_assert(KEEP_ALIVE_LEAST_US >= PER_DOUBLING * UNIT_US, "no bin holds less");

static unsigned bin_of(int64_t idle_us)
{
	uint64_t units = (uint64_t)(idle_us / UNIT_US);
	unsigned doublings;

	if (idle_us > KEEP_ALIVE_MOST_US)
		return KEEP_ALIVE_LONGER;
	doublings = 63 - 4 - (unsigned)__builtin_clzll(units);
	return doublings * PER_DOUBLING + (unsigned)(units >> doublings) - PER_DOUBLING;
}

int64_t keep_alive_bin_begin_us(unsigned bin)
{
	int64_t units = bin % PER_DOUBLING + PER_DOUBLING;

	return (units << bin / PER_DOUBLING) * UNIT_US;
}

unsigned keep_alive_level(unsigned depth)
{
	return depth <= 2 ? depth - 1 : depth <= 4 ? 2 : 3;
}

void keep_alive_count(struct keep_alive *keep_alive, unsigned depth, int64_t idle_us)
{
	struct idle_times *times = &keep_alive->levels[keep_alive_level(depth)];

	if (idle_us < KEEP_ALIVE_LEAST_US)
		return;
	times->bins[times->next] = (uint8_t)bin_of(idle_us);
	times->next = (times->next + 1) % KEEP_ALIVE_LAST;
	times->count += times->count < KEEP_ALIVE_LAST;
	keep_alive->changes++;
}

void keep_alive_needed(
        struct keep_alive *keep_alive, unsigned before, unsigned needed, int64_t now_us)
{
	unsigned depth;

	for (depth = before + 1; depth <= needed && depth <= KEEP_ALIVE_DEPTHS; depth++) {
		int64_t *since_us = &keep_alive->since_us[depth - 1];

		if (*since_us)
			keep_alive_count(keep_alive, depth, now_us - *since_us);
		*since_us = 0;
	}
	for (depth = needed + 1; depth <= before && depth <= KEEP_ALIVE_DEPTHS; depth++)
		keep_alive->since_us[depth - 1] = now_us;
}

void keep_alive_started(struct keep_alive *keep_alive, int64_t start_us)
{
	int64_t before = keep_alive->start_us;

	start_us = start_us > 1 ? start_us : 1;
	keep_alive->start_us = before ? before + (start_us - before) / 4 : start_us;
}
