/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Time as an object, so that tests bring their own. Monotonic time measures, wall time dates.
 */
#include <stddef.h>
#include <stdint.h>

struct clock {
	int64_t (*monotonic_us)(const struct clock *clock); /* microseconds, origin unknown */
	int64_t (*wall_us)(const struct clock *clock);      /* microseconds since 1970, UTC */
};

extern const struct clock clock_system;

static inline int64_t clock_monotonic_us(const struct clock *clock)
{
	return clock->monotonic_us(clock);
}

static inline int64_t clock_wall_us(const struct clock *clock)
{
	return clock->wall_us(clock);
}

/* `2026-03-17T10:13:22.123Z`, 24 bytes and a zero. */
#define CLOCK_TEXT_SIZE 25
void clock_format(char text[CLOCK_TEXT_SIZE], int64_t wall_us);
